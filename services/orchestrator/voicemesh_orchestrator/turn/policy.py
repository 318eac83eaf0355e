"""What happens to a reply when the user speaks over it."""

from __future__ import annotations

from typing import TypeAlias

from voicemesh.errors import InvalidArgument
from voicemesh.v1 import dialog_pb2 as pb

Policy: TypeAlias = pb.InterruptionPolicy.ValueType
Outcome: TypeAlias = pb.TurnOutcome.ValueType
UNSPECIFIED = pb.INTERRUPTION_POLICY_UNSPECIFIED
STOP = pb.INTERRUPTION_POLICY_STOP
DUCK = pb.INTERRUPTION_POLICY_DUCK
IGNORE = pb.INTERRUPTION_POLICY_IGNORE


def check_policy(policy: pb.InterruptionPolicy.ValueType, field: str) -> None:
    """InvalidArgument with ``field`` where ``policy`` is none of them."""
    if policy not in pb.InterruptionPolicy.values():
        raise InvalidArgument(f"{policy} is no policy; see InterruptionPolicy", field=field)
