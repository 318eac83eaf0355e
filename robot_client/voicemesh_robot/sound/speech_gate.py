"""Decides what of the microphone is sent as samples and what as a duration."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voicemesh.audio import Samples
from voicemesh_robot.sound.heard import Heard, HeardSilence, HeardSound

LONGEST_SILENCE_S = 10
"""The contract's limit of one SilenceChunk."""


@dataclass(frozen=True)
class GateTimes:
    """The gate's waits, in samples."""

    pre_roll: int
    """Sound before the detected beginning that is sent with it."""
    onset: int
    """So much speech within twice that time begins it; a click is shorter."""
    hang_over: int
    """How long samples are still sent after the last frame of speech."""
    settle: int
    """How long after the last frame of speech silence is told at once, frame by frame."""
    silence_chunk: int
    """Afterwards silence is told in pieces of this length."""

    @classmethod
    def of_ms(
        cls,
        rate_hertz: int,
        *,
        pre_roll_ms: int = 250,
        onset_ms: int = 60,
        hang_over_ms: int = 450,
        settle_ms: int = 1500,
        silence_chunk_ms: int = 160,
    ) -> GateTimes:
        """The same from milliseconds."""
        ms = (pre_roll_ms, onset_ms, hang_over_ms, settle_ms, silence_chunk_ms)
        return cls(*(rate_hertz * value // 1000 for value in ms))


class SpeechGate:
    """Decides by the judgement of each frame what is sent as sound and what as silence.

    Frames go in; sounds and silences, without gap or overlap, come out.

    *Open*: samples are sent as they come. They still are for the hang-over after
    the last frame of speech, long enough for the waits after a whole sentence,
    so that the mesh judges those by the true sound.

    *Settling*: silence is told frame by frame at once, since the mesh may be
    waiting for the end of a turn and counts it. It lasts at least ``settle``, and
    while the mesh says that a turn is under way (``expect_speech``); ``expect_silence`` ends it.

    *Quiet*: the newest ``pre_roll`` is held back, to be sent with speech that
    begins; what is older is told in long pieces.

    Frames that are taken for speech while the gate is not open are always held
    back until it is clear whether they begin something, even while settling.
    """

    def __init__(
        self, times: GateTimes, first_sample: int, on_speech: Callable[[int], None]
    ) -> None:
        """``on_speech`` is told where speech began, at the moment that is known."""
        self._times = times
        self._on_speech = on_speech
        self._held: deque[tuple[Samples, bool]] = deque()
        self._held_count = 0
        self._sent = first_sample
        self._untold = 0
        self._since_speech = times.settle
        self._open = False
        self._expects_speech = False

    @property
    def position(self) -> int:
        """The sample after the last that was given."""
        return self._sent + self._untold + self._held_count

    @property
    def speaking(self) -> bool:
        """Whether samples are being sent."""
        return self._open

    def expect_speech(self) -> None:
        """The mesh hears a turn: silence is sent at once, since its end is waited for."""
        self._expects_speech = True

    def expect_silence(self) -> None:
        """The turn is over for the mesh: nobody waits for silence any more."""
        self._expects_speech = False
        self._since_speech = max(self._since_speech, self._times.settle)

    def process(self, frame: Samples, is_speech: bool, is_user: bool = True) -> list[Heard]:
        """The next frame, shape (n,), int16.

        Speech of which it is not sure whose it is (``is_user`` False) begins nothing,
        but counts for the beginning once somebody's follows.
        """
        if self._open:
            return self._process_open(frame, is_speech and is_user)
        self._held.append((frame, is_speech))
        self._held_count += len(frame)
        self._since_speech += len(frame)
        begin = self._beginning() if is_speech and is_user else None
        if begin is not None:
            return self._begin(begin)
        return self._settle() if self._settling else self._rest_quietly()

    def _process_open(self, frame: Samples, is_speech: bool) -> list[Heard]:
        sound = HeardSound(self._sent, frame)
        self._sent += len(frame)
        self._since_speech = 0 if is_speech else self._since_speech + len(frame)
        if self._since_speech >= self._times.hang_over:
            self._open = False
        return [sound]

    @property
    def _settling(self) -> bool:
        return self._expects_speech or self._since_speech < self._times.settle

    def _beginning(self) -> int | None:
        """Where speech has begun, if the newest frames hold enough of it."""
        speech = seen = 0
        begin = self.position
        for frame, is_speech in reversed(self._held):
            if seen >= 2 * self._times.onset:
                break
            seen += len(frame)
            if is_speech:
                speech += len(frame)
                begin = self.position - seen
        return begin if speech >= self._times.onset else None

    def _begin(self, begin: int) -> list[Heard]:
        """Send what is held back from ``pre_roll`` before ``begin`` on."""
        while self._held_begin + len(self._held[0][0]) <= begin - self._times.pre_roll:
            self._drop_first()
        out = self._flush_silence() + self._send_held()
        self._open = True
        self._since_speech = 0
        self._on_speech(begin)
        return out

    @property
    def _held_begin(self) -> int:
        return self._sent + self._untold

    def _send_held(self) -> list[Heard]:
        """What is held back, as one sound."""
        if not self._held:
            return []
        sound = HeardSound(self._sent, np.concatenate([frame for frame, _ in self._held]))
        self._sent += self._held_count
        self._held.clear()
        self._held_count = 0
        return [sound]

    def _settle(self) -> list[Heard]:
        """Tell silence at once, except what may be the beginning of speech."""
        while self._held and not self._held[0][1]:
            self._drop_first()
        self._forget_clicks(2 * self._times.onset)
        return self._flush_silence()

    def _rest_quietly(self) -> list[Heard]:
        self._forget_clicks(self._times.pre_roll + 2 * self._times.onset)
        return self._flush_silence() if self._untold >= self._times.silence_chunk else []

    def _forget_clicks(self, limit: int) -> None:
        """What was held back for longer than ``limit`` and began nothing is silence."""
        while self._held and self._held_count - len(self._held[0][0]) >= limit:
            self._drop_first()

    def _drop_first(self) -> None:
        frame, _ = self._held.popleft()
        self._held_count -= len(frame)
        self._untold += len(frame)

    def _flush_silence(self) -> list[Heard]:
        """The silence that has not been told yet."""
        if not self._untold:
            return []
        silence = HeardSilence(self._sent, self._untold)
        self._sent += self._untold
        self._untold = 0
        return [silence]

    def gap(self, count: int, longest: int) -> list[Heard]:
        """``count`` samples are lost; what was held back before them is sent.

        ``longest``: of one silence, in samples.
        """
        out = self._flush_silence() + self._send_held()
        self._since_speech += count
        while count > 0:
            piece = min(count, longest)
            out.append(HeardSilence(self._sent, piece))
            self._sent += piece
            count -= piece
        if self._since_speech >= self._times.hang_over:
            self._open = False
        return out
