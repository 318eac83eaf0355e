"""Makes the tiny Mandarin voice: ``python voice.py OUT.onnx``.

The graph has the inputs and outputs of the VITS demo's (128 phonemes and their prosody to
a waveform of 900 frames and the number of those that hold speech) and its parts: phoneme
embedding, durations, an alignment of frames to phonemes, a latent vector for each frame, and
a decoder. Nothing is trained. The latent vectors of a phoneme are the coefficients of its
sound's frames in a basis (singular value decomposition of all frames), and the decoder is
that basis, so any text is spoken, choppily.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from onnx_graph import FLOAT, INT32, Graph
from voice_sounds import HOP, MOST_FRAMES, sounds

PHONEMES, FRAMES = 128, 900
_WIDTH = 32  # of the embedding; its channel 0 is the logarithm of the duration
_PROSODY = 256
_RANK = 96  # basis vectors
_SEED = 0
_MARGIN = 0.35  # added before rounding durations up, so that no rounding error matters


def _basis(table: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients ``[phoneme, MOST_FRAMES * _RANK]`` and the basis ``[_RANK, HOP]``."""
    _, _, vectors = np.linalg.svd(np.concatenate(table), full_matrices=False)
    basis = vectors[:_RANK]
    latent = np.zeros((len(table), MOST_FRAMES, _RANK), np.float32)
    for row, sound in zip(latent, table, strict=True):
        row[: len(sound)] = sound @ basis.T
    return latent.reshape(len(table), -1), basis


def _durations(graph: Graph, hidden: str) -> tuple[str, str, str]:
    """``[1, 128, 1]``: each phoneme's frames, the first one and the one behind the last."""
    pick = np.zeros((_WIDTH, 1), np.float32)
    pick[0] = 1
    duration = graph.node("Exp", graph.linear(hidden, pick))
    duration = graph.node("Ceil", graph.node("Add", duration, graph.constant(_MARGIN)))
    end = graph.node("CumSum", duration, graph.constant(1, np.int64))
    return duration, graph.node("Sub", end, duration), end


def build(path: Path) -> None:
    """Writes the graph."""
    random = np.random.default_rng(_SEED)
    table = sounds()
    latent, basis = _basis(table)
    graph = Graph()

    embedding = random.standard_normal((len(table), _WIDTH)).astype(np.float32) * 0.5
    embedding[:, 0] = np.log([len(sound) - 1 + 0.15 for sound in table])
    mixing = random.standard_normal((_PROSODY, _WIDTH)) / np.sqrt(_PROSODY)
    mixing[:, 0] = 0  # Prosody changes loudness, never durations.
    kernel = random.standard_normal((_WIDTH, _WIDTH, 3)) / np.sqrt(3 * _WIDTH)
    kernel[0] = kernel[:, 0] = 0
    hidden = graph.node("Gather", graph.constant(embedding), "x")
    hidden = graph.node("Add", hidden, graph.linear("prosody", mixing))
    around = graph.node("Transpose", hidden, perm=[0, 2, 1])
    zeros = graph.constant(np.zeros(_WIDTH))
    around = graph.node(
        "Conv", around, graph.constant(kernel), zeros, kernel_shape=[3], pads=[1, 1]
    )
    around = graph.node("LeakyRelu", around, alpha=0.1)
    hidden = graph.node("Add", hidden, graph.node("Transpose", around, perm=[0, 2, 1]))

    duration, start, end = _durations(graph, hidden)
    total = graph.node("ReduceSum", duration, graph.integers(1, 2), keepdims=0)
    total = graph.node("Max", total, graph.constant([1.0]))
    graph.node("ReduceMax", total, axes=[0], keepdims=0, output="y_max")

    # alignment[frame, phoneme] is 1 where that frame is that phoneme's.
    frame = graph.constant(np.arange(FRAMES).reshape(1, 1, FRAMES))
    begun = graph.node("Cast", graph.node("Less", frame, end), to=FLOAT)
    passed = graph.node("Cast", graph.node("Less", frame, start), to=FLOAT)
    alignment = graph.node("Transpose", graph.node("Sub", begun, passed), perm=[0, 2, 1])
    spoken = graph.node("ReduceSum", alignment, graph.integers(2), keepdims=1)

    # Where each frame's vector lies among all phonemes': below 2048, exact in float16.
    first = graph.constant(MOST_FRAMES * np.arange(PHONEMES).reshape(1, PHONEMES, 1))
    places = graph.node("MatMul", alignment, graph.node("Concat", first, start, axis=2))
    row = graph.node("Slice", places, *(graph.integers(n) for n in (0, 1, 2)))
    begin = graph.node("Slice", places, *(graph.integers(n) for n in (1, 2, 2)))
    index = graph.constant(np.arange(FRAMES).reshape(1, FRAMES, 1))
    inside = graph.node("Mul", graph.node("Sub", index, begin), spoken)
    row = graph.node("Reshape", graph.node("Add", row, inside), graph.integers(FRAMES))
    row = graph.node("Cast", row, to=INT32)

    weight = random.standard_normal((_WIDTH, 1)) / np.sqrt(_WIDTH)
    weight[0] = 0
    loudness = graph.node("Tanh", graph.linear(hidden, weight))
    loudness = graph.node("Mul", loudness, graph.constant(0.3))
    loudness = graph.node("Add", loudness, graph.constant(1.0))
    vectors = graph.node("Mul", graph.node("Gather", graph.constant(latent), "x"), loudness)
    vectors = graph.node("Reshape", vectors, graph.integers(PHONEMES * MOST_FRAMES, _RANK))
    vectors = graph.node("Gather", vectors, row, axis=0)
    vectors = graph.node("Reshape", vectors, graph.integers(1, FRAMES, _RANK))
    sound = graph.linear(graph.node("Mul", vectors, spoken), basis)

    # As in the real graph there is a sound behind the last frame, which callers must cut.
    buzz = 0.02 * np.sin(2 * np.pi * 3 * np.arange(HOP) / HOP).reshape(1, 1, HOP)
    silent = graph.node("Sub", graph.constant(1.0), spoken)
    sound = graph.node("Add", sound, graph.node("Mul", silent, graph.constant(buzz)))
    graph.node("Reshape", sound, graph.integers(FRAMES * HOP), output="y")
    graph.save(
        path,
        [("x", INT32, [1, PHONEMES]), ("prosody", FLOAT, [1, PHONEMES, _PROSODY])],
        [("y", FLOAT, [FRAMES * HOP]), ("y_max", FLOAT, [])],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    build(parser.parse_args().out)
