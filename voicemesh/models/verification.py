"""Whether a model's files are still what the catalogue says."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path

from voicemesh.models.catalogue import Model
from voicemesh.models.store import ModelStore


def wrong_files(model: Model, store: ModelStore) -> list[str]:
    """A sentence for each file that is not right; every byte is read."""
    folder = store.path(model.name)
    said = (_wrong(folder / name, file.sha256) for name, file in model.files.items())
    return [sentence for sentence in said if sentence]


def _wrong(path: Path, sha256: str) -> str:
    try:
        with path.open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    return "" if found == sha256 else f"{path} has sha256 {found} instead of {sha256}"
