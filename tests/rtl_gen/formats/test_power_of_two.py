"""Sums of signed powers of two: published codes, canonical encoding, nearest by brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rtl_gen.errors import UserError
from rtl_gen.formats import Integers, PowerOfTwoFormat, format_named

TERMS = [sign * 2**exponent for sign in (1, -1) for exponent in range(8)]
NAMES = (
    *("bin", "tern", "pot1", "pot2", "pot3", "pot4", "pot1e1", "pot2e3", "pot2e5", "pot1e14"),
    *("apot3", "apot4", "apot5", "apot6", "apot7"),
    *("bitsparse1", "bitsparse2", "bitsparse3", "bitsparse4"),
)
formats = st.sampled_from([format_named(name) for name in NAMES])
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


@pytest.mark.parametrize("name", NAMES)
def test_the_canonical_code_is_the_smallest_of_its_value(name: str) -> None:
    fmt = format_named(name)
    codes = fmt.codes()
    smallest: dict[int, int] = {}
    for code, value in zip(codes.tolist(), fmt.decode(codes).tolist(), strict=True):
        smallest.setdefault(value, code)
    values = fmt.values()
    assert values.tolist() == sorted(smallest)
    assert fmt.encode(values).tolist() == [smallest[value] for value in values.tolist()]
    assert (fmt.minimum, fmt.maximum) == (values[0], values[-1])
    np.testing.assert_array_equal(values, -values[::-1])
    np.testing.assert_array_equal(fmt.from_bits(codes), codes)


def test_few_bits() -> None:
    """A sign; a sign and a magnitude."""
    assert format_named("bin").decode([0, 1]).tolist() == [1, -1]
    assert format_named("tern").decode([0, 1, 2, 3]).tolist() == [0, 1, 0, -1]


@pytest.mark.parametrize("name", ["pot3", "pot2e3", "pot2e5", "pot1e14", "pot1e1"])
def test_a_chosen_number_of_terms_and_a_chosen_exponent(name: str) -> None:
    terms, _, largest = name.removeprefix("pot").partition("e")
    powers = [sign * 2**e for sign in (1, -1) for e in range(int(largest or 7) + 1)]
    sums = {sum(chosen) for chosen in product(powers, repeat=int(terms))}
    assert set(format_named(name).values().tolist()) == sums


def test_an_exponent_that_the_format_has_not_is_no_code() -> None:
    fmt = format_named("pot1e5")  # three bits for 0 to 5
    assert fmt.bits == 4
    assert fmt.codes().tolist() == [*range(6), *range(8, 14)]
    with pytest.raises(UserError, match="pot1e5 codes must not have an index without a power"):
        fmt.decode([6])


@pytest.mark.parametrize("terms", [1, 2, 3, 4])
def test_bit_sparse_weights_are_sums_of_at_most_n_signed_bits(terms: int) -> None:
    """By search: every number within reach that has a signed-digit form of n digits, and no other.

    The fewest signed digits are those of the non-adjacent form (Reitwiesner, 1960).
    """
    fmt = format_named(f"bitsparse{terms}")
    assert fmt.bits == 5 * terms
    values = set(fmt.values().tolist())
    for number in range(2**14 + 1):  # beyond, a form could need 2**15
        digits, rest = 0, number
        while rest:
            if rest & 1:
                digits += 1
                rest -= 2 - rest % 4
            rest >>= 1
        if number <= 2**13:  # no carry past 2**14
            assert (number in values) == (digits <= terms), number
        assert (number in values) == (-number in values)


def test_additive_powers_of_two_are_those_of_the_paper() -> None:
    """APoT, equation 5 with k = 2: n fields, field i choosing 0 or 2**-(i + j n); 3 and 5 bits of
    magnitude as in the authors' program. All levels, the largest being 1."""
    for bits, fields in {
        3: [[0, 1 / 2, 1 / 4, 1 / 8]],
        5: [[0, 1 / 2, 1 / 8, 1 / 32], [0, 1 / 4, 1 / 16, 1 / 64]],
        7: [[0, *(2.0 ** -(1 + i + 3 * j) for j in range(3))] for i in range(3)],
        4: [[0, 1 / 2, 1 / 4, 1 / 16], [0, 1 / 8]],
        6: [[0, 1 / 2, 1 / 8, 1 / 64], [0, 1 / 4, 1 / 16, 1 / 128], [0, 1 / 32]],
    }.items():
        levels = np.array(sorted({sum(chosen) for chosen in product(*fields)}))
        fmt = format_named(f"apot{bits}")
        ours = fmt.values()[fmt.values() >= 0] / fmt.maximum
        np.testing.assert_array_equal(ours, levels / levels[-1])
        assert fmt.codes().size == 2**bits


