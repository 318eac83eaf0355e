"""The client's end of the connection to a chip's owner."""

from __future__ import annotations

import mmap
import os
import socket
import threading
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemesh.errors import EngineError, InternalError, Unavailable
from voicemesh_sophon.chip_owner import wire
from voicemesh_sophon.placing.placement import Placement

CONNECT_S = 5.0
"""An owner that lives answers at once."""
_FIRST_ARENA_BYTES = 4 << 20
_MAX_INLINE_BYTES = 512 << 10
_ALIGNMENT = 64


def no_owner(placement: Placement, why: str) -> Unavailable:
    """The error of a chip whose owner cannot be reached."""
    return Unavailable(
        f"nobody owns chip {placement.device} ({placement.socket}: {why}); "
        f"`voicemesh up` starts its owner, `voicemesh serve-chip {placement.device}` one alone"
    )


class Bulk:
    """Where the arrays of one request lie: in its payload, or in the arena."""

    def __init__(self) -> None:
        """Empty."""
        self._payload: list[bytes] = []
        self.arena: list[tuple[int, npt.NDArray[np.uint8]]] = []
        self.payload_bytes = 0
        self.arena_bytes = 0
        self.answer_bytes = 0

    def put(self, raw: npt.NDArray[np.uint8] | bytes) -> tuple[str, int]:
        """Where an array that is written lies."""
        size = len(raw)
        if self._inline(size, self.payload_bytes):
            at = self.payload_bytes
            padding = -size % 8
            self._payload.append(bytes(raw) + bytes(padding) if padding else bytes(raw))
            self.payload_bytes += size + padding
            return "payload", at
        at = self._reserve(size)
        self.arena.append((at, np.frombuffer(raw, np.uint8)))
        return "arena", at

    def expect(self, nbytes: int) -> tuple[str, int]:
        """Where an array that is read will lie."""
        if self._inline(nbytes, self.answer_bytes):
            at = self.answer_bytes
            self.answer_bytes += nbytes
            return "payload", at
        return "arena", self._reserve(nbytes)

    @staticmethod
    def _inline(nbytes: int, used: int) -> bool:
        return nbytes <= wire.INLINE_BYTES and used + nbytes <= _MAX_INLINE_BYTES

    def _reserve(self, nbytes: int) -> int:
        at = self.arena_bytes
        self.arena_bytes += nbytes + -nbytes % _ALIGNMENT
        if self.arena_bytes > wire.MAX_ARENA_BYTES:
            raise EngineError(
                f"more than {wire.MAX_ARENA_BYTES >> 20} MiB are to be moved at once; "
                "use several runs"
            )
        return at

    def inline(self) -> bytes:
        """The payload."""
        return b"".join(self._payload)


class OwnerLink:
    """A connection to an owner. Calls come from any thread, one at a time."""

    def __init__(self, placement: Placement) -> None:
        """Unavailable where no owner answers; EngineError where it refuses."""
        self.placement = placement
        self._lock = threading.Lock()
        self._freed: deque[int] = deque()
        self._arena: mmap.mmap | None = None
        self._lost = ""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(CONNECT_S)
            self._socket.connect(str(placement.socket))
            wire.send(
                self._socket,
                {
                    "protocol": wire.PROTOCOL,
                    "service": placement.service,
                    "cores": list(placement.cores),
                    "memory_mb": placement.memory_mb,
                },
            )
            self.greeting, _ = wire.receive(self._socket)
            self._socket.settimeout(None)
        except (OSError, wire.Gone, wire.Malformed) as error:
            self._socket.close()
            raise no_owner(placement, str(error)) from None
        if "error" in self.greeting:
            self._socket.close()
            raise EngineError(f"the owner of chip {placement.device}: {self.greeting['error']}")

    def __del__(self) -> None:
        """Hang up when nobody holds the link, as when a load is cancelled half way."""
        self._socket.close()

    def forget(self, memory: int) -> None:
        """Free memory with the next request. Called by the garbage collector, too."""
        self._freed.append(memory)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request without bulk."""
        return self.exchange(request, Bulk())[0]

    def exchange(
        self, request: dict[str, Any], bulk: Bulk
    ) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
        """A request with its bulk: the answer, and the answer's payload."""
        with self._lock:
            if self._lost:
                raise no_owner(self.placement, self._lost)
            try:
                if bulk.arena_bytes:
                    self._put_into_arena(bulk)
                if self._freed:
                    request = {**request, "free": [self._freed.popleft() for _ in [*self._freed]]}
                answer, payload = self._turn(request, bulk.inline())
            except (OSError, ValueError, wire.Gone) as error:
                self._lost = self._lost or "the owner has gone"
                self._socket.close()
                raise no_owner(self.placement, f"{self._lost}; {error}") from None
            except wire.Malformed as error:
                raise InternalError(f"the chip's owner cannot be asked: {error}") from error
        if "error" in answer:
            raise EngineError(answer["error"])
        return answer, np.frombuffer(payload, np.uint8)

    def arena_part(self, at: int, nbytes: int) -> npt.NDArray[np.uint8]:
        """A copy of what the owner left in the arena."""
        assert self._arena is not None
        return np.frombuffer(self._arena, np.uint8, nbytes, at).copy()

    def _turn(self, request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        wire.send(self._socket, request, payload)
        return wire.receive(self._socket)

    def _put_into_arena(self, bulk: Bulk) -> None:
        if self._arena is None or len(self._arena) < bulk.arena_bytes:
            self._arena = self._bigger_arena(bulk.arena_bytes)
        whole = np.frombuffer(self._arena, np.uint8)
        for at, raw in bulk.arena:
            whole[at : at + raw.nbytes] = raw

    def _bigger_arena(self, need: int) -> mmap.mmap:
        size = _FIRST_ARENA_BYTES
        while size < need:
            size *= 2
        descriptor, arena = wire.make_arena(min(size, wire.MAX_ARENA_BYTES))
        try:
            wire.send(self._socket, {"op": "arena", "bytes": len(arena)})
            wire.send_descriptor(self._socket, descriptor)
            answer, _ = wire.receive(self._socket)
        finally:
            os.close(descriptor)
        if "error" in answer:
            raise wire.Gone(answer["error"])
        return arena

    def close(self) -> None:
        """Hang up; the owner frees what this client had. Never raises.

        Who waits for an answer in another thread gets Unavailable at once.
        """
        self._lost = self._lost or "this client has closed it"
        with suppress(OSError):  # It may be closed already.
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._socket.close()
