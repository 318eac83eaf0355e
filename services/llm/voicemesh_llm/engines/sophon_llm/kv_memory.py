"""The keys and values of each slot, in the chip's memory.

One cache a layer: shape (1, sequence, kv_heads, head_size), a row a token. Rows behind
the cached tokens hold anything finite; the mask hides them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from voicemesh_llm.engines.sophon_llm.layout import Layout
from voicemesh_sophon.client import Chip, Copy, DeviceTensor, Fill, Step

KEYS, VALUES = 3, 4
"""Inputs of ``block_cache_i``."""


@dataclass(frozen=True, eq=False)
class KeyValues:
    """The caches of all layers, in order."""

    keys: tuple[DeviceTensor, ...]
    values: tuple[DeviceTensor, ...]

    def __iter__(self) -> Iterator[DeviceTensor]:
        """Keys, then values."""
        return iter((*self.keys, *self.values))


class KvMemory(Protocol):
    """Where slots live."""

    def of(self, slot: int) -> KeyValues:
        """The tensors that nets work on for a slot; it must have been made active."""

    def activate(self, slot: int, source: int, rows: int) -> list[Step]:
        """The steps after which ``slot`` begins with the first ``rows`` rows of ``source``."""


def kv_memory(chip: Chip, layout: Layout, own_io: bool, slots: int) -> KvMemory:
    """The memory that suits the model: the nets' own where the runtime keeps one."""
    if own_io and all(net.own_io for net in layout.step):
        return OwnMemory(chip, layout, slots)
    return SlotMemory(chip, layout, slots)


class SlotMemory:
    """Tensors for each slot; nets take them as they are."""

    def __init__(self, chip: Chip, layout: Layout, slots: int) -> None:
        """Takes the memory."""
        self._row = layout.row
        self._slots = [_tensors(chip, layout) for _ in range(slots)]

    def of(self, slot: int) -> KeyValues:
        """See KvMemory."""
        return self._slots[slot]

    def activate(self, slot: int, source: int, rows: int) -> list[Step]:
        """See KvMemory."""
        if slot == source:
            return []
        return _copies(self._slots[source], self._slots[slot], rows * self._row)


class OwnMemory:
    """The nets' own memory for the slot at work, tensors for the others.

    A runtime that keeps memory for ``block_cache_i`` copies the whole cache of every
    layer for every token when it is given another address. So the slot at work moves
    in: once a turn, and only the rows that are used.
    """

    def __init__(self, chip: Chip, layout: Layout, slots: int) -> None:
        """Takes the memory: one slot needs none beside the nets' own."""
        self._row = layout.row
        self._working = KeyValues(
            tuple(net.input_tensor(KEYS, _longest(net.inputs[KEYS].stages)) for net in layout.step),
            tuple(
                net.input_tensor(VALUES, _longest(net.inputs[VALUES].stages)) for net in layout.step
            ),
        )
        chip.run([Fill(tensor) for tensor in self._working])
        self._parked = [_tensors(chip, layout) for _ in range(slots)] if slots > 1 else []
        self._resident = 0
        self._sequence = layout.sequence

    def of(self, slot: int) -> KeyValues:
        """See KvMemory."""
        return self._working

    def activate(self, slot: int, source: int, rows: int) -> list[Step]:
        """See KvMemory."""
        if slot == self._resident:
            return self._bring(source, rows) if source != slot else []
        everything = self._sequence * self._row
        steps = _copies(self._working, self._parked[self._resident], everything)
        if source != self._resident:
            steps += self._bring(source, rows)
        self._resident = slot
        return steps

    def _bring(self, source: int, rows: int) -> list[Step]:
        return _copies(self._parked[source], self._working, rows * self._row)


class PassingMemory:
    """One layer's tensors, which every layer writes over: nobody looks at the cache later."""

    def __init__(self, chip: Chip, layout: Layout) -> None:
        """Takes the memory of one layer."""
        keys, values = (chip.tensor(_shape(layout), layout.dtype) for _ in "kv")
        self._layers = KeyValues((keys,) * layout.layers, (values,) * layout.layers)

    def of(self, slot: int) -> KeyValues:
        """See KvMemory."""
        return self._layers

    def activate(self, slot: int, source: int, rows: int) -> list[Step]:
        """See KvMemory."""
        return []


def _shape(layout: Layout) -> tuple[int, ...]:
    return (1, layout.sequence, layout.kv_heads, layout.head_size)


def _tensors(chip: Chip, layout: Layout) -> KeyValues:
    def layers() -> tuple[DeviceTensor, ...]:
        return tuple(chip.tensor(_shape(layout), layout.dtype) for _ in range(layout.layers))

    return KeyValues(layers(), layers())


def _copies(source: KeyValues, target: KeyValues, count: int) -> list[Step]:
    """Copy the first ``count`` elements of every layer."""
    if not count:
        return []
    return [Copy(a, b, count=count) for a, b in zip(source, target, strict=True)]


def _longest(stages: Sequence[Sequence[int]]) -> int:
    """The stage with the most rows: it spans the memory that all stages share."""
    return max(range(len(stages)), key=lambda index: stages[index][1])
