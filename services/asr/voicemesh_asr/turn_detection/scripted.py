"""A turn detector driven by a script of words with times, without sound and recogniser.

For languages that no recogniser at hand hears. Voice activity is exact, the text
comes as a streaming recogniser of a given lag tells it. Announced under the
entry-point group ``voicemesh.turn_scripts``.
"""

from __future__ import annotations

from collections.abc import Sequence

from voicemesh.errors import InvalidArgument
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judge import default_judge
from voicemesh_asr.turn_detection.detector import Action, TurnDecision, TurnDetector
from voicemesh_asr.turn_detection.detectors import DETECTORS
from voicemesh_asr.turn_detection.turn_events import turn_event
from voicemesh_asr.turn_detection.waits import Waits
from voicemesh_asr.vad.activity import Activity, FrameLabel

Words = Sequence[tuple[str, int, int]]
"""Each with its first sample and the sample after its last, in order."""

_FRAME_MS = 32
_PATIENCE_S = 4
"""Silence after the last word: longer than every wait."""


def play(
    words: Words, detector: str, *, rate_hertz: int = 16_000, lag_ms: int = 200, space: str = ""
) -> list[pb.TurnEvent]:
    """What the detector named ``detector``, with its default waits, makes of ``words``.

    ``lag_ms``: how long the recogniser takes, with running text and with the final
    pass alike; a decision that needs its text comes no earlier. ``space`` stands
    between words. InvalidArgument where there is no such detector, or no word.
    """
    if detector not in DETECTORS:
        known = ", ".join(DETECTORS)
        raise InvalidArgument(f"there is no turn detector {detector!r}; known are: {known}")
    if not words:
        raise InvalidArgument("a script without words says nothing; give at least one")
    waits = Waits()
    followed = TurnDetector(waits, rate_hertz, strategies=DETECTORS[detector](waits))
    player = _ScriptPlayer(words, followed, rate_hertz, lag_ms * rate_hertz // 1000, space)
    player.run()
    return player.events


class _ScriptPlayer:
    """Plays the words to a detector, frame by frame."""

    def __init__(
        self, words: Words, detector: TurnDetector, rate_hertz: int, lag: int, space: str
    ) -> None:
        self._words = words
        self._detector = detector
        self._rate = rate_hertz
        self._lag = lag
        self._space = space
        self._judge = default_judge()
        self._over = 0  # Words of turns that are over.
        self._ready = 0  # When the newest final pass is done.
        self.events: list[pb.TurnEvent] = []

    def run(self) -> None:
        frame = self._rate * _FRAME_MS // 1000
        end = self._words[-1][2] + _PATIENCE_S * self._rate
        for begin in range(0, end, frame):
            if self._detector.in_turn:
                self._understand(self._text(begin - self._lag))
            self._carry_out(self._detector.process(self._activity(begin, begin + frame)))

    def _activity(self, begin: int, end: int) -> Activity:
        """The frame; words that touch are one stretch of sound."""
        onset, voiced_end = begin, -1
        for _, first, after in self._words:
            if first >= end:
                break
            if first != voiced_end:
                onset = first
            voiced_end = after
        if voiced_end <= begin:
            return Activity(begin, end, FrameLabel.SILENCE, begin, begin)
        return Activity(begin, end, FrameLabel.SPEECH, onset, min(voiced_end, end))

    def _text(self, until: int) -> str:
        said = [word for word, _, after in self._words[self._over :] if after <= until]
        return self._space.join(said)

    def _understand(self, text: str) -> None:
        if len(text) > len(self._detector.text):
            self._carry_out(self._detector.understand(text, self._judge.judge(text)))

    def _carry_out(self, decisions: Sequence[TurnDecision]) -> None:
        for decision in decisions:
            if decision.action is Action.FINISH:
                self._ready = decision.sample + self._lag
                text = self._text(decision.last_voiced)
                self._carry_out(self._detector.finished(text, self._judge.judge(text)))
                continue
            if decision.announced:
                self.events.append(self._event(decision))
            if decision.action is Action.END:
                self._over = sum(after <= decision.last_voiced for _, _, after in self._words)

    def _event(self, decision: TurnDecision) -> pb.TurnEvent:
        event = turn_event(decision)
        event.sample = max(decision.sample, self._ready)
        if decision.action in (Action.EAGER, Action.END):
            event.transcript.text = self._text(decision.last_voiced)
        return event
