"""Tensors of sail's for the places of one client: made once, and what is done with them.

A tensor has the shape of its place whenever nothing runs. Only a launch of some networks
leaves another, and puts it right again.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from .chip_contents import Place
from .sail_chip import KINDS, Launcher, SailChip
from .steps import Launch


class PlaceTensors:
    """A client's way to its memory; with sails that have no views, by way of copies."""

    def __init__(self, chip: SailChip, handle: Any, reserve: Callable[[int, str], None]) -> None:
        """``handle``: the client's; ``reserve`` takes bytes of its quota for something."""
        self._chip = chip
        self._handle = handle
        self._reserve = reserve
        self._views = "views" in chip.abilities
        self._stand_ins: dict[tuple[str, str, int], Any] = {}

    def release(self) -> None:
        """Free what was taken beside the client's own memory."""
        self._stand_ins.clear()

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
        if place.offset + room > memory.count:
            return None
        if place.offset == 0 and (place.shape == memory.shape or not self._views):
            return memory.tensor
        if not self._views:
            return None
        shape = place.shape if room == place.count else (room,)
        return self._chip.view(memory.tensor, shape, place.offset)

    def moving_views(self, places: Sequence[Place]) -> Callable[[int], list[Any]]:
        """Makes tensors for places that a program moves, at a position; sail has views."""
        wanted = [(p.memory.tensor, p.lengths, p.offset, p.stride) for p in places]
        return lambda position: self._chip.views(wanted, position)

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

    def in_place(self, launch: Launch) -> Launcher | None:
        """What runs a launch of a program whose outputs alone move, as views of their memory.

        None where there is more to it than to give sail other outputs: where it leaves other
        shapes, or something has to be copied.
        """
        if not (self._views and launch.keeps_shapes):
            return None
        if any(place.stride for place in launch.inputs):
            return None
        ins = [self.tensor(place) for place in launch.inputs]
        outs = [self.tensor(place) for place in launch.outputs]
        return launch.model.loaded.launcher(launch.net.name, ins, outs, list(launch.cores))

    def launcher(self, launch: Launch) -> Callable[[], None]:
        """What runs a network; the inputs' shapes are those it is launched with.

        To be called as often as wanted while the memory of all places is there.
        """
        model, net = launch.model, launch.net
        rooms = model.rooms[net.name]
        tensors: list[Any] = []
        beside: list[tuple[int, Any, Place]] = []
        places = [*launch.inputs, *launch.outputs]
        for number, place in enumerate(places):
            room = rooms[number]
            tensor = self.tensor(place, room)
            if tensor is None:
                tensor = self._stand_in(place, max(room, place.count), f"slot {number}")
                beside.append((number, tensor, place))
            tensors.append(tensor)
        first = len(launch.inputs)
        cores = list(launch.cores)
        run = model.loaded.launcher(net.name, tensors[:first], tensors[first:], cores).launch
        if self._views and launch.keeps_shapes and not beside:
            return run
        # Without views places share tensors, and so do all that have something beside them.
        shaped = list(zip(tensors, places))

        def run_with_copies() -> None:
            for tensor, place in shaped:
                _shaped(tensor, place)
            for number, tensor, place in beside:
                if number < first:
                    source = place.memory.tensor
                    self._chip.copy(source, place.offset, tensor, 0, place.count)
            try:
                run()
            finally:
                for tensor, place in shaped[first:]:
                    _shaped(tensor, place)
            for number, tensor, place in beside:
                if number >= first:
                    target = place.memory.tensor
                    self._chip.copy(tensor, 0, target, place.offset, place.count)

        return run_with_copies


def _shaped(tensor: Any, place: Place) -> Any:
    """The tensor with the place's shape; a launch or an earlier use may have left another."""
    if tensor.shape() != place.lengths:
        tensor.reshape(place.lengths)
    return tensor
