"""Turns on a robot that the orchestrator dials: real services, only the sound card is a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from voicemesh.channels import open_channel
from voicemesh.errors import (
    InvalidArgument,
    NotFound,
    Superseded,
    Unavailable,
    VoiceMeshError,
    from_rpc,
)
from voicemesh.stamps import order
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh.v1.operations_pb2 import DescribeRequest, ListTurnsRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

from .conftest import RATE, Mesh
from .scripted_robot import ScriptedRobot, offering_robot

ONE_EAR = {"asr.pocketsphinx.workers": 1}
IMPATIENT = {"orchestrator.deadlines.connect_s": 0.3}
STAGE = common_pb2.STAGE_ORCHESTRATOR

News = dialog_pb2.RunTurnResponse


class Controller:
    """Somebody who asks an orchestrator for turns."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self._dialog = DialogServiceStub(channel)
        self._operations = OperationsServiceStub(channel)
        self.news: list[News] = []

    def begin(self, **request: Any) -> Any:
        return self._dialog.RunTurn(dialog_pb2.RunTurnRequest(**request))

    async def follow(self, call: Any) -> dialog_pb2.TurnEnded:
        """Read a turn to the end of its stream."""
        self.news.clear()
        try:
            async with asyncio.timeout(60):
                async for news in call:
                    self.news.append(news)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, STAGE) from None
        assert self.news[-1].HasField("turn_ended")
        return self.news[-1].turn_ended

    async def run(self, **request: Any) -> dialog_pb2.TurnEnded:
        return await self.follow(self.begin(**request))

    async def listen(self, **request: Any) -> asr_pb2.Transcript:
        try:
            answer = await self._dialog.ListenOnce(dialog_pb2.ListenOnceRequest(**request))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, STAGE) from None
        return answer.transcript

    async def turns(self) -> list[Any]:
        return list((await self._operations.ListTurns(ListTurnsRequest())).turns)

    async def slots_used(self) -> int:
        return (await self._operations.Describe(DescribeRequest())).slots.used

    @property
    def reply(self) -> str:
        return "".join(news.reply_text.text for news in self.news)

    @property
    def reports(self) -> list[common_pb2.PlaybackReport]:
        return [news.playback for news in self.news if news.HasField("playback")]


@asynccontextmanager
async def controlling(target: str) -> AsyncIterator[Controller]:
    async with open_channel(target) as channel:
        yield Controller(channel)


