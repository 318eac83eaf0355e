"""One simulated person: asks, listens to the reply or speaks over it, asks again."""

from __future__ import annotations

import asyncio
import time
from enum import Enum, auto

from voicemesh_evaluation.bench.connection import Connection
from voicemesh_evaluation.bench.tally import LATE_S, Tally
from voicemesh_evaluation.bench.workload import FRAME_MS, RATE_HERTZ, BenchScript, Workload

_FRAME_S = FRAME_MS / 1000
_RESPONSE_LIMIT_S = 15.0
_REPORT_FRAMES = 50
"""A playback report a second: enough for a clock that does not drift."""


class _Phase(Enum):
    PAUSE = auto()
    ASKING = auto()
    WAITING = auto()
    HEARING = auto()


class Talker:
    """Streams frames without a pause and times what comes back."""

    def __init__(
        self, connection: Connection, workload: Workload, script: BenchScript, tally: Tally
    ) -> None:
        """Nothing is opened before ``run``."""
        self._connection = connection
        self._workload = workload
        self._script = script
        self._tally = tally
        self._phase = _Phase.PAUSE
        self._since_s = 0.0
        self._frame = 0  # The next frame of the question.
        self._asked = 0
        self._asked_s: float | None = None
        self._interrupted_s: float | None = None
        self._first_audio_s: float | None = None
        self._samples: int | None = None
        self._began = False  # A reply has begun since the question was asked.
        self._failed = False  # The turn has failed: what is said of it is an apology.
        self._ignoring = False  # What comes belongs to a reply that was given up.
        self._leaving = False

    async def run(self, start_s: float) -> None:
        """Have the whole conversation, from ``start_s`` of the monotonic clock on."""
        await asyncio.sleep(start_s - time.monotonic())
        try:
            await self._connection.open(self)
        except Exception as error:
            self._tally.fail(f"cannot be opened: {error}")
            return
        # Opening takes its time; frames keep the phase that the start has set.
        late = max(0.0, time.monotonic() - start_s)
        begin_s = start_s + (int(late / _FRAME_S) + 1) * _FRAME_S
        self._since_s = begin_s
        try:
            await self._stream(begin_s)
        except Exception as error:
            self._tally.fail(f"broke off: {error}")
        finally:
            self._tally.conversation_s += time.monotonic() - begin_s
            self._leaving = True
            await self._connection.close()

    async def _stream(self, begin_s: float) -> None:
        index = 0
        while not self._over():
            due = begin_s + (index + 1) * _FRAME_S
            delay = due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            await self._connection.send(index, self._next_frame(index))
            if self._first_audio_s is not None and index % _REPORT_FRAMES == 0:
                played = int((time.monotonic() - self._first_audio_s) * RATE_HERTZ)
                await self._connection.report(min(played, self._samples or played))
            index += 1

    def _next_frame(self, index: int) -> bytes:
        script = self._script
        if self._phase is not _Phase.ASKING:
            return script.silence[index % len(script.silence)]
        frame = self._frame
        self._frame += 1
        if frame == script.first_voiced and self._first_audio_s is not None:
            self._interrupted_s = time.monotonic()
        if frame == script.last_voiced:
            self._asked_s = time.monotonic()
            self._first_audio_s = self._samples = None
            self._began = self._failed = self._ignoring = False
        if self._frame == len(script.question):
            self._enter(_Phase.WAITING if self._first_audio_s is None else _Phase.HEARING)
        return script.question[frame]

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        self._since_s = time.monotonic()

    def _over(self) -> bool:
        """Move on where it is time to; whether the last turn is over."""
        now = time.monotonic()
        if self._phase is _Phase.PAUSE and now >= self._since_s + self._workload.pause_s:
            return self._ask()
        if self._phase is _Phase.WAITING and now > self._since_s + _RESPONSE_LIMIT_S:
            return self._give_up("no reply came")
        if self._phase is _Phase.HEARING:
            return self._hear(now)
        return False

    def _hear(self, now: float) -> bool:
        assert self._first_audio_s is not None
        heard_s = now - self._first_audio_s
        if self._workload.speaks_over(self._asked):
            if heard_s >= self._workload.interrupt_s:
                self._count_turn()
                return self._ask()
        elif self._samples is None:
            if heard_s > sum(self._workload.piece_samples) / RATE_HERTZ + _RESPONSE_LIMIT_S:
                return self._give_up("the reply has no end")
        elif heard_s >= self._samples / RATE_HERTZ:
            self._count_turn()
            self._first_audio_s = None
            self._enter(_Phase.PAUSE)
        return False

    def _count_turn(self) -> None:
        """A reply has been heard; an apology is none."""
        if not self._failed:
            self._tally.turns += 1

    def _ask(self) -> bool:
        if self._asked == self._workload.turns:
            return True
        self._asked += 1
        self._frame = 0
        self._enter(_Phase.ASKING)
        return False

    def _give_up(self, problem: str) -> bool:
        self._tally.fail(problem)
        self._asked_s = self._first_audio_s = self._samples = None
        self._ignoring = True
        self._enter(_Phase.PAUSE)
        return False

    # What comes over the line (see Caller).

    def reply_started(self) -> None:
        """What comes from now on is the answer to the newest question."""
        self._began = True

    def audio(self, first_sample: int, count: int) -> None:
        """Time the reply's first audio, and look whether the rest is late."""
        now = time.monotonic()
        self._tally.chunks += 1
        if self._first_audio_s is None:
            if self._asked_s is not None and not self._began:
                return  # Of the reply that was spoken over, and whose end comes late.
            if self._asked_s is None:
                if not self._ignoring:
                    self._tally.fail("a reply came that was not asked for")
                self._ignoring = True
                return
            if not self._failed:
                self._tally.response_ms.append((now - self._asked_s) * 1000)
            self._asked_s = None
            self._first_audio_s = now
            if self._phase is _Phase.WAITING:
                self._enter(_Phase.HEARING)
        elif now - self._first_audio_s > first_sample / RATE_HERTZ + LATE_S:
            self._tally.late_chunks += 1

    def reply_ended(self, sample_count: int) -> None:
        """The reply is complete."""
        self._samples = sample_count

    def dropped(self) -> None:
        """The reply has been cut short."""
        if self._leaving:
            return  # Whoever goes in the middle of a reply cuts it short.
        if self._interrupted_s is None:
            self._tally.fail("a reply was dropped that nobody spoke over")
            return
        self._tally.interrupt_ms.append((time.monotonic() - self._interrupted_s) * 1000)
        self._interrupted_s = None

    def failed(self, problem: str) -> None:
        """Count what went wrong."""
        self._failed = True
        self._tally.fail(problem)
