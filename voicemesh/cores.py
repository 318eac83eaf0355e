"""Processor cores: how settings name them, and how threads are pinned to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from voicemesh.errors import SettingsError
from voicemesh.settings import Section

_MOST_CORES = 8192
"""What Linux counts at most; a list beyond is a slip of the pen, and would take memory."""


def numbers(text: str) -> tuple[int, ...]:
    """The cores of a list such as ``0-1,3``; ValueError where it is none."""
    found: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        listed = first.isdecimal() and (last.isdecimal() or not dash)
        if not listed or int(last or first) < int(first):
            raise ValueError(f"{text!r} does not list cores; write it as in 0-1,3")
        if int(last or first) >= _MOST_CORES:
            raise ValueError(f"{text!r} has a core beyond {_MOST_CORES - 1}; see `voicemesh plan`")
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def spelled(cores: Sequence[int]) -> str:
    """For people: ``core 0``, ``cores 0, 1, 3``, ``any core`` where there are none."""
    if not cores:
        return "any core"
    listed = ", ".join(map(str, cores))
    return f"core {listed}" if len(cores) == 1 else f"cores {listed}"


def _validated(value: Any) -> Any:
    if isinstance(value, str):
        return numbers(value)
    return (value,) if isinstance(value, int) else value


CoreList = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_validated)]
"""A setting that names cores: ``"0-1,3"``, ``[0, 1, 3]`` or ``0``."""


class OnCores(Section):
    """Base of the settings of an engine that works on the processor's cores.

    Its threads are pinned by the worker that runs them: ``ThreadWorker(name, cores)``,
    ``ProcessPool(..., cores=cores)``. Libraries that start threads of their own are loaded
    there, because threads are pinned as who starts them.
    """

    cores: CoreList = Field(
        (),
        description="Processor cores that it works on, such as 0-1,3, by the numbers that "
        "`voicemesh plan` shows. Empty: any, as the system sees fit, which is best where nothing "
        "else has to be kept out of the way.",
    )

    @property
    def most_threads(self) -> int:
        """How many threads of it may work at the same time."""
        return 1


def usable_cores() -> tuple[int, ...]:
    """The cores that this process may use, in order."""
    try:
        # That of the main thread: others may be pinned to some of them.
        return tuple(sorted(os.sched_getaffinity(os.getpid())))
    except AttributeError:  # Only Linux pins.
        return tuple(range(os.cpu_count() or 1))


def check_cores(cores: Sequence[int]) -> None:
    """SettingsError where one of ``cores`` is not usable here."""
    usable = usable_cores()
    missing = [core for core in cores if core not in usable]
    if missing:
        raise SettingsError(
            f"{spelled(missing)} cannot be used here, only {spelled(usable)}; name some of these, "
            "or none"
        )
    if cores and not hasattr(os, "sched_setaffinity"):
        raise SettingsError("threads are pinned to cores on Linux only; name none")


def pin_thread(cores: Sequence[int]) -> None:
    """Keep the calling thread, and those that it starts, on ``cores``; none: as it is."""
    if cores:
        os.sched_setaffinity(0, cores)
