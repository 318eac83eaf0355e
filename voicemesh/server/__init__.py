"""The server chassis: the same life in every process of the mesh.

probe → load → warm up → ready → drain → stop. The port opens first, so that
health says NOT_SERVING while the engine loads.
"""

from voicemesh.server.admission import Admission
from voicemesh.server.chassis import Server, run
from voicemesh.server.outbox import Outbox
from voicemesh.server.rpc import rpc_errors
from voicemesh.server.service import Service, ServiceSpec
from voicemesh.server.stream_patience import StreamDeadlines, StreamPatience

__all__ = [
    "Admission",
    "Outbox",
    "Server",
    "Service",
    "ServiceSpec",
    "StreamDeadlines",
    "StreamPatience",
    "rpc_errors",
    "run",
]
