"""A language model without weights: nets as llm_convert makes them, and words for its ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from voicemesh_sophon.chip_owner.bmodel_file import NetEntry, SlotEntry
from voicemesh_sophon.models.bmodel_writer import write_bmodel

CHIP: Literal["bm1684x"] = "bm1684x"
LAYERS = 32
SEQUENCE = 512
"""Tokens. These, and the sizes below, are those of Llama 3 8B in the vendor's demos."""
HIDDEN, KV_HEADS, HEAD_SIZE = 4096, 8, 128
VOCABULARY = 128_256


class IdleTokens:
    """A tokenizer that knows one word; see Tokens."""

    size = VOCABULARY
    special: frozenset[str] = frozenset()

    def encode(self, text: str) -> list[int]:
        """An id for each word."""
        return [1] * len(text.split())

    def decode(self, ids: Sequence[int]) -> str:
        """A word for each id."""
        return "so " * len(ids)

    def id_of(self, text: str) -> int | None:
        """There are no words that mean anything."""
        return None


def write_model(folder: Path) -> Path:
    """Write the bmodel into ``folder``; no chip could run it."""
    nets = [_embedding("embedding", SEQUENCE), _embedding("embedding_cache", 1)]
    for layer in range(LAYERS):
        nets += [_block(layer), _block_cache(layer)]
    return write_bmodel(folder / "idle.bmodel", CHIP.upper(), [*nets, *_heads()])


def _slot(name: str, dtype: str, *shape: int) -> SlotEntry:
    return SlotEntry(name, dtype, (shape,))


def _net(
    name: str, inputs: Sequence[SlotEntry], outputs: Sequence[SlotEntry], own_io: bool = False
) -> NetEntry:
    return NetEntry(name, (), (), 1, False, own_io, tuple(inputs), tuple(outputs))


def _embedding(name: str, length: int) -> NetEntry:
    ids, states = _slot("ids", "int32", 1, length), _slot("out", "float16", 1, length, HIDDEN)
    return _net(name, [ids], [states])


def _rows(name: str, length: int) -> SlotEntry:
    return _slot(name, "float16", 1, length, KV_HEADS, HEAD_SIZE)


def _block(layer: int) -> NetEntry:
    states = _slot("states", "float16", 1, SEQUENCE, HIDDEN)
    positions = _slot("positions", "int32", 1, SEQUENCE)
    mask = _slot("mask", "float16", 1, 1, SEQUENCE, SEQUENCE)
    made = [states, _rows("k", SEQUENCE), _rows("v", SEQUENCE)]
    return _net(f"block_{layer}", [states, positions, mask], made)


def _block_cache(layer: int) -> NetEntry:
    state, position = _slot("state", "float16", 1, 1, HIDDEN), _slot("position", "int32", 1, 1)
    mask = _slot("mask", "float16", 1, 1, 1, SEQUENCE + 1)
    cached = [_rows("history_k", SEQUENCE), _rows("history_v", SEQUENCE)]
    made = [state, _rows("k", 1), _rows("v", 1)]
    return _net(f"block_cache_{layer}", [state, position, mask, *cached], made, own_io=True)


def _heads() -> list[NetEntry]:
    state = _slot("state", "float16", 1, HIDDEN)
    logits = _slot("m_logits", "float32", 1, VOCABULARY)
    return [
        _net("lm_head", [state], [logits]),
        _net("greedy_head", [logits], [_slot("token", "int32", 1, 1)]),
    ]
