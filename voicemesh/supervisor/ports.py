"""Ports that are held for services, and addresses that a client on this machine can dial."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from voicemesh.errors import Busy, PortTaken, SettingsError

_LOWEST = 20_000
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_HIGHEST = 32_768


def dialled(host: str, port: int) -> str:
    """The target under which a service bound to ``host`` is reached from here."""
    wildcards = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]"}
    return f"{wildcards.get(host, host)}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def is_free(host: str, port: int) -> bool:
    """Whether a server could bind that port now."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


class HeldPort:
    """A port that is kept from others: bound here, and listened on by nobody.

    Whoever asks for a port of its own, or draws one as we do, is refused it, from now
    until ``close``; ``admit`` makes an exception for servers, which ask to share. That
    begins when the service of the port is started, which then binds it beside this.
    """

    def __init__(self, host: str, port: int, drawn: bool = False) -> None:
        """PortTaken where it is somebody's; SettingsError where ``host`` is not of this machine.

        ``drawn``: nobody asked for this very port.
        """
        self.host, self.port, self.drawn = host, port, drawn
        self._socket = socket.socket(_family(host), socket.SOCK_STREAM)
        try:
            try:
                self._bind()
            except OSError as error:
                if drawn or error.errno != errno.EADDRINUSE:
                    raise
                self.admit()  # Connections of a service that has ended linger for a minute.
                self._bind()
        except OSError as error:
            self._socket.close()
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"{dialled(host, port)} is taken by another process") from None
            raise SettingsError(
                f"{host} cannot be bound ({error.strerror or error}); set the host to an address "
                "of this machine, such as 127.0.0.1"
            ) from None

    def _bind(self) -> None:
        self._socket.bind((self.host.strip("[]"), self.port))

    def admit(self) -> None:
        """Servers may bind it from now on."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def close(self) -> None:
        """Keep it no longer."""
        self._socket.close()

    def __del__(self) -> None:
        """A plan that is forgotten keeps no ports."""
        self._socket.close()


def hold_free(hosts: Sequence[str]) -> list[HeldPort]:
    """A free port for each of ``hosts``, held; Busy where there are none.

    They lie below the range from which the kernel takes the ports of outgoing
    connections. A client that redials a dead service could otherwise be given that very
    port, and the service could not come back on it.
    """
    count = len(hosts)
    try:
        highest = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        highest = _DEFAULT_HIGHEST
    if highest <= _LOWEST + count:
        highest = _DEFAULT_HIGHEST
    candidates = iter(random.sample(range(_LOWEST, highest), min(64 * count, highest - _LOWEST)))
    with ExitStack() as undo:
        held: list[HeldPort] = []
        for host in hosts:
            for port in candidates:
                try:
                    held.append(HeldPort(host, port, drawn=True))
                except PortTaken:
                    continue
                undo.callback(held[-1].close)
                break
        if len(held) < count:
            where = ", ".join(dict.fromkeys(hosts))
            raise Busy(f"no {count} free ports between {_LOWEST} and {highest} on {where}")
        undo.pop_all()
    return held


def free_ports_on(hosts: Sequence[str]) -> list[int]:
    """A port for each of ``hosts``, all different, that nobody has bound there just now."""
    held = hold_free(hosts)
    for port in held:
        port.close()
    return [port.port for port in held]
