"""Settings of the PocketSphinx engine."""

from __future__ import annotations

import os

from pydantic import Field

from voicemesh.cores import OnCores


class PocketSphinxSettings(OnCores):
    """``[asr.pocketsphinx]``."""

    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=64,
        description="Decoder processes, and so how many speakers are heard at once. The decoder "
        "needs about a third of a core while somebody speaks and holds Python's lock, so each has "
        "a process of its own (about 250 MB). Default: the number of cores.",
    )
    phrase_margin: float = Field(
        35.0,
        ge=0,
        le=1000,
        description="How much worse than free speech a hinted phrase may sound in its worst "
        "quarter of a second and still be taken, in score units per 10 ms frame. Measured: phrases "
        "that were said stay below 31, other sentences lie above 40. 0: hints are off.",
    )
    max_active_states: int = Field(
        3000,
        ge=500,
        le=100_000,
        description="HMM states that free speech may keep alive per frame (PocketSphinx maxhmmpf). "
        "3000 saves a quarter of the work of the library's 30000 and measured no worse: 10.1 % of "
        "words wrong against 10.5 %.",
    )
    replay_limit_s: float = Field(
        8.0,
        ge=0,
        le=60,
        description="Seconds of an utterance that are decoded again when the speaker goes on after "
        "the final pass; what is longer keeps its text and goes on behind it. 8 s take about 2 s "
        "to decode again, while the speaker is still speaking.",
    )

    @property
    def most_threads(self) -> int:
        """See OnCores: each worker is a process of one thread."""
        return self.workers
