"""The ASR service over gRPC on loopback: real engine, real audio."""

import logging
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
import soxr
from numpy.typing import NDArray
from prometheus_client import REGISTRY

from voicemesh import errors
from voicemesh.audio_format import linear16
from voicemesh.registry import installed
from voicemesh.server import Server
from voicemesh.settings import load
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2
from voicemesh_asr.service import AsrService

from .speaker import (
    EAGER,
    END,
    ONE_WORKER,
    PHRASES,
    RATE,
    RESUMED,
    START,
    Speaker,
    spoken,
    utterance,
)

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]
Recognizer = Callable[[str], AbstractAsyncContextManager[Any]]


async def test_a_question_streams_in_and_its_turn_comes_back(
    stub: Any, flite_speech: Speech
) -> None:
    speaker = Speaker(stub, interim_results=True, enable_word_times=True, first_sample=800)
    started = await speaker.start()
    assert (started.engine, started.language_code) == ("pocketsphinx", "en")
    assert started.turn_detector.sentence_end_wait_ms == 300
    assert (started.vad.name, started.vad.pre_roll_ms) == ("silero", 250)
    clip = flite_speech("what time is it")
    await speaker.audio(utterance(clip), chunk=320)
    events = await speaker.until_end()
    kinds = [e.type for e in events if e.type != pb.TURN_EVENT_TYPE_UPDATE]
    assert kinds == [START, EAGER, END]
    assert len(events) > len(kinds)
    end = events[-1]
    assert end.transcript.text == "what time is it"
    assert end.transcript.is_final
    assert (end.reason, end.wait_ms) == (pb.TURN_REASON_SILENCE_AFTER_SENTENCE, 300)
    assert end.final_pass_us > 0
    assert 300 <= (end.sample - end.last_voiced_sample) / 16 <= 340
    assert 800 + 8000 < end.last_voiced_sample <= 800 + 8000 + len(clip)
    words = end.transcript.words
    assert [word.word for word in words] == ["what", "time", "is", "it"]
    assert all(8800 <= w.begin_sample < w.end_sample <= end.sample for w in words)
    assert not end.state.in_turn
    await speaker.finish()


def decisions(event: pb.TurnEvent) -> float:
    """How often such a decision has been counted."""
    kind = {START: "start", EAGER: "eager", RESUMED: "resume", END: "end"}[event.type]
    reason = pb.TurnReason.Name(event.reason).removeprefix("TURN_REASON_").lower()
    labels = {"decision": kind, "reason": reason}
    return REGISTRY.get_sample_value("voicemesh_asr_turn_decisions_total", labels) or 0.0


async def test_every_decision_tells_its_reason_in_the_event_the_log_and_the_metrics(
    stub: Any, flite_speech: Speech, caplog: pytest.LogCaptureFixture
) -> None:
    speaker = Speaker(stub)
    await speaker.start()
    clip = utterance(flite_speech("what time is it"))
    with caplog.at_level(logging.INFO, "voicemesh_asr.turn_recognizer"):
        await speaker.audio(clip)
        first = await speaker.until_end()
        before = [decisions(event) for event in first]
        await speaker.audio(clip)
        second = await speaker.until_end()
    assert [event.type for event in second] == [START, EAGER, END]
    assert [event.reason for event in second] == [
        pb.TURN_REASON_SPEECH,
        pb.TURN_REASON_SILENCE_AFTER_SENTENCE,
        pb.TURN_REASON_SILENCE_AFTER_SENTENCE,
    ]
    assert [decisions(event) for event in second] == [count + 1 for count in before]
    told = [
        r.getMessage().split(", ")[0] for r in caplog.records if r.name.endswith("turn_recognizer")
    ]
    assert told[3:] == [
        "turn start: speech",
        "turn eager: silence_after_sentence",
        "turn end: silence_after_sentence",
    ]
    assert "what time is it" not in caplog.text
    await speaker.finish()


async def test_utterances_follow_each_other_on_one_stream(stub: Any, flite_speech: Speech) -> None:
    speaker = Speaker(stub)
    await speaker.start()
    heard = []
    for number, text in enumerate(PHRASES, 1):
        await speaker.audio(utterance(flite_speech(text, "kal16")))
        end = (await speaker.until_end())[-1]
        assert end.transcript.utterance == number
        heard.append(end.transcript.text)
    assert heard == list(PHRASES)


async def test_other_rates_are_resampled_and_keep_the_client_s_clock(
    stub: Any, flite_speech: Speech
) -> None:
    speaker = Speaker(stub, audio_format=linear16(48_000))
    await speaker.start()
    clip = utterance(flite_speech("tell me a joke"))
    await speaker.audio(soxr.resample(clip, RATE, 48_000), chunk=4800)
    end = (await speaker.until_end())[-1]
    assert end.transcript.text == "tell me a joke"
    assert 24_000 < end.last_voiced_sample < 3 * (len(clip) - RATE)


