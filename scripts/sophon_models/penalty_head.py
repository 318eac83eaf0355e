"""Makes the sampling head of 2024: ``python penalty_head.py OUT.onnx VOCABULARY LENGTH``.

Logits and the recent tokens to the 50 likeliest tokens and their probabilities, by
``top_p``, ``temperature`` and ``penalty``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from onnx import TensorProto
from onnx_graph import FLOAT, Graph

_CANDIDATES = 50
_LEFT_OUT = -1000.0
INT64 = TensorProto.INT64


def build(path: Path, vocabulary: int, length: int) -> None:
    """Writes the graph for a vocabulary's size and so many recent tokens."""
    graph = Graph()
    seen = graph.node("GatherElements", "m_logits", "input_ids", axis=1)
    negative = graph.node("Less", seen, graph.constant(np.zeros(1)))
    # A penalty makes a token less likely on either side of zero.
    lower = graph.node("Mul", seen, "penalty")
    smaller = graph.node("Div", seen, "penalty")
    changed = graph.node("Where", negative, lower, smaller)
    scores = graph.node("ScatterElements", "m_logits", "input_ids", changed, axis=1)
    best = graph.two("TopK", scores, graph.integers(_CANDIDATES), second="token", axis=1)
    scaled = graph.node("Div", best, "temperature")
    share = graph.node("Softmax", scaled, axis=1)
    up_to = graph.node("CumSum", share, graph.constant(1, np.int64))
    before = graph.node("Sub", up_to, share)
    kept = graph.node("Less", before, "top_p")
    low = graph.constant(np.full((1, _CANDIDATES), _LEFT_OUT))
    graph.node("Softmax", graph.node("Where", kept, scaled, low), axis=1, output="probs")
    inputs = [("m_logits", FLOAT, [1, vocabulary]), ("input_ids", INT64, [1, length])]
    inputs += [(name, FLOAT, [1]) for name in ("top_p", "temperature", "penalty")]
    outputs = [("probs", FLOAT, [1, _CANDIDATES]), ("token", INT64, [1, _CANDIDATES])]
    graph.save(path, inputs, outputs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("vocabulary", type=int)
    parser.add_argument("length", type=int)
    options = parser.parse_args()
    build(options.out, options.vocabulary, options.length)
