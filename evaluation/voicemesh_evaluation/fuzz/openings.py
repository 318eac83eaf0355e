"""How a well-behaved client begins each RPC: what hostile ones are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, llm_pb2, robot_pb2, tts_pb2

RATE = 16_000
_FORMAT = linear16(RATE)
_HEARTBEAT = common_pb2.Heartbeat(sequence=1, sent_ms=5)
_PLAYBACK = common_pb2.PlaybackReport(played_samples=320, microphone_sample=640)

Opening = Callable[[Random, str], Sequence[Any]]
"""``opening(random, robot)``: messages in their right order; ``robot`` is the listener's target."""


def _sound(random: Random, seconds: float) -> bytes:
    return random.randbytes(int(RATE * seconds) * 2)


def _chunk(random: Random, first_sample: int = 0) -> common_pb2.AudioChunk:
    return common_pb2.AudioChunk(audio=_sound(random, 0.02), first_sample=first_sample)


def _recognition() -> asr_pb2.StreamingRecognitionConfig:
    return asr_pb2.StreamingRecognitionConfig(
        conversation_id="fuzz", audio_format=_FORMAT, language_codes=["en"], interim_results=True
    )


def _recognize(random: Random, robot: str) -> Sequence[Any]:
    request = asr_pb2.StreamingRecognizeRequest
    hint = asr_pb2.PhraseHint(phrase="what time is it")
    return [
        request(stamp=_stamp(random), streaming_config=_recognition()),
        *(request(audio=_chunk(random, first)) for first in (0, 320, 640)),
        request(silence=common_pb2.SilenceChunk(first_sample=960, sample_count=RATE)),
        request(heartbeat=_HEARTBEAT),
        request(turn_update=asr_pb2.TurnUpdate(phrase_hints=[hint])),
        request(end_of_utterance=common_pb2.EndOfUtterance(sample=960 + RATE)),
    ]


def _recording(random: Random, robot: str) -> Sequence[Any]:
    audio = _sound(random, random.choice((0.1, 1.0)))
    return [asr_pb2.RecognizeRequest(audio_format=_FORMAT, audio=audio, language_codes=["en"])]


def _generate(random: Random, robot: str) -> Sequence[Any]:
    request = llm_pb2.GenerateRequest
    asked = llm_pb2.ContentPart(text="What time is it?")
    message = llm_pb2.ChatMessage(role=llm_pb2.ROLE_USER, parts=[asked])
    stamp = _stamp(random)
    return [
        request(stamp=stamp, generation=llm_pb2.GenerationRequest(messages=[message])),
        request(stamp=stamp, heartbeat=_HEARTBEAT),
        request(stamp=stamp, cancel=llm_pb2.CancelGeneration(reason="fuzz")),
    ]


def _synthesize(random: Random, robot: str) -> Sequence[Any]:
    request = tts_pb2.StreamingSynthesizeRequest
    config = tts_pb2.StreamingSynthesisConfig(conversation_id="fuzz", audio_format=_FORMAT)
    stamp = _stamp(random)
    return [
        request(stamp=stamp, streaming_config=config),
        request(stamp=stamp, input=tts_pb2.SynthesisInput(piece=1, text="Hello there. ")),
        request(
            stamp=stamp,
            input=tts_pb2.SynthesisInput(piece=2, text="Goodbye.", first_char=13, last=True),
        ),
        request(heartbeat=_HEARTBEAT),
        request(stamp=common_pb2.Stamp(epoch=9), cancel=tts_pb2.CancelSynthesis(reason="fuzz")),
    ]


