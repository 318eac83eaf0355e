"""The owner's server: the socket, a session a client, the news for watchers."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any, NoReturn

from . import wire
from .counters import LAUNCH_BOUNDS_S
from .sail_chip import ChipError
from .session import Session
from .shared_chip import SharedChip

MAX_CLIENTS = 32
_HELLO_S = 5.0
_LONGEST_PATH = 107  # bytes, of a Unix socket


class SocketTaken(Exception):
    """Another owner listens there."""


class SocketClaim:
    """The right to listen at a path, until the process ends however it ends."""

    def __init__(self, path: str) -> None:
        """SocketTaken where another owner listens there."""
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise SocketTaken(f"{path} is too long for a socket; set devices.socket_folder")
        self.path = path
        # A lock that the kernel gives up when its holder dies.
        self._lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SocketTaken(f"another owner listens on {path}; stop it first") from error
        if os.path.exists(path):
            os.unlink(path)  # Its owner has died: the lock was free.


class OwnerServer:
    """Accepts clients on the claimed socket, and serves each in a thread of its own."""

    def __init__(
        self, claim: SocketClaim, shared: SharedChip, condition_every_s: float, check_every_s: float
    ) -> None:
        """Listens at once; ``serve`` lets clients in.

        ``condition_every_s``: seconds between two looks at the chip's condition;
        ``check_every_s``: between two checks of its models while nobody works, 0: none.
        """
        self._claim = claim
        self._shared = shared
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._sessions: list[Session] = []
        self._threads: set[threading.Thread] = set()
        self._began = time.monotonic()
        self._condition_every_s = condition_every_s
        self._check_every_s = check_every_s
        self._watchers: set[socket.socket] = set()
        self._farewell: dict[str, str] = {}
        self._closing = threading.Event()
        self._listener = self._listening()

    def _listening(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)  # Nobody else may connect, not even for a moment.
        try:
            listener.bind(self._claim.path)
        finally:
            os.umask(before)
        listener.listen(MAX_CLIENTS)
        return listener

    def serve(self) -> None:
        """Let clients in until ``close``."""
        condition = self._shared.condition
        condition.ask()  # The first watcher is told of it: `voicemesh plan` asks but once.
        every_s = self._condition_every_s
        threading.Thread(
            target=condition.keep_asking, args=(every_s, self._closing), daemon=True
        ).start()
        check = self._shared.checks.keep_checking
        threading.Thread(target=check, args=(self._check_every_s,), daemon=True).start()
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                break
            with self._lock:
                if self._closing.is_set() or len(self._sockets) >= MAX_CLIENTS:
                    sock.close()
                    continue
                self._sockets.add(sock)
                thread = threading.Thread(target=self._serve_client, args=(sock,), daemon=True)
                self._threads.add(thread)
            thread.start()

    def close(self, within_s: float, farewell: dict[str, str]) -> None:
        """Let nobody in, end the sessions after their step under way, free the socket.

        ``farewell``: what watchers are told first; empty: nothing.
        """
        self._shared.checks.end()
        with self._lock:
            self._closing.set()
            self._farewell = farewell
            sockets = [self._listener, *(self._sockets - self._watchers)]
            watchers = list(self._watchers)
        # shutdown wakes the thread that accepts; close alone does not.
        for sock in sockets:
            with suppress(OSError):  # Some have gone by themselves.
                sock.shutdown(socket.SHUT_RDWR)
        for sock in watchers:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RD)
        self._listener.close()
        os.unlink(self._claim.path)
        until = time.monotonic() + within_s
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _serve_client(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(_HELLO_S)
            hello, _ = wire.receive(sock)
            self._greet(sock, hello)
        except (wire.Gone, socket.timeout):
            pass
        except (wire.Malformed, ChipError) as error:
            print(f"a client was sent away: {error}", file=sys.stderr)
            with suppress(wire.Gone, OSError):
                wire.send(sock, {"error": str(error), "kind": "protocol"})
        except OSError as error:
            print(f"a client's connection failed: {error}", file=sys.stderr)
        finally:
            sock.close()
            with self._lock:
                self._sockets.discard(sock)
                self._watchers.discard(sock)
                self._threads.discard(threading.current_thread())

    def _greet(self, sock: socket.socket, hello: dict[str, Any]) -> None:
        if hello.get("protocol") != wire.PROTOCOL:
            raise wire.Malformed(
                f"the client speaks protocol {hello.get('protocol')!r}, this owner "
                f"{wire.PROTOCOL}; start the owner of the same voicemesh as the services"
            )
        service = hello.get("service")
        if service not in (*wire.PRIORITIES, wire.WATCH):
            raise wire.Malformed(f"{service!r} is no service; they are {wire.PRIORITIES}")
        chip = self._shared.chip
        greeting = {
            "protocol": wire.PROTOCOL,
            "target": chip.target,
            "device": chip.device,
            "cores": chip.cores,
            "simulated": chip.simulated,
            "abilities": sorted(chip.abilities),
            "versions": chip.versions,
            "pid": os.getpid(),
        }
        if service == wire.WATCH:
            wire.send(sock, greeting)
            sock.settimeout(None)
            with self._lock:
                self._watchers.add(sock)
            self._tell(sock)
        cores = _cores(hello.get("cores"), chip.cores)
        session = Session(sock, self._shared, service, cores, _bound(hello.get("memory_mb")))
        with self._lock:
            self._sessions.append(session)
        try:
            wire.send(sock, greeting)
            sock.settimeout(None)
            session.serve()
        finally:
            with self._lock:
                self._sessions.remove(session)

    def _tell(self, sock: socket.socket) -> NoReturn:
        """Give a watcher the news until it goes, or this owner does."""
        try:
            while True:
                wire.receive(sock)
                wire.send(sock, self.news())
        except wire.Gone:
            if self._farewell:
                wire.send(sock, self._farewell)
            raise

    def news(self) -> dict[str, Any]:
        """The news for watchers."""
        with self._lock:
            clients = [session.news() for session in self._sessions]
        return {
            "uptime_s": time.monotonic() - self._began,
            "clients": clients,
            "services": self._shared.counters.as_json(),
            "launch_bounds_s": list(LAUNCH_BOUNDS_S),
            "waiting": {
                who: self._shared.scheduler.waiting(priority)
                for priority, who in enumerate((*wire.PRIORITIES, "condition"))
            },
            "condition": self._shared.condition.figures,
            "checks": {
                "right": self._shared.checks.right,
                "refused": self._shared.checks.refused,
                "reordered": self._shared.checks.reordered,
            },
        }


def _cores(cores: Any, most: int) -> tuple[int, ...]:
    good = isinstance(cores, list) and len(set(map(str, cores))) == len(cores)
    if not good or not all(isinstance(core, int) and 0 <= core < most for core in cores):
        raise wire.Malformed(f"{cores!r} are no cores of this chip, which has {most}")
    return tuple(cores)


def _bound(memory_mb: Any) -> int | None:
    if memory_mb is not None and not (isinstance(memory_mb, int) and memory_mb > 0):
        raise wire.Malformed(f"{memory_mb!r} is no number of MiB")
    return memory_mb
