"""Where an engine's model lies: in the folder that its settings name, or in the store of models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voicemesh.errors import EngineMissing
from voicemesh.models.store import ModelStore
from voicemesh.registry import Probe
from voicemesh.settings import Settings


@dataclass(frozen=True)
class ModelFolder:
    """The folder of a model of the catalogue, or of another model in the same form."""

    model: str
    """Its name in the catalogue."""
    files: tuple[str, ...]
    """What has to be in it."""
    setting: str
    """The one that names another folder, such as ``asr.moonshine.model``."""

    def probe(self, own: Path | None, settings: Settings) -> Probe:
        """Whether all files are there; ``own`` is what the setting names, None: nothing."""
        folder = self._path(own, settings)
        missing = next((name for name in self.files if not (folder / name).is_file()), None)
        if missing is None:
            return Probe(True, f"{folder} is there")
        cure = f"voicemesh models pull {self.model}"
        if own is not None:
            cure = f"correct {self.setting}, or leave it unset and run `{cure}`"
        return Probe(False, f"{folder / missing} is missing", cure)

    def find(self, own: Path | None, settings: Settings) -> Path:
        """The folder; EngineMissing, with the cure, where a file is not there."""
        probe = self.probe(own, settings)
        if not probe.usable:
            raise EngineMissing(f"{probe.reason}; {probe.cure}")
        return self._path(own, settings)

    def _path(self, own: Path | None, settings: Settings) -> Path:
        return own or ModelStore.of(settings).path(self.model)
