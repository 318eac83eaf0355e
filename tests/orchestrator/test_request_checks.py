"""What clients may ask for besides their config."""

from __future__ import annotations

import pytest

from voicemesh.errors import InvalidArgument
from voicemesh.v1 import dialog_pb2
from voicemesh_orchestrator.plan import plan_conversation
from voicemesh_orchestrator.request_checks import TurnRequest, check_say, check_typed
from voicemesh_orchestrator.settings import OrchestratorSettings


@pytest.mark.parametrize(("text", "waiting"), [("", 0), ("   ", 0), ("x" * 4001, 0), ("x", 4000)])
def test_typed_text_must_be_there_and_short_enough(text: str, waiting: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_typed(dialog_pb2.TypedText(text=text), waiting)
    assert caught.value.field == "text.text"


def test_typed_text_may_be_as_long_as_is_promised() -> None:
    check_typed(dialog_pb2.TypedText(text="x" * 4000), waiting_chars=0)


@pytest.mark.parametrize("text", ["", " ", "x" * 4001])
def test_what_is_said_must_be_there_and_short_enough(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_say(dialog_pb2.SayText(text=text))
    assert caught.value.field == "say.text"


def test_a_policy_that_does_not_exist_is_named_with_its_field() -> None:
    nonsense = dialog_pb2.TypedText.FromString(b"\x0a\x05hello\x18\x63")
    with pytest.raises(InvalidArgument, match="99 is no policy") as caught:
        check_typed(nonsense, 0)
    assert caught.value.field == "text.interruption_policy"
    with pytest.raises(InvalidArgument) as caught:
        TurnRequest(policy=nonsense.interruption_policy)
    assert caught.value.field == "interruption_policy"


def test_a_plan_has_the_clients_wishes_and_otherwise_the_settings() -> None:
    settings = OrchestratorSettings(reply_lead_ms=700)
    bare = plan_conversation("c", dialog_pb2.ConverseConfig(), settings)
    assert bare.reply_lead_ms == 700
    assert bare.policy == dialog_pb2.INTERRUPTION_POLICY_PAUSE_THEN_DECIDE
    assert bare.microphone_rate_hertz == 0
    assert bare.output_format is None
    assert bare.synthesis is None
    config = dialog_pb2.ConverseConfig(
        reply_lead_ms=90, interruption_policy=dialog_pb2.INTERRUPTION_POLICY_STOP
    )
    wished = plan_conversation("c", config, settings)
    assert wished.reply_lead_ms == 90
    assert wished.policy == dialog_pb2.INTERRUPTION_POLICY_STOP
