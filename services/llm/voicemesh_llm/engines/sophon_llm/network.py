"""The model on the chip: feeds tokens and leaves the last hidden state there.

What stays on the device: hidden states, keys, values, masks, logits. What crosses to
the host is a token's id, or the logits where the host samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemesh_llm.engines.sophon_llm.feeding import Kind, PromptPiece, Reach
from voicemesh_llm.engines.sophon_llm.heads import Head, Heads
from voicemesh_llm.engines.sophon_llm.kv_memory import KeyValues, KvMemory
from voicemesh_llm.engines.sophon_llm.layout import Layout
from voicemesh_llm.engines.sophon_llm.masks import joint_mask, padded, prefill_mask
from voicemesh_llm.engines.sophon_llm.sampling import Logits
from voicemesh_llm.engines.sophon_llm.step_programs import StepPrograms
from voicemesh_sophon.client import Chip, Copy, DeviceTensor, Launch, Read, Start, Step, Write
from voicemesh_sophon.client import from_bfloat16 as from_bits

Stopped = Callable[[], bool]
"""Asked between layers and tokens whether the work is still wanted."""


class NotWanted(Exception):
    """The work was cancelled on the way; the cache holds what was fed before the piece."""


class TransformerNetwork:
    """Runs the nets of one model over the caches of its slots. One call at a time."""

    def __init__(
        self, chip: Chip, layout: Layout, own_io: bool, kv: KvMemory, piece: int = 0
    ) -> None:
        """``own_io``: the model was loaded so. ``kv``: where the caches are.

        ``piece``: the most tokens of one prefill, where nets take any length; 0: theirs.
        """
        self._chip = chip
        self.layout = layout
        self._kv = kv
        self._views = "views" in chip.abilities
        self._slot = 0
        self._history = self._history_memory() if own_io and layout.joins_in_place else []
        follows = bool(self._history) or not layout.joins_in_place
        free = layout.dynamic and bool(self._history)
        self.reach = Reach(
            piece=min(piece or layout.piece, layout.piece) if free else layout.piece,
            history=layout.history_rows if follows else 0,
            proportional=layout.dynamic,
        )
        most = layout.embedding.inputs[0].shape[-1]
        self._ids = chip.tensor((1, most), "int32")
        # A share-prompt build embeds more than its block_i takes.
        self._embedded = chip.tensor((1, max(most, layout.piece), layout.hidden), layout.dtype)
        states = (1, layout.piece, layout.hidden)
        self._states = [self._embedded.view(states), chip.tensor(states, layout.dtype)]
        self._positions = chip.tensor((1, layout.piece), "int32")
        self._mask = self._mask_memory()
        rows = (1, layout.piece, layout.kv_heads, layout.head_size)
        self._rows = [chip.tensor(rows, layout.dtype) for _ in "kv"]
        self.last = chip.tensor((1, 1, layout.hidden), layout.dtype)
        """The hidden state of the token that was fed last, shape (1, 1, H)."""
        self._steps = StepPrograms(chip, layout, self.last)

    def _history_memory(self) -> list[tuple[DeviceTensor, DeviceTensor]]:
        """The history nets' own memory for earlier keys and values, see ``joins_in_place``.

        It stays where it is: the chip's owner loads models so that they share no memory.
        """
        return [
            (net.input_tensor(len(net.inputs) - 2), net.input_tensor(len(net.inputs) - 1))
            for net in self.layout.history
        ]

    def _mask_memory(self) -> DeviceTensor | None:
        layout = self.layout
        if not (layout.prefill_mask or layout.history_mask):
            return None
        columns = layout.piece + (layout.history_rows if layout.history_mask else 0)
        mask = self._chip.tensor((1, 1, layout.piece, columns), layout.dtype)
        if not layout.dynamic and not layout.history_mask:
            self._chip.run([Write(mask, prefill_mask(layout.piece, layout.dtype))])
        return mask

    def activate(self, slot: int, source: int, rows: int) -> None:
        """Work on ``slot``, which begins with the first ``rows`` tokens of ``source``."""
        if steps := self._kv.activate(slot, source, rows):
            self._chip.run(steps)
        self._slot = slot

    def feed(self, piece: PromptPiece, ids: Sequence[int], stopped: Stopped) -> None:
        """Feed the tokens of a piece; ``ids`` is the whole prompt. NotWanted when stopped.

        The last token's hidden state is left for ``token``.
        """
        if piece.kind is Kind.STEP:
            for position in range(piece.start, piece.end):
                if stopped():
                    raise NotWanted
                self._chip.run([self._step(ids[position], position)])
        else:
            self._prefill(piece, ids[piece.start : piece.end], stopped)

    def token(self, head: Head, recent: Sequence[int]) -> int:
        """The token that follows what was fed last."""
        return head.token(self._chip.run([head.start(recent)]), recent)

    def step(self, token: int, position: int, head: Head, recent: Sequence[int]) -> int:
        """Feed one token and choose the next, in one round trip; ``recent`` includes it."""
        steps = [self._step(token, position), head.start(recent)]
        return head.token(self._chip.run(steps), recent)

    def _step(self, token: int, position: int) -> Start:
        return self._steps.start(token, position, self._kv.of(self._slot))

    def logits(self, heads: Heads) -> Logits | None:
        """The logits behind what was fed last, shape (V,); None with a fused head."""
        if heads.only_greedy:
            return None
        head = heads.logits
        return head.logits(self._chip.run([head.start()]))

    def last_state(self) -> npt.NDArray[np.float32]:
        """The hidden state that was left, shape (H,), float32."""
        (stored,) = self._chip.run([Read(self.last)])
        return _floats(stored, self.layout.dtype).reshape(-1)

    def embedded(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Hidden states before the first layer, shape (n, H), float32; n up to a piece."""
        (stored,) = self._chip.run([*self._embed(ids), Read(self._states[0])])
        return _floats(stored, self.layout.dtype).reshape(-1, self.layout.hidden)[: len(ids)]

    def _embed(self, ids: Sequence[int]) -> list[Step]:
        net = self.layout.embedding
        most = self._ids.shape[1]
        return [
            Write(self._ids, padded(ids, most)),
            Launch(net, [self._ids], [self._embedded], [(1, most)]),
        ]

    def _prefill(self, piece: PromptPiece, ids: Sequence[int], stopped: Stopped) -> None:
        layout, n = self.layout, len(ids)
        length = n if layout.dynamic else layout.piece
        positions = np.arange(piece.start, piece.end)
        steps = [
            *self._embed(ids),
            Write(self._positions, padded(positions, layout.piece)),
            *self._write_mask(piece, length),
        ]
        source, target = self._states
        kv = self._kv.of(self._slot)
        for index in range(layout.layers):
            if stopped():
                raise NotWanted
            steps += self._layer(index, piece, length, kv, source, target)
            self._chip.run(steps)
            steps = []
            source, target = target, source
        last = Copy(source, self.last, source_offset=(n - 1) * layout.hidden, count=layout.hidden)
        self._chip.run([last])

    def _write_mask(self, piece: PromptPiece, length: int) -> list[Step]:
        """Nothing where the nets hold the mask, or where it never changes."""
        layout = self.layout
        history = piece.start if piece.kind is Kind.HISTORY else 0
        wanted = layout.history_mask if piece.kind is Kind.HISTORY else layout.prefill_mask
        changes = layout.dynamic or layout.history_mask
        if self._mask is None or not wanted or not changes:
            return []
        if layout.joint:
            # The rows behind the prompt's end stay as they are: anything finite does.
            new = piece.end - piece.start
            mask = joint_mask(history, layout.history_rows, new, length, layout.dtype)
        else:
            mask = prefill_mask(length, layout.dtype, history)
        return [Write(self._mask.view(mask.shape), mask)]

    def _layer(
        self,
        index: int,
        piece: PromptPiece,
        length: int,
        kv: KeyValues,
        source: DeviceTensor,
        target: DeviceTensor,
    ) -> list[Step]:
        """A layer of a prefill, with its keys and values put behind the cached ones."""
        layout, start = self.layout, piece.start
        inputs = [source, self._positions]
        shapes: list[tuple[int, ...]] = [(1, length, layout.hidden), (1, length)]
        net, masked, history = layout.prefill[index], layout.prefill_mask, 0
        if piece.kind is Kind.HISTORY:
            net, masked, history = layout.history[index], layout.history_mask, start
        if layout.joint:
            # All rows, whatever is cached: those behind it are masked, and finite in a cache.
            history = layout.history_rows
        if masked and self._mask is not None:
            inputs.append(self._mask)
            shapes.append((1, 1, length, history + length))
        steps: list[Step] = []
        if history:
            before, steps = self._earlier_rows(index, kv, history)
            inputs += before
            shapes += [(1, history, layout.kv_heads, layout.head_size)] * 2
        rows, after = self._new_rows(index, kv, start, length, piece.end - start)
        steps.append(Launch(net, inputs, [target, *rows], shapes))
        return [*steps, *after]

    def _earlier_rows(
        self, index: int, kv: KeyValues, history: int
    ) -> tuple[list[DeviceTensor], list[Step]]:
        """Where a prefill finds the first rows of the cache: there, or in the net's own memory."""
        caches = [kv.keys[index], kv.values[index]]
        if not self._history:
            return caches, []
        own, count = self._history[index], history * self.layout.row
        return list(own), [Copy(a, b, count=count) for a, b in zip(caches, own, strict=True)]

    def _new_rows(
        self, index: int, kv: KeyValues, start: int, length: int, used: int
    ) -> tuple[list[DeviceTensor], list[Step]]:
        """Where a prefill puts its rows: in place where it can, else beside and copied."""
        layout = self.layout
        caches = (kv.keys[index], kv.values[index])
        if self._views and start + length <= layout.sequence:
            shape = (1, length, layout.kv_heads, layout.head_size)
            return [cache.view(shape, start * layout.row) for cache in caches], []
        offset, count = start * layout.row, used * layout.row
        return self._rows, [
            Copy(rows, cache, target_offset=offset, count=count)
            for rows, cache in zip(self._rows, caches, strict=True)
        ]


def _floats(stored: npt.NDArray[Any], dtype: str) -> npt.NDArray[np.float32]:
    return from_bits(stored) if dtype == "bfloat16" else stored.astype(np.float32)
