"""bfloat16 by hand, since numpy has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh_sophon.client import from_bfloat16, to_bfloat16


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (1.0, 0x3F80),
        (-2.0, 0xC000),
        (-10000.0, 0xC61C),
        (1.00390625, 0x3F80),  # Half a step: to the even neighbour below ...
        (1.01171875, 0x3F82),  # ... and above.
        (3.4e38, 0x7F80),  # Rounds up to infinity.
        (np.inf, 0x7F80),
        (-0.0, 0x8000),
    ],
)
def test_values_round_to_the_nearest_ties_to_even(value: float, bits: int) -> None:
    assert int(to_bfloat16(np.float32(value))) == bits


@given(st.integers(0, 0xFFFF))
def test_every_bfloat16_survives_the_way_to_float32_and_back(bits: int) -> None:
    value = from_bfloat16(np.array([bits], np.uint16))
    again = int(to_bfloat16(value)[0])
    if np.isnan(value[0]):
        assert np.isnan(from_bfloat16(np.array([again], np.uint16))[0])
    else:
        assert again == bits
