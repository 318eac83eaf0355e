"""The nets of bmodels, read from the files alone: no chip, no owner."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from voicemesh.errors import EngineError
from voicemesh_sophon.chip_owner.bmodel_file import BmodelError, NetEntry, SlotEntry, read_bmodel
from voicemesh_sophon.client.model import Model, Net, Slot


def read_model(*files: Path) -> Model:
    """The model that ``Chip.load`` would give of these files; nothing of it can be launched.

    Takes milliseconds, whatever the size of the files. EngineError where one is missing or
    damaged, or where two hold networks of one name, as files of several sets do.
    """
    nets: dict[str, Net] = {}
    for file in files:
        try:
            entries = read_bmodel(str(file)).nets
        except BmodelError as error:
            raise EngineError(str(error)) from None
        for entry in entries:
            if entry.name in nets:
                raise EngineError(
                    f"{nets[entry.name].file} and {file}: two networks are named {entry.name}; "
                    "leave one out"
                )
            nets[entry.name] = _net(entry, file)
    return Model(files, nets, max(net.core_num for net in nets.values()), lambda: None)


def _net(entry: NetEntry, file: Path) -> Net:
    return Net(
        name=entry.name,
        inputs=_slots(entry.input_slots),
        outputs=_slots(entry.output_slots),
        dynamic=entry.dynamic,
        own_io=entry.own_io,
        core_num=entry.cores,
        model=0,
        file=file,
        owned=_not_loaded,
    )


def _slots(entries: tuple[SlotEntry, ...]) -> tuple[Slot, ...]:
    return tuple(Slot(one.name, one.dtype, one.stages, one.shape) for one in entries)


def _not_loaded(net: str, side: str, index: int, stage: int) -> NoReturn:
    raise EngineError(f"{net} was read from its file alone: it has no memory on a chip")
