"""The microphone: one sample clock over lost samples and lost devices."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys

import numpy as np
import pytest

from voicemesh.errors import NotFound
from voicemesh_robot.devices.cards import CardInfo, choose_card
from voicemesh_robot.devices.device import DeviceLost
from voicemesh_robot.devices.lost_samples import LostSampleDetector
from voicemesh_robot.devices.memory import MemoryCapture, MemoryMicrophone
from voicemesh_robot.devices.notices import Notice
from voicemesh_robot.sound.level_meter import QUIETEST_DBFS, LevelMeter
from voicemesh_robot.sound.microphone import Gap, Microphone

from .manual_clock import ManualClock

ONE = np.full(1_600, 1, dtype=np.int16)  # 100 ms.


def started(rate: int = 16_000) -> tuple[MemoryMicrophone, Microphone, ManualClock, list[Notice]]:
    notices: list[Notice] = []
    device, clock = MemoryMicrophone(rate), ManualClock()
    return device, Microphone(device, clock, notices.append), clock, notices


async def test_samples_that_the_device_lost_are_a_gap_of_that_length() -> None:
    device, microphone, _, _ = started(48_000)
    heard = microphone.listen()
    await microphone.open()
    device.record(np.ones(4_800, dtype=np.int16), lost_before=4_800)
    assert await anext(heard) == Gap(1_600)
    samples = await anext(heard)
    assert not isinstance(samples, Gap)
    assert microphone.position == 1_600 + len(samples)
    await heard.aclose()


class SlowMicrophone(MemoryMicrophone):
    """One whose sound system takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = asyncio.Event()
        self.openings = 0

    async def open(self) -> MemoryCapture:
        self.openings += 1
        await self.ready.wait()
        return await super().open()


async def test_two_who_open_the_microphone_at_once_share_the_device() -> None:
    device = SlowMicrophone()
    microphone = Microphone(device, ManualClock())
    both = asyncio.gather(microphone.open(), microphone.open())
    await asyncio.sleep(0)
    device.ready.set()
    await both
    assert (device.openings, microphone.is_open) == (1, True)
    await microphone.close()


async def test_device_that_disappears_and_returns_leaves_a_gap_as_long_as_it_was_away() -> None:
    device, microphone, clock, notices = started()
    heard = microphone.listen()
    await microphone.open()
    await clock.move(0.1)
    device.record(ONE)
    assert len(await anext(heard)) == 1_600  # type: ignore[arg-type]  # It is no gap.
    device.unplug()
    away = asyncio.ensure_future(anext(heard))
    await asyncio.sleep(0)
    await clock.move(3.0)
    detector = [await away]
    device.plug_in()
    returning = asyncio.ensure_future(anext(heard))
    while not device.opened.is_set():
        await clock.move(0.5)
        await asyncio.sleep(0)
    detector.append(await returning)
    lost = sum(gap.sample_count for gap in detector if isinstance(gap, Gap))
    assert lost == round((clock.now() - 100.0) * 16_000) - 1_600
    assert microphone.position == 1_600 + lost
    assert [notice.kind for notice in notices] == ["lost", "back"]
    device.record(ONE)
    assert len(await anext(heard)) == 1_600  # type: ignore[arg-type]  # It is no gap.
    await heard.aclose()


async def test_microphone_that_is_not_there_says_so_at_once() -> None:
    device, microphone, _, _ = started()
    device.unplug()
    with pytest.raises(DeviceLost, match="plug it in"):
        await microphone.open()


async def test_clipping_is_told_once_in_a_while() -> None:
    device, microphone, _, notices = started()
    heard = microphone.listen()
    await microphone.open()
    for _ in range(5):
        device.record(np.full(1_600, 32_767, dtype=np.int16))
        await anext(heard)
    assert [notice.kind for notice in notices] == ["clipping"]
    assert "turn its gain down" in notices[0].text
    assert microphone.level.clipped_share == 1.0
    await heard.aclose()
    assert microphone.level.dbfs == QUIETEST_DBFS


def test_level_is_that_of_the_last_second() -> None:
    meter = LevelMeter(16_000)
    for _ in range(10):
        meter.feed(np.full(1_600, 3_276, dtype=np.int16))
    assert meter.dbfs == pytest.approx(20 * math.log10(0.1), abs=0.1)
    for _ in range(11):
        meter.feed(np.zeros(1_600, dtype=np.int16))
    assert meter.dbfs == QUIETEST_DBFS


def test_late_blocks_are_not_taken_for_lost_ones() -> None:
    detector = LostSampleDetector(16_000)
    for number in range(500):
        late = 0.3 if number % 100 < 10 else 0.0  # A stall, then a burst.
        assert detector.process(320, number * 0.02 + late) == 0


def test_lost_blocks_are_counted_and_the_drift_of_a_crystal_is_not() -> None:
    detector = LostSampleDetector(16_000)
    lost = 0
    for number in range(1_000):
        away = 0.5 if number >= 500 else 0.0
        lost += detector.process(320, number * 0.02 * 1.0005 + away)
    assert lost == pytest.approx(8_000, abs=200)


def cards() -> list[CardInfo]:
    return [
        CardInfo(0, "USB Headset", "ALSA", 1, 2, 48_000, False, False),
        CardInfo(1, "USB Camera", "ALSA", 2, 0, 44_100, True, False),
        CardInfo(2, "HDMI", "ALSA", 0, 8, 48_000, False, True),
    ]


def test_device_is_chosen_by_index_name_or_default() -> None:
    assert choose_card(cards(), "", is_input=True).index == 1
    assert choose_card(cards(), "", is_input=False).index == 2
    assert choose_card(cards(), "0", is_input=True).index == 0
    assert choose_card(cards(), "usb camera", is_input=True).index == 1
    assert choose_card(cards(), "head", is_input=True).index == 0


def test_device_that_is_missing_or_not_unique_is_named_with_those_that_are_there() -> None:
    with pytest.raises(DeviceLost, match="0 USB Headset, 1 USB Camera"):
        choose_card(cards(), "bluetooth", is_input=True)
    with pytest.raises(NotFound, match="fits several devices"):
        choose_card(cards(), "usb", is_input=True)


@pytest.mark.parametrize(
    "arguments",
    [["devices"], ["listen-service", "--port", "0"], ["listen-service", "--dial", "127.0.0.1:9"]],
)
def test_missing_pyaudio_is_one_sentence_with_its_cure(arguments: list[str]) -> None:
    program = "import sys; sys.modules['pyaudio'] = None; from voicemesh.cli import main; "
    ran = subprocess.run(
        [sys.executable, "-c", program + f"sys.exit(main({arguments!r}))"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,  # A listener that is deaf would serve for ever.
    )
    assert ran.returncode == 1
    assert "pip install 'voicemesh-robot[audio]'" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
