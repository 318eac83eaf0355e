"""A mesh of real processes that talks for long holds no more than before."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicemesh_evaluation.process_tree import ProcessResources
from voicemesh_evaluation.soak import Pattern, Series, above_bar, report, soak
from voicemesh_robot.asking.question_turn import Question

HELLO = Path(__file__).parents[2] / "samples" / "hello.wav"


def pattern(kb_a_step: int, descriptors: int, tasks: int) -> Pattern:
    """What would have been held by a process that grows like that."""
    series = Series(warm_up=100)
    for step in range(10, 501, 10):
        series.steps.append(step)
        series.held.append(ProcessResources(50_000 + step * kb_a_step, 1, 20, 5))
    before, after = (
        ProcessResources(50_000, 1, 20, 5),
        ProcessResources(50_000, 1, 20 + descriptors, 5),
    )
    return Pattern("turns", 500, {"asr": series}, {"asr": (before, after)}, {"asr": (9, 9 + tasks)})


def test_steady_processes_pass() -> None:
    assert above_bar([pattern(0, 0, 0)]) == []
    assert "Nothing is above the bar." in report([pattern(0, 0, 0)])


@pytest.mark.parametrize(
    ("grown", "words"),
    [((2, 0, 0), "2.00 kB a step"), ((0, 1, 0), "21 descriptors"), ((0, 0, 1), "10 tasks")],
)
def test_growth_is_named(grown: tuple[int, int, int], words: str) -> None:
    (failure,) = above_bar([pattern(*grown)])
    assert words in failure


@pytest.mark.long
async def test_500_turns_and_500_connections_leave_nothing_behind() -> None:
    # The guard against noise is in doubt about one in twenty of flite's hellos.
    flags = {"asr.moonshine.no_speech_threshold": "0"}
    patterns = await soak(500, 500, Question(audio=HELLO), flags)
    assert above_bar(patterns) == [], "\n".join(report(patterns))


async def test_a_few_turns_and_connections_are_measured() -> None:
    flags = {"asr.engine": "pocketsphinx"}  # It has children, which are measured too.
    talked, connected = await soak(10, 10, Question(text="hello"), flags)
    assert (talked.steps, connected.steps) == (10, 10)
    for measured in (talked, connected):
        assert {"asr", "llm", "orchestrator", "tts"} <= measured.processes.keys()
        assert any(name.startswith("asr child") for name in measured.processes)
        assert all(series.held[-1].rss_kb > 1_000 for series in measured.processes.values())
        # What a client leaves behind would be there at once.
        assert [f for f in measured.failures() if "tasks" in f] == []
