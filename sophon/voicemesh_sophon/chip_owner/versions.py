"""Which versions of the vendor's software are too old, for what, and what helps.

Looked at when a chip's owner starts and when it loads a file. What a platform does not
tell is not judged. This module runs on Python 3.8, because the chip owner does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from .bmodel_file import BmodelFile

LIBSOPHON = (0, 5)
SAIL = (3, 9, 1)
_NEW_MODELS = (2024, 7)
"""Year and month from which on models need LIBSOPHON and its driver (the vendor's FAQ)."""

_MADE = "%a %b %d %H:%M:%S %Y"
"""How the compiler writes the time, in C's words."""


def number_of(version: str) -> tuple[int, ...]:
    """``0.5.1-LTS`` is (0, 5, 1); empty where it is no release number."""
    match = re.match(r"\d+(\.\d+)+", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _older(versions: Mapping[str, str], what: str, needed: tuple[int, ...]) -> str:
    """The version of ``what`` where it is older than needed, else nothing."""
    version = versions.get(what, "")
    number = number_of(version)
    return version if number and number < needed else ""


def too_old(versions: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What of ``versions`` is old: what that costs, and the cure."""
    found = {}
    libsophon = _older(versions, "libsophon", LIBSOPHON)
    if libsophon:
        found["libsophon"] = (
            f"libsophon {libsophon} is old: models made since July 2024 fail with it",
            "install driver and libsophon of a newer SDK",
        )
    sail = _older(versions, "sail", SAIL)
    if sail:
        found["sail"] = (
            f"sail {sail} is old: without views of device memory caches are copied, the chip's "
            "memory and temperature are not told, and the oldest end the chip's owner where "
            "newer ones report an error",
            "install a newer sail wheel of the same SDK",
        )
    return found


def too_new(file: BmodelFile, versions: Mapping[str, str]) -> str:
    """Why a file may not run on this libsophon; empty where nothing speaks against it."""
    libsophon = _older(versions, "libsophon", LIBSOPHON)
    try:
        made = time.strptime(file.made, _MADE)
    except ValueError:
        return ""
    if not libsophon or (made.tm_year, made.tm_mon) < _NEW_MODELS:
        return ""
    return (
        f"{file.path} was compiled on {file.made}, but libsophon is {libsophon}; if it fails, "
        "install driver and libsophon of a newer SDK, or fetch a model as old as them"
    )