def _converse(random: Random, robot: str) -> Sequence[Any]:
    request = dialog_pb2.ConverseRequest
    speaks = random.random() < 0.3
    config = dialog_pb2.ConverseConfig(
        input_format=_FORMAT if speaks else None,
        output_format=_FORMAT if random.random() < 0.5 else None,
        language_codes=["en"],
        reports_playback=True,
        facts={"battery": "80 %"},
    )
    sound = [request(audio=_chunk(random, first)) for first in (0, 320)] if speaks else []
    result = robot_pb2.RobotCommandResult(command_id="1", pause=robot_pb2.PauseResponse())
    words = [
        request(text=dialog_pb2.TypedText(text="What time is it?")),
        request(playback=_PLAYBACK),
        request(interrupt=dialog_pb2.Interrupt(playback=_PLAYBACK)),
        request(local_speech=dialog_pb2.LocalSpeech(begin_sample=5)),
        request(wake=dialog_pb2.WakeEvent(cause="fuzz")),
        request(command_result=result),
        request(say=dialog_pb2.SayText(text="Hello.")),
        request(heartbeat=_HEARTBEAT),
    ]
    random.shuffle(words)
    end = request(end=dialog_pb2.EndConversation(reason="fuzz"))
    return [request(config=config), *sound, *words[: random.randrange(1, 6)], end]


def _run_turn(random: Random, robot: str) -> Sequence[Any]:
    return [
        dialog_pb2.RunTurnRequest(
            robot_target=robot if random.random() < 0.7 else "127.0.0.1:9",
            text=random.choice(("", "What time is it?")),
            say=random.choice(("", "Hello.")),
            no_speech_timeout_ms=random.choice((0, 200)),
        )
    ]


def _listen_once(random: Random, robot: str) -> Sequence[Any]:
    request = dialog_pb2.ListenOnceRequest
    if random.random() < 0.3:
        return [request(conversation_id="nobody")]
    return [request(robot_target=robot, no_speech_timeout_ms=200)]


def _listen(random: Random, robot: str) -> Sequence[Any]:
    request = robot_pb2.ListenRequest(
        stamp=_stamp(random),
        recognition=asr_pb2.StreamingRecognitionConfig(language_codes=["en"]),
        no_speech_timeout_ms=random.choice((0, 100, 500)),
    )
    if random.random() < 0.3:
        request.asr.target = random.choice(("127.0.0.1:9", "nowhere", "unix:///nowhere", ""))
    return [request]


def _play(random: Random, robot: str) -> Sequence[Any]:
    request = robot_pb2.PlayRequest
    stamp = _stamp(random)
    return [
        request(stamp=stamp, audio_format=_FORMAT),
        *(request(stamp=stamp, audio=_chunk(random, first)) for first in (0, 320, 640)),
        request(stamp=stamp, heartbeat=_HEARTBEAT),
        request(stamp=stamp, end_of_reply=common_pb2.EndOfUtterance(sample=960)),
    ]


def _reflect(random: Random, robot: str) -> Sequence[Any]:
    request = reflection_pb2.ServerReflectionRequest
    return [
        request(list_services=""),
        request(file_containing_symbol="voicemesh.v1.DialogService"),
        request(file_by_filename="voicemesh/v1/nothing.proto"),
    ]


def _stamp(random: Random) -> common_pb2.Stamp:
    return common_pb2.Stamp(epoch=random.randrange(3), turn=random.randrange(5))


_OPENINGS: dict[str, Opening] = {
    "StreamingRecognize": _recognize,
    "Recognize": _recording,
    "Generate": _generate,
    "StreamingSynthesize": _synthesize,
    "ListVoices": lambda random, robot: [tts_pb2.ListVoicesRequest(language_code="en")],
    "Converse": _converse,
    "RunTurn": _run_turn,
    "ListenOnce": _listen_once,
    "Listen": _listen,
    "Play": _play,
    "Pause": lambda random, robot: [robot_pb2.PauseRequest(stamp=_stamp(random))],
    "Duck": lambda random, robot: [robot_pb2.DuckRequest(stamp=_stamp(random), volume=0.3)],
    "Resume": lambda random, robot: [robot_pb2.ResumeRequest(stamp=_stamp(random))],
    "Stop": lambda random, robot: [robot_pb2.StopRequest(listening=random.random() < 0.5)],
    "Check": lambda random, robot: [health_pb2.HealthCheckRequest(service="")],
    "Watch": lambda random, robot: [health_pb2.HealthCheckRequest(service="")],
    "ServerReflectionInfo": _reflect,
}


def opening(name: str, request: Any, random: Random, robot: str) -> Sequence[Any]:
    """The messages with which a client begins the RPC ``name``, which takes ``request``."""
    known = _OPENINGS.get(name)
    return [request()] if known is None else known(random, robot)
