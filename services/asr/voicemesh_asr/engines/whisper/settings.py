"""Settings of Whisper on a processor."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from voicemesh.cores import OnCores
from voicemesh_asr.engines.whisper.fallback import RisingTemperatures
from voicemesh_asr.engines.whisper.languages import KnownTags

EXTRA = "voicemesh-asr[whisper]"
"""What has to be installed for it."""
MODEL = "whisper-base"
"""The model's name in the catalogue."""
FILES = ("model.bin", "config.json", "tokenizer.json")
"""What is in its folder."""


class WhisperSettings(OnCores):
    """``[asr.whisper]``."""

    model: Path | None = Field(
        None,
        description=f"A folder with a Whisper model in CTranslate2's form: {', '.join(FILES)}. "
        f"Unset: {MODEL} of mesh.models_folder, which `voicemesh models pull` puts there.",
    )
    languages: KnownTags = Field(
        (),
        description="BCP-47 languages that are heard, the likeliest first. A stream that names "
        "several, or none, is heard in the one that it sounds like. Empty: mesh.languages.",
    )
    simplified: bool = Field(
        True,
        description="Write Chinese in simplified characters. Whisper chooses either script as it "
        "pleases; the mesh's Chinese texts are simplified.",
    )
    initial_prompt: str = Field(
        "",
        max_length=300,
        description="A text that leads every utterance: names and words to expect, a manner of "
        "writing. Its last 200 tokens count. Empty: Whisper's own choice. A sentence in Chinese "
        "brings more punctuation, but made 12 instead of 9 % of the characters wrong on short "
        "human clips.",
    )
    beams: int = Field(
        3,
        ge=1,
        le=10,
        description="Texts that a final pass follows at once. 3 take 6 % longer than 1, for the "
        "encoder takes most of the time; interim results follow one.",
    )
    temperatures: RisingTemperatures = Field(
        (0.0, 0.4),
        min_length=1,
        description="Tried one after the other until the final text is good enough. One more "
        "than the first, because each delays the answer by another decode.",
    )
    compression_ratio_threshold: float = Field(
        2.4,
        gt=0,
        description="A text that zlib shortens by more than this factor repeats itself: it is "
        "tried again, and dropped where that does not help. Whisper's value.",
    )
    log_probability_threshold: float = Field(
        -1.0,
        le=0,
        description="A text whose tokens are less likely on average (natural logarithm) is tried "
        "again. Whisper's value.",
    )
    no_speech_threshold: float = Field(
        0.6,
        ge=0,
        le=1,
        description="Probability of silence from which a text is dropped, unless its tokens are "
        "likelier than sure_log_probability. Whisper's value.",
    )
    sure_log_probability: float = Field(
        -0.3,
        le=0,
        description="Average logarithm of the tokens' probabilities from which a text counts "
        "although silence is likely. Whisper's own -1 lets 'you' through in an empty room "
        "(-0.7); clear speech is above -0.3.",
    )
    phrase_difference: float = Field(
        0.34,
        ge=0,
        le=1,
        description="The share of letters in which an expected English phrase may differ from the "
        "text and still be taken, where it sounds better. Of 40 known questions all are heard "
        "instead of 32. 0: no phrase is taken.",
    )
    shortest_window_s: float = Field(
        10.0,
        ge=2,
        le=30,
        description="Seconds that are encoded at least, with silence behind the speech. Whisper "
        "was trained on 30, which take three times as long for the same text; 6 save a third of "
        "10, but bring some more errors.",
    )
    threads: int = Field(
        1,
        ge=1,
        le=64,
        description="Threads of one decode. A short utterance takes 0.3 s on one core; two "
        "threads take about half of that where a second core is idle.",
    )
    decodes_at_once: int = Field(
        1,
        ge=1,
        le=16,
        description="Decodes that run at the same time, each on so many threads.",
    )
    workers: int = Field(
        4,
        ge=1,
        le=64,
        description="Speakers that are heard at once; their decodes take turns, finals first. "
        "voicemesh_asr_decode_queue_seconds tells how long they wait.",
    )
    interim_every_ms: int = Field(
        1000,
        ge=100,
        le=10_000,
        description="New speech in ms after which the utterance so far is decoded again for "
        "interim results. At least a whole window is encoded each time.",
    )
    interim_share: float = Field(
        0.3,
        gt=0,
        le=1,
        description="The most of a speaker's time that interim decodes may take: after one of "
        "0.4 s the next comes 1.3 s later at the earliest. A decode cannot be broken off, and "
        "the final one may have to wait for it.",
    )

    @property
    def most_threads(self) -> int:
        """See OnCores."""
        return self.threads * self.decodes_at_once
