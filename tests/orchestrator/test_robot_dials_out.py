"""Turns on a robot behind a router: it has dialled out, and only Converse reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from voicemesh.audio_format import linear16
from voicemesh.errors import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Superseded,
    Unavailable,
)
from voicemesh.stamps import order
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, robot_pb2

from .conftest import RATE, Client, Connect, Mesh, Request, config
from .controller import Controller, controlling

SILENCE = np.zeros(2 * RATE, dtype=np.int16)
ONE_EAR = {"asr.moonshine.workers": 1}
LISTENS = {"listen": robot_pb2.ListenResponse()}


def dialling() -> Request:
    """It hears and speaks."""
    return Request(config=config(input_format=linear16(RATE), reports_playback=True))


def hearing() -> Request:
    """It has no speaker."""
    return Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))


class Robot:
    """A robot that keeps a conversation open and does what it is told over it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.conversation_id = ""

    async def begin(self, controller: Controller) -> None:
        """The controller finds the conversation by itself."""
        await self.client.until("started")
        (turn,) = await controller.turns()
        self.conversation_id = turn.conversation_id

    async def obey(self, **result: Any) -> robot_pb2.RobotCommand:
        """Answer the next command."""
        command = (await self.client.until("command")).command
        await self.client.send(
            command_result=robot_pb2.RobotCommandResult(command_id=command.command_id, **result)
        )
        return command

    async def hear(self, speech: Any) -> robot_pb2.RobotCommand:
        """Listen when told to, and hear this."""
        command = await self.obey(**LISTENS)
        assert command.HasField("listen")
        await self.client.say(np.concatenate([speech, SILENCE]))
        return command

    async def play(self) -> None:
        """Play the reply, as fast as it comes, and say that it has been heard."""
        async with asyncio.timeout(30):
            played = 0
            while True:
                response = await self.client.read()
                kind = response.WhichOneof("converse_response")
                if kind == "reply_audio":
                    played += len(response.reply_audio.chunk.audio) // 2
                if kind in ("reply_audio", "reply_ended"):
                    report = common_pb2.PlaybackReport(
                        stamp=response.stamp, played_samples=played, drained=kind == "reply_ended"
                    )
                    await self.client.send(playback=report)
                if kind == "turn_ended":
                    return

    async def play_slowly(self) -> None:
        """Say that the reply has been heard only when its turn has long been over."""
        ended = await self.client.until("reply_ended")
        await self.client.until("turn_ended")
        report = common_pb2.PlaybackReport(
            stamp=ended.stamp, played_samples=ended.reply_ended.sample_count, drained=True
        )
        await self.client.send(playback=report)


Dialled = Callable[..., AbstractAsyncContextManager[tuple[Robot, Controller]]]


@pytest.fixture
def dialled(mesh: Mesh, connect: Connect) -> Dialled:
    """``async with dialled("asr", first=hearing()) as (robot, controller)``: over these services.

    ``first``: what the robot says of itself; else it can be told to speak and no more.
    """

    @asynccontextmanager
    async def begun(
        *services: str, first: Request | None = None, **settings: Any
    ) -> AsyncIterator[tuple[Robot, Controller]]:
        async with (
            mesh(*services, **settings) as target,
            connect(target, first) as client,
            controlling(target) as controller,
        ):
            robot = Robot(client)
            await robot.begin(controller)
            yield robot, controller

    return begun


async def test_three_spoken_questions_in_a_row(dialled: Dialled, flite_speech: Any) -> None:
    async with dialled("asr", "llm", "tts", first=dialling(), **ONE_EAR) as (robot, controller):
        replies = []
        for question in (
            "What is the moon",
            "Please say that again",
            "What is artificial intelligence",
        ):
            turn = asyncio.ensure_future(controller.run(conversation_id=robot.conversation_id))
            command = await robot.hear(flite_speech(question))
            assert command.listen.no_speech_timeout_ms == 8_000
            assert command.listen.recognition.audio_format == linear16(RATE)
            await robot.play()
            ended = await turn
            assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
            assert ended.question.rstrip("?.") == question
            assert controller.news[0].stamp == command.listen.stamp
            assert controller.news[-1].stamp.turn == command.listen.stamp.turn
            assert controller.reports
            replies.append(controller.reply)
        assert replies[1] == replies[0]
        assert "intelligence" in replies[2].lower()
        # The microphone stays open for who interrupts the answer, and no longer.
        kinds = [command.WhichOneof("command") for command in robot.client.of("command")]
        assert kinds[:5] == ["listen", "stop", "listen", "stop", "listen"]
        for command in robot.client.of("command"):
            if command.HasField("listen"):
                assert command.listen.keep_listening
            else:
                assert command.stop.listening
                assert command.stop.keep_playing


