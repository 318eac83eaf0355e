"""The report on a machine's chips that its owner can send to others.

It holds versions, sizes, times and what failed; no text that was spoken or written, no
audio, and neither the names of the machine and its users nor paths.
"""

from __future__ import annotations

import getpass
import platform
import re
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from voicemesh import __version__
from voicemesh.check import Check
from voicemesh_sophon.checking.self_test import ChipTest
from voicemesh_sophon.placing.plan import DevicePlan

_HIDDEN = "…"
_COMMON = frozenset({"localhost", "root", "linaro", "sophon", "bm1684", "bm1688"})
"""Names that every board comes with."""
_PATH = re.compile(r"(?<![\w.])(?:~|\.{1,2})?(?:/[^\s/:;,'\"()\[\]]+)+/(?=[^\s/])")
"""The folders in front of a file's name. The vendor's are the same everywhere; they go too."""
_RELATIVE = re.compile(r"(?:[\w.~-]+/)+(?=[\w.-]+\.(?:bmodel|json|npz|so|tiktoken|toml|txt)\b)")


def report(plan: DevicePlan, tests: Sequence[ChipTest], checks: Iterable[Check]) -> dict[str, Any]:
    """The report as JSON can hold it."""
    made = {
        "voicemesh": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "system": _system(),
        "inventory": plan.inventory.source,
        "settings": [asdict(check) for check in checks],
        "services": {
            tenant.service: {
                "engine": tenant.engine,
                "card": tenant.place.card,
                "chip": tenant.place.chip,
                "cores": list(tenant.place.cores),
                "memory_mb": tenant.place.memory_mb,
                "need_mb": tenant.need_mb,
                "models": [
                    {
                        "name": model.path.name,
                        "bytes": model.file.size if model.file else None,
                        "chip": model.file.chip if model.file else "",
                        "compiler": model.file.version if model.file else "",
                        "made": model.file.made if model.file else "",
                    }
                    for model in tenant.models
                ],
            }
            for tenant in plan.tenants
        },
        "findings": [asdict(finding) for finding in plan.findings],
        "chips": [_chip(test) for test in tests],
    }
    scrubbed: dict[str, Any] = _scrubbed(made, _names())
    return scrubbed


def _chip(test: ChipTest) -> dict[str, Any]:
    return {
        "name": test.entry.name,
        "device": test.entry.device,
        "news": asdict(test.news) if test.news else None,
        "checks": [asdict(check) for check in test.checks],
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _names() -> re.Pattern[str]:
    """What the machine and its user are called, but for what the vendor calls all of them."""
    names = {socket.gethostname(), platform.node()}
    with suppress(KeyError, OSError):  # A user whom the system has no name for.
        names.add(getpass.getuser())
    own = sorted((re.escape(name) for name in names - _COMMON if name), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(own)})\b" if own else r"(?!)")


def _scrubbed(value: Any, names: re.Pattern[str]) -> Any:
    match value:
        case str():
            bare = _RELATIVE.sub("", _PATH.sub(f"{_HIDDEN}/", value))
            return names.sub(_HIDDEN, bare)
        case dict():
            return {key: _scrubbed(item, names) for key, item in value.items()}
        case list() | tuple():
            return [_scrubbed(item, names) for item in value]
    return value
