"""The benchmark: what it counts, and the shape of its report. Times are for quiet machines."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.cli import main
from voicemesh.settings import ServerSettings, load
from voicemesh_evaluation.bench.busy_neighbour import keep_busy
from voicemesh_evaluation.bench.connection import Caller
from voicemesh_evaluation.bench.processes import ProcessUsage, together
from voicemesh_evaluation.bench.report import as_json, lines
from voicemesh_evaluation.bench.runs import RunOutcome
from voicemesh_evaluation.bench.talker import Talker
from voicemesh_evaluation.bench.tally import Tally, percentiles
from voicemesh_evaluation.bench.workload import (
    REPLY,
    BenchScript,
    Workload,
    load_script,
    message_samples,
)

KEYS = [
    "conversations",
    "turns",
    "response_ms",
    "overhead_ms",
    "floor_overhead_ms",
    "cpu_ms_per_conversation_second",
    "rss_mb_per_conversation",
    "rss_slope_kb_per_turn",
    "late_chunks",
    "chunks",
    "errors",
]
SERVICES = ["asr", "llm", "orchestrator", "tts"]


def test_a_run_is_reported_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "bench.json"
    arguments = ["--spread", "0.1", "--conversations", "2", "--turns", "1", "--json", str(path)]
    assert main(["bench", "--engines", "simulated", "--reply", 'Say "yes".', *arguments]) == 0
    report: dict[str, Any] = json.loads(path.read_text())
    assert set(KEYS) <= set(report)
    assert (report["conversations"], report["turns"], report["errors"]) == (2, 1, 0)
    for name in ("response_ms", "overhead_ms", "floor_overhead_ms"):
        assert list(report[name]) == ["p50", "p95", "p99"]
    assert report["waiting_path_ms"] == 300 + 50 + 20 + 30
    assert report["critical_path_ms"] == 300  # Model and voice are done within the silence.
    assert report["turns_ended"] == 2
    assert sorted(report["services"]) == SERVICES
    for usage in [report, *report["services"].values()]:
        assert usage["cpu_ms_per_conversation_second"] > 0
        assert usage["rss_mb_per_conversation"] >= 0
        assert "rss_slope_kb_per_turn" in usage
    assert report["chunks"] >= 2
    assert report["floor"]["errors"] == 0
    # 10 characters of 60 ms, in messages of 20, 100, 120, 220 and 140 ms.
    assert report["floor"]["chunks"] == 2 * 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--conversations", "0"), "whole number from 1 on"),
        (("--turns", "many"), "whole number from 1 on"),
        (("--cores", "0"), "two core numbers"),
        (("--cores", "0,100000"), "not among those usable"),
        (("--spread", "-1"), "seconds from 0 on"),
        (("--spread", "nan"), "seconds from 0 on"),
        (("--target", "nowhere"), "has to be host:port"),
        (("--target", "here:99999"), "has to be host:port"),
        (("--reply", " "), "needs words"),
        (("--pattern", "polite"), "invalid choice"),
        (("--engines", "imagined"), "invalid choice"),
        (("--beside", "0"), "percentage from 1 to 100"),
        (("--beside", "101"), "percentage from 1 to 100"),
    ],
)
def test_wrong_options_are_named(
    arguments: Sequence[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert arguments[0] in error
    assert words in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--target", "127.0.0.1:1"), "no mesh answers at 127.0.0.1:1"),
        (("--target", "127.0.0.1:1", "--set", "asr.engine=simulated"), "leave out --set"),
        (("--set", "orchestrator.eager.enabled=false"), "use --no-eager"),
        (("--beside", "60"), "say which with --cores"),
        (("--json", "/proc/nobody/bench.json"), "cannot be written"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_runs(
    arguments: Sequence[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) != 0
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


@pytest.mark.parametrize(("eager", "path_ms"), [(True, 400.0), (False, 540.0)])
def test_overhead_is_what_comes_on_top_of_the_critical_path(eager: bool, path_ms: float) -> None:
    workload = Workload(conversations=2, turns=3, eager=eager)
    over = [4.0, 5.0, 20.0]
    mesh = RunOutcome(Tally([path_ms + ms for ms in over], interrupt_ms=[181.0]), {})
    floor = RunOutcome(Tally([path_ms + 1] * 3), {})
    report = as_json(workload, "simulated", mesh, floor, 60)
    assert report["critical_path_ms"] == path_ms
    assert report["overhead_ms"] == {"p50": 5.0, "p95": 18.5, "p99": 19.7}
    assert report["floor_overhead_ms"] == {"p50": 1.0, "p95": 1.0, "p99": 1.0}
    assert report["response_ms"]["p50"] == path_ms + 5
    assert report["interrupt_ms"]["p50"] == 181.0
    told = "\n".join(lines(report))
    assert "beside a process that takes 60 %" in told
    # What is gained is told apart, and is no overhead below nothing.
    assert report["eager_gain_ms"] == (135.0 if eager else None)
    assert ("gained by beginning early 135.0 of 140 ms" in told) is eager


def test_nothing_is_claimed_where_no_critical_path_is_known() -> None:
    report = as_json(Workload(), "embedded", RunOutcome(Tally(response_ms=[300.0]), {}), None)
    unknown = ("overhead_ms", "floor_overhead_ms", "critical_path_ms", "eager_gain_ms")
    assert [report[name] for name in unknown] == [None] * 4
    assert report["response_ms"]["p50"] == 300.0
    assert any("not known" in line for line in lines(report))


def test_the_critical_path_is_that_of_the_policy_in_force() -> None:
    # Silence, first token, eight more words of the first sentence, first chunk.
    assert Workload(eager=False).critical_path_ms == 300 + 50 + 8 * 20 + 30
    assert Workload().critical_path_ms == 160 + 50 + 8 * 20 + 30
    assert Workload(reply="Yes.").critical_path_ms == 300  # The silence is the longer way.
    assert sum(Workload().piece_samples) / 16_000 == pytest.approx(14.3, abs=0.1)
    assert " ".join(Workload().sentences) == REPLY


@pytest.mark.parametrize(
    ("pattern", "over"),
    [
        ("turns", [False] * 4),
        ("barge-in", [True] * 4),
        ("mixed", [True, False, True, False]),
    ],
)
def test_which_replies_are_spoken_over(pattern: str, over: Sequence[bool]) -> None:
    workload = Workload(turns=4, pattern=pattern)
    assert [workload.speaks_over(asked) for asked in range(1, 5)] == over


def test_the_last_question_is_heard_to_its_end() -> None:
    assert not Workload(turns=1).speaks_over(1)
    assert not Workload(turns=3).speaks_over(3)


def test_messages_grow_and_hold_every_sample_once() -> None:
    assert list(message_samples(320 * 25 + 7)) == [320, 5 * 320, 6 * 320, 11 * 320, 2 * 320 + 7]


def test_a_busy_neighbour_takes_its_share_of_the_core() -> None:
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    keep_busy(0.3, periods=5)
    used = (time.process_time() - began_cpu_s) / (time.monotonic() - began_s)
    assert used < 0.4  # A busy machine may give it less, and never more.
    assert used > 0.05


def test_the_mesh_is_started_with_the_script() -> None:
    settings = load(environ={}, flags=Workload(reply='Say "yes" \\ no.', conversations=90).settings)
    llm: Any = settings.section("llm", ServerSettings)
    assert llm.simulated.replies == ('Say "yes" \\ no.',)
    assert llm.max_concurrent_streams == 90


def test_conversations_begin_spread_out_and_out_of_phase() -> None:
    starts = [Workload(conversations=60).start_s(n) for n in range(60)]
    assert starts[0] == 0.0
    assert starts[-1] < 8.02
    assert len({round(start % 0.02, 4) for start in starts}) > 10


SILENCE, VOICED = b"silence", b"voiced"
SHORT = BenchScript([SILENCE], [SILENCE, VOICED, VOICED, SILENCE], first_voiced=1, last_voiced=2)


class AnsweringConnection:
    """Answers a question as soon as its last voiced frame has come."""

    def __init__(
        self, reply_samples: int, late_frames: int = 0, unasked: bool = False, drops: bool = False
    ) -> None:
        """``late_frames``: after so many more frames the reply's second chunk comes."""
        self._reply_samples = reply_samples
        self._late_frames = late_frames
        self._unasked = unasked
        self._drops = drops
        self._voiced = 0
        self._since_answer = -1_000_000
        self._caller: Caller

    async def open(self, caller: Caller) -> None:
        self._caller = caller
        if self._unasked:
            caller.audio(0, 320)

    async def send(self, index: int, frame: bytes) -> None:
        self._since_answer += 1
        if self._late_frames and self._since_answer == self._late_frames:
            self._caller.audio(0, 320)
        if frame != VOICED:
            return
        self._voiced += 1
        if self._voiced % 2:
            if self._drops and self._voiced > 1:
                self._caller.dropped()
            return
        self._since_answer = 0
        self._caller.reply_started()
        self._caller.audio(0, 320)
        self._caller.reply_ended(self._reply_samples)

    async def report(self, played_samples: int) -> None:
        pass

    async def close(self) -> None:
        if self._drops:
            self._caller.dropped()


