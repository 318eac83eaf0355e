"""Recognition that fails, is lost or is stuck: whoever speaks hears an answer or an apology."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import grpc.aio
import numpy as np
from prometheus_client import REGISTRY

from voicemesh.audio_format import linear16
from voicemesh.grpc_client import open_channel
from voicemesh.heartbeats import echo_of
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh.v1.asr_pb2_grpc import (
    SpeechRecognizerServiceServicer,
    SpeechRecognizerServiceStub,
    add_SpeechRecognizerServiceServicer_to_server,
)
from voicemesh.v1.operations_pb2 import DescribeRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

from .conftest import RATE, Connect, Mesh, Request, config
from .offering import offering

TEXT_ONLY = dialog_pb2.ConverseConfig()
Context = grpc.aio.ServicerContext[Any, Any]


class Ears(SpeechRecognizerServiceServicer):
    """A recogniser that takes note of what it hears and does as ``hear`` says."""

    def __init__(self, hear: Callable[[Ears, Any, Callable[..., Awaitable[None]]], Any]) -> None:
        self.streams = 0
        self._hear = hear

    async def StreamingRecognize(  # type: ignore[override]  # As above.
        self, request_iterator: AsyncIterator[asr_pb2.StreamingRecognizeRequest], context: Context
    ) -> None:
        self.streams += 1

        async def send(**response: Any) -> None:
            await context.write(asr_pb2.StreamingRecognizeResponse(**response))

        await self._hear(self, request_iterator, send)

    async def Recognize(
        self, request: asr_pb2.RecognizeRequest, context: Context
    ) -> asr_pb2.RecognizeResponse:
        raise AssertionError("nobody asks it for a recording")


offering_ears = partial(offering, add_SpeechRecognizerServiceServicer_to_server)


async def test_an_error_of_an_utterance_ends_its_turn(mesh: Mesh, connect: Connect) -> None:
    async def hear(ears: Ears, requests: Any, send: Callable[..., Awaitable[None]]) -> None:
        await anext(requests)
        await send(started=asr_pb2.RecognitionStarted())
        await send(turn_event=asr_pb2.TurnEvent(type=asr_pb2.TURN_EVENT_TYPE_START_OF_TURN))
        await send(
            error=common_pb2.ErrorDetail(
                code=common_pb2.ERROR_CODE_ENGINE, message="the decoder broke; say it again"
            )
        )
        async for _ in requests:
            pass

    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    async with (
        offering_ears(Ears(hear)) as ears,
        mesh(**{"orchestrator.asr_target": ears}) as target,
        connect(target, first) as client,
    ):
        turn = (await client.until("turn_ended")).turn_ended
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert turn.error.stage == common_pb2.STAGE_ASR
        assert turn.error.message == "the decoder broke; say it again"


async def test_sound_that_is_kept_while_recognition_is_lost_is_all_taken_when_it_is_back(
    mesh: Mesh, connect: Connect
) -> None:
    count, step = 390, RATE // 50
    back, complete = asyncio.Event(), asyncio.Event()

    async def hear(ears: Ears, requests: Any, send: Callable[..., Awaitable[None]]) -> None:
        begin = (await anext(requests)).streaming_config.first_sample
        if ears.streams > 1:
            await back.wait()
        await send(started=asr_pb2.RecognitionStarted())
        if ears.streams == 1:
            return  # It goes away.
        async for request in requests:
            kind = request.WhichOneof("streaming_request")
            assert kind in ("silence", "heartbeat")
            if kind == "silence":
                assert request.silence.first_sample == begin
                begin += request.silence.sample_count
            if begin == count * step:
                complete.set()

    ears = Ears(hear)
    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    async with (
        offering_ears(ears) as asr,
        mesh(**{"orchestrator.asr_target": asr}) as target,
        connect(target, first) as client,
    ):
        await client.until("error")  # Recognition is lost.
        for number in range(count):
            await client.send(
                silence=common_pb2.SilenceChunk(first_sample=number * step, sample_count=step)
            )
        await client.send(heartbeat=common_pb2.Heartbeat(sequence=1))
        await client.until("heartbeat")  # All of it has arrived.
        back.set()
        async with asyncio.timeout(30):
            await complete.wait()
        assert ears.streams == 2
        assert len(client.of("error")) == 1


async def test_what_is_known_of_the_speakers_pauses_outlives_a_recogniser(
    mesh: Mesh, connect: Connect
) -> None:
    known = asyncio.get_running_loop().create_future()
    state = asr_pb2.TurnDetectorState(
        in_turn=True, text="what", last_voiced_sample=800, mean_pause_ms=420, pause_count=5
    )

    async def hear(ears: Ears, requests: Any, send: Callable[..., Awaitable[None]]) -> None:
        config = (await anext(requests)).streaming_config
        await send(started=asr_pb2.RecognitionStarted())
        if ears.streams == 1:
            started = asr_pb2.TURN_EVENT_TYPE_START_OF_TURN
            await send(turn_event=asr_pb2.TurnEvent(type=started, state=state))
            return  # It goes away in the middle of the turn.
        known.set_result(config)
        async for _ in requests:
            pass

    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    async with (
        offering_ears(Ears(hear)) as asr,
        mesh(**{"orchestrator.asr_target": asr}) as target,
        connect(target, first) as client,
    ):
        await client.until("turn_ended")
        async with asyncio.timeout(30):
            config = await known
        # The turn is lost, and what was said in it.
        pauses = asr_pb2.TurnDetectorState(mean_pause_ms=420, pause_count=5)
        assert config.resume_from == pauses


async def test_who_speaks_while_recognition_stays_lost_hears_an_apology_each_time(
    mesh: Mesh, connect: Connect
) -> None:
    async def hear(ears: Ears, requests: Any, send: Callable[..., Awaitable[None]]) -> None:
        await anext(requests)
        if ears.streams > 1:
            await asyncio.Event().wait()  # Another one that never gets ready.
        await send(started=asr_pb2.RecognitionStarted())

    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    speech = np.full(RATE // 2, 3_000, dtype=np.int16)
    async with (
        offering_ears(Ears(hear)) as asr,
        mesh(**{"orchestrator.asr_target": asr, "orchestrator.deadlines.outage_s": 0.2}) as target,
        connect(target, first) as client,
    ):
        await client.until("error")  # Recognition is lost ...
        await client.until("error")  # ... and is not back in its time.
        for _ in range(2):
            await client.say(speech)
            turn = (await client.until("turn_ended")).turn_ended
            assert turn.outcome == dialog_pb2.TURN_OUTCOME_FAILED
            assert turn.error.code == common_pb2.ERROR_CODE_UNAVAILABLE
            assert turn.error.stage == common_pb2.STAGE_ASR
            assert "is not back yet" in turn.error.message
            await client.say(np.zeros(RATE, dtype=np.int16))
        await client.send(heartbeat=common_pb2.Heartbeat(sequence=1))
        await client.until("heartbeat")
        assert len(client.of("turn_ended")) == 2, "the rest of what is said is no news"
        assert "Sorry" in "".join(reply.text for reply in client.of("reply_text"))


async def test_who_spoke_to_a_recogniser_that_was_stuck_already_is_understood_by_the_next(
    mesh: Mesh, connect: Connect
) -> None:
    said = np.arange(RATE // 2, dtype=np.int16)  # Begins once the recogniser is stuck.
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def hear(ears: Ears, requests: Any, send: Callable[..., Awaitable[None]]) -> None:
        config = (await anext(requests)).streaming_config
        await send(started=asr_pb2.RecognitionStarted())
        if ears.streams == 1:
            await asyncio.Event().wait()
        assert config.first_sample == 0
        sound = bytearray()
        while len(sound) < 2 * len(said):
            request = await anext(requests)
            if request.HasField("audio"):
                assert request.audio.first_sample == len(sound) // 2
                sound += request.audio.audio
        heard.set_result(bytes(sound))
        await asyncio.Event().wait()

    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    limits = {"orchestrator.deadlines.stall_s": 0.4, "orchestrator.deadlines.outage_s": 60}
    async with (
        offering_ears(Ears(hear)) as asr,
        mesh(**{"orchestrator.asr_target": asr, **limits}) as target,
        connect(target, first) as client,
    ):
        await client.say(said)
        async with asyncio.timeout(30):
            assert await heard == said.tobytes()
        told = (await client.until("error")).error
        assert told.message == "asr: the service has not answered for 0.4 s"


async def test_what_a_recogniser_has_taken_is_not_said_to_the_next(
    mesh: Mesh, connect: Connect
) -> None:
    speech = np.full(RATE // 2, 3_000, dtype=np.int16)
    again = asyncio.get_running_loop().create_future()
    taken = asyncio.Event()

    async def hear(ears: Ears, requests: Any, send: Callable[..., Awaitable[None]]) -> None:
        config = (await anext(requests)).streaming_config
        await send(started=asr_pb2.RecognitionStarted())
        if ears.streams > 1:
            again.set_result(config.first_sample)
            await asyncio.Event().wait()
        async for request in requests:
            if request.HasField("heartbeat"):
                await send(heartbeat=echo_of(request.heartbeat))
            if taken.is_set():
                return  # It goes away after the echo that follows all of the sound.
            if request.HasField("audio"):
                taken.set()

    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    limits = {"orchestrator.deadlines.stall_s": 0.4}
    async with (
        offering_ears(Ears(hear)) as asr,
        mesh(**{"orchestrator.asr_target": asr, **limits}) as target,
        connect(target, first) as client,
    ):
        await client.send(audio=common_pb2.AudioChunk(audio=speech.tobytes(), first_sample=0))
        await client.until("error")
        async with asyncio.timeout(30):
            assert await again == len(speech)


async def test_who_finds_every_recogniser_taken_hears_an_apology_and_is_understood_next_time(
    mesh: Mesh, connect: Connect, serving: Any, flite_speech: Any
) -> None:
    question = flite_speech("what is artificial intelligence")
    pause = np.zeros(RATE, dtype=np.int16)
    settings = {
        "asr.engine": "simulated",
        "asr.vad": "webrtc",
        "asr.simulated.workers": 1,
        "asr.slot_wait_ms": 0,
    }
    first = Request(config=config(input_format=linear16(RATE)))
    async with (
        serving("asr", **settings) as asr,
        open_channel(asr) as channel,
        mesh("llm", "tts", **{"orchestrator.asr_target": asr}) as target,
        connect(target, first) as client,
    ):
        await client.until("started")
        other: Any = SpeechRecognizerServiceStub(channel).StreamingRecognize()
        asked = asr_pb2.StreamingRecognitionConfig(audio_format=linear16(RATE))
        await other.write(asr_pb2.StreamingRecognizeRequest(streaming_config=asked))
        speech = common_pb2.AudioChunk(audio=question[:RATE].tobytes())
        await other.write(asr_pb2.StreamingRecognizeRequest(audio=speech))
        while (await other.read()).turn_event.type != asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
            pass
        await client.say(np.concatenate([question, pause]))
        turn = (await client.until("turn_ended")).turn_ended
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert turn.error.code == common_pb2.ERROR_CODE_BUSY
        assert turn.error.stage == common_pb2.STAGE_ASR
        assert turn.error.retry_after_ms == 1000
        assert client.of("reply_audio")  # The apology.
        await other.done_writing()
        assert await other.read() is grpc.aio.EOF
        await client.say(np.concatenate([pause, question, pause]))
        turn = (await client.until("turn_ended")).turn_ended
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED


async def test_recognition_that_ends_because_nobody_speaks_is_missed_by_nobody(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    question = flite_speech("what is artificial intelligence")
    pause = np.zeros(RATE, dtype=np.int16)
    settings = {"asr.engine": "simulated", "asr.vad": "webrtc"}
    limit = {"asr.deadlines.client_silence_s": 0.1}

    def ended() -> float:
        labels = {"service": "asr", "code": "deadline"}
        return REGISTRY.get_sample_value("voicemesh_errors_total", labels) or 0.0

    before = ended()
    first = Request(config=config(input_format=linear16(RATE)))
    async with (
        mesh("asr", "llm", "tts", **settings, **limit) as target,
        connect(target, first) as client,
        open_channel(target) as channel,
    ):
        await client.until("started")
        async with asyncio.timeout(30):
            while ended() == before:
                await OperationsServiceStub(channel).Describe(DescribeRequest())
        await client.say(np.concatenate([question, pause]))
        turn = (await client.until("turn_ended")).turn_ended
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert not client.of("error")
