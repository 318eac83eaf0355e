"""Gets the simulator's libraries: out of the ``tpu_mlir`` package, into a cache folder.

The package is fetched with pip, as large as it is (312 MB), four libraries of it are kept
(19 MB for each chip), and it is deleted. Everything is compared with checksums.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from voicemesh.errors import EngineMissing
from voicemesh_sophon.cmodel.sophon.simulator import location

_OLDEST_GLIBC = (2, 34)
_ROOM_BYTES = 400_000_000  # the package and what is taken out of it


def missing(chips: Sequence[str] = location.CHIPS) -> list[str]:
    """The chips whose libraries are not all there with the right contents."""
    return [chip for chip in chips if not _whole(chip)]


def _whole(chip: str) -> bool:
    return location.complete(chip) and all(
        _sha256(location.folder(chip) / library.name) == library.sha256
        for library in location.LIBRARIES[chip]
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(chips: Sequence[str] = location.CHIPS, package: Path | None = None) -> list[str]:
    """Completes the folders of ``chips``; returns those for which something was to do.

    ``package`` is a wheel that is there already, for machines without a network. Raises
    EngineMissing, with the cure, where the simulator cannot run or cannot be fetched.
    """
    if not missing(chips):
        return []
    _check_machine()
    root = location.root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root):
            wanted = missing(chips)  # Another process may just have done it.
            if wanted:
                _check_room(root)
                with _package(root, package) as wheel:
                    _unpack(wheel, wanted)
            return wanted
    except OSError as error:
        raise EngineMissing(
            f"the simulator cannot be put into {root} ({error}): make that folder writable, or "
            f"set {location.FOLDER_VARIABLE} to one that is"
        ) from error


def _check_machine() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise EngineMissing(
            f"the simulator runs on Linux on x86-64, this is {sys.platform} on "
            f"{platform.machine()}: use such a machine, or a chip"
        )
    name, version = platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name != "glibc" or numbers < _OLDEST_GLIBC:
        raise EngineMissing(
            f"the simulator needs glibc 2.34 or newer, here is {name or 'another C library'} "
            f"{version}: use a newer distribution, such as Debian 12 or Ubuntu 22.04"
        )


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _ROOM_BYTES:
        raise EngineMissing(
            f"fetching the simulator takes {_ROOM_BYTES // 10**6} MB for a moment, {folder} has "
            f"{free // 10**6} MB: make room, or set {location.FOLDER_VARIABLE} to another disk"
        )


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Lets one process at a time do this; the others wait and find it done."""
    import fcntl  # Not on every system, so after the check of the machine.

    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _package(root: Path, given: Path | None) -> Iterator[Path]:
    """The wheel, checked; what was downloaded is deleted at the end.

    A wheel that a killed run has left behind is used if it is whole.
    """
    if given is not None:
        if not given.is_file() or _sha256(given) != location.PACKAGE_SHA256:
            raise EngineMissing(f"{given} is not the wheel of {location.PACKAGE}: fetch it again")
        yield given
        return
    folder = root / "download"
    try:
        yield _download(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(folder: Path) -> Path:
    left = next(folder.glob("*.whl"), None)
    if left is not None and _sha256(left) == location.PACKAGE_SHA256:
        return left
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    print(f"fetching {location.PACKAGE}: 312 MB, of which a tenth is kept", file=sys.stderr)
    # The wheel is for Python 3.10 and never installed: its libraries need no Python.
    command = [sys.executable, "-m", "pip", "download", location.PACKAGE, "--no-deps", "--quiet"]
    command += ["--python-version", "3.10", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--dest", str(folder)]
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        raise EngineMissing(
            f"pip could not download {location.PACKAGE}, its reason stands above: check network "
            "and pip's settings, or bring the wheel here and name it with --package"
        )
    if _sha256(wheel) != location.PACKAGE_SHA256:
        raise EngineMissing(
            f"what pip downloaded as {location.PACKAGE} is not the file that this release was "
            "tested with: try again, and do not use another index"
        )
    return wheel


def _unpack(wheel: Path, chips: Sequence[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for chip in chips:
            # Complete or not there: a reader never sees half a folder.
            with tempfile.TemporaryDirectory(dir=location.root()) as name:
                made = Path(name) / chip
                made.mkdir()
                for library in location.LIBRARIES[chip]:
                    with (
                        archive.open(library.member) as source,
                        (made / library.name).open("wb") as target,
                    ):
                        shutil.copyfileobj(source, target)
                    if _sha256(made / library.name) != library.sha256:
                        raise EngineMissing(f"{library.member} is damaged: fetch it again")
                shutil.rmtree(location.folder(chip), ignore_errors=True)
                os.replace(made, location.folder(chip))
