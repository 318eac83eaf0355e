"""Turns on a robot that fail: each says what failed, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from voicemesh.errors import InvalidArgument, NotFound, Unavailable, VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator.conversation.conversation import Conversation

from .conftest import RATE, Mesh
from .controller import controlling
from .scripted_robot import ScriptedRobot, offering_robot

ONE_EAR = {"asr.moonshine.workers": 1}

IMPATIENT = {"orchestrator.deadlines.connect_s": 0.3}


@pytest.mark.parametrize(
    ("services", "stage"),
    [
        (("asr", "tts"), common_pb2.STAGE_LLM),
        (("asr", "llm"), common_pb2.STAGE_TTS),
        (("llm", "tts"), common_pb2.STAGE_ASR),
    ],
)
async def test_a_failing_stage_is_named_and_apologised_for_on_the_robot(
    mesh: Mesh, flite_speech: Any, services: tuple[str, ...], stage: Any
) -> None:
    robot = ScriptedRobot(flite_speech("what is the moon"))
    async with (
        mesh(*services, **ONE_EAR, **IMPATIENT) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert ended.error.stage == stage
        assert [n.error.stage for n in controller.news if n.HasField("error")] == [stage]
        assert "Sorry" in controller.reply
        assert len(robot.played) > 2 * RATE
        assert controller.reports[-1].drained


async def test_a_microphone_that_cannot_be_opened_is_apologised_for(mesh: Mesh) -> None:
    broken = common_pb2.ErrorDetail(
        code=common_pb2.ERROR_CODE_UNAVAILABLE,
        stage=common_pb2.STAGE_ROBOT,
        message="the microphone is unplugged",
    )
    robot = ScriptedRobot(broken, broken)
    async with (
        mesh() as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert ended.error.message == "the microphone is unplugged"
        assert robot.played
        with pytest.raises(Unavailable, match="unplugged"):
            await controller.listen(robot_target=target)


async def test_a_robot_that_is_not_there_is_named(mesh: Mesh) -> None:
    async with mesh() as orchestrator, controlling(orchestrator) as controller:
        for ask in (controller.run, controller.listen):
            with pytest.raises(Unavailable, match=r"no listener answers at 127\.0\.0\.1:9") as got:
                await ask(robot_target="127.0.0.1:9")
            assert got.value.stage == common_pb2.STAGE_ROBOT
            assert got.value.field == "robot_target"
        assert await controller.slots_used() == 0


async def test_a_robot_that_vanishes_in_mid_play_ends_the_turn(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    robot.holds_playback = True
    async with mesh("llm", "tts") as orchestrator, controlling(orchestrator) as controller:
        async with offering_robot(robot) as target:
            call = controller.begin(robot_target=target, text="what is artificial intelligence")
            await robot.playing.wait()
        ended = await controller.follow(call)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert ended.error.stage == common_pb2.STAGE_ROBOT
        await controller.until_free()


async def test_a_robot_that_vanishes_while_it_listens_ends_the_turn(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    async with mesh() as orchestrator, controlling(orchestrator) as controller:
        async with offering_robot(robot) as target:
            call = controller.begin(robot_target=target)
            await robot.listening.wait()
        ended = await controller.follow(call)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert ended.error.stage == common_pb2.STAGE_ROBOT


async def test_a_language_that_is_not_heard_is_said_to_be_so_in_that_language(
    mesh: Mesh, flite_speech: Any
) -> None:
    robot = ScriptedRobot(flite_speech("hello"))
    async with (
        mesh("asr", **ONE_EAR) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, language_codes=["zh"])
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert ended.error.code == common_pb2.ERROR_CODE_UNSUPPORTED
        assert ended.error.stage == common_pb2.STAGE_ASR
        assert controller.reply.startswith("抱歉")
        assert len(robot.played) > 2 * RATE


async def test_a_stopping_orchestrator_tells_its_controllers_and_silences_the_robot(
    mesh: Mesh,
) -> None:
    robot = ScriptedRobot()
    async with AsyncExitStack() as stack, offering_robot(robot) as target:
        orchestrator = await stack.enter_async_context(mesh())
        async with controlling(orchestrator) as controller:
            call = controller.begin(robot_target=target)
            await robot.listening.wait()
            reading = asyncio.ensure_future(controller.follow(call))
            await stack.aclose()
            with pytest.raises(VoiceMeshError):
                await reading
            assert any(news.HasField("drain") for news in controller.news)
        async with asyncio.timeout(10):
            await robot.stopped.wait()
        assert robot.stops[0].listening


async def test_a_turn_that_takes_too_long_is_given_up(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    limit = {"orchestrator.deadlines.robot_turn_s": 1.01}
    async with (
        mesh(**limit) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        with pytest.raises(VoiceMeshError, match=r"did not end within 1\.01 s"):
            await controller.run(robot_target=target)
        assert robot.stops[0].listening


@pytest.mark.parametrize(
    ("request_", "error", "field"),
    [
        ({}, InvalidArgument, "robot"),
        ({"robot_target": "next door"}, InvalidArgument, "robot_target"),
        ({"robot_target": ""}, InvalidArgument, "robot_target"),
        ({"robot_target": "a:1", "no_speech_timeout_ms": -1}, InvalidArgument, "no_speech_timeout"),
        ({"robot_target": "a:1", "text": "  "}, InvalidArgument, "text"),
        ({"robot_target": "a:1", "text": "x" * 4001}, InvalidArgument, "text"),
        ({"conversation_id": "nobody"}, NotFound, "conversation_id"),
    ],
)
async def test_a_bad_request_is_refused_with_its_field(
    mesh: Mesh, request_: dict[str, Any], error: type[VoiceMeshError], field: str
) -> None:
    async with mesh() as orchestrator, controlling(orchestrator) as controller:
        with pytest.raises(error) as caught:
            await controller.run(**request_)
        assert caught.value.field.startswith(field)
        if "text" not in request_:
            with pytest.raises(error) as caught:
                await controller.listen(**request_)
            assert caught.value.field.startswith(field)


@pytest.mark.parametrize("target", ["127.0.0.1:99999", "127.0.0.1", "http://127.0.0.1:1", "a b:1"])
async def test_a_robot_is_named_by_an_address_that_can_be_dialled(mesh: Mesh, target: str) -> None:
    async with mesh() as orchestrator, controlling(orchestrator) as controller:
        with pytest.raises(InvalidArgument) as caught:
            await controller.listen(robot_target=target)
    assert caught.value.field == "robot_target"


async def test_the_robot_is_left_in_silence_also_when_clearing_a_turn_away_fails(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, left = Conversation.close, []

    async def fail(conversation: Conversation[Any]) -> None:
        left.append(conversation)
        raise Unavailable("cut short", stage=common_pb2.STAGE_ORCHESTRATOR)

    robot = ScriptedRobot()
    robot.holds_playback = True
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        monkeypatch.setattr(Conversation, "close", fail)
        call = controller.begin(robot_target=target, text="what is the moon")
        await robot.playing.wait()
        call.cancel()
        async with asyncio.timeout(30):
            await robot.stopped.wait()
        await close(left[0])
        await controller.until_free()
