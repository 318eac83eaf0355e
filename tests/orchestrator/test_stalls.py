"""No service keeps the event loop busy: models and codecs run elsewhere."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import threading
import traceback
from collections.abc import Iterator
from itertools import islice
from types import CodeType
from typing import Any

import numpy as np
import pytest

from voicemesh.audio_format import linear16
from voicemesh.v1 import common_pb2, dialog_pb2

from .conftest import RATE, Connect, Mesh, Request

LONGEST_S = 0.02
"""What one callback may take of the loop's thread, in seconds of CPU time in user mode. CPU
time, because a busy machine delays callbacks that do nothing wrong; in user mode, because this
process holds the gigabytes of all tests' models, and giving such memory back or getting a page
of it again takes the kernel tens of milliseconds in whichever callback it comes upon."""
SAMPLED_EVERY_S = 0.005

Handle: Any = asyncio.Handle


def user_s() -> float:
    """CPU time of this thread in user mode, in seconds."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_utime


class Busy:
    """The callbacks that took the loop's thread for longest, and where each of them was."""

    def __init__(self) -> None:
        self.callbacks: list[tuple[float, str]] = []
        self._loop_thread = threading.get_ident()
        self._stack: list[tuple[CodeType, int]] = []
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_S):
            walked = islice(traceback.walk_stack(sys._current_frames()[self._loop_thread]), 12)
            self._stack = [(frame.f_code, line) for frame, line in walked]

    def note(self, took_s: float, handle: object) -> None:
        """Remember a callback that took long; the newest sample is of its end."""
        places = (f"{code.co_filename}:{line} in {code.co_name}" for code, line in self._stack)
        self.callbacks.append((took_s, "\n".join([f"{handle!r}, last seen at", *places])))

    def worst(self) -> tuple[float, str]:
        return max(self.callbacks, default=(0.0, ""))

    def close(self) -> None:
        self._over.set()
        self._sampler.join()


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Busy]:
    """Measures. Garbage is collected before: a full collection walks all that the tests of
    this process have left behind, and would count for whichever callback it meets."""
    seen = Busy()
    run = Handle._run

    def measured(handle: Any) -> None:
        began = user_s()
        run(handle)
        took = user_s() - began
        if took > LONGEST_S / 2:
            seen.note(took, handle)

    monkeypatch.setattr(asyncio.Handle, "_run", measured)
    gc.collect()
    gc.disable()
    yield seen
    gc.enable()
    seen.close()


async def test_the_detector_sees_a_callback_that_computes(busy: Busy) -> None:
    def compute() -> None:
        end = user_s() + 2 * LONGEST_S
        while user_s() < end:
            sum(range(10_000))

    asyncio.get_running_loop().call_soon(compute)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    took, callback = busy.worst()
    assert took > LONGEST_S
    assert "in compute" in callback


async def test_a_whole_turn_never_keeps_the_loop_busy(
    mesh: Mesh, connect: Connect, flite_speech: Any, busy: Busy
) -> None:
    speech = flite_speech("what is artificial intelligence")
    question = np.concatenate([speech, np.zeros(RATE, dtype=np.int16)])
    config = dialog_pb2.ConverseConfig(
        input_format=linear16(RATE), output_format=linear16(48_000), reply_lead_ms=600_000
    )
    async with (
        mesh("asr", "llm", "tts", **{"asr.moonshine.workers": 1}) as target,
        connect(target, Request(config=config)) as client,
    ):
        await client.until("started")
        busy.callbacks.clear()  # What loads and warms up may take its time.
        for _ in range(2):
            await client.say(question)
            ended = (await client.until("reply_ended")).reply_ended
            report = common_pb2.PlaybackReport(
                stamp=client.seen[-1].stamp, played_samples=ended.sample_count, drained=True
            )
            await client.send(playback=report)
            await client.until("turn_ended")
        took, callback = busy.worst()
        assert took <= LONGEST_S, f"{took * 1000:.0f} ms of CPU in {callback}"
