"""A chip, worked on through its owner."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from voicemesh.errors import EngineError
from voicemesh_sophon.client.model import Model, Net, Side, Slot
from voicemesh_sophon.client.owner_link import Bulk, OwnerLink
from voicemesh_sophon.client.programs import Argument, Program, ProgramStep, Start
from voicemesh_sophon.client.steps import Copy, Fill, Launch, Read, Step, Write
from voicemesh_sophon.client.tensors import STORED, DeviceMemory, DeviceTensor
from voicemesh_sophon.placing.placement import Placement

Reference = tuple[int, int, Sequence[int]] | tuple[int, int, Sequence[int], int]
_Read = tuple[DeviceTensor, str, int]
"""What a step brings back, and where the answer has it."""


class Chip:
    """One service's place on a chip.

    All calls block and are made from one worker thread at a time. Unavailable means
    that the owner has gone: everything on the chip is lost with it, and the engine is
    made again. EngineError means that something asked of the chip failed.
    """

    def __init__(self, link: OwnerLink) -> None:
        """See ``open``."""
        self._link = link
        self._questions: list[Sequence[Step]] = []
        """Their tensors live as long as this chip."""
        told = link.greeting
        self.target: str = told["target"]
        """BM1684X, BM1688 ...; empty where the platform does not tell."""
        self.cores: int = told["cores"]
        self.simulated: bool = told["simulated"]
        self.versions: dict[str, str] = told["versions"]
        """Of sail, driver and libsophon, as far as they are known."""
        self.abilities: frozenset[str] = frozenset(told["abilities"])
        """"views": views cost nothing; "own_io": models can be loaded with own_io;
        "core_list": launches can be told on which cores to run."""

    @classmethod
    def open(cls, placement: Placement) -> Self:
        """Connect to the chip's owner; Unavailable, with the cure, where there is none."""
        return cls(OwnerLink(placement))

    def load(self, *files: Path, own_io: bool = False, checked: bool = False) -> Model:
        """Load bmodels as one model; EngineError names file and cure.

        With ``checked`` nobody else works on the chip from now on until ``check`` names the
        model's question, or this chip is closed.

        With ``own_io`` (one file only) the memory that the runtime keeps for the nets
        is to be had by ``Net.input_tensor``, and launches run on the chip's first cores.
        """
        paths = [str(file.absolute()) for file in files]
        wanted = {"files": paths, "own_io": own_io, "checked": checked}
        answer = self._link.ask({"op": "load", **wanted})
        number: int = answer["model"]
        owned = self._own_tensor(number)
        nets = {told["name"]: _net(told, number, owned) for told in answer["nets"]}

        def close() -> None:
            self._link.ask({"op": "unload", "model": number})

        return Model(files, nets, max(net.core_num for net in nets.values()), close)

    def check(self, model: Model, question: Sequence[Step]) -> None:
        """Have the owner ask a model a fixed question, now and from time to time.

        ``question``: writes, copies, launches and reads, for FixedQuestion to note. While it
        answers what it answers now it is undisturbed by other models on the chip. EngineError
        where it and one that is there already disturb each other; it is unloaded then.
        """
        bulk = Bulk()
        reads: list[tuple[DeviceTensor, str, int]] = []
        raw = [self._raw(step, bulk, reads) for step in question]
        number = next(iter(model.nets.values())).model
        self._link.exchange({"op": "check", "model": number, "steps": raw}, bulk)
        self._questions.append(question)

    def _own_tensor(self, model: int) -> Callable[[str, Side, int, int], DeviceTensor]:
        def owned(net: str, side: Side, index: int, stage: int) -> DeviceTensor:
            place = {"net": net, "side": side, "index": index, "stage": stage}
            return self._made(self._link.ask({"op": "own", "model": model, **place}))

        return owned

    def tensor(self, shape: Sequence[int], dtype: str) -> DeviceTensor:
        """New device memory, zero filled; EngineError where there is none left."""
        lengths = [int(length) for length in shape]
        return self._made(self._link.ask({"op": "tensor", "shape": lengths, "dtype": dtype}))

    def _made(self, answer: dict[str, Any]) -> DeviceTensor:
        shape = tuple(answer["shape"])
        memory = DeviceMemory(
            answer["tensor"], math.prod(shape), answer["dtype"], self, self._link.forget
        )
        return DeviceTensor(memory, shape)

    def prepare(self, steps: Sequence[ProgramStep], positions: int = 1) -> Program:
        """Have steps checked and kept by the owner, to be done by ``Start``.

        ``positions``: at how many it is to be started, counted from 0. EngineError where a
        step could not be done, or would reach beyond its tensor at one of them.
        """
        raw = [self._kept(step) for step in steps]
        answer = self._link.ask({"op": "prepare", "steps": raw, "positions": positions})
        return Program(answer["program"], steps, positions, self, self._link.forget)

    def run(self, steps: Sequence[Step | Start]) -> list[npt.NDArray[Any]]:
        """Do the steps in order, in one exchange; the arrays of its Read steps.

        Before the first step all of them are checked, here and by the owner; of a program
        that it knows only what is new. Between two steps the owner may serve a client of
        higher priority. A step that fails ends the run with EngineError; those before it
        have been done.
        """
        bulk = Bulk()
        reads: list[_Read] = []
        raw = [self._raw(step, bulk, reads) for step in steps]
        _, payload = self._link.exchange({"op": "run", "steps": raw}, bulk)
        arrays = []
        for tensor, area, at in reads:
            if area == "payload":
                octets = payload[at : at + tensor.nbytes].copy()
            else:
                octets = self._link.arena_part(at, tensor.nbytes)
            arrays.append(octets.view(STORED[tensor.dtype]).reshape(tensor.shape))
        return arrays

    def _raw(self, step: Step | Start, bulk: Bulk, reads: list[_Read]) -> tuple[object, ...]:
        match step:
            case Start():
                return self._started(step, bulk, reads)
            case Write(tensor, array):
                stored = STORED[tensor.dtype]
                if array.dtype != stored or array.size != tensor.size:
                    raise EngineError(
                        f"an array {list(array.shape)} {array.dtype} cannot be written to a "
                        f"tensor {list(tensor.shape)} {tensor.dtype}, which is stored as {stored}"
                    )
                octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                return ("write", self._reference(tensor), *bulk.put(octets))
            case Read(tensor):
                area, at = bulk.expect(tensor.nbytes)
                reads.append((tensor, area, at))
                return ("read", self._reference(tensor), area, at)
            case _:
                return self._moved(step)

    def _started(self, step: Start, bulk: Bulk, reads: list[_Read]) -> tuple[object, ...]:
        program = step.program
        if program.chip is not self:
            raise EngineError("a program was prepared by another chip; prepare it by this one")
        area, at = bulk.put(program.packed(step.arrays))
        back, back_at = bulk.expect(program.result_bytes)
        here = back_at
        for tensor in program.results:
            reads.append((tensor, back, here))
            here += tensor.nbytes
        return ("start", program.number, step.position, area, at, back, back_at)

    def _kept(self, step: ProgramStep) -> tuple[object, ...]:
        """A step of a program."""
        match step:
            case Argument(tensor):
                return ("argument", self._reference(tensor))
            case Read(tensor):
                return ("result", self._reference(tensor))
            case _:
                return self._moved(step)

    def _moved(self, step: Launch | Copy | Fill) -> tuple[object, ...]:
        """A step that brings nothing to the chip and nothing back."""
        match step:
            case Launch():
                return self._launch(step)
            case Copy():
                source, target = _copied(step)
                return ("copy", self._reference(source), self._reference(target))
            case Fill(tensor, value):
                return ("fill", self._reference(tensor), value)

    def _launch(self, step: Launch) -> tuple[object, ...]:
        net = step.net
        where = f"{net.file}: {net.name}"
        inputs = list(step.inputs)
        for side, slots, tensors in (
            ("input", net.inputs, inputs),
            ("output", net.outputs, step.outputs),
        ):
            if len(slots) != len(tensors):
                raise EngineError(f"{where} has {len(slots)} {side}s, not {len(tensors)}")
            for slot, tensor in zip(slots, tensors, strict=True):
                if slot.dtype != tensor.dtype:
                    raise EngineError(
                        f"{where}: the {side} {slot.name} is {slot.dtype}, "
                        f"but its tensor is {tensor.dtype}"
                    )
        if step.shapes is not None:
            inputs = [t.view(shape) for t, shape in zip(inputs, step.shapes, strict=True)]
        return (
            "launch",
            net.model,
            net.name,
            [self._reference(tensor) for tensor in inputs],
            [self._reference(tensor) for tensor in step.outputs],
            None if step.cores is None else list(step.cores),
        )

    def _reference(self, tensor: DeviceTensor) -> Reference:
        memory = tensor.memory
        if memory.chip is not self or not tensor.alive:
            raise EngineError(f"{tensor!r} has been freed, or is another chip's")
        if tensor.stride:
            return memory.number, tensor.offset, tensor.shape, tensor.stride
        return memory.number, tensor.offset, tensor.shape

    def close(self) -> None:
        """Hang up; all that was made through this chip is freed. Never raises."""
        self._link.close()


def _net(told: dict[str, Any], model: int, owned: Callable[..., DeviceTensor]) -> Net:
    return Net(
        name=told["name"],
        inputs=_slots(told["inputs"]),
        outputs=_slots(told["outputs"]),
        dynamic=told["dynamic"],
        own_io=told["own_io"],
        core_num=told["cores"],
        model=model,
        file=Path(told["file"]),
        owned=owned,
    )


def _slots(told: list[Any]) -> tuple[Slot, ...]:
    found = []
    for name, dtype, stages in told:
        shapes = tuple(tuple(shape) for shape in stages)
        found.append(Slot(name, dtype, shapes, max(shapes, key=math.prod)))
    return tuple(found)


def _copied(step: Copy) -> tuple[DeviceTensor, DeviceTensor]:
    """What a copy reads and writes, as flat tensors of the same length."""
    count = step.source.size - step.source_offset if step.count is None else step.count
    if step.source.dtype != step.target.dtype:
        raise EngineError(f"{step.source.dtype} cannot be copied to {step.target.dtype}")
    return (
        step.source.view((count,), step.source_offset),
        step.target.view((count,), step.target_offset),
    )