async def test_a_robot_that_is_not_to_be_interrupted_closes_its_microphone_by_itself(
    dialled: Dialled, flite_speech: Any
) -> None:
    settings = {"orchestrator.floor.listen_while_speaking": False}
    async with dialled("asr", "llm", "tts", first=dialling(), **ONE_EAR, **settings) as (
        robot,
        controller,
    ):
        turn = asyncio.ensure_future(controller.run(conversation_id=robot.conversation_id))
        command = await robot.hear(flite_speech("what is the moon"))
        assert not command.listen.keep_listening
        await robot.play()
        await turn
        # The robot has seen the end of the turn, so nobody had to close its microphone.
        assert all(command.HasField("listen") for command in robot.client.of("command"))


async def test_text_is_asked_instead_of_listening(dialled: Dialled) -> None:
    async with dialled("llm", "tts") as (robot, controller):
        turn = asyncio.ensure_future(
            controller.run(conversation_id=robot.conversation_id, text="hello")
        )
        await robot.play()
        assert (await turn).outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert controller.reports
        assert robot.client.of("command") == []


async def test_the_end_of_a_turn_comes_after_the_robots_last_report(dialled: Dialled) -> None:
    async with dialled("asr", "llm", "tts", first=dialling(), **ONE_EAR) as (robot, controller):
        turn = asyncio.ensure_future(
            controller.run(conversation_id=robot.conversation_id, text="hello")
        )
        await robot.play_slowly()
        await turn
        assert controller.reports[-1].drained
        assert controller.news[-1].HasField("turn_ended")


async def test_listening_once_returns_the_words_and_answers_nothing(
    dialled: Dialled, flite_speech: Any
) -> None:
    async with dialled("asr", "llm", "tts", first=dialling(), **ONE_EAR) as (robot, controller):
        listening = asyncio.ensure_future(controller.listen(conversation_id=robot.conversation_id))
        await robot.hear(flite_speech("what is the moon"))
        assert (await listening).text == "What is the moon?"
        # Whoever speaks unasked is answered, as ever.
        await robot.client.say(np.concatenate([flite_speech("good morning"), SILENCE]))
        await robot.client.until("reply_started")
        assert [started.question for started in robot.client.of("reply_started")] == [
            "Good morning."
        ]


async def test_nobody_speaks_and_the_microphone_is_closed(dialled: Dialled) -> None:
    async with dialled("asr", first=hearing(), **ONE_EAR) as (robot, controller):
        turn = asyncio.ensure_future(
            controller.run(conversation_id=robot.conversation_id, no_speech_timeout_ms=100)
        )
        listen = await robot.obey(**LISTENS)
        ended = await turn
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
        assert "nobody spoke within 0.1 s" in ended.error.message
        stop = (await robot.client.until("command")).command.stop
        assert stop.listening
        assert stop.stamp == listen.listen.stamp


async def test_a_robot_that_does_not_answer_its_command(dialled: Dialled) -> None:
    limit = {"orchestrator.deadlines.robot_answer_s": 0.1}
    async with dialled("asr", first=hearing(), **ONE_EAR, **limit) as (robot, controller):
        with pytest.raises(DeadlineExceeded, match="no answer to the command listen") as caught:
            await controller.run(conversation_id=robot.conversation_id)
        assert caught.value.stage == common_pb2.STAGE_ROBOT
        # An answer that comes too late does no harm, nor does one to no command.
        await robot.obey(**LISTENS)
        await robot.client.send(command_result=robot_pb2.RobotCommandResult(command_id="99"))
        await robot.client.send(heartbeat=common_pb2.Heartbeat(sequence=1))
        await robot.client.until("heartbeat")


async def test_a_microphone_that_cannot_be_opened_is_reported(dialled: Dialled) -> None:
    broken = common_pb2.ErrorDetail(
        code=common_pb2.ERROR_CODE_UNAVAILABLE, message="the microphone is unplugged"
    )
    async with dialled("asr", first=hearing(), **ONE_EAR) as (robot, controller):
        for result in ({"error": broken}, {"listen": robot_pb2.ListenResponse(error=broken)}):
            turn = asyncio.ensure_future(controller.run(conversation_id=robot.conversation_id))
            await robot.obey(**result)
            with pytest.raises(Unavailable, match="unplugged") as caught:
                await turn
            assert caught.value.stage == common_pb2.STAGE_ROBOT


async def test_a_conversation_without_a_microphone_cannot_listen(dialled: Dialled) -> None:
    async with dialled("llm", "tts") as (robot, controller):
        with pytest.raises(InvalidArgument, match="has no microphone") as caught:
            await controller.run(conversation_id=robot.conversation_id)
        assert caught.value.field == "conversation_id"
        await robot.client.send(wake=woken())
        with pytest.raises(InvalidArgument) as caught:
            await robot.client.until("command")
        assert caught.value.field == "wake"


def woken() -> dialog_pb2.WakeEvent:
    return dialog_pb2.WakeEvent(cause="wake word")


