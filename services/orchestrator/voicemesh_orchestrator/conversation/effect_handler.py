"""Carries out what the turn machine decides: replies, news to the client, history."""

from __future__ import annotations

import logging

from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.barge_in.handler import BargeIn
from voicemesh_orchestrator.conversation.idle_timer import IdleTimer
from voicemesh_orchestrator.history import Exchange, Memory
from voicemesh_orchestrator.reply.outgoing import Event, Outgoing
from voicemesh_orchestrator.reply.runner import ReplyRunner
from voicemesh_orchestrator.reply.turn_record import TurnRecords, count_error
from voicemesh_orchestrator.turn.effects import (
    Apologise,
    Commit,
    Discard,
    Effect,
    EndTurn,
    HoldReply,
    MoveFloor,
    OverlapDecided,
    ResumeReply,
    Speak,
    Speculate,
    StartReply,
    StopReply,
)
from voicemesh_orchestrator.turn.machine import TurnMachine

log = logging.getLogger(__name__)


class EffectHandler:
    """Carries out one effect at a time, on the parts of one conversation."""

    def __init__(
        self,
        *,
        memory: Memory,
        machine: TurnMachine,
        records: TurnRecords,
        outgoing: Outgoing,
        replies: ReplyRunner,
        barge_in: BargeIn,
        idle: IdleTimer,
    ) -> None:
        """``machine`` has decided what is carried out here; only its stamp is read."""
        self._memory = memory
        self._machine = machine
        self._records = records
        self._outgoing = outgoing
        self._replies = replies
        self._barge_in = barge_in
        self._idle = idle

    def carry_out(self, effect: Effect) -> None:
        """Carry ``effect`` out. Never waits."""
        replies, record, history = self._replies, self._records.of, self._memory.history
        match effect:
            case Speculate(stamp, question):
                replies.speculate(stamp, record(stamp), history, question)
            case Discard(stamp, reason):
                replies.discard(stamp, reason)
            case Commit(stamp, question):
                self._reply_starts(stamp, question)
                replies.commit(stamp, record(stamp))
            case StartReply(stamp, question):
                self._reply_starts(stamp, question)
                replies.start(stamp, record(stamp), history)
            case Speak(stamp, text):
                self._reply_starts(stamp, "")
                replies.speak(stamp, record(stamp), text)
            case HoldReply(stamp, duck):
                replies.hold(stamp, record(stamp), duck)
                self._barge_in.await_more()
            case ResumeReply(stamp, reason):
                self._barge_in.cancel()
                replies.resume(stamp, record(stamp), reason)
            case StopReply(stamp, reason):
                self._stop_reply(stamp, reason)
            case Apologise(stamp, error):
                self.fail(stamp, error)
                replies.apologise(stamp, record(stamp))
            case EndTurn(stamp, outcome):
                self._end_turn(stamp, outcome)
            case MoveFloor(move, reason):
                change = move.change(reason)
                metrics.count_floor_move(change)
                self._outgoing.send(Event(stamp=self._machine.stamp, floor=change))
            case OverlapDecided(verdict):
                metrics.OVERLAPS.labels(verdict.value).inc()
                log.info("somebody spoke over the reply: %s", verdict.value)

    def fail(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        """Count and tell why the turn of ``stamp`` fails."""
        count_error(error)
        self._records.of(stamp).error = error
        self._outgoing.send(Event(stamp=stamp, error=error.detail()))

    def _reply_starts(self, stamp: common_pb2.Stamp, question: str) -> None:
        self._records.of(stamp).question = question
        if question:
            self._idle.close()
        started = dialog_pb2.ReplyStarted(question=question)
        self._outgoing.send(Event(stamp=stamp, reply_started=started))

    def _stop_reply(self, stamp: common_pb2.Stamp, reason: str) -> None:
        self._barge_in.cancel()
        metrics.INTERRUPTIONS.labels(reason).inc()
        self._replies.stop(stamp, reason)
        interrupted = dialog_pb2.ReplyInterrupted(reason=reason)
        self._outgoing.send(Event(stamp=stamp, reply_interrupted=interrupted))

    def _end_turn(self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType) -> None:
        turn, history = self._records.take(stamp), self._memory.history
        completed = outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        heard = turn.heard_text(completed)
        if turn.reply is not None and completed and turn.reply.history_reset:
            history.clear()
        elif turn.reply is not None:
            history.add(Exchange(turn.question, heard, not completed))
        self._outgoing.send(Event(stamp=stamp, turn_ended=turn.ended(outcome, heard)))
        if turn.reply is not None and not turn.question:
            self._idle.robot_spoke()
        else:
            self._idle.restart()
        turn.measure(self._memory.conversation_id, stamp, outcome)
