"""The steps of a request: read and checked as a whole, before the first one runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Callable, Dict, Sequence

import numpy as np

from .bmodel_file import NetEntry, SlotEntry
from .chip_contents import Place, Refused
from .client_resources import ClientResources
from .programs import Program
from .sail_chip import KINDS
from .steps import Copy, Fill, Launch, Read, Write

MAX_STEPS = 4096
_STAGES_KEPT = 1024

Bulk = Dict[str, memoryview]
"""Where the arrays of a request lie."""
Readers = Dict[str, Callable[..., Any]]


class StepReader:
    """Turns what a client wrote into steps; Refused where one cannot be done."""

    positions = 1
    """Of which each place is checked: a request has one."""

    def __init__(self, resources: ClientResources, cores: Sequence[int], chip_cores: int) -> None:
        """``cores``: those of the client's placement; ``chip_cores``: how many there are."""
        self._resources = resources
        self._cores = tuple(cores)
        self._chip_cores = chip_cores
        self._following: list[tuple[Program, int]] = []
        self._joins = False
        """Whether a step copies to memory that the runtime keeps for a net."""

    def read(self, raw: Any, payload: bytes, arena: memoryview) -> list[Any]:
        """The steps of a request. Bulk lies in its payload or in the client's arena.

        Launch, Write, Read, Copy and Fill; of the programs that it starts Aim and BoundLaunch.
        """
        bulk = {"payload": memoryview(payload), "arena": arena}
        self._following = []
        self._joins = False
        steps: list[Any] = []
        for step in self.listed(raw):
            if isinstance(step, list) and step and step[0] == "start":
                steps += self.told(StepReader._start, step, bulk)
            else:
                steps.append(self.step(self.READERS, step, bulk))
            if len(steps) > MAX_STEPS:
                raise Refused(f"a request has at most {MAX_STEPS} steps, its programs' included")
        return joined(steps) if self._joins else steps

    def foresee(self) -> None:
        """Get the programs that were started ready for the positions that come next."""
        for program, position in self._following:
            program.foresee(position)

    @staticmethod
    def listed(raw: Any) -> list[Any]:
        """The steps as they were written."""
        if not isinstance(raw, list) or len(raw) > MAX_STEPS:
            raise Refused(f"a request has a list of at most {MAX_STEPS} steps")
        return raw

    def step(self, readers: Readers, step: Any, bulk: Bulk) -> Any:
        """A step as one of ``readers`` reads it, chosen by its name."""
        kind = step[0] if isinstance(step, list) and step else None
        read = readers.get(kind) if isinstance(kind, str) else None
        if read is None:
            raise Refused(f"{kind!r} is no step")
        return self.told(read, step, bulk)

    def told(self, read: Callable[..., Any], step: list[Any], bulk: Bulk) -> Any:
        """What ``read`` makes of the rest of a step."""
        try:
            return read(self, bulk, *step[1:])
        except TypeError as error:
            raise Refused(f"a step {step[0]!r} is not as it should be ({error})") from error

    def place(self, reference: Any) -> Place:
        """What a step refers to."""
        return self._resources.place(reference, self.positions)

    def _start(
        self, bulk: Bulk, number: Any, position: Any, area: str, at: int, back: str, back_at: int
    ) -> list[Any]:
        program = self._resources.program(number)
        if not isinstance(position, int) or not 0 <= position < program.positions:
            raise Refused(f"a program has no position {position!r}, only {program.positions}")
        given = _part(bulk, area, at, program.takes)
        if back == "arena":
            _part(bulk, back, back_at, program.gives)
        self._following.append((program, position + 1))
        return program.start(position, given, back == "arena", back_at)

    def _write(self, bulk: Bulk, target: Any, area: str, at: int) -> Write:
        place = self.place(target)
        kind = stored(place)
        part = _part(bulk, area, at, place.count * kind.itemsize)
        return Write(place, np.frombuffer(part, kind))

    def _read(self, bulk: Bulk, source: Any, area: str, at: int) -> Read:
        place = self.place(source)
        nbytes = place.count * stored(place).itemsize
        if area == "arena":
            _part(bulk, area, at, nbytes)
        return Read(place, area == "arena", at, nbytes)

    def _copy(self, bulk: Bulk, source: Any, target: Any) -> Copy:
        one, other = self.place(source), self.place(target)
        if one.dtype != other.dtype or one.count != other.count:
            raise Refused(
                f"{one.count} {one.dtype} cannot be copied to {other.count} {other.dtype}"
            )
        if one.memory is other.memory and (
            one.stride != other.stride or abs(one.offset - other.offset) < one.count
        ):
            raise Refused("a copy must not overlap itself; copy to other memory first")
        self._joins = self._joins or bool(other.memory.model)
        return Copy(one, other)

    def _fill(self, bulk: Bulk, target: Any, value: Any) -> Fill:
        if not isinstance(value, (int, float)):
            raise Refused(f"{value!r} is no number to fill a tensor with")
        return Fill(self.place(target), value)

    def _launch(
        self, bulk: Bulk, number: Any, name: Any, inputs: Any, outputs: Any, cores: Any
    ) -> Launch:
        model, net = self._resources.net(number, name)
        ins = [self.place(reference) for reference in inputs]
        outs = [self.place(reference) for reference in outputs]
        where = f"{model.paths[net.name]}: {net.name}"
        _check_slots(where, "input", net.input_slots, ins)
        _check_slots(where, "output", net.output_slots, outs)
        shapes = tuple(place.shape for place in ins)
        stage = model.stages.get((net.name, shapes))
        if stage is None:
            stage = _stage(where, net, shapes)
            if len(model.stages) < _STAGES_KEPT:
                model.stages[net.name, shapes] = stage
        if not net.dynamic:
            for slot, place in zip(net.output_slots, outs):
                if place.count < math.prod(slot.stages[stage]):
                    raise Refused(
                        f"{where}: {list(place.shape)} has no room for the output {slot.name}, "
                        f"which is {list(slot.stages[stage])}"
                    )
        wanted = self._cores if cores is None else self._checked_cores(where, cores)
        if not model.loaded.takes_cores or not wanted or self._chip_cores == 1:
            # The runtime takes them from the first on.
            cores_held = frozenset(range(net.cores))
            return Launch(number, model, net, stage, ins, outs, (), cores_held)
        if len(wanted) < net.cores:
            raise Refused(f"{where} needs {net.cores} cores, not {list(wanted)}")
        chosen = wanted[: net.cores]
        return Launch(number, model, net, stage, ins, outs, chosen, frozenset(chosen))

    def _checked_cores(self, where: str, cores: Any) -> tuple[int, ...]:
        good = isinstance(cores, list) and len(set(cores)) == len(cores)
        if not good or not all(c in (self._cores or range(self._chip_cores)) for c in cores):
            raise Refused(
                f"{where}: {cores!r} are not among the cores of its placement, "
                f"{list(self._cores) or list(range(self._chip_cores))}"
            )
        return tuple(cores)

    READERS: Readers = {
        "launch": _launch,
        "write": _write,
        "read": _read,
        "copy": _copy,
        "fill": _fill,
    }


