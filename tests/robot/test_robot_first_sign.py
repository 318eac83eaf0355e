"""The robot falls silent at the first sign of speech, and goes on where that was none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from voicemesh.aio import cancel_and_wait
from voicemesh.audio import Samples
from voicemesh.v1 import common_pb2
from voicemesh.workers import ThreadWorker
from voicemesh_evaluation.turns.noises import slam, typing
from voicemesh_evaluation.turns.speech import trimmed
from voicemesh_robot.devices.device import Block
from voicemesh_robot.devices.memory import MemorySpeaker
from voicemesh_robot.echo.cancelling import Cancelled
from voicemesh_robot.echo.evidence import NO_ECHO, EchoEvidence
from voicemesh_robot.local_vad import Voice, make_local_vad
from voicemesh_robot.sound.first_sign import FirstSign, SignTimes
from voicemesh_robot.sound.local_pause import LocalPause
from voicemesh_robot.sound.microphone import Microphone
from voicemesh_robot.sound.speaker import Speaker
from voicemesh_robot.sound.speech_gate import GateTimes
from voicemesh_robot.sound.speech_source import SpeechSource

from .manual_clock import ManualClock

RATE, FRAME, BLOCK = 16_000, 512, 320
TIMES = SignTimes(proof=4 * FRAME, rest=10 * FRAME)
NONE, POSSIBLE, CLEAR = Voice.NONE, Voice.POSSIBLE, Voice.CLEAR
SOUND = np.full(FRAME, 500, np.int16)
ECHO = EchoEvidence(likelihood=0.1, delay_ms=80)
LEAD_S = 1.0


def told(
    frames: list[tuple[Voice, bool]], echo: bool = False, evidence: EchoEvidence = NO_ECHO
) -> list[tuple[int, bool]]:
    """What is told, each with the number of its frame."""
    events: list[tuple[int, bool]] = []
    heard: list[Voice] = []
    sign = FirstSign(TIMES, lambda began: events.append((len(heard), began)), echo)
    for voice, speaking in frames:
        sign.process(Cancelled(SOUND, evidence), voice, speaking)
        heard.append(voice)
    return events


def quiet(count: int) -> list[tuple[Voice, bool]]:
    return [(NONE, False)] * count


def test_a_sign_is_told_once_and_no_more_where_speech_follows() -> None:
    spoken = [(POSSIBLE, False), (CLEAR, False), (CLEAR, True), *[(NONE, True)] * 9]
    assert told([*quiet(2), *spoken]) == [(2, True)]


def test_a_sign_that_nothing_proves_is_taken_back_and_the_next_ones_are_not_believed() -> None:
    knocks = [(POSSIBLE, False), *quiet(5), (CLEAR, False), *quiet(8), (POSSIBLE, False)]
    assert told([*knocks, *quiet(4)]) == [(0, True), (4, False), (15, True), (19, False)]


@pytest.mark.parametrize(
    ("voice", "evidence", "signs"),
    [(POSSIBLE, ECHO, 0), (CLEAR, ECHO, 1), (CLEAR, NO_ECHO, 0)],
)
def test_beside_an_echo_only_clear_speech_is_a_sign_and_only_once_the_echo_is_known(
    voice: Voice, evidence: EchoEvidence, signs: int
) -> None:
    assert len(told([(voice, False)], echo=True, evidence=evidence)) == signs


def test_what_may_be_the_robots_own_voice_is_no_sign() -> None:
    events: list[bool] = []
    sign = FirstSign(TIMES, events.append, echo=False)
    sign.process(Cancelled(SOUND, NO_ECHO, is_user=False), CLEAR, speaking=False)
    assert events == []


def test_a_sign_that_is_dropped_is_taken_back_at_once() -> None:
    events: list[bool] = []
    sign = FirstSign(TIMES, events.append, echo=False)
    sign.drop()
    sign.process(Cancelled(SOUND, NO_ECHO), POSSIBLE, speaking=False)
    sign.drop()
    assert events == [True, False]


class Reply:
    """A speaker that plays, and its local pause."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._device = MemorySpeaker()
        self.speaker = Speaker(self._device, self.clock)
        self.pause = LocalPause(self.speaker, self.clock, after_s=0.9, enabled=True)

    async def begin(self, turn: int) -> None:
        await self.speaker.begin(common_pb2.Stamp(epoch=1, turn=turn), RATE)
        self.speaker.add(np.ones(RATE, np.int16))

    @property
    def sounds(self) -> bool:
        return bool(len(self._device.play(BLOCK)))

    async def close(self) -> None:
        await self.pause.close()
        await self.speaker.close()


