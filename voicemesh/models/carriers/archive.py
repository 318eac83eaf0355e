"""Members of a package's archive, read as data by their exact names."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from voicemesh.errors import EngineError

_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error),
    *(gzip.BadGzipFile, EOFError, RuntimeError),
)
"""What reading a damaged archive raises; RuntimeError: a method that nobody knows."""


@contextmanager
def open_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """A member of a wheel (ZIP) or of a gzipped TAR, to be read; EngineError without it."""
    is_zip = zipfile.is_zipfile(archive)
    try:
        with _zipped(archive, member) if is_zip else _tarred(archive, member) as file:
            yield file
    except KeyError:
        raise EngineError(f"{archive.name} holds no {member}") from None
    except _DAMAGED as error:
        raise EngineError(f"{archive.name} is damaged: {error}") from None


@contextmanager
def _zipped(archive: Path, member: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(archive) as opened, opened.open(member) as file:
        yield file


@contextmanager
def _tarred(archive: Path, member: str) -> Iterator[IO[bytes]]:
    with tarfile.open(archive, "r:gz") as opened:
        info = opened.getmember(member)
        file = opened.extractfile(info) if info.isreg() else None  # A link names another file.
        if file is None:
            raise KeyError(member)
        with file:
            yield file
