"""Free ports, and addresses that a client on this machine can dial."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from voicemesh.errors import Busy

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


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """``count`` different ports that nobody has bound on ``host``; see free_ports_on."""
    return free_ports_on([host] * count)


def free_ports_on(hosts: Sequence[str]) -> list[int]:
    """A port for each of ``hosts``, all different, that nobody has bound there.

    They are held together while they are drawn: drawn one by one, each could be the
    one before it. They lie below the range from which the kernel takes the ports of
    outgoing connections. A client that redials a dead service could otherwise be
    given that very port, and the service could not come back on it.
    """
    count = len(hosts)
    try:
        highest = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        highest = _DEFAULT_HIGHEST
    if highest <= _LOWEST + count:
        highest = _DEFAULT_HIGHEST
    candidates = iter(random.sample(range(_LOWEST, highest), min(64 * count, highest - _LOWEST)))
    found: list[int] = []
    with ExitStack() as held:
        for host in hosts:
            for port in candidates:
                listener = held.enter_context(socket.socket(_family(host), socket.SOCK_STREAM))
                try:
                    listener.bind((host.strip("[]"), port))
                except OSError:
                    continue
                found.append(port)
                break
    if len(found) < count:
        raise Busy(f"no {count} free ports between {_LOWEST} and {highest} on {', '.join(hosts)}")
    return found
