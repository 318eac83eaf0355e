"""Barge-in: what is said while the robot speaks, and what becomes of the reply."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh_orchestrator.barge_in.classifier import InterruptionClassifier, Situation
from voicemesh_orchestrator.floor_settings import FloorSettings
from voicemesh_orchestrator.turn.effects import Effect
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.turn.verdict import Verdict


class BargeInContext(Protocol):
    """What barge-in needs of the conversation that it belongs to."""

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Carry out what the machine has decided, in order."""

    def spoken_lately(self, stamp: common_pb2.Stamp) -> str:
        """The text of the reply of ``stamp`` around the place that plays now."""


class BargeIn:
    """Takes the events of the user's turns to the turn machine, with a verdict on the words.

    ``take`` is the one way in for events. A reply that is held goes on when nothing that stops it
    has followed for ``resume_after_ms``.
    """

    def __init__(
        self,
        settings: FloorSettings,
        machine: TurnMachine,
        context: BargeInContext,
        rate_hertz: int,
    ) -> None:
        """``rate_hertz``: of the microphone, on whose clock events stand."""
        self._settings = settings
        self._machine = machine
        self._context = context
        self._rate = rate_hertz
        self._classifier = InterruptionClassifier(
            settings.min_words,
            settings.min_characters,
            settings.hard_stop_phrases,
            settings.backchannel_phrases,
        )
        self._situation = Situation()
        self._began = 0
        self._timer: asyncio.TimerHandle | None = None

    def take(self, event: asr_pb2.TurnEvent, takes_floor: bool = False) -> list[Effect]:
        """What an event of the user's turn means for the turns; effects to carry out.

        ``takes_floor``: with the end of the turn, that the robot has ended it. The words
        that the beginning of a turn may bring are judged by ``said``, once the turn has begun.
        """
        self._note_situation()
        match event.type:
            case asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                self._began = event.sample
                return self._machine.user_started()
            case asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                return self._finished(event, takes_floor)
            case _:
                return self.said(event)

    def said(self, event: asr_pb2.TurnEvent) -> list[Effect]:
        """What the words so far, which ``event`` brings, mean for a reply that plays."""
        effects: list[Effect] = []
        if self._machine.over is not None:
            silent = event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
            effects = self._machine.user_said(self._verdict(event, silent), silent)
            if self._machine.held:
                self.await_more()
        return effects

    def _note_situation(self) -> None:
        """Note what is said over, as long as there is a reply; remembered when it ends."""
        answering, over = self._machine.answering, self._machine.over
        if answering is not None and over in (None, answering):
            spoken = self._context.spoken_lately(answering)
            self._situation = Situation(spoken, self._machine.audible)

    def _finished(self, event: asr_pb2.TurnEvent, takes_floor: bool) -> list[Effect]:
        text, verdict = event.transcript.text, Verdict.INTERRUPTION
        if self._machine.over is not None:
            verdict = self._verdict(event, fell_silent=True)
        only_stop = self._classifier.only_stop(text)
        return self._machine.user_finished(text, verdict, only_stop, keeps_floor=takes_floor)

    def _verdict(self, event: asr_pb2.TurnEvent, fell_silent: bool) -> Verdict:
        voiced_ms = (event.last_voiced_sample - self._began) * 1000 / self._rate
        return self._classifier.classify(
            event.transcript.text,
            self._situation,
            fell_silent,
            voiced_ms,
            event.mark == asr_pb2.END_MARK_UNFINISHED,
        )

    def wants_silence(self, text: str) -> bool:
        """Whether what was said over a reply is nothing but a command to be quiet."""
        return self._machine.spoke_over and self._classifier.only_stop(text)

    def await_more(self) -> None:
        """The reply is held: from now on something must follow, or it goes on."""
        self.cancel()
        after_s = self._settings.resume_after_ms / 1000
        self._timer = asyncio.get_running_loop().call_later(after_s, self._expired)

    def _expired(self) -> None:
        self._timer = None
        self._context.carry_out(self._machine.nothing_followed())

    def cancel(self) -> None:
        """Nothing is awaited any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