def joined(steps: list[Any]) -> list[Any]:
    """The steps, with copies to the runtime's own memory made part of the launch behind them."""
    found: list[Any] = []
    copies: list[Copy] = []
    for step in steps:
        if isinstance(step, Copy) and step.target.memory.model:
            copies.append(step)
            continue
        if isinstance(step, Launch):
            step = replace(step, before=tuple(copies))
        else:
            found += copies
        copies = []
        found.append(step)
    return found + copies


def stored(place: Place) -> np.dtype:
    """The type that stores its elements."""
    kind: np.dtype = np.dtype(KINDS[place.dtype][1])
    return kind


def _part(bulk: Bulk, area: str, at: int, nbytes: int) -> memoryview:
    whole = bulk.get(area)
    if whole is None or not isinstance(at, int) or at < 0 or at + nbytes > len(whole):
        raise Refused(f"{nbytes} bytes from {at!r} on are not in the {area}")
    return whole[at : at + nbytes]


def _check_slots(
    where: str, side: str, slots: Sequence[SlotEntry], places: Sequence[Place]
) -> None:
    if len(slots) != len(places):
        raise Refused(f"{where} has {len(slots)} {side}s, not {len(places)}")
    for slot, place in zip(slots, places):
        if slot.dtype != place.dtype:
            raise Refused(
                f"{where}: the {side} {slot.name} is {slot.dtype}, but its tensor is {place.dtype}"
            )


def _stage(where: str, net: NetEntry, shapes: Sequence[tuple[int, ...]]) -> int:
    """The stage that the inputs' shapes belong to; Refused where there is none."""
    stages = len(net.input_slots[0].stages) if net.input_slots else 1
    if net.dynamic:
        for slot, shape in zip(net.input_slots, shapes):
            most = slot.shape
            if len(shape) != len(most) or any(n > m for n, m in zip(shape, most)):
                raise Refused(
                    f"{where}: the input {slot.name} is at most {list(most)}, not {list(shape)}"
                )
        return 0
    for stage in range(stages):
        if all(slot.stages[stage] == shape for slot, shape in zip(net.input_slots, shapes)):
            return stage
    known = "; or ".join(
        ", ".join(f"{slot.name} {list(slot.stages[stage])}" for slot in net.input_slots)
        for stage in range(stages)
    )
    raise Refused(
        f"{where} does not take inputs of {', '.join(str(list(s)) for s in shapes)}; "
        f"it takes {known}"
    )
