"""Free ports, and addresses that a client on this machine can dial."""

from __future__ import annotations

import random
import socket
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


def is_free(host: str, port: int) -> bool:
    """Whether a server could bind that port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """``count`` different ports that nobody has bound.

    They lie below the range from which the kernel takes the ports of outgoing
    connections. A client that redials a dead service could otherwise be given
    that very port, and the service could not come back on it.
    """
    try:
        highest = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        highest = _DEFAULT_HIGHEST
    if highest <= _LOWEST + count:
        highest = _DEFAULT_HIGHEST
    candidates = random.sample(range(_LOWEST, highest), min(64 * count, highest - _LOWEST))
    found: list[int] = []
    with ExitStack() as held:
        for port in candidates:
            if len(found) == count:
                break
            listener = held.enter_context(socket.socket())
            try:
                listener.bind((host, port))
            except OSError:
                continue
            found.append(port)
    if len(found) < count:
        raise Busy(f"no {count} free ports between {_LOWEST} and {highest} on {host}")
    return found
