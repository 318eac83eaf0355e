"""``[tts.sophon_vits]``: the settings of the engine."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from voicemesh.settings import Section
from voicemesh_tts.engines.embedded.settings import EmbeddedSettings


class SophonVitsSettings(Section):
    """``[tts.sophon_vits]``: a Mandarin voice on a Sophgo TPU."""

    model_files: tuple[Path, ...] = Field(
        (),
        max_length=2,
        description="The bmodels: VITS and its BERT, in any order, or one file that holds both; a "
        "folder or a pattern stands for those in it. No default: voices are fetched, none is part "
        "of this package.",
    )
    vocabulary_file: Path | None = Field(
        None,
        description="The vocabulary that the BERT bmodel was trained with, a token a line. Unset: "
        "vocab.txt beside the first bmodel, where the published sets have it.",
    )
    dictionary_file: Path | None = Field(
        None,
        description="Readings of your own, a line each: a Chinese word in Pinyin "
        "(重庆 chong2 qing4) or a Latin one in Chinese characters (iPhone 爱疯). They win over the "
        "built-in ones.",
    )
    sample_rate_hertz: int = Field(
        16_000,
        ge=8_000,
        le=48_000,
        description="The rate that the voice was trained at, in hertz; no bmodel tells it. 16000: "
        "all that are published.",
    )
    hop_samples: int = Field(
        256,
        ge=1,
        le=4096,
        description="Samples in a frame, the unit in which the voice counts durations. 256: all "
        "that are published.",
    )
    silence_level: float = Field(
        0.005,
        ge=0,
        le=0.1,
        description="Mean absolute value, as a share of full scale, below which the audio after "
        "the last word is silence and is cut off. 0.005: what the published voices leave there "
        "is quieter.",
    )
    tail_ms: int = Field(
        60,
        ge=0,
        le=500,
        description="Milliseconds kept after the last audible sound, fading out. 60: the end of a "
        "vowel is quieter than silence_level.",
    )
    sentence_pause_ms: int = Field(
        320,
        ge=0,
        le=2000,
        description="Silence between two launches where a sentence ends, in milliseconds at rate "
        "1; as tts.sentence_pause_ms.",
    )
    clause_pause_ms: int = Field(
        160,
        ge=0,
        le=2000,
        description="Silence between two launches at a mark within a sentence, in milliseconds at "
        "rate 1; as tts.clause_pause_ms.",
    )
    joint_pause_ms: int = Field(
        0,
        ge=0,
        le=2000,
        description="Silence where a clause that is too long for a launch is cut between words, in "
        "milliseconds at rate 1. 0: the tail is pause enough.",
    )
    first_window_characters: int = Field(
        0,
        ge=0,
        le=1000,
        description="End the first launch of a unit of text at the first clause end after so many "
        "characters; 0: fill it. A launch takes as long for two characters as for sixty, so a "
        "short one does not speak sooner; the orchestrator already sends a short first piece.",
    )
    other_languages: bool = Field(
        True,
        description="Whether the embedded engine speaks the languages that this voice does not: "
        "English and others. Without it, unknown Latin words in Chinese are spelled.",
    )
    embedded: EmbeddedSettings = Field(
        EmbeddedSettings(),
        description="The embedded engine's settings. Its target_level_dbfs is the level of this "
        "voice too.",
    )

    @field_validator("model_files", mode="before")
    @classmethod
    def _one(cls, named: object) -> object:
        """A folder, a pattern or a file by itself."""
        return (named,) if isinstance(named, str | Path) else named

    @property
    def vocabulary(self) -> Path:
        """Where the vocabulary is to be found."""
        from voicemesh_sophon.models.bmodel_paths import bmodels  # Of the extra "sophon".

        return self.vocabulary_file or bmodels(self.model_files)[0].with_name("vocab.txt")
