"""The graphs of a Whisper bmodel set: found by name, bound by position, measured from their shapes.

Three packagings are known: five files with one graph each; those five graphs in one
file; six graphs in one file, where the sixth reorders one cache. In the six-graph
form the graph that finds the language may be missing. Names of tensors differ from
one export to the next and are never looked at; nothing is read from file names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from voicemesh.errors import EngineError
from voicemesh_sophon.client import Model, Net, Slot

ENCODER = "encoder"
LANGUAGE = "logits_decoder"
MAIN = "decoder_main_with_kvcache"
POST = "decoder_post"
LOOP = "decoder_loop_with_kvcache"
LOOP_REORDERING = "decoder_loop_with_kvcache_and_rearrange"
REORDER = "kvcache_rearrange"

# Longest first: one name begins with another.
_KINDS = sorted((ENCODER, LANGUAGE, MAIN, POST, LOOP, LOOP_REORDERING, REORDER), key=len)[::-1]
_FLOATS = ("float16", "float32")
_CURE = (
    "give the files of one set: encoder, decoder_main, decoder_post and decoder_loop of the same "
    "size, beams and pad (docs/sophon.md lists the sets)"
)


@dataclass(frozen=True)
class Dimensions:
    """The sizes of a model, all read from its graphs."""

    mels: int
    frames: int
    """Mel frames of a window, 10 ms each."""
    audio: int
    """Audio positions that the encoder gives."""
    state: int
    """Width of the text decoder."""
    heads: int
    layers: int
    """Layers of the text decoder."""
    rows: int
    """Sequences that are decoded at once: the compiled beams."""
    pad: int
    """Tokens that a sequence may have, prompt and control tokens included."""
    vocabulary: int

    def __str__(self) -> str:
        """For people."""
        return (
            f"state {self.state}, {self.layers} layers, {self.rows} beams, {self.pad} pad, "
            f"{self.frames / 100:g} s window, vocabulary {self.vocabulary}"
        )


def kind_of(name: str) -> str | None:
    """Which of the graphs a net's name stands for."""
    for kind in _KINDS:
        if name == kind or name.startswith(f"{kind}_"):
            return kind
    return None


class WhisperGraphs:
    """The nets of one set and the sizes that they share."""

    def __init__(self, model: Model) -> None:
        """EngineError names the file and graph that is missing or does not fit."""
        self._files = ", ".join(file.name for file in model.files)
        nets = self._named(model.nets.values())
        self.encoder = self._need(nets, ENCODER)
        self.main = self._need(nets, MAIN)
        self.post = self._need(nets, POST)
        self.reorder = nets.get(REORDER)
        self.language = nets.get(LANGUAGE)
        if LOOP_REORDERING in nets:
            self.loop, self.loop_reorders = nets[LOOP_REORDERING], True
        else:
            self.loop, self.loop_reorders = self._need(nets, LOOP), False
            if self.reorder is None:
                raise self._wrong(f"there is neither {LOOP_REORDERING} nor {REORDER}")
        self.dimensions = self._measure()
        self._check()

    def _wrong(self, what: str) -> EngineError:
        return EngineError(f"{self._files}: {what}; {_CURE}", field="asr.sophon_whisper")

    def _named(self, nets: Iterable[Net]) -> dict[str, Net]:
        found: dict[str, Net] = {}
        for net in nets:
            kind = kind_of(net.name)
            if kind is None:
                continue
            if kind in found:
                raise self._wrong(
                    f"{found[kind].name} and {net.name} are both the graph {kind}: these are files "
                    "of several sets"
                )
            found[kind] = net
        return found

    def _need(self, nets: Mapping[str, Net], kind: str) -> Net:
        if kind not in nets:
            raise self._wrong(f"the graph {kind} is missing (found: {', '.join(nets) or 'none'})")
        return nets[kind]

    def _measure(self) -> Dimensions:
        for net, inputs, outputs in (
            (self.encoder, 1, 1),
            (self.main, 4, 5),
            (self.post, 2, 2),
            (self.loop, 7, 3),
        ):
            if len(net.inputs) < inputs or len(net.outputs) < outputs:
                raise self._wrong(
                    f"{net.name} has {len(net.inputs)} inputs and {len(net.outputs)} outputs, but "
                    f"needs {inputs} and {outputs} at least"
                )
        mel, tokens = self.encoder.inputs[0].shape, self.main.inputs[0].shape
        features, mask = self.main.inputs[1].shape, self.main.inputs[3].shape
        if (len(mel), len(tokens), len(features), len(mask)) != (3, 2, 3, 4):
            raise self._wrong(
                f"{self.encoder.name} and {self.main.name} have inputs of unknown forms: "
                f"mel {mel}, tokens {tokens}, audio features {features}, mask {mask}"
            )
        rows, pad = tokens
        return Dimensions(
            mels=mel[1],
            frames=mel[2],
            audio=features[1],
            state=features[2],
            heads=mask[2],
            layers=(len(self.main.outputs) - 1) // 4,
            rows=rows,
            pad=pad,
            vocabulary=prod(self.post.outputs[0].shape) // rows,
        )

    def _check(self) -> None:
        d = self.dimensions
        features = (1, d.audio, d.state)
        cache = (d.rows, d.pad, d.state)
        caches = [cache] * (2 * d.layers) + [features] * (2 * d.layers)
        logits = (d.rows, d.vocabulary)
        step = [(d.rows, 1), (1, d.state), (d.rows, 1, d.heads, d.pad)]
        if self.loop_reorders:
            step.append((d.rows,))
        mask = (d.rows, d.pad, d.heads, d.pad)
        self._fits(self.encoder, [(1, d.mels, d.frames)], [features])
        self._fits(
            self.main,
            [(d.rows, d.pad), features, (d.pad, d.state), mask],
            [cache, *caches],
            integers=(0,),
        )
        column = (d.rows, 1, d.state)
        self._fits(self.post, [column, column], [logits, (d.rows,)])
        self._fits(
            self.loop,
            [*step, *caches],
            [logits, *caches[: 2 * d.layers]],
            integers=(0, 3) if self.loop_reorders else (0,),
        )
        if self.language is not None:
            self._fits(self.language, [(1, 1), features], [(1, 1, d.vocabulary)], integers=(0,))
        if self.reorder is not None:
            self._fits(self.reorder, [cache, (d.rows,)], [cache], integers=(1,))

    def _fits(
        self,
        net: Net,
        inputs: list[tuple[int, ...]],
        outputs: list[tuple[int, ...]],
        integers: tuple[int, ...] = (),
    ) -> None:
        """Whether shapes and element types are as expected; dimensions of one do not count."""
        for side, slots, shapes in (
            ("input", net.inputs, inputs),
            ("output", net.outputs, outputs),
        ):
            if len(slots) != len(shapes):
                raise self._wrong(f"{net.name} has {len(slots)} {side}s instead of {len(shapes)}")
            for index, (slot, shape) in enumerate(zip(slots, shapes, strict=True)):
                whole = side == "input" and index in integers
                known = ("int32",) if whole else _FLOATS
                if _plain(slot.shape) != _plain(shape) or slot.dtype not in known:
                    raise self._wrong(
                        f"{net.name} {side} {index} ({slot.name}) is {_shown(slot)} instead of "
                        f"{known[0]} {list(shape)}"
                    )


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _shown(slot: Slot) -> str:
    return f"{slot.dtype} {list(slot.shape)}"
