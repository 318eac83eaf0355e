"""From probabilities of frames to stretches of speech.

Smoothing, the same for every detector: a hysteresis on the probability, a
shortest length below which sound is not speech, and short gaps that do not end
it. The exact end of the sound comes from :mod:`voiced_edge`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from voicemesh.audio import Samples
from voicemesh_asr.vad.voiced_edge import VoicedEdge

_HYSTERESIS = 0.15
# A gap as short as the closure of a plosive ("ligh-t") does not make the sound
# after it a new stretch that has to prove itself.
_BRIDGE_S = 0.12


class FrameLabel(Enum):
    """What a frame is taken for."""

    SILENCE = "silence"
    MAYBE = "maybe"
    """Perhaps the beginning of speech; the next frames will tell."""
    SPEECH = "speech"


class Activity(NamedTuple):
    """A judged frame, on any sample clock."""

    begin: int
    end: int
    """The sample after its last."""
    label: FrameLabel
    onset: int
    """Where the stretch of sound began that this frame belongs to."""
    voiced_end: int
    """The sample after the last voiced one of that stretch."""


class SpeechActivity:
    """Smooths the judgements of one speaker's frames."""

    def __init__(
        self, threshold: float, min_speech_ms: int, rate_hertz: int, trim_hangover: bool = True
    ) -> None:
        """``threshold``: probability from which a frame is speech.

        Without ``trim_hangover`` a frame of speech is voiced to its end.
        """
        self._high = threshold
        self._low = max(threshold - _HYSTERESIS, threshold / 2)
        self._min_speech = min_speech_ms * rate_hertz // 1000
        self._bridge = int(_BRIDGE_S * rate_hertz)
        self._edge = VoicedEdge(rate_hertz) if trim_hangover else None
        self._position = 0
        self._onset: int | None = None
        self._voiced_end = 0
        self._proven = False
        self._speech_end = -self._bridge - 1

    def process(self, frame: Samples, probability: float) -> Activity:
        """Judge the next frame."""
        begin = self._position
        end = self._position = begin + len(frame)
        if probability < (self._low if self._onset is not None else self._high):
            self._onset = None
            if self._edge is not None:
                self._edge.silence(frame)
            return Activity(begin, end, FrameLabel.SILENCE, begin, begin)
        if self._onset is None:
            self._onset = self._voiced_end = begin
            self._proven = begin - self._speech_end <= self._bridge
        self._proven = self._proven or end - self._onset >= self._min_speech
        voiced = len(frame) if self._edge is None else self._edge.voiced_end(frame)
        if voiced:
            self._voiced_end = begin + voiced
        if self._proven:
            self._speech_end = self._voiced_end
        label = FrameLabel.SPEECH if self._proven else FrameLabel.MAYBE
        return Activity(begin, end, label, self._onset, self._voiced_end)
