"""Decoding again and again: which words are confirmed, and whose turn it is."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemesh.errors import Unavailable
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_asr.engines.engine import SessionOptions
from voicemesh_asr.engines.redecoding.jobs import (
    JobQueue,
    TranscriptionJob,
    stop_if_unwanted,
)
from voicemesh_asr.engines.redecoding.local_agreement import (
    LocalAgreement,
    agreement,
    normal,
    overlap,
    units,
)
from voicemesh_asr.engines.redecoding.phrase_likeness import Likeness, likeness
from voicemesh_asr.engines.redecoding.pieces import cuts
from voicemesh_asr.engines.redecoding.session import Jobs, RedecodingSession, Streaming
from voicemesh_asr.engines.redecoding.speech_buffer import SpeechBuffer
from voicemesh_asr.engines.redecoding.transcription import Request, Segment, Transcription

WORDS = st.lists(st.sampled_from([" a", " b", " c", " A,", " d."]), max_size=8)


def hear(texts: list[str], by_characters: bool = False) -> list[str]:
    """What is confirmed after each text."""
    following = LocalAgreement()
    confirmed = []
    for text in texts:
        following.feed(units(text, by_characters))
        confirmed.append(following.confirmed)
    return confirmed


def test_words_are_confirmed_when_two_hypotheses_agree() -> None:
    growing = [
        "Thank",
        "What is the",
        "What is artificial",
        "What is artificial intelligence?",
        "What is artificial intelligence?",
    ]
    assert hear(growing) == [
        "",
        "",
        "What is",
        "What is artificial",
        "What is artificial intelligence?",
    ]


def test_chinese_is_compared_by_characters() -> None:
    assert hear(["今天天汽", "今天天气怎么", "今天天气怎么样"], by_characters=True) == [
        "",
        "今天天",
        "今天天气怎么",
    ]


@pytest.mark.parametrize(
    ("text", "by_characters", "expected"),
    [
        (" What's up, Doc?", False, [" What's", " up,", " Doc?"]),
        ("我用 Python3，好吗？", True, ["我", "用", " Python3，", "好", "吗？"]),
        ("สวัสดี", True, ["ส", "วั", "ส", "ดี"]),
        ("", True, []),
    ],
)
def test_text_falls_into_units(text: str, by_characters: bool, expected: list[str]) -> None:
    assert units(text, by_characters) == expected


def test_case_and_marks_do_not_count_and_the_newer_spelling_stays() -> None:
    assert normal(" Doc?") == normal("ｄｏｃ") == "doc"
    assert hear([" stop what", " Stop. What time"])[-1] == "Stop. What"


def test_confirmed_words_stay_when_later_texts_say_them_differently() -> None:
    confirmed = hear([" turn on the", " turn on the light", " Tournon the light now", " light now"])
    assert confirmed[1] == "turn on the"
    assert confirmed[2] == "turn on the light"
    assert confirmed[3] == "turn on the light now"


def test_where_newer_texts_count_more_the_text_is_the_newest() -> None:
    following = LocalAgreement(keeps=False)
    shown = []
    for text in ("You", "You go", "Hello Rob", "Hello robot, stop"):
        following.feed(units(text, False))
        shown.append((following.confirmed, following.text))
    assert shown == [
        ("", "You"),
        ("You", "You go"),
        ("", "Hello Rob"),
        ("Hello", "Hello robot, stop"),
    ]


def test_interim_decodes_keep_to_their_share_of_the_time() -> None:
    streaming = Streaming(16_000, window=160_000, every_ms=400, first_ms=600, share=0.25)
    assert streaming.first == 9_600
    assert streaming.due_after(0.05) == 6_400, "not more often than it was asked for"
    assert streaming.due_after(0.4) == 25_600
    assert replace(streaming, share=None).due_after(0.4) == 6_400


@given(speech_s=st.floats(0, 40), more_s=st.floats(0, 20), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_more_audio_moves_no_cut(speech_s: float, more_s: float, seed: int) -> None:
    rate, longest = 1_000, 12_000
    noise = np.random.default_rng(seed).normal(0, 1000, round((speech_s + more_s) * rate))
    speech = noise.astype(np.int16)
    before, after = (
        cuts(part, longest, rate) for part in (speech[: round(speech_s * rate)], speech)
    )
    assert after[: len(before) - 1] == before[:-1]
    assert after[-1] == len(speech)
    sizes = np.diff([0, *after])
    assert sizes.max(initial=0) <= longest
    assert all(size >= longest / 2 for size in sizes[:-1])


def test_what_is_cut_off_stays_and_is_not_said_twice() -> None:
    following = LocalAgreement()
    for text in (" Turn on the light. Stop. What", " Turn on the light. Stop. What time"):
        following.feed(units(text, False))
    beginning = units(" Turn on the light.", False)
    assert following.can_drop(beginning)
    following.drop(beginning)
    assert following.dropped == "Turn on the light."
    assert following.confirmed == "Turn on the light. Stop. What"
    following.feed(units(" light. Stop. What time is", False))
    assert following.text == "Turn on the light. Stop. What time is"
    assert following.confirmed == "Turn on the light. Stop. What time"
    assert "".join(following.behind_dropped(units(" light. Stop now", False))) == " Stop now"


def test_only_confirmed_text_can_be_cut_off() -> None:
    following = LocalAgreement()
    following.feed(units(" one two", False))
    following.feed(units(" one three", False))
    assert following.can_drop([" one"])
    assert not following.can_drop([" one", " three"])
    assert not following.can_drop([" two"])


def test_text_can_be_taken_as_it_is_when_the_window_is_full() -> None:
    following = LocalAgreement()
    following.feed(units(" one two three", False))
    following.drop([" one", " two"])
    assert following.confirmed == "one two"
    assert following.text == "one two three"


@given(texts=st.lists(WORDS, max_size=8))
def test_confirmed_text_only_grows(texts: list[list[str]]) -> None:
    following = LocalAgreement()
    before = ""
    for text in texts:
        following.feed(text)
        assert following.confirmed.startswith(before)
        assert following.text.startswith(following.confirmed)
        before = following.confirmed


@given(texts=st.lists(WORDS, max_size=8), cut=st.integers(0, 8))
def test_cutting_changes_no_confirmed_text(texts: list[list[str]], cut: int) -> None:
    following = LocalAgreement()
    for text in texts:
        following.feed(text)
        if following.can_drop(text[:cut]):
            confirmed, shown = following.confirmed, following.text
            following.drop(text[:cut])
            assert following.confirmed == confirmed
            assert following.text == shown


@given(text=WORDS, longer=WORDS)
def test_a_text_that_only_grows_is_confirmed_one_step_behind(
    text: list[str], longer: list[str]
) -> None:
    following = LocalAgreement()
    following.feed(text)
    assert following.confirmed == ""
    following.feed([*text, *longer])
    assert following.confirmed == "".join(text).strip()


@given(left=WORDS, right=WORDS)
def test_agreement_is_a_common_beginning(left: list[str], right: list[str]) -> None:
    count = agreement(left, right)
    assert list(map(normal, left[:count])) == list(map(normal, right[:count]))
    assert count in (len(left), len(right)) or normal(left[count]) != normal(right[count])


@given(before=WORDS, after=WORDS)
def test_an_overlap_is_said_on_both_sides(before: list[str], after: list[str]) -> None:
    count = overlap(before, after)
    assert count <= 5
    if count:
        assert list(map(normal, before[-count:])) == list(map(normal, after[:count]))


@given(
    parts=st.lists(st.integers(0, 500), max_size=10),
    cuts=st.lists(st.integers(0, 700), max_size=10),
)
def test_a_speech_buffer_holds_what_was_not_cut(parts: list[int], cuts: list[int]) -> None:
    buffer, heard = SpeechBuffer(), 0
    for count, cut in zip(parts, [*cuts, *[0] * len(parts)], strict=False):
        buffer.append(np.arange(heard, heard + count).astype(np.int16))
        heard += count
        buffer.cut(cut)
        assert buffer.end == heard
        assert buffer.samples().tolist() == list(range(buffer.begin, heard))


# Whose turn it is


class Device:
    """Runs requests one at a time, each as long as the test lets it."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def run(self, name: str, is_final: bool, counter: WorkCounter) -> str:
        self.begun.release()
        assert self.go_on.acquire(timeout=30)
        stop_if_unwanted(counter)
        self.ran.append(name)
        if name == "broken":
            raise ValueError("broken")
        return name