def test_values_of_pot2() -> None:
    """All that two terms can be and nothing else; zero among them."""
    assert set(format_named("pot2").values().tolist()) == {a + b for a in TERMS for b in TERMS}
    assert 0 in format_named("pot2").values()
    assert 0 not in format_named("pot1").values()


@settings(max_examples=150)
@given(formats, reals, st.none() | st.floats(1e-3, 1e3))
def test_quantize_takes_the_nearest_value(
    fmt: PowerOfTwoFormat, real: np.ndarray, scale: float | None
) -> None:
    codes, used = fmt.quantize(real, scale)
    found = zip(fmt.decode(codes).tolist(), (real / used).tolist(), strict=True)
    for value, quotient in found:
        assert value == nearest(fmt.values(), quotient)
    again, _ = fmt.quantize(fmt.decode(codes) * used, used)
    np.testing.assert_array_equal(again, codes)


@given(formats)
def test_ties_go_to_the_smaller_magnitude(fmt: PowerOfTwoFormat) -> None:
    values = fmt.values()
    middles = (values[:-1] + values[1:]) / 2
    decoded = fmt.decode(fmt.quantize(middles, 1.0)[0])
    assert decoded.tolist()[::7] == [nearest(values, middle) for middle in middles.tolist()[::7]]


def nearest(values: Integers, real: float) -> int:
    """By search over all near; of two equally near the smaller magnitude, of +-1 the positive."""
    place = int(np.searchsorted(values, real))
    candidates: list[int] = values[max(place - 2, 0) : place + 2].tolist()
    exact = Fraction(real)  # a float would round the distances of tiny numbers to a tie
    return min(candidates, key=lambda value: (abs(value - exact), abs(value), -value))


def test_zero_becomes_one_where_there_is_no_zero() -> None:
    fmt = format_named("pot1")
    codes, _ = fmt.quantize([0.0, -0.0, -1e-9, 1.0], 1.0)
    assert fmt.decode(codes).tolist() == [1, 1, -1, 1]


def test_channels_have_scales_of_their_own() -> None:
    real = np.random.default_rng(0).standard_normal((3, 4, 2, 2)) * [[[[1]]]]
    for name in NAMES:
        fmt = format_named(name)
        codes, scales = fmt.quantize(real, axis=0)
        assert scales.shape == (3, 1, 1, 1)
        for channel in range(3):
            alone, scale = fmt.quantize(real[channel])
            assert scale == scales[channel].item()
            np.testing.assert_array_equal(codes[channel], alone)


def test_the_scale_of_binary_weights_is_their_mean_magnitude() -> None:
    """XNOR-Net, equation 6: nearest to the reals in the least squares."""
    codes, scale = format_named("bin").quantize([1.0, -3.0, 2.0])
    assert (codes.tolist(), scale) == ([0, 1, 0], 2.0)


@pytest.mark.parametrize(("name", "maximum"), [("pot1", 128), ("pot2", 256)])
def test_the_scale_maps_the_largest_magnitude_to_the_maximum(name: str, maximum: int) -> None:
    fmt = format_named(name)
    codes, scale = fmt.quantize([[0.25, -3.0]])
    assert scale == 3.0 / maximum
    assert codes.shape == (1, 2)
    assert fmt.decode(codes)[0, 1] == -maximum


def test_errors_name_rule_and_value() -> None:
    with pytest.raises(
        UserError, match=r"pot1 values must be among its 16 sums of powers of two.* not 0"
    ):
        format_named("pot1").encode([1, 0])
    with pytest.raises(UserError, match=r"pot2 values must be among its 105 .* not 11"):
        format_named("pot2").encode([11])
    with pytest.raises(UserError, match=r"pot2 values must be .* not 1000"):
        format_named("pot2").encode(1000)
    with pytest.raises(UserError, match="pot1 codes must be 0 to 15, not 16"):
        format_named("pot1").decode([16])
    with pytest.raises(UserError, match="pot1 codes must be 0 to 15, not -1"):
        format_named("pot1").decode([-1])
    with pytest.raises(UserError, match=r"scale must be positive and finite, not 0\.0"):
        format_named("pot1").quantize([[1.0], [2.0]], [[1.0], [0.0]])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pot5", "power-of-two format must be pot1 to pot4, exponents up to e1 to e14, not 'pot5'"),
        ("pot2e15", "exponents up to e1 to e14, not 'pot2e15'"),
        ("apot2", "additive format must be apot3 to apot7, not 'apot2'"),
        ("bitsparse5", "bit-sparse format must be bitsparse1 to bitsparse4, not 'bitsparse5'"),
        ("uint17", "integer format must be uint1 to uint16, not 'uint17'"),
        ("int8e3", "format must be intN, uintN, potN, apotN, bitsparseN, fp32, .* not 'int8e3'"),
    ],
)
def test_names_that_are_none(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        format_named(name)
