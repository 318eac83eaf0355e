"""What clients and controllers may ask for; errors name the field of their message."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.errors import InvalidArgument
from voicemesh.v1 import dialog_pb2
from voicemesh_orchestrator.turn.policy import UNSPECIFIED, Policy

_MOST_CHARS = 4000
_LONGEST_NO_SPEECH_MS = 600_000


def check_policy(policy: Policy, field: str) -> None:
    """InvalidArgument with ``field`` where ``policy`` is none of them."""
    if policy not in dialog_pb2.InterruptionPolicy.values():
        raise InvalidArgument(f"{policy} is no policy; see InterruptionPolicy", field=field)


def check_typed(typed: dialog_pb2.TypedText, waiting_chars: int) -> None:
    """What the user types; InvalidArgument.

    ``waiting_chars``: how much of what was typed before goes with the same turn.
    """
    check_policy(typed.interruption_policy, "text.interruption_policy")
    text = typed.text.strip()
    if not text:
        raise InvalidArgument("the text is empty; type something", field="text.text")
    if len(text) + waiting_chars > _MOST_CHARS:
        raise InvalidArgument(
            f"more than {_MOST_CHARS} characters are typed; send less", field="text.text"
        )


def check_say(say: dialog_pb2.SayText) -> None:
    """What the robot is to say by itself; InvalidArgument."""
    check_policy(say.interruption_policy, "say.interruption_policy")
    if not 0 < len(say.text.strip()) <= len(say.text) <= _MOST_CHARS:
        raise InvalidArgument(
            f"say 1 to {_MOST_CHARS} characters, not {len(say.text)}", field="say.text"
        )


@dataclass(frozen=True)
class TurnRequest:
    """What a controller wants of a turn: the fields of RunTurn and ListenOnce, checked."""

    text: str = ""
    """Asked instead of listening."""
    no_speech_ms: int = 0
    """How long to wait for speech; 0: the setting."""
    wants_answer: bool = True
    """Whether what is heard is answered."""
    say: str = ""
    """Said by the robot first."""
    say_only: bool = False
    """Whether nothing follows that."""
    policy: Policy = UNSPECIFIED
    """What happens when the user speaks over what the robot says."""

    def __post_init__(self) -> None:
        """InvalidArgument with the field that is wrong."""
        if not 0 <= self.no_speech_ms <= _LONGEST_NO_SPEECH_MS:
            raise InvalidArgument(
                f"{self.no_speech_ms} ms is out of range; wait 0 (the setting) to "
                f"{_LONGEST_NO_SPEECH_MS}",
                field="no_speech_timeout_ms",
            )
        for field, text in (("text", self.text), ("say", self.say)):
            if text and not text.strip():
                raise InvalidArgument(
                    f"{field} is blank; fill it in, or leave it empty", field=field
                )
            if len(text) > _MOST_CHARS:
                raise InvalidArgument(
                    f"{field} is longer than {_MOST_CHARS} characters; send less", field=field
                )
        if self.say_only and (self.text or not self.say):
            raise InvalidArgument(
                "say_only needs something to say, and nothing to ask; set say, and leave text "
                "empty",
                field="say_only",
            )
        check_policy(self.policy, "interruption_policy")
