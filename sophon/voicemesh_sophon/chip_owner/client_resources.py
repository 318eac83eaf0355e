"""The resources of one client on the chip: models and memory, within its quotas."""

from __future__ import annotations

import math
import sys
from typing import Any, Callable, Sequence

import numpy as np

from .bmodel_file import BmodelError, BmodelFile, NetEntry, read_bmodel
from .chip_contents import Memory, Model, Place, Refused, checked_shape
from .place_tensors import PlaceTensors
from .programs import Program
from .sail_chip import KINDS, ChipError, SailChip
from .versions import too_new

MAX_MODELS = 16
MAX_TENSORS = 8192
MAX_PROGRAMS = 64
"""An engine needs a few; each holds its launches, and views for some positions."""
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
        self._programs: dict[int, Program] = {}
        self._next = 1
        self.models: dict[int, Model] = {}
        self.nbytes = 0
        """Device memory in use: tensors exactly, models as their files announce it."""
        self.tensors = PlaceTensors(chip, self._handle, self._reserve)

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
        self._close_programs(lambda program: number in program.models)
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
        """Give memory or a program back; what is not there is no error: any order will do."""
        memory = self._memories.pop(number, None)
        if memory is not None:
            memory.places.clear()
            self._close_programs(lambda program: memory in program.memories)
            if not memory.model:
                self.nbytes -= memory.nbytes
        elif number in self._programs:
            self._programs.pop(number).close()

    def place(self, reference: Any, positions: int) -> Place:
        """What a step refers to; Refused where it is not there at each of ``positions``.

        ``[memory, offset, shape]``, or with a fourth number ``[..., stride]`` what lies
        by so many elements further on at each position.
        """
        if not (isinstance(reference, list) and len(reference) in (3, 4)):
            raise Refused("a step refers to no tensor")
        number, offset, shape, stride = reference if len(reference) == 4 else (*reference, 0)
        memory = self._memories.get(number) if isinstance(number, int) else None
        if memory is None:
            raise Refused("a tensor has been freed, or its model was closed")
        try:
            known = memory.places.get((offset, *shape)) if not stride else None
        except TypeError:
            known = None  # What that is no place is told below.
        if known is not None:
            return known
        lengths = checked_shape(shape)
        for name, value in (("offset", offset), ("stride", stride)):
            if not isinstance(value, int) or value < 0:
                raise Refused(f"{value!r} is no {name}")
        last = offset + (positions - 1) * stride
        if last + math.prod(lengths) > memory.count:
            raise Refused(
                f"{list(lengths)} elements from {last} on reach beyond a tensor of "
                f"{list(memory.shape)}"
            )
        if stride and positions > 1:
            return Place(memory, lengths, offset, stride)
        if len(memory.places) >= _PLACES_KEPT:
            memory.places.clear()
        place = memory.places[(offset, *lengths)] = Place(memory, lengths, offset)
        return place

    # Programs

    def keep(self, program: Program) -> int:
        """The number of a program that is kept from now on."""
        if len(self._programs) >= MAX_PROGRAMS:
            program.close()
            raise Refused(f"a client has at most {MAX_PROGRAMS} programs; drop some")
        number = self._number()
        self._programs[number] = program
        return number

    def program(self, number: Any) -> Program:
        """A program; Refused where there is none."""
        program = self._programs.get(number) if isinstance(number, int) else None
        if program is None:
            raise Refused(
                "that program is not there: it, a tensor or a model of it was freed; prepare it "
                "again"
            )
        return program

    def _close_programs(self, ends: Callable[[Program], bool]) -> None:
        for number in [n for n, program in self._programs.items() if ends(program)]:
            self._programs.pop(number).close()

    def release(self) -> None:
        """Free everything."""
        for memory in self._memories.values():
            memory.places.clear()
        self._close_programs(lambda program: True)
        self._memories.clear()
        self.tensors.release()
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
