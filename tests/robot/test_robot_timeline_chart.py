from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicemesh_robot.asking.timeline_chart import timeline_chart


def test_stages_stand_in_the_order_of_time_with_their_figures() -> None:
    lines = timeline_chart([("first_audio", 480.0), ("last_voiced", 0.0), ("endpoint", 400.0)])
    assert [line.split()[0] for line in lines[:3]] == ["last_voiced", "endpoint", "first_audio"]
    assert "400 ms" in lines[1]
    marks = [line.index("●") for line in lines[:3]]
    assert marks == sorted(marks)
    assert "200" in lines[-1]


def test_nothing_is_drawn_of_nothing() -> None:
    assert timeline_chart([]) == []


@given(st.lists(st.floats(-1e5, 1e6), min_size=1, max_size=12))
def test_any_times_fit_on_the_axis(times: list[float]) -> None:
    lines = timeline_chart([(f"step{i}", at) for i, at in enumerate(times)])
    assert len(lines) == len(times) + 2
    assert all(len(line) < 120 for line in lines)


def test_a_step_that_comes_much_later_does_not_squeeze_the_others() -> None:
    stages = [("question", 0.0), ("first_text", 20.0), ("first_audio", 90.0), ("sent", 21_000.0)]
    lines = timeline_chart(stages)
    assert lines[3].rstrip().endswith("▸")
    assert lines[1].index("●") < lines[2].index("●")
    assert "21000" not in lines[-1]
