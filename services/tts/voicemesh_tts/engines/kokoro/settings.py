"""``[tts.kokoro]``: the settings of the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from voicemesh.cores import OnCores
from voicemesh_tts.audio.target_level import TARGET_DBFS, TargetLevel

MODEL = "kokoro-82m-zh"
"""The model's name in the catalogue."""

VoiceName = Literal[
    "zf_xiaoxiao",
    "zf_xiaobei",
    "zf_xiaoni",
    "zf_xiaoyi",
    "zm_yunjian",
    "zm_yunxi",
    "zm_yunxia",
    "zm_yunyang",
]


class KokoroSettings(OnCores):
    """``[tts.kokoro]``: a Mandarin voice in the service's own process."""

    voice: VoiceName = Field(
        "zm_yunxi",
        description="The voice: zf_ are female, zm_ male. All are in the model's folder, and "
        "share its network. zm_yunxi is heard best by a recogniser: 8.5 % of the characters of "
        "eight answers wrong, zf_xiaoyi 9.4 %.",
    )
    threads: int = Field(
        2,
        ge=1,
        le=64,
        description="Threads of one part's synthesis. Two, because the first part of an answer is "
        "waited for, and takes half as long with them; one still speaks faster than real time on "
        "a server's core.",
    )
    first_part_characters: int = Field(
        8,
        ge=2,
        le=60,
        description="The longest first part of a piece of text, in characters; a clause that is "
        "longer than this and a quarter more is cut between words. Each further part is as "
        "long as the one before it gives time for. Eight take about 0.7 s on two cores.",
    )
    part_deadline_s: float = Field(
        3.5,
        gt=0,
        le=60,
        description="Longest wait for a part, in seconds, its turn in the queue included. Then "
        "the engine auto says the rest of the text with espeak-ng, before the orchestrator gives "
        "the turn up after 5 s.",
    )
    slowest_realtime_factor: float = Field(
        0.8,
        gt=0,
        le=100,
        description="Seconds of computing for a second of speech, measured at load, above which "
        "the engine auto leaves Mandarin to espeak-ng. 0.8 leaves the other services some room.",
    )
    dictionary_file: Path | None = Field(
        None,
        description="Readings of your own, a line each: a Chinese word in Pinyin "
        "(重庆 chong2 qing4) or a Latin one in Chinese characters (iPhone 爱疯). They win over the "
        "built-in ones.",
    )
    target_level_dbfs: TargetLevel = TARGET_DBFS

    @property
    def most_threads(self) -> int:
        """See OnCores."""
        return self.threads
