"""What happens to a reply when the user speaks over it."""

from __future__ import annotations

from typing import TypeAlias

from voicemesh.v1 import dialog_pb2 as pb

Policy: TypeAlias = pb.InterruptionPolicy.ValueType
Outcome: TypeAlias = pb.TurnOutcome.ValueType
UNSPECIFIED = pb.INTERRUPTION_POLICY_UNSPECIFIED
STOP = pb.INTERRUPTION_POLICY_STOP
PAUSE = pb.INTERRUPTION_POLICY_PAUSE_THEN_DECIDE
DUCK = pb.INTERRUPTION_POLICY_DUCK
IGNORE = pb.INTERRUPTION_POLICY_IGNORE
