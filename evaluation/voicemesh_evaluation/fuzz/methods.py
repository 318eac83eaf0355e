"""Every RPC that a process of the mesh offers, as the protos tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from voicemesh.v1 import (
    asr_pb2,
    dialog_pb2,
    llm_pb2,
    operations_pb2,
    robot_pb2,
    tts_pb2,
)

_OWN: Mapping[str, Any] = {
    "asr": asr_pb2,
    "llm": llm_pb2,
    "tts": tts_pb2,
    "orchestrator": dialog_pb2,
    "robot": robot_pb2,
}
_EVERYWHERE = (operations_pb2, health_pb2, reflection_pb2)

LASTING = {
    # They wait for people, for a loudspeaker, or for news, as long as nobody cancels.
    *("Listen", "Play", "ListenOnce", "RunTurn", "Watch"),
}


@dataclass(frozen=True)
class Method:
    """One RPC of one process."""

    process: str
    """asr, llm, tts, orchestrator, robot."""
    path: str
    """As gRPC names it: /package.Service/Name."""
    request: Any
    """The class of its requests."""
    response: Any
    streams_requests: bool
    streams_responses: bool

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def lasts(self) -> bool:
        """Whether a call that was asked well goes on until it is cancelled."""
        return self.name in LASTING


def methods(processes: Sequence[str]) -> list[Method]:
    """All RPCs of these processes."""
    found = []
    for process in processes:
        for file in (_OWN[process], *_EVERYWHERE):
            for service in file.DESCRIPTOR.services_by_name.values():
                found += [
                    Method(
                        process,
                        f"/{service.full_name}/{method.name}",
                        GetMessageClass(method.input_type),
                        GetMessageClass(method.output_type),
                        method.client_streaming,
                        method.server_streaming,
                    )
                    for method in service.methods
                ]
    return found
