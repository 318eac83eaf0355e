"""A doubtful text is read twice, and the likelier reading taken."""

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.moonshine.network import Decoded, Encoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.revision import Piece
from voicemesh_asr.engines.moonshine.second_reading import SecondReading

SAID: Samples = np.ones(16_000, dtype=np.int16)


class Readings(MoonshineNetwork):
    """A network that reads what it is told: the second time only."""

    def __init__(self, second: Decoded) -> None:
        self.second = second
        self.heard: list[Samples] = []

    def encode(
        self, samples: Samples, counter: WorkCounter | None = None, *, in_silence: bool = True
    ) -> Encoded:
        self.heard.append(samples)
        return Encoded(np.zeros((1, 1, 1), np.float32), np.ones((1, len(samples)), np.int64))

    def decode(
        self, encoded: Encoded, draft: object = (), counter: WorkCounter | None = None
    ) -> Decoded:
        return self.second


class Unlooped:
    """Knows one text that says the same again and again."""

    def revise(self, network: MoonshineNetwork, piece: Piece, decoded: Decoded) -> Decoded:
        return read(decoded.tokens[0], -9.0) if decoded.tokens[0] == 9 else decoded


def read(token: int, average: float, finished: bool = True) -> Decoded:
    return Decoded((token,), np.array([average, average], np.float32), finished)


@pytest.mark.parametrize(
    ("first", "second", "is_final", "taken"),
    [
        (read(1, -0.1), read(2, -0.01), True, 1),  # It is sure of it.
        (read(1, -0.5), read(2, -0.3), True, 2),
        (read(1, -0.5), read(2, -0.7), True, 1),
        (read(1, -0.5), read(2, -0.3), False, 1),  # Nobody acts on it yet.
        (read(1, -0.1, finished=False), read(2, -0.9), True, 2),  # It went on and on.
        (read(1, -0.5), read(2, -0.1, finished=False), True, 1),
        (read(1, -0.5), read(9, -0.01), True, 1),  # The same word again and again.
    ],
)
def test_the_likelier_reading_is_taken(
    first: Decoded, second: Decoded, is_final: bool, taken: int
) -> None:
    network = Readings(second)
    piece = Piece(SAID, network.encode(SAID), is_final, True, (), WorkCounter())
    assert SecondReading(Unlooped()).revise(network, piece, first).tokens == (taken,)


def test_the_second_reading_has_silence_on_both_sides() -> None:
    network = Readings(read(2, -0.1))
    piece = Piece(SAID, network.encode(SAID), True, True, (), WorkCounter())
    SecondReading(Unlooped()).revise(network, piece, read(1, -0.5))
    around = network.heard[1]
    assert len(around) == len(SAID) + 2 * 3200
    assert not around[:3200].any()
    assert around[3200:-3200].all()
    assert not around[-3200:].any()
