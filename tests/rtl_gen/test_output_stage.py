"""The output stage: exact as fractions are, rounding half to even; scales met within the bound."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.layer import Layer
from rtl_gen.output_stage import OutputStage

INT16 = arithmetic("int16")
#: The widest accumulator there is, and one beyond: a sum plus a bias.
WIDEST = st.integers(-(2**48), 2**48 - 1)


def stage(
    multiplier: int,
    shift: int,
    bias: int = 0,
    *,
    zero_point: int = 0,
    low: int = -(2**15),
    high: int = 2**15 - 1,
) -> OutputStage:
    """The stage of one filter; int16 codes unless told otherwise."""
    return OutputStage(
        bias=np.array([bias]),
        multiplier=np.array([multiplier]),
        shift=np.array([shift]),
        zero_point=zero_point,
        low=low,
        high=high,
    )


def apply(made: OutputStage, sums: list[int]) -> list[int]:
    codes = made.apply(INT16, np.array(sums, dtype=np.int64).reshape(-1, 1, 1, 1))
    assert codes.dtype == np.int64
    return [int(code) for code in codes.ravel()]


@settings(max_examples=300)
@given(
    st.lists(WIDEST, min_size=1, max_size=4),
    st.integers(-(2**47), 2**47 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 63),
    st.integers(-(2**15), 2**15 - 1),
)
def test_codes_are_those_of_fractions(
    sums: list[int], bias: int, multiplier: int, shift: int, zero_point: int
) -> None:
    """Python's `round` of a Fraction rounds half to even, at any size."""
    expected = [
        round(Fraction((total + bias) * multiplier, 2**shift)) + zero_point for total in sums
    ]
    made = stage(multiplier, shift, bias, zero_point=zero_point)
    assert apply(made, sums) == [min(max(code, -(2**15)), 2**15 - 1) for code in expected]


def test_halves_go_to_the_even_code() -> None:
    sums = [-7, -6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6, 7]
    halves = [-4, -3, -2, -2, -1, 0, 0, 0, 1, 2, 2, 3, 4]
    assert apply(stage(1, 1), sums) == halves
    # The zero point is added after rounding: it does not change which way a half goes.
    assert apply(stage(1, 1, zero_point=3), sums) == [code + 3 for code in halves]
    assert apply(stage(2**15, 16), sums) == halves
    assert apply(stage(1, 0), sums) == sums


def test_filters_are_rescaled_apart() -> None:
    made = OutputStage(
        bias=np.array([10, -10]),
        multiplier=np.array([3, 1]),
        shift=np.array([1, 2]),
        zero_point=-5,
        low=-5,
        high=20,
    )
    sums = np.array([[0, 6], [30, -9]]).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(made.apply(INT16, sums).reshape(2, 2), [[10, 19], [0, -5]])


@settings(max_examples=300)
@given(st.floats(2.0**-48, 65535.49))
def test_a_scale_is_met_within_the_bound(scale: float) -> None:
    made = OutputStage.from_scales([scale], [0], zero_point=0, low=-128, high=127)
    multiplier, shift = int(made.multiplier[0]), int(made.shift[0])
    assert multiplier in range(2**15, 2**16)
    assert shift in range(64)
    exact = Fraction(scale)
    assert abs(Fraction(multiplier, 2**shift) / exact - 1) <= Fraction(1, 2**16)


@given(st.integers(1, 2**16 - 1), st.integers(0, 63))
def test_a_scale_that_the_hardware_has_is_met_exactly(multiplier: int, shift: int) -> None:
    scale = float(Fraction(multiplier, 2**shift))
    made = OutputStage.from_scales([scale], [0], zero_point=0, low=-128, high=127)
    assert Fraction(int(made.multiplier[0]), 2 ** int(made.shift[0])) == Fraction(
        multiplier, 2**shift
    )


@given(st.floats(1e-30, 2.0**-48))
def test_a_tiny_scale_is_met_within_the_last_bit(scale: float) -> None:
    made = OutputStage.from_scales([scale], [0], zero_point=0, low=-128, high=127)
    met = Fraction(int(made.multiplier[0]), 2 ** int(made.shift[0]))
    assert abs(met - Fraction(scale)) <= Fraction(1, 2**64)


def test_scales_between_two_multipliers_round_up_into_the_next_power() -> None:
    almost = [1 - 2.0**-18, 2 - 2.0**-17, 2.0**-47 * (1 - 2.0**-18), 65535.25]
    made = OutputStage.from_scales(almost, [1, 2, 3, 4], zero_point=0, low=-1, high=1)
    assert made.multiplier.tolist() == [2**15, 2**15, 2**15, 65535]
    assert made.shift.tolist() == [15, 14, 62, 0]
    assert made.bias.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("scale", [0.0, -0.5, float("nan"), float("inf"), 65535.5])
def test_scales_that_no_multiplier_meets_are_refused(scale: float) -> None:
    message = f"scale must be positive and below 65535.5, not {scale!r}"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        OutputStage.from_scales([1.0, scale], [0, 0], zero_point=0, low=-128, high=127)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": np.zeros(2, int)}, "bias must be of shape (1,), not (2,)"),
        ({"bias": np.zeros(1)}, "bias must hold integers, not dtype('float64')"),
        (
            {"bias": np.array([2**31])},
            "bias: 32-bit sums must be -2147483648 to 2147483647, not 2147483648",
        ),
        ({"multiplier": np.array([2**16])}, "multiplier must be from 0 to 65535, not 65536"),
        ({"multiplier": np.array([-1])}, "multiplier must be from 0 to 65535, not -1"),
        ({"shift": np.array([64])}, "shift must be from 0 to 63, not 64"),
        ({"zero_point": 128}, "zero_point: int8 codes must be -128 to 127, not 128"),
        ({"zero_point": 0.5}, "zero_point must be an integer, not 0.5"),
        ({"low": -129}, "low: int8 codes must be -128 to 127, not -129"),
        ({"high": 128}, "high: int8 codes must be -128 to 127, not 128"),
        ({"low": 6, "high": 5}, "low must be at most high (5), not 6"),
    ],
)
def test_a_stage_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    layer = Layer(name="x", kind="fc", in_channels=2, out_channels=1, output="quantized")
    # An accumulator of 32 bits: the bounds of a bias are its own.
    numbers = arithmetic("int8a32")
    good = stage(1, 0, low=-128, high=127)
    good.check(numbers, layer)
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        replace(good, **change).check(numbers, layer)
