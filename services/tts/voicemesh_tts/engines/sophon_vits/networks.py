"""The two networks on the chip: characters to prosody, phonemes to a waveform."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicemesh.errors import EngineError
from voicemesh_sophon.client import (
    Chip,
    DeviceTensor,
    FixedQuestion,
    Launch,
    Model,
    Net,
    Read,
    Slot,
    Step,
    Write,
    from_bfloat16,
    to_bfloat16,
)
from voicemesh_tts.engines.sophon_vits.encoding import Encoded, spread
from voicemesh_tts.engines.sophon_vits.windows import Capacity

_PROSODY_INPUTS = 3
_VOICE_INPUTS = 2
_KNOWN_TO_ALL = 8
"""Characters and phonemes numbered below this are in every vocabulary."""


@dataclass(frozen=True)
class Waveform:
    """What the voice network gives for a window."""

    samples: NDArray[np.float32]
    """About -1 to 1, up to ``frames``: the buffer goes on with noise."""
    frames: float
    """How many frames the window takes, those of the padding included. Where the
    buffer holds fewer the speech is cut off."""


@dataclass(frozen=True)
class VitsNets:
    """The two nets of a voice, and the sizes that they share.

    The compiler names nets and tensors as it likes and orders outputs by name, so
    nets are told apart by the number of their inputs, tensors by their size.
    """

    prosody: Net
    voice: Net
    tokens: int
    """Characters that the prosody net takes."""
    phonemes: int
    width: int
    """Elements of a prosody vector."""
    frames: int
    """How many frames the waveform's buffer holds."""

    @staticmethod
    def of(model: Model, hop: int) -> VitsNets:
        """Of a model, loaded or read; ``hop``: samples a frame. EngineError says what is wrong."""
        nets = list(model.nets.values())
        prosody = _the_net(nets, _PROSODY_INPUTS, "the prosody (a BERT bmodel)", model.files)
        voice = _the_net(nets, _VOICE_INPUTS, "the voice (a VITS bmodel)", model.files)
        tokens, phonemes = _size(prosody.inputs[0]), min(map(_size, voice.inputs))
        width = max(map(_size, voice.inputs)) // phonemes
        samples = max(map(_size, voice.outputs))
        _check(prosody, voice, tokens, phonemes, width)
        if samples % hop:
            raise EngineError(
                f"{voice.file}: a waveform of {samples} samples is no whole number of frames of "
                f"{hop}; set tts.sophon_vits.hop_samples to the hop that it was exported with"
            )
        return VitsNets(prosody, voice, tokens, phonemes, width, samples // hop)


class VitsNetworks:
    """Both networks with their tensors on the device. One caller at a time."""

    def __init__(self, chip: Chip, files: Sequence[Path], hop: int) -> None:
        """Loads the files; ``hop``: samples a frame. EngineError says what is wrong."""
        model = chip.load(*files, checked=True)
        nets = VitsNets.of(model, hop)
        self.names = " and ".join(map(str, files))
        """The files, for messages."""
        self.capacity = Capacity(nets.phonemes, nets.tokens)
        self.frames = nets.frames
        """How many frames the waveform's buffer holds."""
        self._width, self._hop = nets.width, hop
        self._identifiers_first = _size(nets.voice.inputs[0]) == nets.phonemes
        self._prosody = _Bound(chip, nets.prosody)
        self._voice = _Bound(chip, nets.voice)
        chip.check(model, self._fixed_question(chip, nets))

    def _fixed_question(self, chip: Chip, nets: VitsNets) -> list[Step]:
        """Both networks once, with values that mean nothing."""
        question = FixedQuestion(chip)
        characters = np.arange(nets.tokens, dtype=np.int32) % _KNOWN_TO_ALL
        ones = np.ones_like(characters)
        _Bound(question, nets.prosody).run([characters, ones, np.zeros_like(characters)])
        phonemes = np.arange(nets.phonemes, dtype=np.int32) % _KNOWN_TO_ALL
        vectors = np.random.default_rng(1).standard_normal((nets.phonemes, nets.width))
        _Bound(question, nets.voice).run(self._voice_inputs(phonemes, vectors.astype(np.float32)))
        return question.steps

    def _voice_inputs(
        self, phonemes: NDArray[np.int32], prosody: NDArray[np.float32]
    ) -> list[NDArray[Any]]:
        """In the order of the net."""
        inputs: list[NDArray[Any]] = [phonemes, prosody]
        return inputs if self._identifiers_first else inputs[::-1]

    def prosody(self, encoded: Encoded) -> NDArray[np.float32]:
        """The prosody of each phoneme of a window, shape (phonemes, width)."""
        mask = np.ones(len(encoded.tokens), np.int32)
        no_type = np.zeros(0, np.int32)
        (vectors,) = self._prosody.run(
            [_padded(a, self.capacity.tokens) for a in (encoded.tokens, mask, no_type)]
        )
        return spread(vectors.reshape(-1, self._width), encoded, self.capacity.phonemes)

    def speak(self, encoded: Encoded, prosody: NDArray[np.float32]) -> Waveform:
        """The audio of a window whose prosody is known."""
        inputs = self._voice_inputs(_padded(encoded.phonemes, self.capacity.phonemes), prosody)
        frames, samples = sorted(self._voice.run(inputs), key=len)
        wanted = float(frames[0])
        if not math.isfinite(wanted):
            raise EngineError(
                f"{self.names}: the voice gave {wanted} frames; the chip or the files are damaged: "
                "run `voicemesh doctor --tpu`"
            )
        held = min(max(wanted, 0.0), self.frames)
        return Waveform(samples[: math.ceil(held * self._hop)], wanted)


class _Bound:
    """A net with tensors for its inputs and outputs, in its order."""

    def __init__(self, chip: Chip, net: Net) -> None:
        self._chip = chip
        self._inputs = [_tensor(chip, slot) for slot in net.inputs]
        self._reads = [Read(_tensor(chip, slot)) for slot in net.outputs]
        self._launch = Launch(net, self._inputs, [read.tensor for read in self._reads])

    def run(self, inputs: Iterable[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """The outputs, flat, for inputs of any shape."""
        writes = [
            Write(tensor, _stored(values, tensor))
            for tensor, values in zip(self._inputs, inputs, strict=True)
        ]
        results = self._chip.run([*writes, self._launch, *self._reads])
        return [
            _single(values, read.tensor) for read, values in zip(self._reads, results, strict=True)
        ]


def _tensor(chip: Chip, slot: Slot) -> DeviceTensor:
    return chip.tensor(slot.shape or (1,), slot.dtype)


def _stored(values: NDArray[Any], tensor: DeviceTensor) -> NDArray[Any]:
    shaped = values.reshape(tensor.shape)
    if tensor.dtype == "bfloat16":
        return to_bfloat16(shaped)
    return np.ascontiguousarray(shaped, tensor.dtype)


def _single(values: NDArray[Any], tensor: DeviceTensor) -> NDArray[np.float32]:
    flat = values.reshape(-1)
    return from_bfloat16(flat) if tensor.dtype == "bfloat16" else flat.astype(np.float32)


def _padded(values: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """The identifiers of padding and of silence are both 0."""
    return np.pad(values, (0, count - len(values)))


def _the_net(nets: Sequence[Net], inputs: int, what: str, files: Sequence[Path]) -> Net:
    """The one net with so many inputs."""
    fitting = [net for net in nets if len(net.inputs) == inputs]
    if len(fitting) != 1:
        held = ", ".join(f"{net.name} ({len(net.inputs)} inputs)" for net in nets) or "none"
        raise EngineError(
            f"{' and '.join(map(str, files))}: there must be one net with {inputs} inputs for "
            f"{what}, but the nets are: {held}; set tts.sophon_vits.model_files to the BERT and "
            "the VITS bmodel of one set, or to one file that holds both"
        )
    return fitting[0]


def _check(prosody: Net, voice: Net, tokens: int, phonemes: int, width: int) -> None:
    """Whether the nets are what they seem, and fit each other."""
    if sorted(map(_size, voice.inputs)) != [phonemes, phonemes * width] or (
        len(voice.outputs) != 2 or min(map(_size, voice.outputs)) != 1
    ):
        raise EngineError(
            f"{voice.file}: the net {voice.name} takes {_shapes(voice.inputs)} and gives "
            f"{_shapes(voice.outputs)}, but a VITS with prosody takes phonemes and their vectors "
            "and gives a waveform and its length; set tts.sophon_vits.model_files to such a bmodel"
        )
    if [_size(slot) for slot in prosody.outputs] != [tokens * width]:
        raise EngineError(
            f"{prosody.file}: the net {prosody.name} gives {_shapes(prosody.outputs)} for {tokens} "
            f"tokens, but {voice.name} of {voice.file} takes vectors of {width}; set "
            "tts.sophon_vits.model_files to two bmodels of the same set"
        )


def _size(slot: Slot) -> int:
    return math.prod(slot.shape)


def _shapes(slots: Sequence[Slot]) -> str:
    return " and ".join(str(list(slot.shape)) for slot in slots)
