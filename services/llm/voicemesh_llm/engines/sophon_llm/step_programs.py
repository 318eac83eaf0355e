"""The decode step as programs: what a token takes is checked once, and started token by token.

Of a token only its id, its position and its mask are new; the rows of the caches that its
keys and values go into follow from the position.
"""

from __future__ import annotations

import numpy as np

from voicemesh_llm.engines.sophon_llm.kv_memory import KeyValues
from voicemesh_llm.engines.sophon_llm.layout import Layout
from voicemesh_llm.engines.sophon_llm.masks import StepMask
from voicemesh_sophon.client import Argument, Chip, Copy, DeviceTensor, Launch, Program, Start
from voicemesh_sophon.client.programs import ProgramStep

_KEPT = 16
"""Programs: one for each cache at work and each length that the nets take. The owner keeps 64
for all of an engine."""


class StepPrograms:
    """Feeds one token through all layers."""

    def __init__(self, chip: Chip, layout: Layout, last: DeviceTensor) -> None:
        """Takes memory for what lies between the layers. ``last``: where the state is left."""
        self._chip = chip
        self._layout = layout
        self._last = last
        self._views = "views" in chip.abilities
        self._id = chip.tensor((1, 1), "int32")
        self._position = chip.tensor((1, 1), "int32")
        self._mask = chip.tensor((1, 1, 1, layout.sequence + 1), layout.dtype)
        self._states = [chip.tensor((1, 1, layout.hidden), layout.dtype) for _ in "ab"]
        self._row_shape = (1, 1, layout.kv_heads, layout.head_size)
        self._rows = [chip.tensor(self._row_shape, layout.dtype) for _ in "kv"]
        self._masks = {n: StepMask(n, layout.dtype) for n in layout.step_lengths}
        self._kept: dict[tuple[KeyValues, int], Program] = {}

    def start(self, token: int, position: int, kv: KeyValues) -> Start:
        """The step of ``token``, which stands behind ``position`` cached ones in ``kv``."""
        length = self._layout.step_length(position)
        arrays = (
            np.array([[token]], np.int32),
            np.array([[position]], np.int32),
            self._masks[length].behind(position),
        )
        return Start(self._program(kv, length), arrays, position)

    def _program(self, kv: KeyValues, length: int) -> Program:
        """The one that was used last stands last; the first one goes."""
        key = (kv, length)
        program = self._kept.pop(key, None) or self._prepared(kv, length)
        self._kept[key] = program
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return program

    def _prepared(self, kv: KeyValues, length: int) -> Program:
        layout = self._layout
        mask = self._mask.view((1, 1, 1, length + 1))
        source, spare = self._states
        steps: list[ProgramStep] = [
            Argument(self._id),
            Argument(self._position),
            Argument(mask),
            Launch(layout.step_embedding, [self._id], [source], [(1, 1)]),
        ]
        for index in range(layout.layers):
            target = self._last if index == layout.layers - 1 else spare
            inputs = [source, self._position, mask]
            steps += self._layer(index, inputs, target, kv, length)
            source, spare = target, source
        # A token behind a full cache of this length still has a row, if not in the last one.
        return self._chip.prepare(steps, min(length + 1, layout.sequence))

    def _layer(
        self,
        index: int,
        inputs: list[DeviceTensor],
        target: DeviceTensor,
        kv: KeyValues,
        length: int,
    ) -> list[ProgramStep]:
        layout = self._layout
        net, caches = layout.step[index], [kv.keys[index], kv.values[index]]
        cached = [cache.view((1, length, *self._row_shape[2:])) for cache in caches]
        new = [cache.moving(self._row_shape, layout.row) for cache in caches]
        if self._views:
            return [Launch(net, [*inputs, *cached], [target, *new])]
        return [
            Launch(net, [*inputs, *cached], [target, *self._rows]),
            *(Copy(row, place) for row, place in zip(self._rows, new, strict=True)),
        ]
