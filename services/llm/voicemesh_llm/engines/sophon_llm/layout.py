"""What a bmodel is: layers, lengths, sizes and heads, read from its nets.

File names and version numbers tell nothing reliable, the nets tell everything:
see the table of their inputs and outputs in docs/engines.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from voicemesh.errors import EngineError
from voicemesh_llm.engines.sophon_llm.forms import CONVERT, undriven
from voicemesh_sophon.client import Net, Slot

ACTIVATIONS = ("float16", "bfloat16", "float32")
SAMPLE_HEADS = ("sample_head", "penalty_sample_head")

_LAYER = re.compile(r"(?:block|block_cache|block_kv)_(\d+)$")


@dataclass(frozen=True)
class Layout:
    """The nets of a language model by their job, and its sizes in elements."""

    file: str
    """For messages."""
    embedding: Net
    """Ids of a prompt to hidden states."""
    step_embedding: Net
    """The id of one token to its hidden state; may be a stage of ``embedding``."""
    prefill: tuple[Net, ...]
    """``block_i``: a layer for a whole prompt."""
    history: tuple[Net, ...]
    """A layer for tokens that follow cached ones: ``block_kv_i``, or ``block_i`` itself
    where it takes earlier keys and values; empty: none."""
    step: tuple[Net, ...]
    """``block_cache_i``: a layer for one token."""
    lm_head: Net
    greedy_head: Net | None
    sample_head: Net | None
    dtype: str
    """Of hidden states, masks, keys and values."""
    hidden: int
    kv_heads: int
    head_size: int
    sequence: int
    """The most tokens in the cache: prompt and reply together."""
    piece: int
    """The most tokens of one prefill."""
    history_rows: int
    """The most cached tokens that a prefill may follow; 0: it follows none."""
    dynamic: bool
    """Whether a prefill takes real lengths instead of ``piece`` and ``history_rows``."""
    prefill_mask: bool
    history_mask: bool
    step_lengths: tuple[int, ...]
    """The cache lengths that a step can be launched with, shortest first."""
    fused_greedy: bool
    """Whether lm_head gives the likeliest token and no logits."""
    vocabulary: int | None
    """The number of logits; None with a fused head."""

    @property
    def layers(self) -> int:
        """How many there are."""
        return len(self.step)

    @property
    def row(self) -> int:
        """Elements that one token takes in the keys of a layer, and in its values."""
        return self.kv_heads * self.head_size

    @property
    def joint(self) -> bool:
        """Whether ``block_i`` takes a history in any case, of which ``history_rows`` are given."""
        return self.history is self.prefill

    @property
    def joins_in_place(self) -> bool:
        """Whether history nets put old and new rows together in memory of their own.

        Dynamic nets do, and take another address for a history without a word. Of static
        ones the runtime brings the inputs to the place that was compiled.
        """
        return bool(self.history) and self.history[0].dynamic

    @property
    def longest_prompt(self) -> int:
        """The most tokens of a prompt that leave room for one more."""
        return self.sequence - 1 if self.history else min(self.piece, self.sequence - 1)

    def step_length(self, cached: int) -> int:
        """The shortest cache length of a step that holds ``cached`` tokens."""
        return next(length for length in self.step_lengths if length >= cached)


def read_layout(nets: Mapping[str, Net], file: str) -> Layout:
    """The layout of the model in ``file``; EngineError names what is missing or unknown."""
    return _Reader(nets, file).read()


class _Reader:
    """Looks at nets; every refusal names file and net."""

    def __init__(self, nets: Mapping[str, Net], file: str) -> None:
        self._nets = nets
        self._file = file

    def read(self) -> Layout:
        if wrong := undriven(self._nets):
            raise EngineError(f"{self._file} {wrong[0]}; {wrong[1]}")
        layers = 1 + max(int(found[1]) for name in self._nets if (found := _LAYER.match(name)))
        prefill = self._all("block", layers)
        step = self._all("block_cache", layers)
        self._check_block(prefill[0], step[0])
        history = self._history(prefill, layers)
        for kind in (prefill, step, history):
            self._check_alike(kind)
        keys = step[0].inputs[3]
        states = prefill[0].inputs[0]
        lm_head = self._net("lm_head", "is missing")
        fused = lm_head.outputs[0].shape[-1] == 1
        embedding = self._net(
            "embedding", "is missing: the table was exported to a file, which is not read"
        )
        step_embedding = self._step_embedding(embedding)
        self._check_widths(
            states.shape[-1],
            {
                embedding.name: embedding.outputs[0],
                step_embedding.name: step_embedding.outputs[0],
                step[0].name: step[0].inputs[0],
                lm_head.name: lm_head.inputs[0],
            },
        )
        return Layout(
            file=self._file,
            embedding=embedding,
            step_embedding=step_embedding,
            prefill=prefill,
            history=history,
            step=step,
            lm_head=lm_head,
            greedy_head=self._nets.get("greedy_head"),
            sample_head=next((self._nets[n] for n in SAMPLE_HEADS if n in self._nets), None),
            dtype=states.dtype,
            hidden=states.shape[-1],
            kv_heads=keys.shape[2],
            head_size=keys.shape[3],
            sequence=keys.shape[1],
            piece=states.shape[1],
            history_rows=history[0].inputs[-1].shape[1] if history else 0,
            # Nets that take a history in any case are launched at full length: the vendor's
            # demos never did otherwise, whatever the file says.
            dynamic=prefill[0].dynamic and history is not prefill,
            prefill_mask=len(prefill[0].inputs) in (3, 5),
            history_mask=bool(history) and self._has_mask(history[0]),
            step_lengths=tuple(sorted({shape[1] for shape in keys.stages})),
            fused_greedy=fused,
            vocabulary=None if fused else lm_head.outputs[0].shape[-1],
        )

    def _all(self, kind: str, layers: int) -> tuple[Net, ...]:
        missing = f"is missing, though the model has {layers} layers"
        return tuple(self._net(f"{kind}_{index}", missing) for index in range(layers))

    def _history(self, prefill: tuple[Net, ...], layers: int) -> tuple[Net, ...]:
        if "block_kv_0" in self._nets:
            return self._all("block_kv", layers)
        return prefill if _takes_history(prefill[0]) else ()

    def _net(self, name: str, otherwise: str) -> Net:
        return self._nets[name] if name in self._nets else self._refuse(name, otherwise)

    def _step_embedding(self, embedding: Net) -> Net:
        """Files of 2023 have one embedding net with a stage for each job."""
        single = (1, 1) in embedding.inputs[0].stages
        return embedding if single else self._net("embedding_cache", "is missing")

    def _check_block(self, prefill: Net, step: Net) -> None:
        """Refuse the forms that were given up, rather than answer nonsense."""
        states = prefill.inputs[0]
        if len(prefill.inputs) not in (2, 3) and not _takes_history(prefill):
            self._refuse(
                prefill.name,
                f"has {len(prefill.inputs)} inputs instead of 2 or 3, or 5 with a history",
            )
        if len(prefill.outputs) != 3:
            self._refuse(prefill.name, f"has {len(prefill.outputs)} outputs instead of 3")
        if states.dtype not in ACTIVATIONS:
            self._refuse(prefill.name, f"takes {states.dtype}, which is not driven")
        if len(states.shape) != 3 or states.shape[0] != 1:
            self._refuse(
                prefill.name,
                f"takes states of shape {list(states.shape)}: it is laid out sequence first, as in "
                "2023, or for several requests at once",
            )
        if len(step.inputs) != 5 or len(step.outputs) != 3:
            self._refuse(
                step.name,
                f"has {len(step.inputs)} inputs and {len(step.outputs)} outputs instead of 5 and "
                "3: it keeps the cache itself",
            )
        if _rows(step.outputs[1]) != 1:
            self._refuse(step.name, "gives the whole cache back, as files of 2023 do")
        if _takes_history(prefill):
            self._check_joint(prefill, step)

    def _check_joint(self, prefill: Net, step: Net) -> None:
        """Whether a history is a part of the cache, and the mask as wide as both together."""
        mask, keys, cache = prefill.inputs[2].shape, prefill.inputs[3].shape, step.inputs[3].shape
        if keys[2:] != cache[2:] or keys[1] > cache[1]:
            self._refuse(
                prefill.name,
                f"takes a history of {list(keys)}, which is no part of the cache, {list(cache)}",
            )
        if mask[-1] != keys[1] + prefill.inputs[0].shape[1]:
            self._refuse(
                prefill.name,
                f"has a mask of {mask[-1]} columns instead of {keys[1]} for the history and "
                f"{prefill.inputs[0].shape[1]} for what is new",
            )

    def _check_alike(self, layers: tuple[Net, ...]) -> None:
        """Whether all layers take and give what the first does: they get the same tensors."""
        for net in layers[1:]:
            for side in ("inputs", "outputs"):
                mine, first = getattr(net, side), getattr(layers[0], side)
                if _forms(mine) != _forms(first) or net.dynamic != layers[0].dynamic:
                    self._refuse(
                        net.name,
                        f"differs from {layers[0].name}: its {side} are {_shown(mine)} instead of "
                        f"{_shown(first)}",
                    )

    def _check_widths(self, hidden: int, ends: Mapping[str, Slot]) -> None:
        """Whether the nets that hand hidden states on mean the same by them."""
        for name, slot in ends.items():
            if slot.shape[-1] != hidden:
                self._refuse(
                    name, f"has states of {slot.shape[-1]}, but block_0 of {hidden}: of two models"
                )

    def _has_mask(self, history: Net) -> bool:
        if len(history.inputs) not in (4, 5):
            self._refuse(history.name, f"has {len(history.inputs)} inputs instead of 4 or 5")
        return len(history.inputs) == 5

    def _refuse(self, net: str, why: str) -> NoReturn:
        raise EngineError(f"{self._file}: {net} {why}; {CONVERT}")


def _takes_history(prefill: Net) -> bool:
    """Files of mid-2025 to mid-2026: states, positions, mask, earlier keys and values."""
    return len(prefill.inputs) == 5 and all(len(slot.shape) == 4 for slot in prefill.inputs[2:])


def _forms(slots: tuple[Slot, ...]) -> list[object]:
    return [(slot.dtype, slot.stages) for slot in slots]


def _shown(slots: tuple[Slot, ...]) -> str:
    return ", ".join(f"{slot.dtype} {list(slot.shape)}" for slot in slots)


def _rows(slot: Slot) -> int:
    return slot.shape[1]