async def talk(connection: AnsweringConnection, pattern: str) -> Tally:
    workload = Workload(turns=2, pattern=pattern, pause_s=0.0, interrupt_s=0.04)
    tally = Tally()
    await Talker(connection, workload, SHORT, tally).run(0.0)
    return tally


async def test_each_answer_is_timed_once_from_the_last_voiced_frame() -> None:
    tally = await talk(AnsweringConnection(reply_samples=0), "turns")
    assert tally.turns == len(tally.response_ms) == 2
    assert (tally.chunks, tally.late_chunks, tally.errors) == (2, 0, 0)


async def test_a_chunk_behind_play_out_is_late() -> None:
    connection = AnsweringConnection(reply_samples=16_000 // 4, late_frames=10)
    tally = await talk(connection, "turns")
    assert (tally.chunks, tally.late_chunks) == (4, 2)


async def test_an_interruption_is_timed_and_no_error() -> None:
    tally = await talk(AnsweringConnection(reply_samples=16_000, drops=True), "barge-in")
    assert len(tally.interrupt_ms) == 1
    assert len(tally.response_ms) == tally.turns == 2
    assert tally.errors == 0


class ApologisingConnection(AnsweringConnection):
    """Fails at the second question and says so."""

    async def send(self, index: int, frame: bytes) -> None:
        if frame == VOICED and self._voiced == 3:
            self._caller.failed("all places are taken")
        await super().send(index, frame)


async def test_an_apology_is_no_answer() -> None:
    tally = await talk(ApologisingConnection(reply_samples=0), "turns")
    assert (tally.turns, len(tally.response_ms), tally.errors) == (1, 1, 1)


class LateFlushConnection(AnsweringConnection):
    """Goes on with the old reply for a moment after the next question has been asked."""

    async def send(self, index: int, frame: bytes) -> None:
        if frame == VOICED and self._voiced % 2 and self._voiced > 1:
            self._caller.audio(16_000, 320)
            assert self._spoken_over is not None
            assert not self._spoken_over.response_ms[1:]  # That was no answer.
        await super().send(index, frame)

    _spoken_over: Tally | None = None


async def test_what_still_comes_of_the_old_reply_is_no_answer() -> None:
    connection = LateFlushConnection(reply_samples=16_000, drops=True)
    workload = Workload(turns=2, pattern="barge-in", pause_s=0.0, interrupt_s=0.04)
    tally = connection._spoken_over = Tally()
    await Talker(connection, workload, SHORT, tally).run(0.0)
    assert (len(tally.response_ms), tally.errors) == (2, 0)


async def test_audio_that_nobody_asked_for_is_an_error() -> None:
    tally = await talk(AnsweringConnection(reply_samples=0, unasked=True), "turns")
    assert list(tally.problems) == ["a reply came that was not asked for"]
    assert len(tally.response_ms) == 2


class DeadConnection(AnsweringConnection):
    """Nobody is at the other end."""

    async def open(self, caller: Caller) -> None:
        raise OSError("nobody is there")


async def test_a_conversation_that_cannot_be_opened_is_an_error() -> None:
    tally = Tally()
    await Talker(DeadConnection(0), Workload(), SHORT, tally).run(0.0)
    assert tally.errors == 1
    assert list(tally.problems) == ["cannot be opened: nobody is there"]


def test_no_sound_of_the_load_is_digital_silence() -> None:
    script = load_script()
    for frame in [*script.silence, *script.question]:
        assert np.abs(np.frombuffer(frame, dtype="<i2")).max() > 0


def test_the_question_begins_and_ends_with_silence() -> None:
    script = load_script()
    assert 0 < script.first_voiced < script.last_voiced < len(script.question) - 1


def test_percentiles_of_nothing_are_nothing() -> None:
    assert percentiles([]) is None
    assert percentiles([2.0, 2.0]) == {"p50": 2.0, "p95": 2.0, "p99": 2.0}


def test_growth_is_measured_after_warm_up_over_all_services() -> None:
    one = ProcessUsage(1.0, 1000, 9000, [(0, 1000), (2, 5000), (3, 6000), (4, 7000)])
    two = ProcessUsage(2.0, 1000, 2000, [(0, 1000), (2, 2000), (3, 2000), (4, 2000)])
    assert one.as_json(1, 10.0, 2)["rss_slope_kb_per_turn"] == 1.0
    whole = together({"one": one, "two": two}).as_json(2, 10.0, 2)
    assert whole["cpu_ms_per_conversation_second"] == 300.0
    assert whole["rss_slope_kb_per_turn"] == 1.0
    assert one.as_json(1, 10.0, 4)["rss_slope_kb_per_turn"] is None