Job = TranscriptionJob[str, str]


class Turns:
    def __init__(self, workers: int = 1) -> None:
        self.device = Device()
        self.workers = [ThreadWorker(f"jobs {number}") for number in range(workers)]
        self.queue: JobQueue[str, str] = JobQueue(self.workers, self.device.run)
        self.asked: list[str] = []

    def job(self, name: str, is_final: bool) -> Job:
        def newest() -> str:
            self.asked.append(name)
            return name

        job = Job(newest, is_final)
        self.queue.submit(job)
        return job

    async def begun(self) -> None:
        """Until the device works on another request."""
        assert await asyncio.to_thread(self.device.begun.acquire, timeout=30)

    async def __aenter__(self) -> "Turns":
        self.queue.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.device.go_on.release(10)
        await self.queue.close()
        for worker in self.workers:
            worker.close()


async def test_final_texts_go_before_interim_ones() -> None:
    async with Turns() as turns:
        first = turns.job("final 1", True)
        await turns.begun()
        interim = turns.job("interim", False)
        second = turns.job("final 2", True)
        assert turns.asked == ["final 1"], "audio is taken when the turn comes, not before"
        for _ in range(3):
            turns.device.go_on.release()
        await asyncio.gather(first.result, interim.result, second.result)
        assert turns.device.ran == ["final 1", "final 2", "interim"]


