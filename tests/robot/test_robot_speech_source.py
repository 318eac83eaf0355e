"""What a robot hears beside its own speaker: one timeline, whatever is held back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from voicemesh.aio import cancel_and_wait
from voicemesh.audio import Samples
from voicemesh.workers import ThreadWorker
from voicemesh_evaluation.turns.acoustics import Room, active_level
from voicemesh_robot.devices.device import Block
from voicemesh_robot.echo.cancelling import EchoTimes
from voicemesh_robot.echo.choice import canceller_maker
from voicemesh_robot.echo.guard import EchoGuard
from voicemesh_robot.echo.reference import PlayedReference
from voicemesh_robot.local_vad import make_local_vad
from voicemesh_robot.sound.heard import Heard, HeardSilence, HeardSound
from voicemesh_robot.sound.microphone import Microphone
from voicemesh_robot.sound.speech_gate import GateTimes
from voicemesh_robot.sound.speech_source import SpeechSource

from .manual_clock import ManualClock

RATE = 16_000
BLOCK, LOST = 320, 800
Speech = Callable[..., Samples]


class Card:
    """A sound card whose microphone hears what is given, while its speaker plays."""

    rate_hertz = RATE
    name = "card"

    def __init__(self, played: Samples, heard: Samples, clock: ManualClock) -> None:
        self._pairs = [
            (played[at : at + BLOCK], heard[at : at + BLOCK])
            for at in range(0, len(heard) - BLOCK + 1, BLOCK)
        ]
        self._clock = clock
        self._next = 0
        self.reference: PlayedReference | None = None
        self.loses_before = -1
        """Before this block 50 ms are lost."""
        self.over = asyncio.Event()

    async def open(self) -> Card:
        return self

    async def read(self) -> Block:
        number, self._next = self._next, self._next + 1
        if number >= len(self._pairs):
            self.over.set()
            await asyncio.Event().wait()
        played, heard = self._pairs[number]
        assert self.reference is not None
        self.reference.feed(played, BLOCK, self._clock.now() + 0.04)
        await self._clock.move(BLOCK / RATE)
        return Block(heard, LOST if number == self.loses_before else 0)

    async def close(self) -> None:
        self._pairs.clear()


async def heard_through(
    played: Samples, heard: Samples, loses_before: int = -1
) -> tuple[int, list[Heard]]:
    """Where listening began, and what a robot makes of it."""
    clock = ManualClock()
    card = Card(played, heard, clock)
    card.loses_before = loses_before
    guard = EchoGuard(RATE, canceller_maker("builtin", RATE, EchoTimes()), clock)
    guard.reference.restart(RATE)
    card.reference = guard.reference
    worker = ThreadWorker("test vad")
    microphone = Microphone(card, clock)
    source = SpeechSource(
        microphone, make_local_vad("silero", 2), worker, GateTimes.of_ms(RATE), echo=guard
    )
    items: list[Heard] = []

    async def collect() -> None:
        async for item in source.sounds():
            items.append(item)

    task = asyncio.ensure_future(collect())
    await card.over.wait()
    await cancel_and_wait(task)
    worker.close()
    return source.first_sample, items


def room_with_user(flite_speech: Speech, at_s: float) -> tuple[Samples, Samples, range]:
    """What is played, what is heard with somebody who speaks over it, and where."""
    reply = flite_speech("mars is the fourth planet from the sun. it is cold and red", "slt")
    played = np.pad(reply, (RATE // 5, RATE))
    user = flite_speech("how does a battery work", "rms").astype(np.float64)
    echo = Room(120, 200, seed=5).echo(played, RATE)
    echo *= active_level(user, RATE) / 2 / active_level(echo, RATE)
    echo += np.random.default_rng(3).standard_normal(len(echo)) * 5
    begin = int((0.2 + at_s) * RATE)
    echo[begin : begin + len(user)] += user
    heard = np.clip(np.rint(echo), -32_768, 32_767).astype(np.int16)
    return played, heard, range(begin, begin + len(user))


def assert_continuous(first: int, items: list[Heard]) -> None:
    position = first
    for item in items:
        assert isinstance(item, (HeardSound, HeardSilence))
        assert item.first_sample == position
        position += len(item.samples) if isinstance(item, HeardSound) else item.sample_count


async def test_words_over_the_first_words_of_a_reply_keep_their_place(
    flite_speech: Speech,
) -> None:
    played, heard, spoken = room_with_user(flite_speech, at_s=0.4)
    first, items = await heard_through(played, heard)
    assert_continuous(first, items)
    sent = np.zeros(len(heard), np.int16)
    for item in items:
        if isinstance(item, HeardSound):
            begin = item.first_sample - first
            sent[begin : begin + len(item.samples)] = item.samples
    ours, said = sent[spoken.start : spoken.stop], heard[spoken.start : spoken.stop]
    assert np.corrcoef(ours.astype(np.float64), said.astype(np.float64))[0, 1] > 0.7
    assert not sent[: spoken.start - RATE // 4].any()


async def test_samples_lost_while_sound_is_held_back_move_nothing(flite_speech: Speech) -> None:
    played, heard, _ = room_with_user(flite_speech, at_s=0.4)
    first, items = await heard_through(played, heard, loses_before=25)
    assert_continuous(first, items)
    last = items[-1]
    assert isinstance(last, (HeardSound, HeardSilence))
    end = last.first_sample + (
        len(last.samples) if isinstance(last, HeardSound) else last.sample_count
    )
    assert end - first > len(heard) + LOST - RATE
