"""Spoken turns that somebody asks for: a controller, or a robot that has woken up."""

from __future__ import annotations

import logging

from voicemesh.errors import Busy, DeadlineExceeded, VoiceMeshError
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, robot_pb2
from voicemesh_orchestrator.conversation.client import Client
from voicemesh_orchestrator.conversation.decisions import SpeakingDecisions
from voicemesh_orchestrator.conversation.timers import Timers
from voicemesh_orchestrator.history import Memory
from voicemesh_orchestrator.reply.turn_record import TurnRecords
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.turn.policy import UNSPECIFIED, Policy

log = logging.getLogger(__name__)

# A robot knows best whether somebody spoke: it may say so first.
_NO_SPEECH_GRACE_S = 1.0


class RequestedTurns:
    """Opens the microphone for a turn, and ends the turn where nobody speaks."""

    def __init__(
        self,
        *,
        memory: Memory,
        recognition: asr_pb2.StreamingRecognitionConfig,
        settings: OrchestratorSettings,
        machine: TurnMachine,
        decisions: SpeakingDecisions,
        records: TurnRecords,
        timers: Timers,
        client: Client,
    ) -> None:
        """``recognition``: how what is said is to be recognised. ``timers`` end with speech."""
        self._memory = memory
        self._recognition = recognition
        self._settings = settings
        self._machine = machine
        self._decisions = decisions
        self._records = records
        self._timers = timers
        self._client = client
        self._answers = True

    def speak(self, text: str, policy: Policy) -> common_pb2.Stamp:
        """The robot speaks ``text`` now; the stamp of that. Busy while somebody speaks."""
        if not self._decisions.speak(text, policy, commanded=True):
            raise Busy(
                "somebody is speaking to the robot; say it when they have finished",
                stage=common_pb2.STAGE_ORCHESTRATOR,
            )
        return self._machine.stamp

    def expect(self, wants_answer: bool, policy: Policy = UNSPECIFIED) -> common_pb2.Stamp:
        """The next (or present) speech is a turn that was asked for; its stamp.

        ``policy``: what happens when the user speaks over the answer.
        """
        self._answers = wants_answer
        self._decisions.carry_out(self._machine.expect(wants_answer, policy))
        return self._machine.hearing or self._machine.stamp

    async def listen(self, stamp: common_pb2.Stamp, no_speech_ms: int) -> None:
        """Open the microphone for the expected turn of ``stamp``; raises why that cannot be.

        It stays open while the turn is answered, so that the answer can be
        interrupted. ``no_speech_ms``: how long to wait for speech; 0: the setting.
        """
        limit_ms = no_speech_ms or self._settings.no_speech_timeout_ms
        recognition = asr_pb2.StreamingRecognitionConfig()
        recognition.CopyFrom(self._recognition)  # The plan stays as it was made.
        recognition.resume_from.CopyFrom(self._memory.speaker)
        request = robot_pb2.ListenRequest(
            stamp=stamp,
            recognition=recognition,
            no_speech_timeout_ms=limit_ms,
            keep_listening=self._answers and self._settings.floor.listen_while_speaking,
        )
        try:
            await self._client.listen(request)
        except VoiceMeshError as error:
            self._unheard(error, dialog_pb2.TURN_OUTCOME_FAILED)
            raise
        if self._machine.expected == stamp:
            limit_s = limit_ms / 1000
            self._timers.after(limit_s + _NO_SPEECH_GRACE_S, self.nobody_spoke, limit_s)

    @property
    def awaits_speech(self) -> bool:
        """Whether a turn was asked for and nobody has spoken yet."""
        return self._machine.expected is not None

    def nobody_spoke(self, limit_s: float) -> None:
        """Nobody has said anything for that long."""
        error = DeadlineExceeded(
            f"robot: nobody spoke within {limit_s:g} s", stage=common_pb2.STAGE_ROBOT
        )
        self._unheard(error, dialog_pb2.TURN_OUTCOME_NOTHING_HEARD)

    def _unheard(self, error: VoiceMeshError, outcome: dialog_pb2.TurnOutcome.ValueType) -> None:
        """The expected turn ends before anybody spoke."""
        self._timers.cancel()
        expected = self._machine.expected
        if expected is not None:
            self._records.of(expected).error = error
            self._client.close_microphone()
            self._decisions.carry_out(self._machine.nobody_spoke(outcome))

    def give_up(self, stamp: common_pb2.Stamp) -> None:
        """Whoever asked for the turn of ``stamp`` has gone."""
        if stamp in (self._machine.expected, self._machine.hearing):
            self._client.close_microphone()
        self._decisions.carry_out(self._machine.give_up(stamp))

    async def wake(self) -> None:
        """The robot woke up by itself: listen to whoever woke it, unless somebody speaks."""
        if self._machine.expected is not None or self._machine.hearing is not None:
            return
        stamp = self.expect(wants_answer=True)
        try:
            await self.listen(stamp, no_speech_ms=0)
        except VoiceMeshError as error:
            log.warning("the robot woke up but does not listen: %s", error)
