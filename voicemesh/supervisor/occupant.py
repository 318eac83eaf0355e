"""Who has a port that a service of ours was to have."""

from __future__ import annotations

import grpc

from voicemesh.grpc_client import CHANNEL_OPTIONS
from voicemesh.v1.operations_pb2 import DescribeRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

_ANSWERS_WITHIN_S = 1.0


def occupant(target: str) -> str:
    """Who answers at ``target``, in words, with what to do; blocks for a second at most."""
    with grpc.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
        try:
            found = OperationsServiceStub(channel).Describe(
                DescribeRequest(), timeout=_ANSWERS_WITHIN_S
            )
        except grpc.RpcError:
            return "another process; stop it"
    return f"the {found.service} of another mesh; stop that one (Ctrl-C where it runs)"