async def test_three_spoken_questions_in_a_row_are_one_conversation(
    mesh: Mesh, flite_speech: Any
) -> None:
    robot = ScriptedRobot(
        flite_speech("what is the moon"),
        flite_speech("say that again"),
        flite_speech("what is artificial intelligence"),
    )
    async with (
        mesh("asr", "llm", "tts", **ONE_EAR) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        replies = []
        for words in ("moon", "again", "intelligence"):
            ended = await controller.run(robot_target=target)
            assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
            assert words in ended.question
            assert ended.heard_text == controller.reply.strip()
            replies.append(controller.reply)
            kinds = [news.WhichOneof("run_turn_response") for news in controller.news]
            assert kinds.index("turn_event") < kinds.index("reply_text") < kinds.index("playback")
            assert controller.reports[-1].drained
            assert controller.reports[-1].played_samples > RATE // 2
            await robot.closed_microphone.wait()
            robot.ready()
        # The second answer is the first one again: the turns remember each other.
        assert replies[1] == replies[0]
        assert "moon" in replies[0].lower()
        assert robot.plays == 3
        assert np.abs(np.frombuffer(bytes(robot.played), dtype=np.int16)).max() > 1000
        assert robot.stops == []
        stamps = [order(stamp) for stamp in robot.stamps]
        assert stamps == sorted(stamps)
        assert len(set(stamps)) == 3
        # Nothing is held between turns: neither a slot here nor the only recogniser.
        assert await controller.turns() == []


async def test_a_robot_may_stream_to_the_recogniser_itself(
    serving: Any, mesh: Mesh, flite_speech: Any
) -> None:
    robot = ScriptedRobot(flite_speech("what is artificial intelligence"))
    async with (
        serving("asr", **ONE_EAR) as asr,
        mesh("llm", "tts", **{"orchestrator.robot_asr_target": asr}) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert "artificial intelligence" in ended.question
        steps = {step.name: step.at_us for step in ended.timeline}
        assert 0 <= steps["last_voiced"] < steps["endpoint"] < steps["first_audio_sent"]
        assert robot.played


async def test_text_is_asked_instead_of_listening_and_facts_of_the_robot_are_used(
    mesh: Mesh,
) -> None:
    robot = ScriptedRobot()
    robot.facts = {"battery": "73 percent"}
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, text="how is your battery")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert ended.question == "how is your battery"
        assert "73" in controller.reply
        assert robot.played
        assert not robot.listening.is_set()


async def test_listening_once_returns_the_words_and_answers_nothing(
    mesh: Mesh, flite_speech: Any
) -> None:
    robot = ScriptedRobot(flite_speech("what is the moon"))
    async with (
        mesh("asr", **ONE_EAR) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        heard = await controller.listen(robot_target=target)
        assert heard.text == "what is the moon"
        assert heard.is_final
        await robot.closed_microphone.wait()
        assert robot.plays == 0


NOBODY = common_pb2.ErrorDetail(
    code=common_pb2.ERROR_CODE_DEADLINE,
    stage=common_pb2.STAGE_ROBOT,
    message="nobody spoke within 0.1 s",
)


async def test_nobody_speaks_as_the_robot_says(mesh: Mesh) -> None:
    robot = ScriptedRobot(NOBODY, NOBODY)
    async with (
        mesh() as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, no_speech_timeout_ms=100)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
        assert "nobody spoke within 0.1 s" in ended.error.message
        assert ended.error.stage == common_pb2.STAGE_ROBOT
        assert robot.plays == 0
        heard = await controller.listen(robot_target=target, no_speech_timeout_ms=100)
        assert heard.text == ""


async def test_a_microphone_that_stays_silent_is_closed_in_the_end(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    async with (
        mesh() as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, no_speech_timeout_ms=100)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
        await robot.closed_microphone.wait()


async def test_noise_without_words_ends_the_turn_quietly(mesh: Mesh) -> None:
    noise = np.random.default_rng(7).normal(0, 6000, RATE).astype(np.int16)
    robot = ScriptedRobot(noise)
    async with (
        mesh("asr", **ONE_EAR) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, no_speech_timeout_ms=100)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
        assert robot.plays == 0


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


async def _until_free(controller: Controller) -> None:
    async with asyncio.timeout(30):
        while await controller.slots_used():
            pass


@pytest.mark.parametrize("phase", ["listening", "playing"])
async def test_the_robot_is_stopped_when_its_controller_vanishes(mesh: Mesh, phase: str) -> None:
    robot = ScriptedRobot()
    robot.holds_playback = True
    text = "what is artificial intelligence" if phase == "playing" else ""
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        call = controller.begin(robot_target=target, text=text)
        await getattr(robot, phase).wait()
        (turn,) = await controller.turns()
        assert turn.phase == ("speaking" if text else "listening")
        call.cancel()
        await robot.stopped.wait()
        assert robot.stops[0].listening
        await _until_free(controller)
        # The robot is at once free for the next, and the conversation goes on.
        robot.holds_playback = False
        robot.ready()
        ended = await controller.run(robot_target=target, text="hello")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert order(controller.news[-1].stamp) > order(robot.stops[0].stamp)
        assert controller.news[-1].stamp.epoch == robot.stops[0].stamp.epoch


@pytest.mark.parametrize("phase", ["listening", "playing"])
async def test_a_newer_turn_supersedes_the_older_one(mesh: Mesh, phase: str) -> None:
    robot = ScriptedRobot()
    robot.holds_playback = True
    text = "what is artificial intelligence" if phase == "playing" else ""
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
        controlling(orchestrator) as other,
    ):
        older = asyncio.ensure_future(other.run(robot_target=target, text=text))
        await getattr(robot, phase).wait()
        robot.holds_playback = False
        ended = await controller.run(robot_target=target, text="hello")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        with pytest.raises(Superseded, match="newer turn"):
            await older
        assert len(robot.stops) == 1
        assert order(robot.stops[0].stamp) < order(controller.news[-1].stamp)


async def test_of_many_turns_at_once_only_the_newest_is_had(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        others = [Controller(controller.channel) for _ in range(4)]
        older = [asyncio.ensure_future(other.run(robot_target=target)) for other in others]
        await robot.listening.wait()
        ended = await controller.run(robot_target=target, text="hello")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        for result in await asyncio.gather(*older, return_exceptions=True):
            assert isinstance(result, Superseded)


async def test_somebody_stops_the_robot_in_the_middle_of_its_reply(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    robot.holds_playback = True
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        call = controller.begin(robot_target=target, text="what is artificial intelligence")
        await robot.playing.wait()
        robot.stopped.set()
        ended = await controller.follow(call)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
        assert len(ended.heard_text) < len(controller.reply)
        assert robot.stops == []


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
        await _until_free(controller)


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


async def test_two_robots_at_once_do_not_mix(mesh: Mesh) -> None:
    robots = [ScriptedRobot(), ScriptedRobot()]
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robots[0]) as one,
        offering_robot(robots[1]) as other,
        controlling(orchestrator) as controller,
    ):
        second = Controller(controller.channel)
        for _ in range(2):
            moon, rain = await asyncio.gather(
                controller.run(robot_target=one, text="what is the moon"),
                second.run(robot_target=other, text="what is a rainbow"),
            )
            assert "moon" in moon.heard_text.lower()
            assert "rainbow" in rain.heard_text.lower()
        again = await controller.run(robot_target=one, text="say that again")
        assert again.heard_text == moon.heard_text


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


async def test_the_longest_idle_robot_is_forgotten_for_a_new_one(mesh: Mesh) -> None:
    robots = [ScriptedRobot() for _ in range(2)]
    async with (
        mesh("llm", "tts", **{"orchestrator.max_robots": 1}) as orchestrator,
        offering_robot(robots[0]) as one,
        offering_robot(robots[1]) as other,
        controlling(orchestrator) as controller,
    ):
        for target in (one, one, other, one):
            await controller.run(robot_target=target, text="hello")
        first, second, third = (stamp for stamp in robots[0].stamps)
        assert first.epoch == second.epoch
        assert third.epoch > second.epoch  # So that the robot takes it for newer.
        assert third.turn == 1
