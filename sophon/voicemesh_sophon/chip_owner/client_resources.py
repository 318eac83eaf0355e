"""The resources of one client on the chip: models and memory, within its quotas."""

from __future__ import annotations

import math
import sys
from typing import Any, Sequence

import numpy as np

from .bmodel_file import BmodelError, BmodelFile, NetEntry, read_bmodel
from .chip_contents import Memory, Model, Place, Refused, checked_shape
from .sail_chip import KINDS, ChipError, SailChip
from .versions import too_new

MAX_MODELS = 16
MAX_TENSORS = 8192
_PLACES_KEPT = 1024
_MIB = 1 << 20


class ClientResources:
    """Models and device memory of one client, freed as a whole when it goes."""

    def __init__(
        self, chip: SailChip, service: str, cores: Sequence[int], memory_mb: int | None
    ) -> None:
        """``memory_mb``: None for no bound but the chip's."""
        self._chip = chip
        self._service = service
        self._cores = tuple(cores)
        self._memory_mb = memory_mb
        self._handle = chip.handle()
        self._memories: dict[int, Memory] = {}
        self._stand_ins: dict[tuple[str, str, int], Any] = {}
        self._next = 1
        self.models: dict[int, Model] = {}
        self.nbytes = 0
        """Device memory in use: tensors exactly, models as their files announce it."""

    # Models

    def load(self, paths: Sequence[str], own_io: bool) -> tuple[int, Model]:
        """Load files as one model; all that can be known from outside is checked first."""
        if not paths or len(self.models) >= MAX_MODELS:
            raise Refused(f"a client has 1 to {MAX_MODELS} models; close one that is not used")
        if own_io and len(paths) > 1:
            raise Refused(
                f"{paths[0]}: a model with memory of its own is one file, not {len(paths)}; "
                "combine them with model_tool --combine"
            )
        files = [self._checked(path) for path in paths]
        names = [net.name for file in files for net in file.nets]
        for name in names:
            if names.count(name) > 1:
                raise Refused(f"{', '.join(paths)}: two networks are named {name}; leave one out")
        need = sum(file.loaded for file in files)
        self._reserve(need, " and ".join(paths))
        try:
            model = Model(self._chip.load(self._handle, files, own_io), files, need)
        except Exception:
            self.nbytes -= need
            raise
        number = self._number()
        self.models[number] = model
        return number, model

    def _checked(self, path: str) -> BmodelFile:
        try:
            file = read_bmodel(path)
        except BmodelError as error:
            raise ChipError(str(error)) from error
        self._chip.check_chip(file)
        if self._cores and file.cores > len(self._cores):
            raise ChipError(
                f"{path} was compiled for {file.cores} cores, but devices.{self._service}.cores "
                f"names {len(self._cores)}; name more, or take the file for fewer"
            )
        doubt = too_new(file, self._chip.versions)
        if doubt:
            print(doubt, file=sys.stderr)
        return file

    def unload(self, number: int) -> None:
        """Free a model and its nets' own memory."""
        model = self.models.pop(number, None)
        if model is None:
            raise Refused("that model is not loaded; load it again")
        for key in [key for key, memory in self._memories.items() if memory.model == number]:
            self._memories.pop(key).places.clear()
        self.nbytes -= model.nbytes

    def model(self, number: Any) -> Model:
        """A model; Refused where it is not loaded."""
        held = self.models.get(number) if isinstance(number, int) else None
        if held is None:
            raise Refused("that model is not loaded; load it again")
        return held

    def net(self, model: Any, name: Any) -> tuple[Model, NetEntry]:
        """A network of a model; Refused where there is none."""
        held = self.model(model)
        net = held.nets.get(name) if isinstance(name, str) else None
        if net is None:
            raise Refused(
                f"{held.files[0].path} has no network {name!r}; it has {', '.join(held.nets)}"
            )
        return held, net

    # Memory

    def allocate(self, shape: Any, dtype: Any) -> tuple[int, Memory]:
        """New device memory."""
        lengths = checked_shape(shape)
        if dtype not in KINDS:
            raise Refused(f"{dtype!r} is no element type; they are {', '.join(KINDS)}")
        self._check_count()
        nbytes = math.prod(lengths) * np.dtype(KINDS[dtype][1]).itemsize
        self._reserve(nbytes, f"a tensor {list(lengths)} {dtype}")
        try:
            memory = Memory(self._chip.allocate(self._handle, lengths, dtype), lengths, dtype)
        except Exception:
            self.nbytes -= nbytes
            raise
        return self._kept(memory)

    def own_memory(
        self, model: Any, name: Any, side: Any, index: Any, stage: Any
    ) -> tuple[int, Memory]:
        """The memory that the runtime keeps for a network's input or output."""
        held, net = self.net(model, name)
        slots = {"input": net.input_slots, "output": net.output_slots}.get(side, ())
        if not (isinstance(index, int) and 0 <= index < len(slots)):
            raise Refused(f"{name} has {len(slots)} {side}s; there is no number {index}")
        slot = slots[index]
        if not (isinstance(stage, int) and 0 <= stage < len(slot.stages)):
            raise Refused(f"{name} has {len(slot.stages)} stages; there is no number {stage}")
        self._check_count()
        tensor = held.loaded.own_tensor(name, side, index, stage)
        shape = tuple(int(n) for n in tensor.shape())
        return self._kept(Memory(tensor, shape, slot.dtype, model))

    def _check_count(self) -> None:
        if len(self._memories) >= MAX_TENSORS:
            raise Refused(f"a client has at most {MAX_TENSORS} tensors; free some")

    def _kept(self, memory: Memory) -> tuple[int, Memory]:
        number = self._number()
        self._memories[number] = memory
        return number, memory

    def free(self, number: Any) -> None:
        """Give memory back; what is not there is no error, for a client may free in any order."""
        memory = self._memories.pop(number, None)
        if memory is not None:
            memory.places.clear()
            if not memory.model:
                self.nbytes -= memory.nbytes

    def place(self, reference: Any) -> Place:
        """What a step refers to: ``[memory, offset, shape]``; Refused where it is not there."""
        if not (isinstance(reference, list) and len(reference) == 3):
            raise Refused("a step refers to no tensor")
        number, offset, shape = reference
        memory = self._memories.get(number) if isinstance(number, int) else None
        if memory is None:
            raise Refused("a tensor has been freed, or its model was closed")
        try:
            known = memory.places.get((offset, *shape))
        except TypeError:
            known = None  # What that is no place is told below.
        if known is not None:
            return known
        lengths = checked_shape(shape)
        if not isinstance(offset, int) or offset < 0:
            raise Refused(f"{offset!r} is no offset")
        if offset + math.prod(lengths) > memory.count:
            raise Refused(
                f"{list(lengths)} elements from {offset} on reach beyond a tensor of "
                f"{list(memory.shape)}"
            )
        if len(memory.places) >= _PLACES_KEPT:
            memory.places.clear()
        place = memory.places[(offset, *lengths)] = Place(memory, lengths, offset)
        return place

    def release(self) -> None:
        """Free everything."""
        for memory in self._memories.values():
            memory.places.clear()
        self._memories.clear()
        self._stand_ins.clear()
        self.models.clear()
        self.nbytes = 0

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _reserve(self, nbytes: int, what: str) -> None:
        if self._memory_mb is not None and self.nbytes + nbytes > self._memory_mb * _MIB:
            raise ChipError(
                f"{what} needs {nbytes / _MIB:.1f} MiB, but {self.nbytes / _MIB:.1f} of the "
                f"{self._memory_mb} MiB of devices.{self._service}.memory_mb are in use; "
                "raise it, or take a smaller model"
            )
        self.nbytes += nbytes

    # Tensors of sail's

    def tensor(self, place: Place, room: int = 0) -> Any | None:
        """A tensor of that place's shape for sail; None where this sail cannot make one.

        ``room``: the elements of memory that must lie behind it, where it is launched
        with a shape smaller than its largest.
        """
        tensor = place.tensors.get(room)
        if tensor is None:
            tensor = self._made(place, max(room, place.count))
            if tensor is None:
                return None
            place.tensors[room] = tensor
        return _shaped(tensor, place)

    def _made(self, place: Place, room: int) -> Any | None:
        memory = place.memory
        views = "views" in self._chip.abilities
        if place.offset + room > memory.count:
            return None
        if place.offset == 0 and (place.shape == memory.shape or not views):
            return memory.tensor
        if not views:
            return None
        shape = place.shape if room == place.count else (room,)
        return self._chip.view(memory.tensor, shape, place.offset)

    def _stand_in(self, place: Place, room: int, role: str) -> Any:
        """Memory beside the place, for what cannot be done in it."""
        key = (role, place.dtype, room)
        if key not in self._stand_ins:
            stored = np.dtype(KINDS[place.dtype][1])
            self._reserve(room * stored.itemsize, "a copy of a tensor")
            self._stand_ins[key] = self._chip.allocate(self._handle, [room], place.dtype)
        return _shaped(self._stand_ins[key], place)

    def upload(self, place: Place, values: np.ndarray) -> None:
        """Bring an array of as many elements to the device."""
        shaped = values.reshape(place.shape)
        tensor = self.tensor(place)
        if tensor is not None:
            self._chip.upload(tensor, place.dtype, shaped)
            return
        beside = self._stand_in(place, place.count, "transfer")
        self._chip.upload(beside, place.dtype, shaped)
        self._chip.copy(beside, 0, place.memory.tensor, place.offset, place.count)

    def download(self, place: Place) -> np.ndarray:
        """The elements, as they are stored."""
        tensor = self.tensor(place)
        if tensor is None:
            tensor = self._stand_in(place, place.count, "transfer")
            self._chip.copy(place.memory.tensor, place.offset, tensor, 0, place.count)
        return self._chip.download(tensor, place.dtype)

    def copy(self, source: Place, target: Place) -> None:
        """Copy as many elements as both have."""
        self._chip.copy(
            source.memory.tensor, source.offset, target.memory.tensor, target.offset, source.count
        )

    def launch(
        self,
        model: Model,
        net: NetEntry,
        inputs: list[Place],
        outputs: list[Place],
        cores: list[int],
    ) -> None:
        """Run a network; the inputs' shapes are those it is launched with."""
        ins, outs, back = [], [], []
        rooms = model.rooms[net.name]
        for number, place in enumerate(inputs):
            room = rooms[number]
            tensor = self.tensor(place, room)
            if tensor is None:
                tensor = self._stand_in(place, max(room, place.count), f"input {number}")
                self._chip.copy(place.memory.tensor, place.offset, tensor, 0, place.count)
            ins.append(tensor)
        for number, place in enumerate(outputs):
            room = rooms[len(inputs) + number]
            tensor = self.tensor(place, room)
            if tensor is None:
                tensor = self._stand_in(place, max(room, place.count), f"output {number}")
                back.append((tensor, place))
            outs.append(tensor)
        model.loaded.launch(net.name, ins, outs, cores)
        for tensor, place in back:
            self._chip.copy(tensor, 0, place.memory.tensor, place.offset, place.count)


def _shaped(tensor: Any, place: Place) -> Any:
    """The tensor with the place's shape; a launch or an earlier use may have left another."""
    if tensor.shape() != place.lengths:
        tensor.reshape(place.lengths)
    return tensor
