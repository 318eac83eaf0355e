"""Recognisers are lent to utterances: who is silent holds none, who speaks waits a little."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import grpc.aio
import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh import errors
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh.v1.operations_pb2 import DescribeRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

from .speaker import END, PHRASES, RATE, START, Speaker, utterance

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]
Open = Callable[..., AbstractAsyncContextManager["Service"]]

ONE = {"asr.engine": "pocketsphinx", "asr.pocketsphinx.workers": 1}
LONG = {"asr.slot_wait_ms": 5000}
"""No test needs it: what is waited for comes as soon as it is asked for."""


class Service(NamedTuple):
    recognise: Any
    operations: Any

    async def slots(self) -> tuple[int, int]:
        slots = (await self.operations.Describe(DescribeRequest())).slots
        return slots.used, slots.total

    async def until_used(self, used: int) -> None:
        """Wait for it: events are sent a moment before their slot changes hands."""
        async with asyncio.timeout(30):
            while (await self.slots())[0] != used:
                pass


@pytest.fixture
def service(serving: Serving) -> Open:
    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[Service]:
        async with serving("asr", **settings) as target, open_channel(target) as channel:
            yield Service(SpeechRecognizerServiceStub(channel), OperationsServiceStub(channel))

    return start


async def speakers(service: Service, count: int) -> list[Speaker]:
    """Robots that are connected and silent."""
    found = [Speaker(service.recognise) for _ in range(count)]
    for speaker in found:
        await speaker.start()
    return found


async def begin(speaker: Speaker, clip: NDArray[np.int16]) -> None:
    """Speak, and keep the turn open: no silence follows, nor the clip's own."""
    sounding = np.flatnonzero(np.abs(clip) > 500)
    await speaker.audio(utterance(clip[: sounding[-1]], tail_s=0))
    while (await speaker.read()).turn_event.type != START:
        pass


async def said(speaker: Speaker) -> str:
    return (await speaker.until_end())[-1].transcript.text


@pytest.mark.parametrize("engine", ["pocketsphinx", "simulated"])
async def test_more_robots_than_recognisers_are_heard_one_after_the_other(
    service: Open, flite_speech: Speech, engine: str
) -> None:
    settings = {"asr.engine": engine, f"asr.{engine}.workers": 1}
    async with service(**settings) as asr:
        robots = await speakers(asr, 3)
        assert await asr.slots() == (0, 1)
        for _ in range(2):
            for robot, text in zip(robots, PHRASES, strict=False):
                await robot.audio(utterance(flite_speech(text)))
                heard = await said(robot)
                assert heard == (
                    text if engine == "pocketsphinx" else "What is artificial intelligence?"
                )
        await asr.until_used(0)


async def test_slots_tell_how_many_utterances_are_being_recognised(
    service: Open, flite_speech: Speech
) -> None:
    async with service(**{"asr.engine": "pocketsphinx", "asr.pocketsphinx.workers": 2}) as asr:
        one, two, _ = await speakers(asr, 3)
        await begin(one, flite_speech(PHRASES[0]))
        await asr.until_used(1)
        await begin(two, flite_speech(PHRASES[1]))
        await asr.until_used(2)
        await one.silence(RATE)
        assert await said(one) == PHRASES[0]
        await two.silence(RATE)
        assert await said(two) == PHRASES[1]
        await asr.until_used(0)


async def test_who_speaks_while_all_recognisers_are_taken_waits_and_loses_nothing(
    service: Open, flite_speech: Speech
) -> None:
    async with service(**ONE, **LONG) as asr:
        one, two = await speakers(asr, 2)
        await begin(one, flite_speech(PHRASES[0]))
        await begin(two, flite_speech(PHRASES[1]))
        await two.silence(RATE)  # Its final pass waits with it.
        assert await asr.slots() == (1, 1)
        await one.silence(RATE)
        assert await said(one) == PHRASES[0]
        assert await said(two) == PHRASES[1]


async def test_those_who_wait_are_served_in_the_order_in_which_they_spoke(
    service: Open, flite_speech: Speech
) -> None:
    settings = {"asr.engine": "simulated", "asr.simulated.workers": 1}
    async with service(**settings, **LONG) as asr:
        one, *others = await speakers(asr, 3)
        await begin(one, flite_speech(PHRASES[0]))
        for other in others:
            await begin(other, flite_speech(PHRASES[1]))
        await one.silence(RATE)
        await said(one)
        first, second = others
        await first.silence(RATE)
        await said(first)
        await second.silence(RATE)
        await said(second)