async def test_silence_may_come_as_a_duration(stub: Any, flite_speech: Speech) -> None:
    speaker = Speaker(stub)
    await speaker.start()
    await speaker.silence(10 * RATE)
    await speaker.audio(utterance(flite_speech("how are you"), 0.3, 0.05))
    await speaker.silence(2 * RATE)
    end = (await speaker.until_end())[-1]
    assert end.transcript.text == "how are you"
    assert end.wait_ms == 300
    assert 300 <= (end.sample - end.last_voiced_sample) / 16 <= 340


async def test_an_explicit_end_is_answered_at_once(stub: Any, flite_speech: Speech) -> None:
    speaker = Speaker(stub)
    await speaker.start()
    await speaker.audio(utterance(flite_speech("what is your name"), tail_s=0))
    await speaker.end()
    end = (await speaker.until_end())[-1]
    assert (end.reason, end.transcript.text) == (pb.TURN_REASON_EXPLICIT, "what is your name")


@pytest.mark.parametrize("level", [0, 3, 300])
async def test_without_speech_nothing_is_reported_until_somebody_asks(
    stub: Any, level: int
) -> None:
    speaker = Speaker(stub)
    await speaker.start()
    noise = np.random.default_rng(2).normal(0, 1, 3 * RATE) * level
    await speaker.audio(noise.astype(np.int16))
    await speaker.end()
    events = await speaker.until_end()
    assert [(e.type, e.reason) for e in events] == [(END, pb.TURN_REASON_NOTHING_HEARD)]
    assert events[0].transcript.text == ""
    assert await speaker.finish() == []


async def test_an_explicit_end_after_a_finished_turn_adds_nothing(
    stub: Any, flite_speech: Speech
) -> None:
    speaker = Speaker(stub)
    await speaker.start()
    await speaker.audio(utterance(flite_speech("how are you")))
    assert (await speaker.until_end())[-1].transcript.text == "how are you"
    await speaker.end()
    assert await speaker.finish() == []


async def test_a_turn_that_goes_on_is_resumed(stub: Any, flite_speech: Speech) -> None:
    speaker = Speaker(stub)
    await speaker.start()
    question, more = (spoken(flite_speech(text)) for text in ("what time is it", "in london"))
    await speaker.audio(utterance(question, tail_s=0.22))
    await speaker.audio(utterance(more, lead_s=0.0))
    events = await speaker.until_end()
    assert [e.type for e in events] == [START, EAGER, RESUMED, EAGER, END]
    first, last = events[1].transcript, events[-1].transcript
    assert first.text == "what time is it"
    assert last.text.startswith("what time is it ")
    assert (first.utterance, last.utterance) == (1, 1)
    assert last.revision > first.revision


async def test_stamps_heartbeats_and_discards(stub: Any, flite_speech: Speech) -> None:
    speaker = Speaker(stub)
    await speaker.start()
    speaker.stamp = common_pb2.Stamp(epoch=1, turn=3)
    await speaker.send(heartbeat=common_pb2.Heartbeat(sequence=7, sent_ms=12))
    beat = await speaker.read()
    assert (beat.heartbeat.sequence, beat.heartbeat.sent_ms, beat.heartbeat.echo) == (7, 12, True)
    assert beat.stamp.turn == 3
    await speaker.audio(utterance(flite_speech("how are you"), tail_s=0))
    assert (await speaker.read()).turn_event.type == START
    speaker.stamp = common_pb2.Stamp(epoch=1, turn=2)
    await speaker.send(turn_update=pb.TurnUpdate(discard_utterance=True))  # Too old.
    await speaker.silence(RATE)
    end = (await speaker.until_end())[-1]
    assert end.transcript.text == "how are you"
    speaker.stamp = common_pb2.Stamp(epoch=1, turn=4)
    await speaker.audio(utterance(flite_speech("how are you"), tail_s=0))
    assert (await speaker.read()).turn_event.type == START
    await speaker.send(turn_update=pb.TurnUpdate(discard_utterance=True))
    await speaker.silence(RATE)
    assert await speaker.finish() == []


async def test_another_replica_goes_on_with_the_turn(stub: Any, flite_speech: Speech) -> None:
    audio = utterance(flite_speech("what is your name"))
    half = 14_400
    first = Speaker(stub, interim_results=True)
    await first.start()
    await first.audio(audio[:half])
    events = [r.turn_event for r in await first.finish()]
    state = events[-1].state
    assert state.in_turn
    begin = state.turn_begin_sample
    second = Speaker(stub, first_sample=begin, resume_from=state)
    await second.start()
    await second.audio(audio[begin:])
    events = await second.until_end()
    assert [e.type for e in events] == [EAGER, END]
    assert events[-1].transcript.text == "what is your name"
    assert events[-1].transcript.begin_sample == begin


