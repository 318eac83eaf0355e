"""The conversation against an orchestrator that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from voicemesh.errors import Busy, InternalError, InvalidArgument, Unavailable, abort
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import (
    DialogServiceServicer,
    add_DialogServiceServicer_to_server,
)
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.devices.memory import MemoryMicrophone, MemorySpeaker
from voicemesh_robot.dialling.robot_conversation import RobotConversation
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.heard import EndOfSpeech, HeardSilence, HeardSound
from voicemesh_robot.sound.robot import Robot

Request = dialog_pb2.ConverseRequest
Response = dialog_pb2.ConverseResponse
Script = Callable[[AsyncIterator[Request], Any], Awaitable[None]]
Scripted = Callable[[Script], AbstractAsyncContextManager[str]]


def stamp(turn: int) -> common_pb2.Stamp:
    return common_pb2.Stamp(epoch=1, turn=turn)


def started() -> Response:
    return Response(stamp=stamp(0), started=dialog_pb2.ConversationStarted(conversation_id="c"))


def text(turn: int, words: str) -> Response:
    return Response(stamp=stamp(turn), reply_text=dialog_pb2.ReplyText(text=words))


def reply(turn: int) -> Response:
    return Response(stamp=stamp(turn), reply_started=dialog_pb2.ReplyStarted(question="?"))


def ended(turn: int) -> Response:
    outcome = dialog_pb2.TURN_OUTCOME_COMPLETED
    return Response(stamp=stamp(turn), turn_ended=dialog_pb2.TurnEnded(outcome=outcome))


class _Orchestrator(DialogServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script

    # The stubs know stream handlers as generators only; grpc.aio also takes
    # coroutines that write.
    async def Converse(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]
        await self._script(request_iterator, context)

    async def ListenOnce(self, request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not in this script")

    async def RunTurn(self, request: Any, context: Any) -> Any:  # type: ignore[override]
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not in this script")


@pytest.fixture
def scripted() -> Scripted:
    @asynccontextmanager
    async def serve(script: Script) -> AsyncIterator[str]:
        server = grpc.aio.server()
        add_DialogServiceServicer_to_server(_Orchestrator(script), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)

    return serve


async def open_at(target: str, **options: Any) -> Conversation:
    return await Conversation.open(ConversationOptions(target, **options))


async def until_end_of_turn(conversation: Conversation) -> list[Event]:
    events = [await conversation.receive()]
    while not isinstance(events[-1].payload, dialog_pb2.TurnEnded):
        events.append(await conversation.receive())
    return events


def words(events: list[Event]) -> list[str]:
    return [e.payload.text for e in events if isinstance(e.payload, dialog_pb2.ReplyText)]


async def test_first_message_is_the_config_and_what_is_sent_arrives_in_order(
    scripted: Scripted,
) -> None:
    heard: list[Request] = []

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        heard.append(await anext(requests))
        await context.write(started())
        async for request in requests:
            heard.append(request)

    async with scripted(script) as target:
        conversation = await open_at(target, language_codes=("en",), reply_lead_ms=500)
        async with conversation:
            assert conversation.started.conversation_id == "c"
            await conversation.send_heard(HeardSound(0, np.arange(320, dtype=np.int16)))
            await conversation.send_heard(HeardSilence(320, 3200))
            await conversation.send_heard(EndOfSpeech(3520))
            await conversation.send_text("and this", with_speech=True)
            await conversation.interrupt(common_pb2.PlaybackReport(played_samples=99))
    kinds = [request.WhichOneof("converse_request") for request in heard]
    assert kinds == ["config", "audio", "silence", "end_of_utterance", "text", "interrupt", "end"]
    assert heard[0].config.input_format.sample_rate_hertz == 16_000
    assert heard[0].config.reports_playback
    assert np.array_equal(np.frombuffer(heard[1].audio.audio, "<i2"), np.arange(320))
    assert heard[4].text.with_speech
    assert heard[5].interrupt.playback.played_samples == 99


async def test_typing_client_declares_no_input_and_text_client_no_output(
    scripted: Scripted,
) -> None:
    configs: list[dialog_pb2.ConverseConfig] = []

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        configs.append((await anext(requests)).config)
        await context.write(started())

    async with scripted(script) as target:
        await (await open_at(target, input_rate_hertz=None, reply_rate_hertz=None)).close()
    assert not configs[0].HasField("input_format")
    assert not configs[0].HasField("output_format")
    assert not configs[0].reports_playback


async def test_interrupted_reply_is_dropped_but_its_end_arrives(scripted: Scripted) -> None:
    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        for response in [
            started(),
            reply(1),
            text(1, "one"),
            Response(stamp=stamp(1), reply_interrupted=dialog_pb2.ReplyInterrupted(reason="text")),
            text(1, "late"),
            ended(1),
            reply(2),
            text(2, "two"),
            text(1, "much too late"),
            ended(2),
        ]:
            await context.write(response)
        await anext(requests)

    async with scripted(script) as target, await open_at(target) as conversation:
        assert words(await until_end_of_turn(conversation)) == ["one"]
        assert words(await until_end_of_turn(conversation)) == ["two"]


async def test_requests_carry_the_newest_stamp_that_was_seen(scripted: Scripted) -> None:
    stamps: list[common_pb2.Stamp] = []

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        for response in [started(), text(3, "a"), ended(2)]:
            await context.write(response)
        stamps.append((await anext(requests)).stamp)

    async with scripted(script) as target, await open_at(target) as conversation:
        await until_end_of_turn(conversation)
        await conversation.send_text("hello")
    assert stamps == [stamp(3)]


async def test_heartbeats_are_answered_and_hidden(scripted: Scripted) -> None:
    answers: list[common_pb2.Heartbeat] = []

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())
        await context.write(Response(heartbeat=common_pb2.Heartbeat(sequence=7, sent_ms=123)))
        answers.append((await anext(requests)).heartbeat)
        await context.write(ended(1))
        await anext(requests)

    async with scripted(script) as target, await open_at(target) as conversation:
        assert len(await until_end_of_turn(conversation)) == 1
    assert answers == [common_pb2.Heartbeat(sequence=7, sent_ms=123, echo=True)]


async def test_client_that_has_nothing_to_say_gives_signs_of_life(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicemesh_robot.mesh.conversation._HEARTBEAT_S", 0.01)
    beats: list[common_pb2.Heartbeat] = []

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())
        while len(beats) < 2:
            beats.append((await anext(requests)).heartbeat)
        await context.write(ended(1))
        await anext(requests)

    async with scripted(script) as target, await open_at(target) as conversation:
        await until_end_of_turn(conversation)
    assert [beat.sequence for beat in beats] == [1, 2]
    assert not any(beat.echo for beat in beats)


async def test_nobody_at_the_target_is_said_with_the_cure(scripted: Scripted) -> None:
    async with scripted(lambda requests, context: asyncio.sleep(0)) as target:
        pass  # The port was free a moment ago and is free again.
    with pytest.raises(Unavailable, match=f"nothing answers at {target}.*voicemesh up") as caught:
        await open_at(target)
    assert caught.value.stage == common_pb2.STAGE_ORCHESTRATOR


async def test_refusal_keeps_its_kind_its_field_and_its_stage(scripted: Scripted) -> None:
    refusals = iter(
        [
            Busy("all 2 slots for speakers are taken", stage=common_pb2.STAGE_ASR),
            InvalidArgument("no such rate", field="config.output_format.sample_rate_hertz"),
        ]
    )

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await abort(context, next(refusals), common_pb2.STAGE_ORCHESTRATOR)

    async with scripted(script) as target:
        with pytest.raises(Busy, match="2 slots") as busy:
            await open_at(target)
        assert busy.value.stage == common_pb2.STAGE_ASR
        with pytest.raises(InvalidArgument) as wrong:
            await open_at(target)
        assert wrong.value.field == "config.output_format.sample_rate_hertz"


async def test_lost_connection_names_the_stage_and_wakes_whoever_sends(
    scripted: Scripted,
) -> None:
    ready = asyncio.Event()

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())
        ready.set()
        await asyncio.Event().wait()

    async with scripted(script) as target:
        conversation = await open_at(target)
        await ready.wait()

        async def talk() -> None:
            sample = 0
            while True:
                await conversation.send_heard(HeardSound(sample, np.zeros(16_000, dtype=np.int16)))
                sample += 16_000

        talking = asyncio.ensure_future(talk())
    with pytest.raises(Unavailable, match="orchestrator: connection lost"):
        await conversation.receive()
    with pytest.raises(Unavailable, match="orchestrator: connection lost") as caught:
        await talking
    assert caught.value.stage == common_pb2.STAGE_ORCHESTRATOR
    await conversation.close()


async def test_end_that_nobody_asked_for_is_a_lost_connection(scripted: Scripted) -> None:
    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())

    async with scripted(script) as target, await open_at(target) as conversation:
        with pytest.raises(Unavailable, match="orchestrator: connection lost"):
            await conversation.receive()
        with pytest.raises(Unavailable, match="orchestrator: connection lost"):
            await conversation.send_text("hello")


async def test_drain_notice_is_remembered(scripted: Scripted) -> None:
    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())
        await context.write(Response(drain=common_pb2.DrainNotice(reason="stopping")))
        await anext(requests)

    async with scripted(script) as target, await open_at(target) as conversation:
        assert isinstance((await conversation.receive()).payload, common_pb2.DrainNotice)
        assert conversation.draining


async def test_the_speaker_pauses_goes_on_exactly_there_when_the_mesh_says_so(
    scripted: Scripted,
) -> None:
    sound = np.arange(1, 9_601, dtype=np.int16)
    reports: asyncio.Queue[common_pb2.PlaybackReport] = asyncio.Queue()
    orders: asyncio.Queue[Response] = asyncio.Queue()

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())
        await context.write(reply(1))
        chunk = common_pb2.AudioChunk(audio=sound.tobytes())
        audio = dialog_pb2.ReplyAudio(chunk=chunk)
        await context.write(Response(stamp=stamp(1), reply_audio=audio))

        async def obey() -> None:
            while True:
                await context.write(await orders.get())

        obeying = asyncio.ensure_future(obey())
        async for request in requests:
            if request.HasField("playback"):
                reports.put_nowait(request.playback)
        obeying.cancel()

    async def until(paused: bool) -> None:
        while (await reports.get()).paused != paused:
            pass

    speaker = MemorySpeaker()
    settings = RobotSettings(vad_type="none", reply_rate_hertz=16_000)
    robot = Robot(settings, microphone=MemoryMicrophone(), speaker=speaker)
    async with scripted(script) as target, await open_at(target) as conversation:
        talk = await RobotConversation.open(conversation, robot, always_listening=True)
        talking = asyncio.ensure_future(talk.run(lambda event: None))
        await until(paused=False)
        assert (speaker.play(1000) == sound[:1000]).all()
        orders.put_nowait(Response(stamp=stamp(1), reply_paused=dialog_pb2.ReplyPaused()))
        await until(paused=True)
        assert len(speaker.play(500)) == 0
        orders.put_nowait(Response(stamp=stamp(1), reply_resumed=dialog_pb2.ReplyResumed()))
        await until(paused=False)
        assert (speaker.play(1000) == sound[1000:2000]).all()
        talking.cancel()
        await asyncio.wait({talking})
    await robot.close()


async def test_a_robot_that_always_listens_sleeps_with_a_closed_microphone_until_it_is_woken(
    scripted: Scripted,
) -> None:
    woken: list[str] = []
    slept, awake = asyncio.Event(), asyncio.Event()

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())
        async for request in requests:
            match request.WhichOneof("converse_request"):
                case "audio" if not slept.is_set():
                    slept.set()
                    asleep = dialog_pb2.FallAsleep(idle_ms=60_000)
                    await context.write(Response(stamp=stamp(0), fall_asleep=asleep))
                case "audio" if woken:
                    awake.set()
                case "wake":
                    woken.append(request.wake.cause)

    microphone = MemoryMicrophone()
    settings = RobotSettings(vad_type="none", echo={"canceller": "none"})
    robot = Robot(settings, microphone=microphone, speaker=MemorySpeaker())
    async with scripted(script) as target, await open_at(target) as conversation:
        talk = await RobotConversation.open(conversation, robot, always_listening=True)
        talking = asyncio.ensure_future(talk.run(lambda event: None))

        async def record_while(holds: Callable[[], bool]) -> None:
            async with asyncio.timeout(20):
                while holds():
                    microphone.record(np.full(320, 3_000, dtype=np.int16))
                    await asyncio.sleep(0)

        await talk.wake("key")  # It is awake: nobody has to be told.
        await record_while(lambda: robot.microphone.is_open)
        assert slept.is_set()
        await talk.wake("key")
        assert robot.microphone.is_open
        await record_while(lambda: not awake.is_set())
        assert woken == ["key"]
        talking.cancel()
        await asyncio.wait({talking})
    await robot.close()


async def test_a_robot_whose_ear_fails_ends_its_conversation_instead_of_being_deaf(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())
        async for _ in requests:
            pass

    microphone = MemoryMicrophone()
    settings = RobotSettings(vad_type="none", echo={"canceller": "none"})
    robot = Robot(settings, microphone=microphone, speaker=MemorySpeaker())
    async with scripted(script) as target, await open_at(target) as conversation:
        talk = await RobotConversation.open(conversation, robot, always_listening=True)
        microphone.record(np.zeros((3, 7), dtype=np.int16))  # No block of a microphone.
        with pytest.raises(InternalError, match="the robot failed"):
            await talk.run(lambda event: None)
    assert "cannot be heard" in caplog.text
    await robot.close()


async def test_what_was_ducked_is_quieter_in_the_answer_that_is_written(scripted: Scripted) -> None:
    sound = np.full(1_600, 8_000, dtype=np.int16)
    mine: dict[str, Any] = {"stamp": stamp(1)}

    async def script(requests: AsyncIterator[Request], context: Any) -> None:
        await anext(requests)
        await context.write(started())
        await anext(requests)

        async def say(number: int) -> None:
            chunk = common_pb2.AudioChunk(audio=sound.tobytes(), first_sample=number * len(sound))
            await context.write(Response(**mine, reply_audio=dialog_pb2.ReplyAudio(chunk=chunk)))

        await context.write(reply(1))
        await say(0)
        await context.write(Response(**mine, reply_ducked=dialog_pb2.ReplyDucked(volume=0.25)))
        await say(1)
        await context.write(Response(**mine, reply_resumed=dialog_pb2.ReplyResumed()))
        await say(2)
        await context.write(ended(1))
        async for _ in requests:
            pass

    mode = StreamingMode(real_time=False, store_reply=True, speaks=False, hears=True)
    async with (
        scripted(script) as target,
        QuestionSession(RobotSettings(target=target), mode) as session,
    ):
        record = await session.ask(Question(text="what time is it"))
    assert record.error is None
    expected = np.concatenate([sound, sound // 4, sound])
    assert np.array_equal(record.reply.samples(), expected)
