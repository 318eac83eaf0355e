"""How much device memory an engine's model files take, read from the files alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from voicemesh_sophon.chip_owner.bmodel_file import BmodelError, BmodelFile, read_bmodel
from voicemesh_sophon.models.bmodel_paths import bmodels

_MIB = 1 << 20
_STEP_NETS = "block_cache_"
_CACHES = slice(3, 5)
"""Of a language model's step net, the inputs that hold its layer's keys and values."""


@dataclass(frozen=True)
class ModelNeed:
    """A file that an engine names, and what it takes of the chip."""

    path: Path
    setting: str
    """The setting that names it."""
    file: BmodelFile | None
    error: str = ""
    """What is wrong with the file; then it is not known what it takes."""
    slots: int = 1
    """Conversations whose keys and values stay on the chip."""

    @property
    def loaded_mb(self) -> int:
        """What the runtime takes at load: weights, commands, intermediate results, its own io."""
        return _mib(self.file.loaded) if self.file else 0

    @property
    def caches_mb(self) -> int:
        """Keys and values of a language model, once a slot; the runtime may hold the first."""
        if self.file is None:
            return 0
        steps = [net for net in self.file.nets if net.name.startswith(_STEP_NETS)]
        slot = sum(sum(net.inputs[_CACHES]) for net in steps)
        held = all(net.own_io for net in steps) and self.slots == 1
        return 0 if held else _mib(slot * self.slots)

    @property
    def tensors_mb(self) -> int:
        """About what goes in and out of its nets: at work, and for the fixed question."""
        return _mib(2 * self.file.tensors) if self.file else 0

    @property
    def total_mb(self) -> int:
        """All of it, in MiB."""
        return self.loaded_mb + self.caches_mb + self.tensors_mb


def _mib(size: int) -> int:
    return math.ceil(size / _MIB)


def model_needs(section: str, config: BaseModel) -> list[ModelNeed]:
    """The bmodels that an engine's settings name, and what each takes.

    ``section`` is the settings' path, such as ``asr.sophon_whisper``. A bmodel is every
    path that ends so, in the folders and patterns too; one that is named twice is loaded
    once.
    """
    slots = getattr(config, "slots", 1)
    needs: dict[Path, ModelNeed] = {}
    for name in type(config).model_fields:
        for path in bmodels(_paths(getattr(config, name))):
            if path.suffix == ".bmodel" and path not in needs:
                needs[path] = _need(path, f"{section}.{name}", slots)
    return list(needs.values())


def _paths(value: object) -> Iterator[Path]:
    match value:
        case Path():
            yield value
        case tuple() | list():
            for item in value:
                yield from _paths(item)


def _need(path: Path, setting: str, slots: int) -> ModelNeed:
    try:
        return ModelNeed(path, setting, read_bmodel(str(path)), slots=slots)
    except BmodelError as error:
        return ModelNeed(path, setting, None, str(error))
