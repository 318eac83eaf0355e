"""The folder that models lie in, one folder each by the catalogue's name."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.errors import EngineMissing
from voicemesh.settings import Settings

if TYPE_CHECKING:
    from voicemesh.models.catalogue import Model

_PULLING = ".pulling"
_LOCK = ".lock"


class ModelStore:
    """Where models are found. Nothing is fetched here."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds a folder for each model; it need not exist."""
        self.folder = folder

    @classmethod
    def of(cls, settings: Settings) -> ModelStore:
        """The store that the settings name."""
        return cls(settings.mesh.models_folder.expanduser())

    def path(self, name: str) -> Path:
        """Where a model lies or would lie."""
        return self.folder / name

    def has(self, name: str) -> bool:
        """Whether a model is here. A pull puts its folder in place when all files are right."""
        return self.path(name).is_dir()

    def find(self, name: str) -> Path:
        """The folder of a model; EngineMissing, with the cure, where it is not here."""
        if not self.has(name):
            raise EngineMissing(
                f"the model {name} is not in {self.folder}; run `voicemesh models pull {name}`"
            )
        return self.path(name)

    def holds(self, model: Model) -> bool:
        """Whether a model of the catalogue is here with all its files, by their sizes."""
        if model.package is not None:
            return model.package.is_installed
        return all(
            _size(self.path(model.name) / name) == file.size for name, file in model.files.items()
        )

    def workshop(self, name: str) -> Path:
        """Where a model is put together; what has come stays there until it is whole."""
        return self.folder / _PULLING / name

    @contextmanager
    def locked(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Nobody else changes the folder meanwhile; ``on_wait`` is called where somebody does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _size(path: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    return path.stat().st_size if path.is_file() else -1