async def test_an_interim_decode_gives_way_to_a_final_one() -> None:
    async with Turns() as turns:
        interim = turns.job("interim", False)
        await turns.begun()
        final = turns.job("final", True)
        turns.device.go_on.release()
        turns.device.go_on.release()
        assert (await final.result) == "final"
        assert interim.result.cancelled()
        assert turns.device.ran == ["final"]


async def test_an_interim_decode_goes_on_where_another_worker_is_idle() -> None:
    async with Turns(workers=2) as turns:
        interim = turns.job("interim", False)
        await turns.begun()
        first = turns.job("final 1", True)
        await turns.begun()
        assert not interim.result.cancelled()
        second = turns.job("final 2", True)
        assert interim.result.cancelled(), "now both are busy"
        turns.device.go_on.release(3)
        assert {await first.result, await second.result} == {"final 1", "final 2"}


async def test_a_cancelled_job_is_never_begun() -> None:
    async with Turns() as turns:
        running = turns.job("running", True)
        await turns.begun()
        turns.job("stale", True).cancel()
        last = turns.job("last", True)
        turns.device.go_on.release()
        turns.device.go_on.release()
        await asyncio.gather(running.result, last.result)
        assert turns.asked == ["running", "last"]


async def test_a_failed_job_fails_alone() -> None:
    async with Turns() as turns:
        broken, whole = turns.job("broken", True), turns.job("whole", True)
        turns.device.go_on.release()
        turns.device.go_on.release()
        with pytest.raises(ValueError, match="broken"):
            await broken.result
        assert (await whole.result) == "whole"


async def test_closing_ends_what_runs_and_what_waits() -> None:
    async with Turns() as turns:
        running, waiting = turns.job("running", True), turns.job("waiting", False)
        await turns.begun()
        turns.device.go_on.release()
        await turns.queue.close()
        late = turns.job("late", True)
        for job in (running, waiting, late):
            assert job.counter.cancelled
            with pytest.raises(Unavailable, match="stopped"):
                await job.result


def test_texts_are_alike_by_their_letters_whatever_else_they_have() -> None:
    assert likeness("Stop it!", "stop that") == Likeness(3 / 8, 8 / 6)
    assert likeness("stop", "...") == Likeness(1.0, 4.0)
    assert likeness("...", "?") == Likeness(0.0, 1.0)


# A session


@dataclass(frozen=True)
class Heard:
    """See Transcription."""

    segments: Sequence[Segment]
    language: str
    confidence: float = 1.0


async def test_behind_a_cut_the_language_is_that_of_what_was_cut_off() -> None:
    rate = 1_000
    asked: list[tuple[int, tuple[str, ...]]] = []

    def run(request: Request, is_final: bool, counter: WorkCounter) -> Transcription:
        asked.append((request.begin, request.languages))
        half = len(request.samples) // 2
        return Heard([Segment("你好", 0, half), Segment("吗", half, len(request.samples))], "zh")

    worker = ThreadWorker("session")
    jobs: Jobs = JobQueue([worker], run)
    jobs.start()
    streaming = Streaming(rate, window=2 * rate, every_ms=500)
    session = RedecodingSession(
        streaming, SessionOptions("en", languages=("en", "zh")), jobs, lambda: None
    )
    for _ in range(4):
        await session.accept(np.ones(rate // 2, np.int16))
        assert session._job is not None
        await asyncio.wait([session._job.result])
    final = await session.finish()
    assert final.language_code == "zh"
    assert [languages for begin, languages in asked if begin == 0] == [("en", "zh")] * 4
    assert {languages for begin, languages in asked if begin} == {("zh",)}
    await session.reset()
    await session.accept(np.ones(rate, np.int16))
    await session.finish()
    assert asked[-1] == (0, ("en", "zh")), "another utterance may be in another language"
    await session.close()
    await jobs.close()
    worker.close()