async def test_a_newer_turn_supersedes_the_older_one(mesh: Mesh, connect: Connect) -> None:
    async with (
        mesh("asr", "llm", "tts", **ONE_EAR) as target,
        connect(target, dialling()) as client,
        controlling(target) as controller,
        controlling(target) as other,
    ):
        robot = Robot(client)
        await robot.begin(controller)
        older = asyncio.ensure_future(other.run(conversation_id=robot.conversation_id))
        listen = await robot.obey(**LISTENS)
        newer = asyncio.ensure_future(
            controller.run(conversation_id=robot.conversation_id, text="hello")
        )
        with pytest.raises(Superseded):
            await older
        await robot.play()  # The end of the turn that was listened for.
        await robot.play()
        assert (await newer).outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert order(controller.news[-1].stamp) > order(listen.listen.stamp)
        outcomes = [ended.outcome for ended in client.of("turn_ended")]
        assert outcomes == [
            dialog_pb2.TURN_OUTCOME_INTERRUPTED,
            dialog_pb2.TURN_OUTCOME_COMPLETED,
        ]


async def test_a_controller_that_vanishes_while_the_robot_listens_closes_its_microphone(
    dialled: Dialled,
) -> None:
    async with dialled("asr", first=hearing(), **ONE_EAR) as (robot, controller):
        call = controller.begin(conversation_id=robot.conversation_id)
        await robot.obey(**LISTENS)
        # The answer has been taken before what comes after it.
        await robot.client.send(heartbeat=common_pb2.Heartbeat(sequence=1))
        await robot.client.until("heartbeat")
        call.cancel()
        assert (await robot.client.until("command")).command.stop.listening
        ended = (await robot.client.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_ABANDONED


async def test_a_controller_that_vanishes_silences_the_reply(dialled: Dialled) -> None:
    async with dialled("llm", "tts") as (robot, controller):
        call = controller.begin(
            conversation_id=robot.conversation_id, text="what is artificial intelligence"
        )
        await robot.client.until("reply_audio")
        call.cancel()
        assert (await robot.client.until("reply_interrupted")).reply_interrupted.reason == "gone"
        ended = (await robot.client.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_ABANDONED


@pytest.mark.parametrize("answers", [True, False])
async def test_a_robot_that_vanishes_ends_the_turn(
    mesh: Mesh, connect: Connect, answers: bool
) -> None:
    async with (
        mesh("asr", **ONE_EAR) as target,
        controlling(target) as controller,
    ):
        async with connect(target, hearing()) as client:
            robot = Robot(client)
            await robot.begin(controller)
            turn = asyncio.ensure_future(controller.run(conversation_id=robot.conversation_id))
            if answers:
                await robot.obey(**LISTENS)
                await client.send(heartbeat=common_pb2.Heartbeat(sequence=1))
                await client.until("heartbeat")
            else:
                await client.until("command")
        if answers:
            assert (await turn).outcome == dialog_pb2.TURN_OUTCOME_ABANDONED
        else:
            with pytest.raises(Unavailable, match="left before it answered"):
                await turn
        with pytest.raises(NotFound):
            await controller.run(conversation_id=robot.conversation_id)


async def test_a_robot_that_wakes_up_is_told_to_listen_and_answered(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    async with (
        mesh("asr", "llm", "tts", **ONE_EAR) as target,
        connect(target, dialling()) as client,
    ):
        await client.until("started")
        await client.send(wake=woken())
        command = (await client.until("command")).command
        assert command.listen.no_speech_timeout_ms == 8_000
        await client.send(wake=woken())  # It is listening already.
        await client.send(
            command_result=robot_pb2.RobotCommandResult(
                command_id=command.command_id, listen=LISTENS["listen"]
            )
        )
        await client.say(np.concatenate([flite_speech("what is the moon"), SILENCE]))
        started = await client.until("reply_started")
        assert started.reply_started.question == "What is the moon?"
        assert started.stamp.turn == command.listen.stamp.turn
        assert len(client.of("command")) == 1
        # Woken while it speaks, it falls silent and listens.
        await client.until("reply_audio")
        await client.send(wake=woken())
        assert (await client.until("reply_interrupted")).reply_interrupted.reason == "command"
        again = (await client.until("command")).command.listen
        assert order(again.stamp) > order(command.listen.stamp)


async def test_a_turn_that_was_asked_for_is_the_speech_that_is_under_way(
    dialled: Dialled, flite_speech: Any
) -> None:
    async with dialled("asr", "llm", "tts", first=dialling(), **ONE_EAR) as (robot, controller):
        await robot.client.say(flite_speech("what is artificial intelligence"))
        start = await robot.client.until("turn_event")
        assert start.turn_event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN
        listening = asyncio.ensure_future(controller.listen(conversation_id=robot.conversation_id))
        command = await robot.obey(**LISTENS)
        assert command.listen.stamp == start.stamp
        await robot.client.say(SILENCE)
        assert (await listening).text == "What is artificial intelligence?"
        assert robot.client.of("reply_started") == []
