"""Conversations over real gRPC with real model and synthesis services."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import grpc
import numpy as np
import pytest

from voicemesh.audio_format import linear16
from voicemesh.errors import (
    Busy,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Unavailable,
    VoiceMeshError,
)
from voicemesh.grpc_client import Duplex, open_channel
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh.v1.operations_pb2 import DescribeRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

from .conftest import RATE, Client, Connect, Mesh, Request, config

FAST = {"orchestrator.deadlines.connect_s": 0.3}
TEXT_ONLY = dialog_pb2.ConverseConfig()


async def ask(client: Client, text: str) -> dialog_pb2.TurnEnded:
    await client.send(text=dialog_pb2.TypedText(text=text))
    return (await client.until("turn_ended")).turn_ended


async def test_typed_text_is_answered_in_text_and_audio(mesh: Mesh, connect: Connect) -> None:
    async with (
        mesh("llm", "tts") as target,
        connect(target, Request(config=config(reply_lead_ms=600_000))) as client,
    ):
        started = (await client.until("started")).started
        assert started.conversation_id
        await client.send(text=dialog_pb2.TypedText(text="what is artificial intelligence"))
        ended = (await client.until("reply_ended")).reply_ended
        text = "".join(part.text for part in client.of("reply_text"))
        assert "intelligence" in text.lower()
        assert ended.char_count == len(text)
        samples = 0
        reach = 0
        for audio in client.of("reply_audio"):
            assert audio.chunk.first_sample == samples
            samples += len(audio.chunk.audio) // 2
            assert audio.span.end_char >= reach
            reach = audio.span.end_char
        assert samples == ended.sample_count > RATE
        assert reach <= len(text)
        report = common_pb2.PlaybackReport(
            stamp=client.seen[-1].stamp, played_samples=samples, drained=True
        )
        await client.send(playback=report)
        turn = (await client.until("turn_ended")).turn_ended
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert turn.heard_text == text.strip()
        steps = [stage.name for stage in turn.timeline]
        assert steps.index("llm_first_token") < steps.index("first_audio_sent")


async def test_a_client_without_a_speaker_gets_text_only(mesh: Mesh, connect: Connect) -> None:
    async with mesh("llm") as target, connect(target, Request(config=TEXT_ONLY)) as client:
        turn = await ask(client, "你好")
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert turn.heard_text
        assert client.of("reply_audio") == []


async def test_an_interrupted_reply_keeps_only_what_was_heard(mesh: Mesh, connect: Connect) -> None:
    async with mesh("llm", "tts") as target, connect(target) as client:
        await client.send(text=dialog_pb2.TypedText(text="what is artificial intelligence"))
        await client.until("reply_audio")
        # A quarter of a second was heard, then the user has enough.
        playback = common_pb2.PlaybackReport(
            stamp=client.seen[-1].stamp, played_samples=RATE // 4, paused=True
        )
        await client.send(interrupt=dialog_pb2.Interrupt(playback=playback))
        turn = (await client.until("turn_ended")).turn_ended
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
        text = "".join(part.text for part in client.of("reply_text"))
        assert text.startswith(turn.heard_text)
        assert 0 < len(turn.heard_text) < len(text) / 2
        assert client.of("reply_interrupted")[0].reason == "client"


async def test_a_newer_question_replaces_the_reply_under_way(mesh: Mesh, connect: Connect) -> None:
    async with mesh("llm", "tts") as target, connect(target) as client:
        await client.send(text=dialog_pb2.TypedText(text="what is artificial intelligence"))
        await client.until("reply_audio")
        await client.send(text=dialog_pb2.TypedText(text="hello"))
        first = (await client.until("turn_ended")).turn_ended
        assert first.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
        newest = (await client.until("reply_started")).stamp
        before = len(client.seen)
        second = (await client.until("turn_ended")).turn_ended
        assert second.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert all(response.stamp == newest for response in client.seen[before:])


async def test_start_over_forgets_the_conversation(mesh: Mesh, connect: Connect) -> None:
    async with mesh("llm") as target, connect(target, Request(config=TEXT_ONLY)) as client:
        await ask(client, "hello")
        again = await ask(client, "say that again")
        await ask(client, "start over")
        empty = await ask(client, "say that again")
        assert again.heard_text != empty.heard_text


@pytest.mark.parametrize(
    ("stage", "services"), [(common_pb2.STAGE_LLM, ("tts",)), (common_pb2.STAGE_TTS, ("llm",))]
)
async def test_a_missing_service_is_named(
    mesh: Mesh, connect: Connect, stage: Any, services: tuple[str, ...]
) -> None:
    async with mesh(*services, **FAST) as target, connect(target) as client:
        if stage == common_pb2.STAGE_TTS:
            # Without its mouth a conversation is not admitted at all.
            with pytest.raises(Unavailable) as caught:
                await client.read()
            assert caught.value.stage == stage
            return
        turn = await ask(client, "hello")
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert turn.error.stage == stage
        assert "llm" in turn.error.message
        apology = "".join(part.text for part in client.of("reply_text"))
        assert apology.startswith("Sorry")
        assert sum(len(a.chunk.audio) for a in client.of("reply_audio")) > RATE


async def test_an_apology_is_in_the_language_of_the_conversation(
    mesh: Mesh, connect: Connect
) -> None:
    first = Request(config=dialog_pb2.ConverseConfig(language_codes=["zh-CN"]))
    async with mesh(**FAST) as target, connect(target, first) as client:
        await ask(client, "hello")
        assert client.of("reply_text")[0].text.startswith("抱歉")


def _audio(count: int, first_sample: int = 0) -> common_pb2.AudioChunk:
    return common_pb2.AudioChunk(audio=bytes(2 * count), first_sample=first_sample)


@pytest.mark.parametrize(
    ("request_", "error", "field"),
    [
        (Request(audio=_audio(320)), InvalidArgument, "converse_request"),
        (Request(), InvalidArgument, "converse_request"),
        (Request(config=config(resume_token="x")), NotFound, "config.resume_token"),
        (
            Request(config=config(output_format=linear16(7000))),
            InvalidArgument,
            "config.output_format.sample_rate_hertz",
        ),
        (
            Request(config=config(output_format=common_pb2.AudioFormat(sample_rate_hertz=16000))),
            InvalidArgument,
            "config.output_format.encoding",
        ),
        (Request(config=config(reply_lead_ms=-1)), InvalidArgument, "config.reply_lead_ms"),
        (
            Request(config=config(interruption_policy=cast(Any, 99))),
            InvalidArgument,
            "config.interruption_policy",
        ),
    ],
)
async def test_a_bad_first_message_is_refused_with_its_field(
    mesh: Mesh, connect: Connect, request_: Request, error: type[VoiceMeshError], field: str
) -> None:
    async with mesh("llm", **FAST) as target:
        async with connect(target, request_) as client:
            with pytest.raises(error) as caught:
                await client.read()
            assert caught.value.field == field
        async with connect(target, Request(config=TEXT_ONLY)) as client:
            assert (await ask(client, "hello")).outcome == dialog_pb2.TURN_OUTCOME_COMPLETED


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Request(config=config()), "config"),
        (Request(), "converse_request"),
        (Request(text=dialog_pb2.TypedText(text="  ")), "text.text"),
        (Request(text=dialog_pb2.TypedText(text="x" * 5000)), "text.text"),
        (Request(audio=_audio(320)), "audio"),
        (Request(silence=common_pb2.SilenceChunk(sample_count=5)), "silence"),
        (Request(text=dialog_pb2.TypedText(text="x", with_speech=True)), "text.with_speech"),
    ],
)
async def test_a_bad_message_ends_the_stream_with_its_field(
    mesh: Mesh, connect: Connect, request_: Request, field: str
) -> None:
    async with mesh("llm") as target, connect(target, Request(config=TEXT_ONLY)) as client:
        await client.until("started")
        await client.stream.write(request_)
        with pytest.raises(InvalidArgument) as caught:
            await client.until("turn_ended")
        assert caught.value.field == field


@pytest.mark.parametrize("begins", [False, True])
async def test_a_client_that_says_nothing_for_too_long_loses_its_slot(
    mesh: Mesh, begins: bool
) -> None:
    silence = {"orchestrator.deadlines.client_silence_s": 1.01}
    async with mesh(**silence) as target, open_channel(target) as channel:
        client = Client(
            Duplex(DialogServiceStub(channel).Converse(), common_pb2.STAGE_ORCHESTRATOR)
        )
        if begins:
            await client.send(config=TEXT_ONLY)
            await client.until("started")
        with pytest.raises(DeadlineExceeded, match="nothing came from the client"):
            await client.until("turn_ended")


async def test_a_client_that_cancels_gives_back_what_it_held(
    mesh: Mesh, connect: Connect, serving: Any
) -> None:
    async with (
        serving("tts") as tts,
        mesh(**{"orchestrator.tts_target": tts}) as target,
        open_channel(tts) as channel,
    ):
        async with connect(target) as client:
            await client.until("started")
            client.stream.cancel()
        describe = OperationsServiceStub(channel).Describe
        async with asyncio.timeout(30):
            while (await describe(DescribeRequest())).slots.used:
                pass


async def test_one_conversation_more_than_the_slots_is_refused_at_once(
    mesh: Mesh, connect: Connect
) -> None:
    first = Request(config=TEXT_ONLY)
    async with mesh("llm", **{"orchestrator.max_conversations": 1}) as target:
        async with connect(target, first) as one:
            await one.until("started")
            async with connect(target, first) as two:
                with pytest.raises(VoiceMeshError) as caught:
                    await two.read()
                assert caught.value.status == grpc.StatusCode.RESOURCE_EXHAUSTED
                assert "conversations" in str(caught.value)
            await one.send(end=dialog_pb2.EndConversation(reason="done"))
            assert await one.stream.read() is None
        async with connect(target, first) as three:
            await three.until("started")


async def test_nobody_is_refused_before_the_first_message_has_arrived(
    mesh: Mesh, connect: Connect
) -> None:
    # grpc.aio does not tell a client that still writes why it was refused.
    first = Request(config=TEXT_ONLY)
    async with (
        mesh(**{"orchestrator.max_conversations": 1}) as target,
        connect(target, first) as one,
        open_channel(target) as channel,
    ):
        await one.until("started")
        two = Client(Duplex(DialogServiceStub(channel).Converse(), common_pb2.STAGE_ORCHESTRATOR))
        answer = asyncio.ensure_future(two.read())
        for _ in range(3):  # Whatever was said at once has arrived by then.
            await OperationsServiceStub(channel).Describe(DescribeRequest())
        assert not answer.done()
        await two.stream.write(first)
        with pytest.raises(Busy):
            await answer


async def test_a_spoken_question_is_answered_and_speech_interrupts(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    question = flite_speech("what is artificial intelligence")
    silence = np.zeros(RATE, dtype=np.int16)
    first = Request(config=config(input_format=linear16(RATE)))
    async with (
        mesh("asr", "llm", "tts", **{"asr.moonshine.workers": 1}) as target,
        connect(target, first) as client,
    ):
        await client.say(np.concatenate([question, silence]))
        started = (await client.until("reply_started")).reply_started
        assert "artificial intelligence" in started.question
        await client.until("reply_audio")
        await client.say(np.concatenate([flite_speech("what time is it"), silence]))
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
        assert "time" in (await client.until("reply_started")).reply_started.question


async def test_the_final_text_is_there_before_the_turn_ends(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    speech = np.concatenate([flite_speech("what time is it"), np.zeros(RATE, dtype=np.int16)])
    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    async with (
        mesh("asr", "llm", **{"asr.moonshine.workers": 1}) as target,
        connect(target, first) as client,
    ):
        await client.say(speech)
        ended = (await client.until("turn_ended")).turn_ended
        reached = {stage.name: stage.at_us for stage in ended.timeline}
        assert reached["last_voiced"] < reached["asr_final"] < reached["endpoint"]


async def test_typed_text_joins_the_spoken_question(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    speech = np.concatenate([flite_speech("what time is it"), np.zeros(RATE, dtype=np.int16)])
    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    async with (
        mesh("asr", "llm", **{"asr.moonshine.workers": 1}) as target,
        connect(target, first) as client,
    ):
        await client.send(text=dialog_pb2.TypedText(text="in Berlin", with_speech=True))
        await client.say(speech)
        question = (await client.until("reply_started")).reply_started.question
        assert question.splitlines()[-1] == "in Berlin"
        assert "time" in question.splitlines()[0]


async def test_news_of_a_spoken_turn_bears_its_own_stamp_though_text_is_typed_meanwhile(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    async with (
        mesh("asr", "llm", **{"asr.moonshine.workers": 1}) as target,
        connect(target, first) as client,
    ):
        await client.say(flite_speech("what is artificial intelligence"))
        spoken = await client.until("turn_event")
        assert spoken.turn_event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN
        await client.send(text=dialog_pb2.TypedText(text="hello"))
        typed = await client.until("reply_started")
        assert typed.stamp.turn > spoken.stamp.turn
        before = len(client.seen)
        await client.say(np.zeros(2 * RATE, dtype=np.int16))
        answered = await client.until("reply_started")
        *news, end = [r for r in client.seen[before:] if r.HasField("turn_event")]
        assert news
        assert all(response.stamp == spoken.stamp for response in news)
        assert end.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
        assert end.stamp == answered.stamp


async def test_an_utterance_cannot_end_beyond_its_sound(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    async with (
        mesh("asr", **{"asr.moonshine.workers": 1}) as target,
        connect(target, first) as client,
    ):
        await client.until("started")
        await client.send(end_of_utterance=common_pb2.EndOfUtterance(sample=1))
        with pytest.raises(InvalidArgument) as caught:
            await client.read()
        assert caught.value.field == "end_of_utterance.sample"
