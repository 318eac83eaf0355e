"""Makes the tiny prosody model: ``python prosody.py OUT.onnx VOCABULARY``.

A BERT of one layer with random weights and the interface of the VITS demo's: three
vectors of 64 token numbers to 64 vectors of 256 numbers. Also writes its vocabulary.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from onnx_graph import FLOAT, INT32, Graph

_TOKENS, _VOCABULARY = 64, 21_128  # as many lines as the vocabulary of Chinese BERT has
_EMBEDDING, _WIDTH, _HEADS, _INNER, _OUT = 8, 32, 2, 64, 256
_BLOCKED = -10_000.0
_FIRST_CHINESE, _LAST_CHINESE = 0x4E00, 0x9FA5


def vocabulary() -> list[str]:
    """Marks, ASCII and every character from U+4E00 to U+9FA5, filled up with unused lines."""
    marks = ["[PAD]", *(f"[unused{n}]" for n in range(1, 100)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    ascii_marks = [chr(code) for code in range(0x21, 0x7F)]
    chinese = [chr(code) for code in range(_FIRST_CHINESE, _LAST_CHINESE + 1)]
    left = _VOCABULARY - len(marks) - len(ascii_marks) - len(chinese)
    return marks + ascii_marks + [f"[unused{n}]" for n in range(100, 100 + left)] + chinese


def build(path: Path, seed: int = 0) -> None:
    """Writes the graph."""
    random = np.random.default_rng(seed)

    def weight(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    graph = Graph()
    words = graph.constant(random.standard_normal((_VOCABULARY, _EMBEDDING)))
    state = graph.linear(graph.node("Gather", words, "input_ids"), weight(_EMBEDDING, _WIDTH))
    kinds = graph.constant(0.1 * random.standard_normal((2, _WIDTH)))
    state = graph.node("Add", state, graph.node("Gather", kinds, "token_type_ids"))
    positions = graph.constant(0.3 * random.standard_normal((1, _TOKENS, _WIDTH)))
    state = graph.normalised(graph.node("Add", state, positions))

    seen = graph.node("Cast", "attention_mask", to=FLOAT)
    seen = graph.node("Reshape", seen, graph.integers(1, 1, 1, _TOKENS))
    unseen = graph.node("Sub", graph.constant(1.0), seen)
    mask = graph.node("Mul", unseen, graph.constant(_BLOCKED))

    def heads(order: list[int]) -> str:
        value = graph.linear(state, weight(_WIDTH, _WIDTH), np.zeros(_WIDTH))
        shape = graph.integers(1, _TOKENS, _HEADS, _WIDTH // _HEADS)
        return graph.node("Transpose", graph.node("Reshape", value, shape), perm=order)

    query, key, value = heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
    score = graph.node("MatMul", query, key)
    score = graph.node("Div", score, graph.constant(np.sqrt(_WIDTH // _HEADS)))
    share = graph.node("Softmax", graph.node("Add", score, mask), axis=-1)
    mixed = graph.node("Transpose", graph.node("MatMul", share, value), perm=[0, 2, 1, 3])
    mixed = graph.node("Reshape", mixed, graph.integers(1, _TOKENS, _WIDTH))
    mixed = graph.linear(mixed, weight(_WIDTH, _WIDTH), np.zeros(_WIDTH))
    state = graph.normalised(graph.node("Add", state, mixed))
    inner = graph.gelu(graph.linear(state, weight(_WIDTH, _INNER), np.zeros(_INNER)))
    inner = graph.linear(inner, weight(_INNER, _WIDTH), np.zeros(_WIDTH))
    state = graph.normalised(graph.node("Add", state, inner))
    vectors = graph.node("MatMul", state, graph.constant(weight(_WIDTH, _OUT)))
    graph.node("Add", vectors, graph.constant(np.zeros(_OUT)), output="char_embeds")
    names = ("input_ids", "attention_mask", "token_type_ids")
    graph.save(
        path,
        [(name, INT32, [1, _TOKENS]) for name in names],
        [("char_embeds", FLOAT, [1, _TOKENS, _OUT])],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("vocabulary", type=Path)
    options = parser.parse_args()
    build(options.out)
    options.vocabulary.write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
