"""Settings of Moonshine."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from voicemesh.cores import OnCores

EXTRA = "voicemesh-asr[moonshine]"
"""What has to be installed for it."""
MODEL = "moonshine-tiny-en"
"""The model's name in the catalogue."""
ENCODER, DECODER, TOKENS = "encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"
FILES = (ENCODER, DECODER, TOKENS)
"""What is in its folder."""


class MoonshineSettings(OnCores):
    """``[asr.moonshine]``."""

    model: Path | None = Field(
        None,
        description=f"A folder with {', '.join(FILES)}. Unset: {MODEL} of mesh.models_folder, "
        "which `voicemesh models pull` puts there.",
    )
    threads: int = Field(
        1,
        ge=1,
        le=16,
        description="Threads of one decode. One: on a core of its own a decode of 3 s of speech "
        "takes about 50 ms, and the other services want the other cores.",
    )
    decodes_at_once: int = Field(
        1,
        ge=1,
        le=16,
        description="Decodes that run at the same time, each on so many threads. One is enough "
        "for about ten speakers; raise it on machines with cores to spare.",
    )
    workers: int = Field(
        8,
        ge=1,
        le=256,
        description="Speakers that are heard at once; their decodes take turns, finals first. "
        "A speaker costs no memory worth naming, and 0.1 of a core while speaking.",
    )
    interim_every_ms: int = Field(
        400,
        ge=100,
        le=10_000,
        description="New speech in ms after which the utterance so far is decoded again for "
        "interim results: about a word.",
    )
    interim_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="The most of a speaker's time that interim decodes may take. Utterances that "
        "grow long, and machines that are busy, get fewer of them.",
    )
    phrase_margin: float = Field(
        6.0,
        ge=0,
        le=50,
        description="How much less likely than the text that the network wrote an expected phrase "
        "may be and still be taken, in nats, where it sounds better: a factor of 400. A third of "
        "it where it sounds worse. 0: no phrase is taken, and 28 MB are saved.",
    )
    no_speech_threshold: float = Field(
        -6.5,
        ge=-100,
        le=0,
        description="From how much evidence on nobody spoke, and there is no text, in nats: the "
        "logarithm of the probability of what the network writes for noise, less four times the "
        "mean of that of its text's tokens, and six for each second that the text takes to say "
        "and no voice is sure. 98 % of noises lie above, 1.5 % of utterances of one or two words, "
        "and hardly any longer one. 0: the guard is off.",
    )

    @property
    def most_threads(self) -> int:
        """See OnCores."""
        return self.threads * self.decodes_at_once