async def test_two_who_speak_at_once_do_not_mix(
    recognizer: Recognizer, serving: Serving, flite_speech: Speech
) -> None:
    async with (
        serving("asr", **{"asr.engine": "pocketsphinx", "asr.pocketsphinx.workers": 2}) as target,
        recognizer(target) as stub,
    ):
        one, two = Speaker(stub), Speaker(stub)
        await one.start()
        await two.start()
        a, b = utterance(flite_speech("what time is it")), utterance(flite_speech("tell me a joke"))
        for begin in range(0, max(len(a), len(b)), 1600):
            await one.audio(a[begin : begin + 1600])
            await two.audio(b[begin : begin + 1600])
        assert (await one.until_end())[-1].transcript.text == "what time is it"
        assert (await two.until_end())[-1].transcript.text == "tell me a joke"


async def test_a_client_that_vanishes_frees_its_decoder(stub: Any, flite_speech: Speech) -> None:
    gone = Speaker(stub)
    await gone.start()
    await gone.audio(utterance(flite_speech("what time is it"), tail_s=0))
    gone.call.cancel()
    speaker = Speaker(stub)
    await speaker.start()
    await speaker.audio(utterance(flite_speech("how are you")))
    assert (await speaker.until_end())[-1].transcript.text == "how are you"


async def test_a_decoder_that_dies_ends_its_stream_only(
    recognizer: Recognizer, flite_speech: Speech
) -> None:
    flags = {"asr.port": 0, "asr.metrics_port": -1, **ONE_WORKER}
    service = installed("voicemesh.services")["asr"].factory(
        load(environ={}, flags={path: str(value) for path, value in flags.items()})
    )
    assert isinstance(service, AsrService)
    server = Server(service)
    await server.start()
    try:
        async with recognizer(f"127.0.0.1:{server.port}") as stub:
            speaker = Speaker(stub)
            await speaker.start()
            await speaker.audio(utterance(flite_speech("how are you"), tail_s=0))
            assert (await speaker.read()).turn_event.type == START
            (worker,) = service.engine._pool._leased  # type: ignore[attr-defined]  # its own pool
            os.kill(worker.pid, signal.SIGKILL)
            await speaker.silence(RATE)
            failure = await speaker.failure()
            assert isinstance(failure, errors.EngineError)
            assert failure.stage == common_pb2.STAGE_ASR
            async with service.engine._pool.borrow():  # type: ignore[attr-defined]  # as above
                pass  # The replacement is there.
            speaker = Speaker(stub)
            await speaker.start()
            await speaker.audio(utterance(flite_speech("how are you")))
            assert (await speaker.until_end())[-1].transcript.text == "how are you"
    finally:
        await server.stop()


async def test_streams_are_told_when_the_service_drains(
    recognizer: Recognizer, flite_speech: Speech
) -> None:
    flags = {"asr.port": 0, "asr.metrics_port": -1, **ONE_WORKER}
    service = installed("voicemesh.services")["asr"].factory(
        load(environ={}, flags={path: str(value) for path, value in flags.items()})
    )
    server = Server(service)
    await server.start()
    async with recognizer(f"127.0.0.1:{server.port}") as stub:
        speaker = Speaker(stub, conversation_id="c1")
        await speaker.start()
        assert [t.conversation_id for t in service.live_turns()] == ["c1"]
        await service.drain(common_pb2.DrainNotice(reason="stopping", grace_ms=100))
        assert (await speaker.read()).drain.reason == "stopping"
        assert await speaker.finish() == []
        await server.stop()
    assert service.live_turns() == []


async def test_a_recording_is_recognised_as_its_utterances(stub: Any, flite_speech: Speech) -> None:
    clips = [utterance(flite_speech(text, "kal16")) for text in PHRASES[:2]]
    request = pb.RecognizeRequest(
        stamp=common_pb2.Stamp(turn=5),
        audio_format=linear16(RATE),
        audio=np.concatenate(clips).tobytes(),
        phrase_hints=[pb.PhraseHint(phrase=p) for p in PHRASES],
        enable_word_times=True,
    )
    response = await stub.Recognize(request)
    assert [t.text for t in response.transcripts] == list(PHRASES[:2])
    assert response.stamp.turn == 5
    assert [w.word for w in response.transcripts[0].words] == PHRASES[0].split()
    request.audio = bytes(2 * RATE)
    assert not (await stub.Recognize(request)).transcripts
    for audio, text in (
        (b"", "no audio"),
        (bytes(3), "whole number"),
        (bytes(2 * 61 * RATE), "60 s"),
    ):
        request.audio = audio
        with pytest.raises(grpc.aio.AioRpcError, match=text):
            await stub.Recognize(request)
    request.audio = bytes(2 * RATE)
    request.language_codes.append("zh")
    with pytest.raises(grpc.aio.AioRpcError, match="hears en, but not zh"):
        await stub.Recognize(request)


def test_an_unknown_detector_in_the_settings_is_told_at_the_start() -> None:
    settings = load(environ={}, flags={"asr.vad": "foo"})
    with pytest.raises(errors.SettingsError, match="asr.vad = 'foo'.*silero, webrtc"):
        AsrService(settings)
