"""A recording as the recogniser gets it: with silence around it, or with noise over it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voicemesh.audio import Samples
from voicemesh_robot.files.audio_file import AudioFile

RATE_HERTZ = 16_000
LEAD_S = 0.3
"""Before the recording: a detector of voice has heard some silence when somebody begins."""
TAIL_S = 2.5
"""After it: longer than the longest wait for the end of a turn."""
_SEED = 15_013


@dataclass(frozen=True)
class Clip:
    """Mono int16 at 16 kHz."""

    samples: Samples
    speech: slice
    """The samples in which the speaker talks; where that is unknown, all of the recording."""

    @property
    def seconds(self) -> float:
        """Its length with what is around it."""
        return len(self.samples) / RATE_HERTZ


def read_clip(path: Path, speech_s: tuple[float, float] | None = None) -> Clip:
    """A recording of any rate and channel count; errors as of :class:`AudioFile`."""
    with AudioFile(path) as file:
        recorded = np.concatenate(list(file.blocks(RATE_HERTZ)))
    lead = round(LEAD_S * RATE_HERTZ)
    begin_s, end_s = speech_s or (0.0, len(recorded) / RATE_HERTZ)
    speech = slice(lead + round(begin_s * RATE_HERTZ), lead + round(end_s * RATE_HERTZ))
    return Clip(np.pad(recorded, (lead, round(TAIL_S * RATE_HERTZ))), speech)


def with_white_noise(clip: Clip, ratio_db: float) -> Clip:
    """The clip in white noise whose level is ``ratio_db`` below that of the speech.

    Levels are root mean squares; the noise is the same in every run.
    """
    speech = clip.samples[clip.speech].astype(np.float64)
    level = np.sqrt((speech**2).mean()) * 10 ** (-ratio_db / 20)
    noise = np.random.default_rng(_SEED).standard_normal(len(clip.samples)) * level
    noisy = np.clip(np.rint(clip.samples + noise), -32768, 32767).astype(np.int16)
    return Clip(noisy, clip.speech)
