"""Services that die under a client: the error names the stage, the next turn works."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from voicemesh.supervisor import Mesh
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings

pytestmark = pytest.mark.asyncio(loop_scope="session")

SpokenFile = Callable[..., Path]
Serving = Callable[..., AbstractAsyncContextManager[str]]

# When each service is killed: at a moment when the turn needs it.
MOMENTS: dict[str, type] = {
    "asr": asr_pb2.TurnEvent,
    "llm": dialog_pb2.ReplyStarted,
    "tts": dialog_pb2.ReplyAudio,
    "orchestrator": dialog_pb2.ReplyText,
}


class Assassin:
    """Kills a service when the client sees an event of a kind."""

    def __init__(self, mesh: Mesh, name: str) -> None:
        self.child = mesh.services[name]
        self.restarts = self.child.restarts
        self._moment = MOMENTS[name]
        self.struck = False

    def observe(self, event: Event) -> None:
        if not self.struck and isinstance(event.payload, self._moment):
            self.struck = True
            os.kill(self.child.pid, signal.SIGKILL)


@pytest.mark.parametrize("name", MOMENTS)
async def test_dead_service_is_named_and_the_next_turn_works(
    mesh: Mesh, spoken_file: SpokenFile, name: str
) -> None:
    assassin = Assassin(mesh, name)
    question = Question(audio=spoken_file("what is artificial intelligence"))
    mode = StreamingMode(real_time=True, store_reply=True)
    async with QuestionSession(RobotSettings(target=mesh.target), mode, assassin.observe) as client:
        failed = await client.ask(question)
        assert assassin.struck
        if name != "llm":  # Its answer may have been complete when it died.
            assert failed.error is not None
            assert not failed.answered
        if failed.error is not None:
            assert common_pb2.Stage.Name(failed.error.stage) == f"STAGE_{name.upper()}"
            assert str(failed.error).startswith(f"{name}:")
        await assassin.child.wait_serving(assassin.restarts + 1)
        again = await client.ask(question)
    assert again.error is None
    assert again.transcript == "What is artificial intelligence?"
    assert again.spoken_answer


async def test_question_that_is_said_while_recognition_comes_back_is_understood(
    mesh: Mesh, spoken_file: SpokenFile
) -> None:
    question = Question(audio=spoken_file("what is a rainbow"))
    child = mesh.services["asr"]
    mode = StreamingMode(real_time=False, store_reply=True)
    async with QuestionSession(RobotSettings(target=mesh.target), mode) as client:
        assert (await client.ask(question)).spoken_answer
        restarts = child.restarts
        os.kill(child.pid, signal.SIGKILL)
        await child.wait_serving(restarts + 1)
        record = await client.ask(question)
    assert record.transcript == "What is a rainbow?"
    assert record.spoken_answer


async def test_lost_recognition_is_not_taken_for_a_file_without_speech(
    serving: Serving, spoken_file: SpokenFile
) -> None:
    question = Question(audio=spoken_file("what is a rainbow"))
    async with AsyncExitStack() as mesh, AsyncExitStack() as recognition:
        targets: dict[str, str] = {}
        for name, stack in (("asr", recognition), ("llm", mesh), ("tts", mesh)):
            target = await stack.enter_async_context(serving(name))
            targets[f"orchestrator.{name}_target"] = target
        target = await mesh.enter_async_context(
            serving("orchestrator", **targets, **{"orchestrator.deadlines.connect_s": 2})
        )
        mode = StreamingMode(real_time=False, store_reply=True)
        async with QuestionSession(RobotSettings(target=target), mode) as client:
            assert (await client.ask(question)).spoken_answer
            await recognition.aclose()
            record = await client.ask(question)
    assert record.outcome == dialog_pb2.TURN_OUTCOME_FAILED
    assert record.error is not None
    assert record.error.stage == common_pb2.STAGE_ASR
    assert "is not back yet" in record.problem
