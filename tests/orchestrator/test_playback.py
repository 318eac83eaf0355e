"""What the user has heard: the playback clock, the spoken text, the pacing of audio."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.audio_format import linear16
from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator.history import Exchange, History
from voicemesh_orchestrator.plan import plan_conversation
from voicemesh_orchestrator.reply.outgoing import Outgoing
from voicemesh_orchestrator.reply.paced_sender import PacedSender
from voicemesh_orchestrator.reply.playback_estimate import PlaybackEstimate, SpokenText
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn.machine import TurnMachine

RATE = 16_000


def test_without_reports_audio_is_played_as_it_arrives() -> None:
    playback = PlaybackEstimate(RATE)
    playback.add(RATE, now_s=10.0)
    assert playback.played(10.5) == RATE // 2
    assert playback.played(12.0) == RATE


def test_audio_that_comes_late_is_played_from_its_arrival() -> None:
    playback = PlaybackEstimate(RATE)
    playback.add(RATE, now_s=0.0)
    playback.add(RATE, now_s=5.0)
    assert playback.underruns == 1
    assert playback.played(5.5) == RATE + RATE // 2


def test_a_report_overrules_the_clock_and_a_pause_stops_it() -> None:
    playback = PlaybackEstimate(RATE)
    playback.add(2 * RATE, now_s=0.0)
    playback.report(played=1000, paused=True, now_s=1.0)
    assert playback.played(9.0) == 1000
    playback.report(played=1000, paused=False, now_s=9.0)
    assert playback.played(9.5) == 1000 + RATE // 2


def test_a_report_beyond_what_was_sent_is_not_believed() -> None:
    playback = PlaybackEstimate(RATE)
    playback.add(100, now_s=0.0)
    playback.report(played=5000, paused=True, now_s=1.0)
    assert playback.played(2.0) == 100


def test_the_end_of_a_pause_cannot_be_told_from_the_clock() -> None:
    playback = PlaybackEstimate(RATE)
    playback.add(RATE, now_s=0.0)
    playback.report(played=RATE // 2, paused=True, now_s=0.5)
    assert playback.seconds_until(RATE, now_s=3.0) is None
    assert playback.seconds_until(RATE // 2, now_s=3.0) == 0
    playback.report(played=RATE // 2, paused=False, now_s=4.0)
    assert playback.seconds_until(RATE, now_s=4.25) == pytest.approx(0.25)


def test_audio_that_replaces_the_rest_of_a_reply_says_nothing_of_its_text() -> None:
    text = "One two. Three four. Five six."
    spoken = SpokenText()
    for number, end_char in enumerate((8, 20, 30), start=1):
        spoken.add(number * RATE, end_char)
    spoken.break_off(RATE)
    spoken.add(4 * RATE, 80)
    assert spoken.heard(text, 4 * RATE) == "One two."


@pytest.mark.parametrize(
    ("text", "played", "heard"),
    [
        ("Hello there my friend.", 0, ""),
        ("Hello there my friend.", RATE // 2, "Hello there"),
        ("Hello there my friend.", RATE, "Hello there my friend."),
        ("今天天气很好。", RATE // 2, "今天天"),
    ],
)
def test_heard_text_is_cut_at_a_word_or_a_character(text: str, played: int, heard: str) -> None:
    spoken = SpokenText()
    spoken.add(RATE, len(text))
    assert spoken.heard(text, played) == heard


def test_nothing_heard_of_a_reply_keeps_only_the_question() -> None:
    history = History(max_exchanges=2)
    history.add(Exchange("one", "1", False))
    history.add(Exchange("two", "", True))
    history.add(Exchange("three", "3", True))
    texts = [message.parts[0].text for message in history.messages("", "four")]
    assert texts == ["two", "three", "3", "four"]


class Listener:
    """The client that a sender sends to, and the conversation that it reports to."""

    def __init__(self, take: Callable[[dialog_pb2.ReplyAudio], None]) -> None:
        self._take = take

    def send(self, event: dialog_pb2.ConverseResponse) -> None:
        self._take(event.reply_audio)

    def reply_audible(self, stamp: common_pb2.Stamp) -> None:
        """See ReplyEvents; the others are the reply's own."""

    def reply_done(
        self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType
    ) -> None: ...

    def reply_failed(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None: ...

    def speculation_failed(self, stamp: common_pb2.Stamp) -> None: ...


def paced_sender(
    take: Callable[[dialog_pb2.ReplyAudio], None] = lambda audio: None,
    lead_ms: int = 400,
    ahead_ms: int = 60_000,
    reports: bool = False,
) -> PacedSender:
    """The sender of a reply that is wanted; what it sends goes to ``take``."""
    machine = TurnMachine(epoch=1)
    machine.typed("tell me a story", with_speech=False)
    assert machine.answering is not None
    config = dialog_pb2.ConverseConfig(
        output_format=linear16(RATE), reply_lead_ms=lead_ms, reports_playback=reports
    )
    plan = plan_conversation("c", config, OrchestratorSettings())
    listener = Listener(take)
    outgoing = Outgoing(listener, machine)
    return PacedSender(machine.answering, plan, ahead_ms, outgoing, listener)


class VirtualClock:
    """time.monotonic and asyncio.timeout on a clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    clock = VirtualClock()
    monkeypatch.setattr(
        "voicemesh_orchestrator.reply.paced_sender.time.monotonic", lambda: clock.now
    )

    async def wait(voice: PacedSender, seconds: float | None) -> None:
        if seconds is None:
            await voice._news.wait()
        else:
            clock.now += seconds

    monkeypatch.setattr(PacedSender, "_wait", wait)
    return clock


async def test_audio_never_runs_further_ahead_than_the_lead(clock: VirtualClock) -> None:
    sent: list[tuple[float, int]] = []

    def send(audio: dialog_pb2.ReplyAudio) -> None:
        sent.append((clock.now, audio.chunk.first_sample))

    voice = paced_sender(send)
    for _ in range(50):
        voice.add(bytes(2 * RATE // 5), common_pb2.TextSpan(end_char=1))
    voice.complete()
    await voice.send_all()
    assert len(sent) == 50
    for at, first_sample in sent:
        assert first_sample / RATE - at <= 0.4 + 1e-6
    assert sent[-1][0] == pytest.approx(49 * 0.2 - 0.4, abs=0.01)
    await voice.played_out()
    assert clock.now == pytest.approx(10.0, abs=0.01)


async def test_a_speaker_that_ran_dry_within_a_reply_still_plays_the_rest(
    clock: VirtualClock,
) -> None:
    voice = paced_sender()
    voice.add(bytes(2 * RATE), common_pb2.TextSpan())
    sending = asyncio.ensure_future(voice.send_all())
    await asyncio.sleep(0)  # It has been sent.
    voice.report(common_pb2.PlaybackReport(played_samples=RATE, drained=True))
    voice.add(bytes(2 * RATE), common_pb2.TextSpan())
    voice.complete()
    await sending
    await voice.played_out()
    assert clock.now == pytest.approx(1.0)


async def test_a_reply_that_is_held_before_its_last_word_is_not_over_until_it_has_been_said(
    clock: VirtualClock,
) -> None:
    voice = paced_sender(reports=True)
    voice.add(bytes(2 * RATE), common_pb2.TextSpan())
    voice.complete()
    await voice.send_all()
    clock.now = 0.9
    voice.hold()
    clock.now = 1.1  # The report of the pause is late; by the clock all has been said.
    over = asyncio.ensure_future(voice.played_out())
    await asyncio.sleep(0)
    assert not over.done()
    voice.report(common_pb2.PlaybackReport(played_samples=RATE * 9 // 10, paused=True))
    voice.release()
    await asyncio.sleep(0)
    assert not over.done()
    voice.report(common_pb2.PlaybackReport(played_samples=RATE * 9 // 10))
    await over
    assert clock.now == pytest.approx(1.2)


async def test_a_reply_that_was_said_to_its_end_is_over_though_it_is_held(
    clock: VirtualClock,
) -> None:
    voice = paced_sender(reports=True)
    voice.add(bytes(2 * RATE), common_pb2.TextSpan())
    voice.complete()
    await voice.send_all()
    clock.now = 1.0
    voice.hold()
    voice.report(common_pb2.PlaybackReport(played_samples=RATE, drained=True))
    await voice.played_out()


async def test_synthesis_waits_when_enough_is_ready() -> None:
    voice = paced_sender(ahead_ms=1000)
    for _ in range(6):
        voice.add(bytes(2 * RATE // 5), common_pb2.TextSpan())
    waiting = asyncio.ensure_future(voice.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    voice.drop_waiting()
    await waiting


def test_a_client_that_never_reports_is_believed_to_pause_when_it_is_asked_to() -> None:
    playback = PlaybackEstimate(RATE)
    playback.add(2 * RATE, now_s=0.0)
    playback.asked_to_pause(0.5)
    assert playback.played(9.0) == RATE // 2
    assert playback.seconds_until(RATE, now_s=9.0) is None
    playback.asked_to_resume(10.0)
    assert playback.played(10.25) == RATE * 3 // 4


def test_a_client_that_reports_pauses_when_it_says_so() -> None:
    playback = PlaybackEstimate(RATE, reports=True)
    playback.add(2 * RATE, now_s=0.0)
    assert playback.played(0.5) == RATE // 2
    assert playback.heard(0.5) == 0
    playback.asked_to_pause(0.5)
    assert playback.played(0.6) == RATE * 6 // 10
    playback.report(played=RATE * 6 // 10, paused=True, now_s=0.65)
    assert playback.played(5.0) == playback.heard(5.0) == RATE * 6 // 10


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 2 * RATE)),
            st.tuples(st.sampled_from(["hold", "release", "report"]), st.just(0)),
        ),
        max_size=40,
    )
)
def test_no_sample_is_lost_repeated_or_sent_into_a_pause(steps: list[tuple[str, int]]) -> None:
    async def run() -> None:
        sent: list[dialog_pb2.ReplyAudio] = []
        held = False

        def send(audio: dialog_pb2.ReplyAudio) -> None:
            assert not held
            sent.append(audio)

        voice = paced_sender(send, lead_ms=200, reports=True)
        sending = asyncio.ensure_future(voice.send_all())
        added = 0
        for kind, count in steps:
            match kind:
                case "add":
                    voice.add(bytes(2 * count), common_pb2.TextSpan())
                    added += count
                case "hold":
                    voice.hold()
                    held = True
                case "release":
                    voice.release()
                    held = False
                case "report":
                    played = voice.sent_samples
                    report = common_pb2.PlaybackReport(played_samples=played, paused=held)
                    voice.report(report)
            await asyncio.sleep(0)
        held = False
        voice.release()
        voice.complete()
        while not sending.done():
            voice.report(common_pb2.PlaybackReport(played_samples=voice.sent_samples))
            await asyncio.sleep(0)
        ends = [a.chunk.first_sample + len(a.chunk.audio) // 2 for a in sent]
        assert [a.chunk.first_sample for a in sent] == [0, *ends][: len(sent)]
        assert voice.sent_samples == added == ([0, *ends][-1])

    asyncio.run(run())
