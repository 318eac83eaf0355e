"""Where the simulator's libraries lie, and which ones they must be.

``scripts/fetch_simulator`` takes them out of the ``tpu_mlir`` package. Each chip has a
folder of its own, because the loader finds the chip's simulator by the bare file name
``libcmodel.so`` beside ``libbmlib.so.0``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, NamedTuple, Tuple

VERSION = "1.30.2"
PACKAGE = f"tpu_mlir=={VERSION}"
PACKAGE_SHA256 = "542807361c9eeb0777a7bd35e501d8c71cce767e4bce021a3cb3a7c25c35f909"
CHIPS = ("bm1688", "bm1684x")

CHIP_VARIABLE = "VOICEMESH_SOPHON_CHIP"
FOLDER_VARIABLE = "VOICEMESH_SOPHON_SIMULATOR"


class Library(NamedTuple):
    """One file of a chip's folder and the member of the package that it is."""

    name: str
    member: str
    size: int  # bytes
    sha256: str


_RUNTIME = Library(
    "libbmrt.so.1.0",
    "tpu_mlir/lib/libbmrt.so.1.0",
    10_626_064,
    "8a78ff11efd86e644058fcb868e5d764665cb8205d8282a36aa582748ab0ae46",
)
# One library of device calls serves both chips, whatever its name in the package says.
_DEVICE = Library(
    "libbmlib.so.0",
    "tpu_mlir/lib/libbmlib_bm1684x.so.0",
    718_120,
    "ce669b2d7cf1776b1282789250def9fca8b4f9f00a7f793ab1b17fc8dad6accb",
)

LIBRARIES: Dict[str, Tuple[Library, ...]] = {
    "bm1688": (
        _RUNTIME,
        _DEVICE,
        Library(
            "libcmodel.so",
            "tpu_mlir/lib/libcmodel_bm1688.so",
            8_101_496,
            "963ba81e26dd9e08f0e51ce3fa0775a9de4fcbe657ae4e2adcb04e4a42b337b8",
        ),
    ),
    "bm1684x": (
        _RUNTIME,
        _DEVICE,
        Library(
            "libcmodel.so",
            "tpu_mlir/lib/libcmodel_bm1684x.so",
            7_861_008,
            "c4bf3f29bcdf4c93781a7b3cf09ff8a7ec219ef155b3b49cbe57a16b7c42cd96",
        ),
    ),
}


def root() -> Path:
    """The folder of this version: ``VOICEMESH_SOPHON_SIMULATOR`` or the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "voicemesh" / "sophon-simulator" / VERSION


def folder(chip: str) -> Path:
    """The folder of one chip's libraries, which need not exist."""
    return root() / chip


def complete(chip: str) -> bool:
    """Whether all libraries of a chip are there with their sizes (contents unread)."""
    try:
        return all(
            (folder(chip) / library.name).stat().st_size == library.size
            for library in LIBRARIES[chip]
        )
    except OSError:
        return False
