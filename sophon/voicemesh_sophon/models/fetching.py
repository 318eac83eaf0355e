"""Fetches the vendor's files with ``dfss``, the vendor's own tool.

dfss runs as a program of its own (``python -m dfss``): it finds a server, logs in over
SFTP and draws its own progress bar. It cannot go on in the middle of a file, so what
resumes is the set: files that have come whole are not fetched again.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from voicemesh.errors import EngineError, EngineMissing, Unavailable
from voicemesh_sophon.chip_owner.bmodel_file import BmodelError, read_bmodel

_RECORD = ".fetched.json"
_PART = ".part"
_BLOCK = 1 << 20

Say = Callable[[str], None]


class Fetched:
    """The record of the files that were fetched into a folder, kept as JSON in it."""

    def __init__(self, folder: Path) -> None:
        """Reads what earlier runs have left."""
        self._folder = folder
        self._file = folder / _RECORD
        try:
            self._entries: dict[str, dict[str, int]] = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            self._entries = {}

    def has(self, address: str) -> bool:
        """Whether all that came from an address is still there, in its size."""
        sizes = self._entries.get(address)
        return bool(sizes) and all(
            (self._folder / name).is_file() and (self._folder / name).stat().st_size == size
            for name, size in (sizes or {}).items()
        )

    def add(self, address: str, paths: list[Path]) -> None:
        """These files have come from an address."""
        self._entries[address] = {
            str(path.relative_to(self._folder)): path.stat().st_size for path in paths
        }
        fresh = self._file.with_name(f"{_RECORD}.new")
        fresh.write_text(json.dumps(self._entries, indent=2), "utf-8")
        fresh.replace(self._file)


def fetch(addresses: tuple[str, ...], folder: Path, say: Say) -> list[Path]:
    """Bring the files behind ``addresses`` into ``folder``, archives unpacked.

    Returns the files that came now. EngineMissing: dfss is not installed.
    Unavailable: a file did not come. EngineError: one is damaged.
    """
    if find_spec("dfss") is None:
        raise EngineMissing(
            "dfss, the vendor's tool, is not installed here; scripts/fetch_models installs it, "
            "or: pip install dfss"
        )
    folder.mkdir(parents=True, exist_ok=True)
    fetched = Fetched(folder)
    came: list[Path] = []
    for number, address in enumerate(addresses, 1):
        name = re.split("[:/]", address)[-1]
        if fetched.has(address):
            say(f"[{number} of {len(addresses)}] {name} is there.")
            continue
        say(f"[{number} of {len(addresses)}] {name} from {address.partition(':')[0]}")
        paths = _bring(address, name, folder, say)
        fetched.add(address, paths)
        came += paths
    return came


def _bring(address: str, name: str, folder: Path, say: Say) -> list[Path]:
    """Fetch one file, check it, unpack it; nothing of it is left when it fails."""
    part = folder / _PART
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        file = _download(address, name, part)
        say(f"  {file.stat().st_size / 1e6:.1f} MB, sha256 {_sha256(file)}")
        if not _is_archive(name):
            _check(file)
            return [file.replace(folder / name)]
        unpacked = part / "unpacked"
        try:
            _unpack(file, unpacked)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            raise EngineError(
                f"{name} came damaged ({error}); run it again, and look whether the disk is full"
            ) from error
        file.unlink()
        paths = sorted(path for path in unpacked.rglob("*") if path.is_file())
        for path in paths:
            _check(path)
        return [_moved(path, folder / path.relative_to(unpacked)) for path in paths]
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _download(address: str, name: str, part: Path) -> Path:
    status = subprocess.run(
        [sys.executable, "-m", "dfss", f"--url={address}"], cwd=part, check=False
    ).returncode
    file = part / name
    if status or not file.is_file() or not file.stat().st_size:
        raise Unavailable(
            f"{name} did not come (dfss ended with status {status}; its own words stand above). "
            "No server found: is there a network, and may it reach the vendor's port 32022? It "
            "goes through no HTTP proxy. Otherwise the vendor may have moved the file"
        )
    return file


def _check(path: Path) -> None:
    if path.suffix == ".bmodel":
        try:
            read_bmodel(str(path))
        except BmodelError as error:
            raise EngineError(f"{path.name} came damaged: {error}") from error


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _is_archive(name: str) -> bool:
    return name.endswith((".zip", ".tar.gz", ".tgz", ".tar"))


def _unpack(archive: Path, folder: Path) -> None:
    """Write the regular files of an archive; none outside of ``folder``."""
    root = folder.resolve()
    for name, data in _members(archive):
        target = (root / name).resolve()
        if not target.is_relative_to(root):
            raise EngineError(f"{archive.name} holds {name}, which lies outside of its folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        with data, target.open("wb") as out:
            shutil.copyfileobj(data, out, _BLOCK)


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    yield info.filename, zipped.open(info)
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            data = tarred.extractfile(member) if member.isreg() else None
            if data is not None:
                yield member.name, data


def _moved(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return source.replace(target)
