"""Hostile messages: what is sent is reproducible, and a real mesh takes it calmly."""

from __future__ import annotations

from typing import Any

import pytest

from voicemesh_evaluation.fuzz.methods import methods
from voicemesh_evaluation.fuzz.plans import Ending, make_plan
from voicemesh_evaluation.fuzz.run import Outcome, fuzz, report
from voicemesh_robot.asking.question_turn import Question

PROCESSES = ("asr", "llm", "tts", "orchestrator", "robot")


def test_every_rpc_of_every_service_is_called() -> None:
    found = methods(PROCESSES)
    assert {f"{m.process} {m.name}" for m in found} >= {
        *("asr StreamingRecognize", "asr Recognize", "llm Generate", "tts StreamingSynthesize"),
        *("tts ListVoices", "orchestrator Converse", "orchestrator RunTurn", "robot Play"),
        *("orchestrator ListenOnce", "robot Listen", "robot Stop", "robot GetStatus"),
        *(f"{process} Drain" for process in PROCESSES),
        *(f"{process} Watch" for process in PROCESSES),
    }
    called = {make_plan(1, number, found, "robot:1").method for number in range(400)}
    assert called == set(found)


def test_a_seed_and_a_number_are_always_the_same_call() -> None:
    found = methods(PROCESSES)
    plans = [make_plan(7, number, found, "robot:1") for number in range(200)]
    assert plans == [make_plan(7, number, found, "robot:1") for number in range(200)]
    assert {plan.ending for plan in plans} == set(Ending)
    assert plans != [make_plan(8, number, found, "robot:1") for number in range(200)]


def outcome(**fields: Any) -> Outcome:
    """What an attack would have come to."""
    quiet: dict[str, Any] = {"quiet_ms": [100.0] * 20, "loud_ms": [110.0] * 20}
    figures: dict[str, Any] = {
        "seed": 1,
        "messages": 5,
        "by_status": {"OK": 5},
        "crashes": [],
        "hangs": [],
    }
    return Outcome(**{**figures, **quiet, **fields})


def test_an_attack_that_is_taken_calmly_passes() -> None:
    calm = outcome()
    assert calm.failures() == []
    assert calm.as_json() == {
        "messages": 5,
        "by_status": {"OK": 5},
        "crashes": 0,
        "hangs": 0,
        "p95_ratio": 1.1,
    }
    assert "No traceback is in the logs, and no task was lost." in report(calm)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"by_status": {"INTERNAL": 2}}, "2 calls ended with INTERNAL"),
        ({"crashes": ["asr has ended"]}, "asr has ended"),
        ({"hangs": ["tts holds 1 places for nobody"]}, "for nobody"),
    ],
)
def test_what_may_not_be_is_named(fields: dict[str, object], words: str) -> None:
    (failure,) = outcome(**fields).failures()
    assert words in failure


async def test_500_hostile_messages_hurt_nobody() -> None:
    """No INTERNAL or UNKNOWN, no crash, no hang, no traceback, no lost task."""
    attacked = await fuzz(1, 500, Question(text="hello"), turns=5)
    assert attacked.messages == 500
    assert attacked.failures() == [], "\n".join(report(attacked))
    assert len(attacked.loud_ms) > 1
