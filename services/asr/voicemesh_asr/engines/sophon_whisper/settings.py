"""Settings of Whisper on a Sophgo TPU."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from voicemesh.settings import Section
from voicemesh_asr.engines.whisper.fallback import RisingTemperatures
from voicemesh_asr.engines.whisper.languages import KnownTags


class SophonWhisperSettings(Section):
    """``[asr.sophon_whisper]``."""

    model_files: tuple[Path, ...] = Field(
        (),
        description="The bmodels of one set: five files, or one file with all graphs; a folder "
        "or a pattern stands for those in it. Empty by default: none comes with the package.",
    )
    positions_file: Path | None = Field(
        None,
        description="positional_embedding_*.npz of the same size; the bmodels lack this table.",
    )
    vocabulary_file: Path | None = Field(
        None,
        description="The ranks of the tokens (multilingual.tiktoken), by which text is spelt.",
    )
    interim_model_files: tuple[Path, ...] = Field(
        (),
        description="A second set for interim results, such as one compiled for one beam, which "
        "takes a fraction of the time. Empty: the same set, so that nothing is loaded twice.",
    )
    languages: KnownTags = Field(
        ("en", "zh"),
        min_length=1,
        description="BCP-47 languages that are heard, the likeliest first. A stream that names "
        "several, or none, is heard in the one that it sounds like. The default are those whose "
        "ends of turn the mesh can judge; Whisper knows 99.",
    )
    task: Literal["transcribe", "translate"] = Field(
        "transcribe", description="translate writes English, whatever is spoken."
    )
    initial_prompt: str = Field(
        "",
        max_length=1000,
        description="A text that leads every utterance: names and words to expect, or the script "
        "to write. Empty: Whisper's own choice. It takes room that long utterances need.",
    )
    previous_tokens: int = Field(
        64,
        ge=0,
        le=224,
        description="Tokens of the text before that lead the next window of a long utterance, at "
        "most half of the pad. 64 are about 200 characters of English. 0: none.",
    )
    timestamps: bool = Field(
        True,
        description="Decode final texts with time stamps, by which long utterances are cut. Off "
        "saves two to four steps an utterance; interim results always need them.",
    )
    beams: int = Field(
        0,
        ge=0,
        le=16,
        description="Beams at temperature 0; at most those compiled in. 0: all of them: fewer "
        "save no time, as every row is computed.",
    )
    patience: float = Field(
        1.0,
        gt=0,
        le=4,
        description="Finished texts to wait for, as a share of the beams. 1: Whisper's default.",
    )
    length_penalty: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Exponent of the length by which scores are divided. Unset: Whisper's "
        "default, the plain length.",
    )
    temperatures: RisingTemperatures = Field(
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        min_length=1,
        description="Temperatures that are tried in order until a final text is good enough. "
        "Whisper's; fewer bound the time of noisy utterances.",
    )
    compression_ratio_threshold: float = Field(
        2.4,
        gt=0,
        description="A text that zlib shortens by more than this factor repeats itself and is "
        "tried again. Whisper's value.",
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
        description="Probability of silence from which an unlikely text is dropped. Whisper's "
        "value.",
    )
    interim_every_ms: int = Field(
        700,
        ge=100,
        le=10_000,
        description="New speech in ms after which the utterance so far is decoded again for "
        "interim results. The encoder always reads a whole window, so shorter intervals mostly "
        "cost time on the chip.",
    )
    interim_guesses: bool = Field(
        True,
        description="Show words on which the last two hypotheses do not agree yet. Off: interim "
        "text never changes, but lags behind by one interval.",
    )
    cache_update: Literal["auto", "in_place", "two_sets"] = Field(
        "auto",
        description="How the decoder's caches are kept from step to step. auto: in place where a "
        "try at load shows that the compiled graph bears it, which saves their memory once.",
    )
    workers: int = Field(
        4,
        ge=1,
        le=64,
        description="Speakers that are heard at once; their utterances take turns on the chip. "
        "A small room; voicemesh_asr_decode_queue_seconds tells how long they wait.",
    )

    @field_validator("model_files", "interim_model_files", mode="before")
    @classmethod
    def _one(cls, named: object) -> object:
        """A folder, a pattern or a file by itself."""
        return (named,) if isinstance(named, str | Path) else named
