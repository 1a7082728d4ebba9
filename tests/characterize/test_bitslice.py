"""Bit slices: 64 images at once, a bit of each in a word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterize.bitslice import LANES, held, sliced
from tests.characterize.lanes import lane_of


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**32))
def test_bit_slices_hold_every_lane(width: int, cycles: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    low = -(2 ** (width - 1))
    values = random.integers(low, 2**width, (cycles, LANES))
    bits = sliced(values, width)
    assert bits.shape == (cycles, width)
    for lane in (0, 17, 63):
        assert lane_of(bits, lane) == (values[:, lane] % 2**width).tolist()
    np.testing.assert_array_equal(sliced(values[:, 0], width), sliced(values[:, [0] * 64], width))
    as_bits = (values[..., None] >> np.arange(width) & 1).astype(np.uint8)
    np.testing.assert_array_equal(sliced(as_bits, width), bits)


def test_bits_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values must be of shape \(T, 64, 3\), not \(5, 64, 4\)"):
        sliced(np.zeros((5, 64, 4), np.uint8), 3)


def test_held_values_stay_until_the_next() -> None:
    valid = np.array([False, True, False, True, False])
    assert held(np.array([9, 1, 2, 3, 4]), valid).tolist() == [9, 1, 1, 3, 3]
