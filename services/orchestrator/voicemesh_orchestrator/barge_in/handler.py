"""Judges what is said while the robot speaks, and watches for that nothing follows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.barge_in.classifier import InterruptionClassifier, Situation
from voicemesh_orchestrator.floor_settings import FloorSettings
from voicemesh_orchestrator.turn.effects import Effect
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.turn.verdict import Verdict

log = logging.getLogger(__name__)


class BargeIn:
    """Follows what is said over a reply, and has the turn machine decide on it."""

    def __init__(
        self,
        settings: FloorSettings,
        machine: TurnMachine,
        do: Callable[[Sequence[Effect]], None],
        said_lately: Callable[[common_pb2.Stamp], str],
        rate_hertz: int,
    ) -> None:
        """``do`` carries effects out; ``said_lately``: the text of a reply up to about now.

        ``rate_hertz``: of the microphone, on whose clock events stand.
        """
        self._settings = settings
        self._machine = machine
        self._do = do
        self._said_lately = said_lately
        self._rate = rate_hertz
        self._judge = InterruptionClassifier(
            settings.min_words,
            settings.min_characters,
            settings.hard_stop_phrases,
            settings.backchannel_phrases,
        )
        self._situation = Situation()
        self._began = 0
        self._timer: asyncio.TimerHandle | None = None

    def look_around(self) -> None:
        """Note what is said over, as long as there is a reply; remembered when it ends."""
        answering, over = self._machine.answering, self._machine.over
        if answering is not None and over in (None, answering):
            said = self._said_lately(answering)
            self._situation = Situation(said, self._machine.audible)

    def heard(self, event: asr_pb2.TurnEvent) -> None:
        """The user has said more, or paused: it may be clear now what it means."""
        machine = self._machine
        if event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
            self._began = event.sample
        if machine.over is None:
            return
        silent = event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
        verdict = self._verdict(event, silent)
        effects = machine.user_said(verdict, silent)
        if machine.over is None:
            self._decided(verdict)
        elif machine.held:
            self.wait()
        self._do(effects)

    def finished(self, event: asr_pb2.TurnEvent, takes_floor: bool) -> list[Effect]:
        """The user's turn is over: what becomes of it, and of the reply that it was said over."""
        text, verdict = event.transcript.text, Verdict.INTERRUPTION
        if self._machine.over is not None:
            verdict = self._verdict(event, fell_silent=True)
            self._decided(verdict)
        return self._machine.user_finished(
            text, verdict, self._judge.only_stop(text), keeps_floor=takes_floor
        )

    def _verdict(self, event: asr_pb2.TurnEvent, fell_silent: bool) -> Verdict:
        voiced_ms = (event.last_voiced_sample - self._began) * 1000 / self._rate
        return self._judge.judge(
            event.transcript.text,
            self._situation,
            fell_silent,
            voiced_ms,
            event.mark == asr_pb2.END_MARK_UNFINISHED,
        )

    def wants_silence(self, text: str) -> bool:
        """Whether what was said over a reply is nothing but a command to be quiet."""
        return self._machine.spoke_over and self._judge.only_stop(text)

    def _decided(self, verdict: Verdict) -> None:
        metrics.OVERLAPS.labels(verdict.value).inc()
        log.info("somebody spoke over the reply: %s", verdict.value)

    def wait(self) -> None:
        """The reply is held: from now on something must follow, or it goes on."""
        self.cancel()
        after_s = self._settings.resume_after_ms / 1000
        self._timer = asyncio.get_running_loop().call_later(after_s, self._expired)

    def _expired(self) -> None:
        self._timer = None
        self._do(self._machine.nothing_followed())

    def cancel(self) -> None:
        """Nothing is waited for any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
