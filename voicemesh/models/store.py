"""The folder that models lie in, one folder each by the catalogue's name."""

from __future__ import annotations

from pathlib import Path

from voicemesh.errors import EngineMissing
from voicemesh.settings import Settings


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
