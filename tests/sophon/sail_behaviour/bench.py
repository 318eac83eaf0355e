"""What the checks of sail work with, and the list that they are put in."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHECKS: dict[str, Callable[[Bench], None]] = {}
STAND_IN_ONLY: set[str] = set()
"""What sail itself answers with a line in its log, with nothing, or with the process's end."""


def check(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
    """Marks what every sail does."""
    CHECKS[function.__name__] = function
    return function


def stand_in_check(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
    """Marks what the stand-in does in its own, stricter way."""
    STAND_IN_ONLY.add(function.__name__)
    return check(function)


class Bench:
    """A device, and the files for its chip."""

    def __init__(self, sail: Any, assets: Path, target: str = "") -> None:
        self.sail = sail
        self.assets = assets
        self.handle = sail.Handle(0)
        self.chip = (target or self.handle.get_target()).lower()

    def tensor(self, shape: list[int], kind: str, host: bool = False) -> Any:
        return self.sail.Tensor(self.handle, shape, getattr(self.sail.Dtype, kind), host, True)

    def filled(self, array: NDArray[Any]) -> Any:
        """A tensor with the array on the device, without host memory."""
        return self.sail.Tensor(self.handle, array, False, True)

    def vits(self) -> Path:
        name = "vits_chinese_128_bm1688_f16_1core" if self.chip == "bm1688" else "vits_*_f16"
        return next((self.assets / "vits" / self.chip).glob(f"{name}.bmodel"))

    def bert(self) -> Path:
        return self.assets / "vits" / self.chip / "bert_f16_1core.bmodel"

    def language_model(self, kind: str) -> str:
        return str(next((self.assets / "llm" / self.chip).glob(f"*{kind}*.bmodel")))

    def sentence(self) -> tuple[list[NDArray[Any]], NDArray[np.float64]]:
        """The inputs of VITS for one sentence, and the waveform that they give."""
        expected = np.load(self.assets / "vits" / "expected" / "one.npz")
        prosody = np.zeros((1, 128, 256), np.float32)
        vectors = np.repeat(expected["char_embeds"], expected["rep"], axis=0)
        prosody[0, : len(vectors)] = vectors
        with wave.open(str(self.assets / "vits" / "expected" / "one.wav")) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return [expected["x"].astype(np.int32), prosody], samples.astype(np.float64)


@contextmanager
def raising(*kinds: type[Exception], match: str = "") -> Iterator[None]:
    said: Exception | None = None
    try:
        yield
    except kinds as error:
        said = error
    if said is not None:
        assert match in str(said), f"{said!r} does not say {match!r}"
        return
    raise AssertionError(f"none of {[kind.__name__ for kind in kinds]} was raised")


def similarity(given: NDArray[Any], wanted: NDArray[np.float64]) -> float:
    heard = given.reshape(-1)[: len(wanted)].astype(np.float64)
    return float(np.corrcoef(heard, wanted)[0, 1])
