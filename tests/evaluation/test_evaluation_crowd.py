"""A crowd that comes and goes leaves no memory behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voicemesh_evaluation.crowd import RATE_HERTZ, Crowd, Held, measure, report
from voicemesh_robot.files.audio_file import AudioFile

QUESTION = Path(__file__).parents[2] / "samples" / "what_is_a_robot.wav"


def crowd(crowded: list[float], left: list[float]) -> Crowd:
    return Crowd(200, {"asr": Held(100.0, crowded, left)})


def test_memory_that_stays_after_the_warm_rounds_passes() -> None:
    steady = crowd([150.0, 190.0, 200.0, 203.0], [150.0, 180.0, 190.0, 192.0])
    assert steady.failures() == []
    assert "Nothing is above the bar." in report(steady)


@pytest.mark.parametrize(
    ("crowded", "left", "words"),
    [
        ([150.0, 150.0, 150.0, 150.0], [100.0, 100.0, 110.0, 120.0], "10.0 MB more than after 3"),
        ([150.0, 150.0, 150.0, 160.0], [100.0, 100.0, 100.0, 100.0], "10.0 MB more than after 3"),
        ([300.0, 150.0, 150.0, 150.0], [100.0, 100.0, 100.0, 100.0], "1.00 MB for a conversation"),
    ],
)
def test_growth_is_named(crowded: list[float], left: list[float], words: str) -> None:
    (failure,) = crowd(crowded, left).failures()
    assert words in failure


async def test_a_small_crowd_is_measured_round_by_round() -> None:
    with AudioFile(QUESTION) as file:
        question = np.concatenate(list(file.blocks(RATE_HERTZ)))
    found = await measure(3, 2, question, {})
    assert {"asr", "llm", "orchestrator", "tts"} <= found.services.keys()
    assert all(len(held.crowded) == len(held.left) == 2 for held in found.services.values())
    assert all(held.before > 10 for held in found.services.values())


@pytest.mark.long
async def test_ten_rounds_of_200_conversations_are_flat_from_the_third_on() -> None:
    with AudioFile(QUESTION) as file:
        question = np.concatenate(list(file.blocks(RATE_HERTZ)))
    found = await measure(200, 10, question, {})
    assert found.failures() == [], "\n".join(report(found))