async def test_where_no_recogniser_comes_free_the_utterance_is_refused_and_the_stream_lives_on(
    service: Open, flite_speech: Speech
) -> None:
    async with service(**ONE, **{"asr.slot_wait_ms": 0}) as asr:
        one, two = await speakers(asr, 2)
        await begin(one, flite_speech(PHRASES[0]))
        await begin(two, flite_speech(PHRASES[1]))
        await two.silence(RATE)
        refusal = (await two.read()).error
        assert refusal.code == common_pb2.ERROR_CODE_BUSY
        assert refusal.stage == common_pb2.STAGE_ASR
        assert (refusal.retryable, refusal.retry_after_ms) == (True, 1000)
        assert "1 speakers" in refusal.message
        assert "asr.pocketsphinx.workers" in refusal.message
        assert "asr.slot_wait_ms" in refusal.message
        await one.silence(RATE)
        assert await said(one) == PHRASES[0]
        await asr.until_used(0)
        await two.audio(utterance(flite_speech(PHRASES[2])))
        assert await said(two) == PHRASES[2]


async def test_a_recording_waits_for_its_slot_as_well(service: Open, flite_speech: Speech) -> None:
    request = pb.RecognizeRequest(
        audio_format=common_pb2.AudioFormat(
            encoding=common_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=RATE, channel_count=1
        ),
        audio=utterance(flite_speech(PHRASES[1])).tobytes(),
        phrase_hints=[pb.PhraseHint(phrase=p) for p in PHRASES],
    )
    async with service(**ONE, **{"asr.slot_wait_ms": 0}) as asr:
        (one,) = await speakers(asr, 1)
        await begin(one, flite_speech(PHRASES[0]))
        with pytest.raises(grpc.aio.AioRpcError, match="1 speakers are being heard") as refusal:
            await asr.recognise.Recognize(request)
        assert isinstance(errors.from_rpc(refusal.value, common_pb2.STAGE_ASR), errors.Busy)
        await one.silence(RATE)
        assert await said(one) == PHRASES[0]
        await asr.until_used(0)
        (transcript,) = (await asr.recognise.Recognize(request)).transcripts
        assert transcript.text == PHRASES[1]


@pytest.mark.parametrize("way", ["discard", "leave", "vanish"])
async def test_who_gives_up_while_waiting_leaves_no_trace(
    service: Open, flite_speech: Speech, way: str
) -> None:
    async with service(**ONE, **LONG) as asr:
        one, two, three = await speakers(asr, 3)
        await begin(one, flite_speech(PHRASES[0]))
        await begin(two, flite_speech(PHRASES[1]))
        match way:
            case "discard":
                await two.send(turn_update=pb.TurnUpdate(discard_utterance=True))
                assert await two.finish() == []
            case "leave":
                assert await two.finish() == []
            case "vanish":
                two.call.cancel()
        await one.silence(RATE)
        assert await said(one) == PHRASES[0]
        await three.audio(utterance(flite_speech(PHRASES[2])))
        assert await said(three) == PHRASES[2]
        await asr.until_used(0)


async def test_who_leaves_in_the_middle_of_an_utterance_passes_the_slot_on(
    service: Open, flite_speech: Speech
) -> None:
    async with service(**ONE, **LONG) as asr:
        one, two = await speakers(asr, 2)
        await begin(one, flite_speech(PHRASES[0]))
        await begin(two, flite_speech(PHRASES[1]))
        await two.silence(RATE)
        await one.finish()
        assert await said(two) == PHRASES[1]


async def test_phrases_that_change_while_another_is_heard_count_for_the_next_utterance(
    service: Open, flite_speech: Speech
) -> None:
    async with service(**ONE) as asr:
        one, two = await speakers(asr, 2)
        await two.audio(utterance(flite_speech(PHRASES[0])))
        assert await said(two) == PHRASES[0]
        hint = [pb.PhraseHint(phrase="the quick robot")]
        await one.send(turn_update=pb.TurnUpdate(phrase_hints=hint))
        await one.audio(utterance(flite_speech("the quick robot")))
        assert await said(one) == "the quick robot"


async def test_open_streams_have_a_bound_of_their_own(service: Open) -> None:
    async with service(**ONE, **{"asr.max_open_streams": 2}) as asr:
        first, _ = await speakers(asr, 2)
        third = Speaker(asr.recognise)
        await third.send(streaming_config=third.config)
        refusal = await third.failure()
        assert isinstance(refusal, errors.Busy)
        assert "2 streams are open" in refusal.message
        assert "asr.max_open_streams" in refusal.message
        assert await first.finish() == []
        await speakers(asr, 1)


async def test_a_turn_that_ends_at_its_longest_goes_on_in_the_next_one(
    service: Open, flite_speech: Speech
) -> None:
    async with service(**ONE, **{"asr.max_turn_ms": 1000}) as asr:
        (one,) = await speakers(asr, 1)
        await one.audio(utterance(flite_speech("what is artificial intelligence")))
        ends = [await one.until_end(), await one.until_end()]
        assert [end[-1].type for end in ends] == [END, END]
        await asr.until_used(0)
