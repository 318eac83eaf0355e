"""Runs Whisper's graphs on the chip: everything between two launches stays in device memory.

The decoder's first pass fills a key and a value cache for each layer; each further
step takes them and gives them back one column on, so that only tokens, masks and
beam indices go up and only logits come down. Where the chip bears it (found out
once, at load) a step writes the caches over those it reads; else two sets take turns.

One decode at a time: the caches belong to the sequences under way.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from voicemesh.errors import EngineError
from voicemesh_asr.engines.sophon_whisper import prompt as layout
from voicemesh_asr.engines.sophon_whisper.graphs import WhisperGraphs
from voicemesh_asr.engines.sophon_whisper.prompt import DecoderPrompt
from voicemesh_sophon import Chip, Copy, DeviceTensor, Launch, Net, Read, Slot, Step, Write

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


class Decoder:
    """Runs one set of graphs. All calls block and come from one thread."""

    def __init__(self, chip: Chip, graphs: WhisperGraphs, positions: Floats) -> None:
        """``positions`` is the table of position embeddings, [rows, state]."""
        self._chip = chip
        self._graphs = graphs
        self._positions = positions
        self.dimensions = d = graphs.dimensions
        self._mel = self._tensor(graphs.encoder.inputs[0])
        self._features = self._tensor(graphs.encoder.outputs[0])
        self._heard: Hashable = None
        self._tokens, _, self._first_positions, self._first_mask = (
            self._tensor(slot) for slot in graphs.main.inputs
        )
        self._laid_out = 0
        """For how many tokens positions and mask of the first pass are on the device."""
        self._states = self._tensor(graphs.main.outputs[0])
        own, cross = (
            graphs.main.outputs[1 : 1 + 2 * d.layers],
            graphs.main.outputs[1 + 2 * d.layers :],
        )
        self._caches = [[self._tensor(slot) for slot in own] for _ in range(2)]
        self._cross = [self._tensor(slot) for slot in cross]
        self._current = 0
        """Which set of caches is the newest."""
        self.in_place = False
        """Whether a step writes over the caches that it reads."""
        self._columns = [self._tensor(slot) for slot in graphs.post.inputs]
        self._ends = [self._tensor(slot) for slot in graphs.post.outputs]
        self._step_inputs = [self._tensor(slot) for slot in self._step_slots]
        self._logits = self._tensor(graphs.loop.outputs[0])
        self._index = self._index_tensor()
        if graphs.language is not None:
            self._language_token = self._tensor(graphs.language.inputs[0])
            self._language_logits = self._tensor(graphs.language.outputs[0])
        self._length = 0
        """Tokens in each sequence, prompt included."""

    @property
    def _step_slots(self) -> Sequence[Slot]:
        return self._graphs.loop.inputs[: 4 if self._graphs.loop_reorders else 3]

    def _index_tensor(self) -> DeviceTensor:
        if self._graphs.loop_reorders:
            return self._step_inputs[3]
        assert self._graphs.reorder is not None, "WhisperGraphs has seen to it"
        return self._tensor(self._graphs.reorder.inputs[1])

    def _tensor(self, slot: Slot) -> DeviceTensor:
        return self._chip.tensor(slot.shape, slot.dtype)

    @property
    def positions(self) -> int:
        """Rows of the position table."""
        return len(self._positions)

    def encode(self, mel: Floats, name: Hashable) -> None:
        """Encode a window, [mels, frames].

        ``name`` tells windows apart: :meth:`has_heard` answers for the last one.
        """
        self._heard = None
        self._chip.run(
            [
                _write(self._mel, mel),
                _launch(self._graphs.encoder, [self._mel], [self._features]),
            ]
        )
        self._heard = name

    def has_heard(self, name: Hashable) -> bool:
        """Whether the audio features on the device are those of the window ``name``."""
        return self._heard is not None and self._heard == name

    def language_logits(self, start_of_transcript: int) -> Floats | None:
        """What the first token after the start may be, [vocabulary]; None without that graph."""
        if self._graphs.language is None:
            return None
        (logits,) = self._chip.run(
            [
                _write(self._language_token, start_of_transcript),
                _launch(
                    self._graphs.language,
                    [self._language_token, self._features],
                    [self._language_logits],
                ),
                Read(self._language_logits),
            ]
        )
        first: Floats = self._checked(logits, self._graphs.language)[0]
        return first

    def begin(self, prompt: DecoderPrompt) -> tuple[Floats, float]:
        """Begin to decode what was heard: (logits [rows, vocabulary], no-speech probability)."""
        d, length = self.dimensions, len(prompt.tokens)
        steps: list[Step] = [
            _write(self._tokens, layout.first_tokens(prompt, d.rows, d.pad)),
            *self._lay_out(length),
            _launch(
                self._graphs.main,
                [self._tokens, self._features, self._first_positions, self._first_mask],
                [self._states, *self._caches[0], *self._cross],
            ),
        ]
        # All rows are equal, so the first one's two columns tell everything.
        for column, at in zip(self._columns, (prompt.transcript_at, length - 1), strict=True):
            begin = (d.pad - length + at) * d.state
            steps.append(Copy(self._states, column, source_offset=begin, count=d.state))
        steps += [
            _launch(self._graphs.post, self._columns, self._ends),
            *(Read(end) for end in self._ends),
        ]
        logits, no_speech = self._chip.run(steps)
        self._current = 0
        self._length = length
        first = self._checked(logits, self._graphs.post)[:1]
        return np.repeat(first, d.rows, axis=0), float(no_speech.reshape(-1)[0])

    def _checked(self, logits: NDArray[np.generic], net: Net) -> Floats:
        """Logits as [rows, vocabulary]; EngineError where the graph gave no numbers."""
        rows = np.array(logits, dtype=np.float32).reshape(-1, self.dimensions.vocabulary)
        if not np.isfinite(rows.max()):
            raise EngineError(
                f"{net.name} of {net.file.name} gave no finite logits; the file is damaged or was "
                "compiled for another chip or driver: fetch it again (scripts/fetch_models)"
            )
        return rows

    def _lay_out(self, length: int) -> list[Step]:
        """Positions and mask of the first pass; they change with the prompt's length only."""
        if self._laid_out == length:
            return []
        d = self.dimensions
        self._laid_out = length
        positions = layout.first_positions(self._positions, length, d.pad)
        mask = layout.first_mask(length, d.rows, d.heads, d.pad)
        return [_write(self._first_positions, positions), _write(self._first_mask, mask)]

    def step(self, tokens: Integers, sources: Integers) -> Floats:
        """Append a token to each sequence: the logits behind it, [rows, vocabulary].

        ``tokens`` [rows]; ``sources`` [rows]: the row whose past each row continues.
        """
        if self._length >= min(self.dimensions.pad, self.positions):
            raise EngineError(
                f"a sequence of {self._length} tokens fills the model's "
                f"{min(self.dimensions.pad, self.positions)}; use a set with a larger pad"
            )
        steps = self._step(tokens, sources, self._length, self.in_place)
        (logits,) = self._chip.run([*steps, Read(self._logits)])
        self._length += 1
        return self._checked(logits, self._graphs.loop)

    def _step(
        self, tokens: Integers, sources: Integers, position: int, in_place: bool
    ) -> list[Step]:
        d = self.dimensions
        moved = not np.array_equal(sources, np.arange(d.rows))
        steps: list[Step] = [
            _write(self._step_inputs[0], tokens),
            _write(self._step_inputs[1], self._positions[position]),
            _write(self._step_inputs[2], layout.step_mask(position + 1, d.rows, d.heads, d.pad)),
        ]
        if self._graphs.loop_reorders or moved:
            steps.append(_write(self._index, sources))
        if moved and not self._graphs.loop_reorders:
            steps += self._reorder()
        given = self._caches[self._current]
        if not in_place:
            self._current = 1 - self._current
        taken = self._caches[self._current]
        steps.append(
            _launch(
                self._graphs.loop,
                [*self._step_inputs, *given, *self._cross],
                [self._logits, *taken],
            )
        )
        return steps

    def _reorder(self) -> list[Step]:
        """Gather every cache into the other set."""
        assert self._graphs.reorder is not None, "WhisperGraphs has seen to it"
        given, self._current = self._caches[self._current], 1 - self._current
        return [
            _launch(self._graphs.reorder, [old, self._index], [new])
            for old, new in zip(given, self._caches[self._current], strict=True)
        ]

    def step_caches(
        self, caches: Sequence[NDArray[np.float16]], sources: Integers, in_place: bool
    ) -> list[NDArray[np.float16]]:
        """One step from caches given by the host: (logits, caches) after it.

        For checks of the graph itself; it disturbs a decode under way.
        """
        self._current = 0
        rows = self.dimensions.rows
        position = min(self.dimensions.pad, self.positions) - 1
        writes = [_write(t, cache) for t, cache in zip(self._caches[0], caches, strict=True)]
        steps = self._step(np.zeros(rows, np.int32), sources, position, in_place)
        reads = [Read(self._logits), *(Read(cache) for cache in self._caches[self._current])]
        return [np.array(array) for array in self._chip.run([*writes, *steps, *reads])]

    def settle(self, in_place: bool) -> None:
        """Fix how caches are updated; in place, the second set's memory is given back."""
        self.in_place = in_place
        if in_place and self._graphs.loop_reorders:
            self._current = 0
            for tensor in self._caches.pop():
                tensor.free()

    @property
    def cache_shape(self) -> tuple[int, int, int, int]:
        """(caches, rows, pad, state)."""
        d = self.dimensions
        return 2 * d.layers, d.rows, d.pad, d.state


def _write(tensor: DeviceTensor, values: object) -> Write:
    dtype = np.float16 if tensor.dtype == "float16" else np.dtype(tensor.dtype)
    return Write(tensor, np.ascontiguousarray(values, dtype=dtype).reshape(tensor.shape))


def _launch(net: Net, inputs: Sequence[DeviceTensor], outputs: Sequence[DeviceTensor]) -> Launch:
    """Launch with the shapes that the net was compiled for; tensors differ in ones at most."""
    return Launch(
        net,
        [t.view(slot.shape) for t, slot in zip(inputs, net.inputs, strict=True)],
        [t.view(slot.shape) for t, slot in zip(outputs, net.outputs, strict=True)],
    )
