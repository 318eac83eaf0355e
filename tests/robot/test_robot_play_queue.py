"""Playback: exact to the sample over pauses, stops and rates."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.v1 import common_pb2
from voicemesh_robot.devices.memory import MemorySpeaker
from voicemesh_robot.sound.play_queue import PlayQueue
from voicemesh_robot.sound.speaker import Speaker

from .manual_clock import ManualClock


class Time:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def queue_of(rate: int = 16_000, device_rate: int = 16_000) -> tuple[PlayQueue, Time]:
    time = Time()
    return PlayQueue(rate, device_rate, time, lambda: None), time


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 700)),
        st.tuples(st.just("take"), st.integers(1, 700)),
        st.tuples(st.sampled_from(["pause", "resume"]), st.just(0)),
    ),
    max_size=60,
)


@given(steps)
def test_no_sample_is_lost_or_repeated_over_pauses(steps: list[tuple[str, int]]) -> None:
    queue, time = queue_of()
    given_out, added = [], 0
    for kind, count in steps:
        time.now_s += 0.01
        match kind:
            case "add":
                queue.add(np.arange(added, added + count).astype(np.int16))
                added += count
            case "take":
                taken = queue.take(count, 0.0)
                assert not (queue.paused and len(taken))
                given_out.append(taken)
            case "pause":
                queue.pause()
            case "resume":
                queue.resume()
    queue.resume()
    queue.complete()
    given_out.append(queue.take(100_000, 0.0))
    heard = np.concatenate(given_out)
    assert (heard == np.arange(added).astype(np.int16)).all()
    assert len(heard) == added


def test_paused_reply_stands_at_the_sample_that_resumes() -> None:
    queue, time = queue_of()
    queue.add(np.arange(1_000, dtype=np.int16))
    queue.take(320, 0.040)
    queue.pause()
    assert queue.played(time()) == 320  # Its last buffer is on its way.
    assert len(queue.take(320, 0.040)) == 0
    queue.resume()
    assert queue.take(320, 0.040)[0] == 320


def test_what_is_on_its_way_through_the_device_has_not_been_heard() -> None:
    queue, time = queue_of()
    queue.add(np.zeros(640, dtype=np.int16))
    queue.complete()
    queue.take(640, 0.1)
    assert queue.played(time()) == 0
    time.now_s = 0.12
    assert queue.played(time()) == 320
    assert queue.drained_at() is not None
    time.now_s = 0.14
    assert queue.played(time()) == 640


def test_stopped_reply_tells_what_was_played_and_plays_no_more() -> None:
    queue, time = queue_of()
    queue.add(np.zeros(1_000, dtype=np.int16))
    queue.take(320, 0.0)
    assert queue.stop() == 320
    queue.add(np.zeros(1_000, dtype=np.int16))
    assert len(queue.take(320, 0.0)) == 0
    time.now_s = 1.0
    assert queue.played(time()) == 320


def test_device_of_another_rate_is_counted_at_the_rate_of_the_reply() -> None:
    queue, time = queue_of(16_000, 48_000)
    queue.add(np.zeros(16_000, dtype=np.int16))
    queue.complete()
    assert len(queue.take(24_000, 0.0)) == 24_000
    time.now_s = 0.5
    assert queue.played(time()) == 8_000
    assert len(queue.take(48_000, 0.0)) == 24_000
    time.now_s = 1.0
    assert queue.played(time()) == 16_000


def test_a_ducked_reply_is_quieter_until_it_is_resumed() -> None:
    queue, _ = queue_of()
    sound = np.full(3000, 1000, dtype=np.int16)
    queue.add(sound)
    assert (queue.take(1000, 0.0) == 1000).all()
    queue.duck(0.3)
    assert (queue.take(1000, 0.0) == 300).all()
    queue.resume()
    assert (queue.take(1000, 0.0) == 1000).all()


class HastyClock(ManualClock):
    """Each look at it is 15 samples later than the one before."""

    def now(self) -> float:
        self._now_s += 15 / 16_000
        return self._now_s


async def test_a_report_is_of_one_moment() -> None:
    device = MemorySpeaker()
    speaker = Speaker(device, HastyClock())
    await speaker.begin(common_pb2.Stamp(epoch=1, turn=1), 16_000)
    speaker.add(np.zeros(20, dtype=np.int16))
    speaker.complete()
    device.play(20)
    report = speaker.report(0)
    while not report.drained:
        report = speaker.report(0)
    assert report.played_samples == 20
    await speaker.close()