async def test_a_reply_goes_on_at_once_where_a_sign_was_none() -> None:
    reply = Reply()
    await reply.begin(1)
    reply.pause.sign(True)
    assert not reply.sounds
    reply.pause.sign(False)
    assert reply.sounds
    await reply.close()


@pytest.mark.parametrize("decide", [LocalPause.speech_began, LocalPause.overruled])
async def test_no_sign_takes_back_what_speech_or_the_mesh_has_decided(
    decide: Callable[[LocalPause], object],
) -> None:
    reply = Reply()
    await reply.begin(1)
    reply.pause.sign(True)
    decide(reply.pause)
    reply.pause.sign(False)
    assert not reply.sounds
    await reply.close()


async def test_a_reply_that_began_after_the_sign_is_paused_by_the_speech_itself() -> None:
    reply = Reply()
    await reply.begin(1)
    reply.pause.sign(True)
    await reply.begin(2)
    assert reply.sounds
    assert reply.pause.speech_began()
    assert not reply.sounds
    await reply.close()


class Recording:
    """A microphone that hears ``samples`` at the pace of a clock."""

    rate_hertz = RATE
    name = "recording"

    def __init__(self, samples: Samples, clock: ManualClock) -> None:
        self._rest = samples
        self._clock = clock
        self.over = asyncio.Event()

    async def open(self) -> Recording:
        return self

    async def read(self) -> Block:
        block, self._rest = np.split(self._rest, [BLOCK])
        if len(block) < BLOCK:
            self.over.set()
            await asyncio.Event().wait()
        await self._clock.move(BLOCK / RATE)
        return Block(block)

    async def close(self) -> None:
        pass


async def noticed(sound: Samples) -> list[tuple[str, float]]:
    """What a robot without echo notices of ``sound`` in a quiet room: how many ms after it began.

    A sign, that it was none, and speech.
    """
    room = np.random.default_rng(1).standard_normal(len(sound) + 3 * RATE) * 10
    begin = int(LEAD_S * RATE)
    room[begin : begin + len(sound)] += sound
    clock = ManualClock()
    recording = Recording(np.clip(room, -32_768, 32_767).astype(np.int16), clock)
    start_s = clock.now() + LEAD_S
    events: list[tuple[str, float]] = []

    def notice(what: str) -> None:
        events.append((what, round(1000 * (clock.now() - start_s))))

    worker = ThreadWorker("test vad")
    source = SpeechSource(
        Microphone(recording, clock),
        make_local_vad("silero", 2),
        worker,
        GateTimes.of_ms(RATE),
        on_speech=lambda begin: notice("speech"),
        on_sign=lambda began: notice("sign" if began else "none"),
    )

    async def listen() -> None:
        async for _ in source.sounds():
            pass

    listening = asyncio.ensure_future(listen())
    await recording.over.wait()
    await cancel_and_wait(listening)
    worker.close()
    return events


async def test_words_are_noticed_before_they_are_proven(
    flite_speech: Callable[..., Samples],
) -> None:
    for text in ("stop", "wait a moment", "how does a battery work", "no"):
        (sign, at_ms), (speech, proven_ms), *_ = await noticed(trimmed(flite_speech(text, "rms")))
        assert (sign, speech) == ("sign", "speech")
        assert at_ms <= 140
        assert at_ms < proven_ms <= at_ms + 200


async def test_a_door_that_falls_shut_next_door_is_a_pause_of_a_fifth_of_a_second() -> None:
    rng = np.random.default_rng(2)
    slams = [await noticed((0.1 * slam(rng)).astype(np.int16)) for _ in range(6)]
    pauses = [after - at for (_, at), (what, after), *_ in filter(None, slams) if what == "none"]
    assert pauses
    assert max(pauses) <= 240


async def test_typing_is_no_sign_of_speech() -> None:
    assert await noticed(typing(np.random.default_rng(3))) == []
