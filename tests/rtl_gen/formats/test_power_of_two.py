"""Sums of signed powers of two: published codes, canonical encoding, nearest by brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rtl_gen.errors import UserError
from rtl_gen.formats import Integers, PowerOfTwoFormat, format_named

TERMS = [sign * 2**exponent for sign in (1, -1) for exponent in range(8)]
formats = st.sampled_from([PowerOfTwoFormat(terms=1), PowerOfTwoFormat(terms=2)])
reals = arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e3, 1e3))


def test_pot1_is_a_sign_and_an_exponent() -> None:
    """The weights of LightPE-1, written out: QUIDAM (arXiv 2206.15463), LightNN-1."""
    fmt = format_named("pot1")
    assert (fmt.bits, fmt.minimum, fmt.maximum) == (4, -128, 128)
    assert fmt.decode(range(16)).tolist() == [
        *(1, 2, 4, 8, 16, 32, 64, 128),
        *(-1, -2, -4, -8, -16, -32, -64, -128),
    ]


def test_pot2_is_two_such_terms_the_first_in_the_low_nibble() -> None:
    fmt = format_named("pot2")
    assert (fmt.bits, fmt.minimum, fmt.maximum) == (8, -256, 256)
    assert fmt.decode(fmt.codes()).tolist() == [
        TERMS[high] + TERMS[low] for high, low in product(range(16), repeat=2)
    ]


@pytest.mark.parametrize(
    ("value", "code"),
    [(0, 0x08), (1, 0x18), (2, 0x00), (3, 0x01), (96, 0x56), (256, 0x77), (-256, 0xFF), (-3, 0x0A)],
)
def test_pot2_documented_codes(value: int, code: int) -> None:
    assert format_named("pot2").encode(value) == code


@pytest.mark.parametrize("terms", [1, 2])
def test_the_canonical_code_is_the_smallest_of_its_value(terms: int) -> None:
    fmt = PowerOfTwoFormat(terms=terms)
    decoded = fmt.decode(fmt.codes()).tolist()
    values = fmt.values()
    assert values.tolist() == sorted(set(decoded))
    assert fmt.encode(values).tolist() == [decoded.index(value) for value in values]


def test_values_of_pot2() -> None:
    """All that two terms can be and nothing else; zero among them."""
    assert set(format_named("pot2").values().tolist()) == {a + b for a in TERMS for b in TERMS}
    assert 0 in format_named("pot2").values()
    assert 0 not in format_named("pot1").values()


@given(formats, reals, st.none() | st.floats(1e-3, 1e3))
def test_quantize_takes_the_nearest_value(
    fmt: PowerOfTwoFormat, real: np.ndarray, scale: float | None
) -> None:
    codes, used = fmt.quantize(real, scale)
    quotients = real / used
    assert fmt.decode(codes).tolist() == [nearest(fmt.values(), quotient) for quotient in quotients]
    again, _ = fmt.quantize(fmt.decode(codes) * used, used)
    np.testing.assert_array_equal(again, codes)


@given(formats)
def test_ties_go_to_the_smaller_magnitude(fmt: PowerOfTwoFormat) -> None:
    values = fmt.values()
    middles = (values[:-1] + values[1:]) / 2
    decoded = fmt.decode(fmt.quantize(middles, 1.0)[0])
    assert decoded.tolist() == [nearest(values, middle) for middle in middles]


def nearest(values: Integers, real: float) -> int:
    """By search over all values; of two equally near the smaller magnitude, of +-1 the positive."""
    candidates: list[int] = values.tolist()
    exact = Fraction(real)  # a float would round the distances of tiny numbers to a tie
    return min(candidates, key=lambda value: (abs(value - exact), abs(value), -value))


def test_zero_becomes_one_where_there_is_no_zero() -> None:
    fmt = format_named("pot1")
    codes, _ = fmt.quantize([0.0, -0.0, -1e-9, 1.0], 1.0)
    assert fmt.decode(codes).tolist() == [1, 1, -1, 1]


@pytest.mark.parametrize(("name", "maximum"), [("pot1", 128), ("pot2", 256)])
def test_the_scale_maps_the_largest_magnitude_to_the_maximum(name: str, maximum: int) -> None:
    fmt = format_named(name)
    codes, scale = fmt.quantize([[0.25, -3.0]])
    assert scale == 3.0 / maximum
    assert codes.shape == (1, 2)
    assert fmt.decode(codes)[0, 1] == -maximum


def test_errors_name_rule_and_value() -> None:
    with pytest.raises(
        UserError, match=r"pot1 values must be sums of 1 signed powers of two.* not 0"
    ):
        format_named("pot1").encode([1, 0])
    with pytest.raises(UserError, match=r"pot2 values must be sums of 2 .* not 11"):
        format_named("pot2").encode([11])
    with pytest.raises(UserError, match=r"pot2 values must be .* not 1000"):
        format_named("pot2").encode(1000)
    with pytest.raises(UserError, match="pot1 codes must be 0 to 15, not 16"):
        format_named("pot1").decode([16])
    with pytest.raises(UserError, match="pot1 codes must be 0 to 15, not -1"):
        format_named("pot1").decode([-1])
    with pytest.raises(UserError, match="power-of-two format must be pot1 to pot2, not 'pot3'"):
        format_named("pot3")
