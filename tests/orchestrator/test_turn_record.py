"""What the end of a turn tells the metrics."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator.reply.turn_record import TurnRecord


def _responses() -> float:
    return REGISTRY.get_sample_value("voicemesh_turn_response_seconds_count") or 0.0


@pytest.mark.parametrize(("question", "answers"), [("what time is it", 1), ("", 0)])
def test_only_what_answers_somebody_counts_as_a_response(question: str, answers: int) -> None:
    before = _responses()
    turn = TurnRecord(question=question)
    turn.timeline.reach("first_audio_sent")
    turn.measure("talk", common_pb2.Stamp(turn=1), dialog_pb2.TURN_OUTCOME_COMPLETED)
    assert _responses() - before == answers
