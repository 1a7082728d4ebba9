"""Floating-point formats against ml_dtypes, gfloat, numpy and exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from gfloat import decode_ndarray, round_ndarray
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats import FLOATS, FloatFormat, format_named
from tests.rtl_gen.formats import outside
from tests.rtl_gen.formats.outside import DTYPES, GFLOAT, PUBLISHED

Reals = NDArray[np.float64]
Words = NDArray[np.int64]

SHORT = [name for name, fmt in FLOATS.items() if fmt.bits <= 8]
every_format = pytest.mark.parametrize("name", FLOATS)
formats = st.sampled_from(list(FLOATS.values()))
reals = st.floats(width=64) | st.floats(-1e3, 1e3)


def some_words(fmt: FloatFormat, count: int = 1 << 16) -> Words:
    """All words of a format, or as many at random, with both ends of every binade."""
    if fmt.bits <= 16:
        return fmt.codes()
    at_random = np.random.default_rng(1).integers(0, 1 << fmt.bits, count)
    binades = np.arange(0, fmt.sign_bit, 1 << fmt.mantissa_bits)
    ends = (binades[:, None] + np.array([-2, -1, 0, 1, 2])).ravel() & fmt.sign_bit - 1
    return np.concatenate([at_random, ends, ends | fmt.sign_bit])


def between(fmt: FloatFormat) -> Reals:
    """Numbers, the middles between neighbours, float64's neighbours of all, and random ones."""
    words = some_words(fmt) & fmt.sign_bit - 1
    words = np.unique(words[words < fmt.largest_word])
    low, high = fmt.decode(words), fmt.decode(words + 1)
    marks = np.concatenate([low, (low + high) / 2, high])  # exact: float64 has digits to spare
    rng = np.random.default_rng(2)
    spread = rng.random(5000) * 2.0 ** rng.integers(-1074, 1024, 5000)
    near = rng.standard_normal(5000) * np.sqrt(fmt.maximum)
    past = fmt.maximum * np.array([1.0, 1.01, 1.05, 1.06, 1.07, 1.2, 1.3, 2.0, 100.0])
    magnitudes = np.abs(np.concatenate([marks, spread, near, past]))
    magnitudes = np.concatenate([magnitudes, np.nextafter(magnitudes, [[0.0], [np.inf]]).ravel()])
    return np.concatenate([magnitudes, -magnitudes])


def same(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> None:
    """Equal numbers, NaN where NaN is, zeros of one sign."""
    with np.errstate(invalid="ignore"):  # of signalling NaN
        theirs = np.asarray(theirs, dtype=np.float64)
    np.testing.assert_array_equal(ours, theirs)
    numbers = ~np.isnan(ours)
    np.testing.assert_array_equal(np.signbit(ours)[numbers], np.signbit(theirs)[numbers])


@every_format
def test_words_mean_what_others_say(name: str) -> None:
    fmt = FLOATS[name]
    words = fmt.codes() if name == "tf32" else some_words(fmt, 1 << 20)
    same(fmt.decode(words), outside.numbers(name, words))
    if name in GFLOAT:
        few = words if fmt.bits <= 16 else words[:5000]
        with np.errstate(over="ignore"):
            same(fmt.decode(few), decode_ndarray(GFLOAT[name], few))


@pytest.mark.parametrize("name", DTYPES)
def test_constants_are_those_of_ml_dtypes(name: str) -> None:
    fmt, theirs = FLOATS[name], ml_dtypes.finfo(DTYPES[name])
    assert (fmt.maximum, fmt.minimum) == (float(theirs.max), float(theirs.min))
    assert fmt.bits == theirs.bits
    assert (fmt.exponent_bits, fmt.mantissa_bits) == (theirs.nexp, theirs.nmant)
    assert fmt.decode(1) == 2.0**fmt.quantum_exponent == float(theirs.smallest_subnormal)
    smallest_normal = fmt.decode(1 << fmt.mantissa_bits)
    assert smallest_normal == 2.0**fmt.smallest_exponent == float(theirs.smallest_normal)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_ieee_754(name: str) -> None:
    fmt, published = FLOATS[name], PUBLISHED[name]
    assert fmt.mantissa_bits + 1 == published.digits
    assert fmt.smallest_exponent == published.smallest
    assert fmt.maximum == (2 - 2.0 ** (1 - published.digits)) * 2.0**published.largest


@pytest.mark.parametrize("name", DTYPES)
def test_rounding_is_that_of_ml_dtypes_and_numpy(name: str) -> None:
    fmt, numbers = FLOATS[name], between(FLOATS[name])
    with np.errstate(over="ignore", under="ignore"):
        if name not in ("fp32", "fp16"):  # ml_dtypes rounds to float32 first: only those go in
            narrow = numbers.astype(np.float32)
            numbers = np.concatenate([np.nextafter(narrow, np.float32(end)) for end in (0, np.inf)])
            numbers = np.concatenate([narrow, numbers, -numbers]).astype(np.float64)
        theirs = numbers.astype(DTYPES[name]).astype(np.float64)
    # ml_dtypes overflows to infinity and NaN, which only formats of 16 bits and more do here.
    inside = np.isfinite(theirs) | ~np.array(fmt.saturating)
    assert inside.mean() > 0.5
    same(fmt.nearest(numbers)[inside], theirs[inside])


@pytest.mark.parametrize("name", GFLOAT)
def test_rounding_and_overflow_are_those_of_gfloat(name: str) -> None:
    fmt, numbers = FLOATS[name], between(FLOATS[name])
    numbers = np.concatenate([numbers, [0.0, -0.0, np.inf, -np.inf]])
    with np.errstate(all="ignore"):
        theirs = round_ndarray(GFLOAT[name], numbers, sat=fmt.saturating)
    same(fmt.nearest(numbers), theirs)


@pytest.mark.parametrize("name", PUBLISHED)
def test_rounding_is_that_of_exact_fractions(name: str) -> None:
    numbers = np.random.default_rng(3).choice(between(FLOATS[name]), 3000)
    theirs = [outside.rounded(Fraction(number), name) for number in numbers]
    np.testing.assert_array_equal(FLOATS[name].nearest(numbers), theirs)


@every_format
def test_special_words(name: str) -> None:
    fmt = FLOATS[name]
    words = fmt.words(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan])).tolist()
    limit = fmt.largest_word if fmt.saturating else fmt.largest_word + 1
    missing = fmt.sign_bit if fmt.nan_word is None else fmt.nan_word
    assert words == [0, fmt.sign_bit, limit, limit | fmt.sign_bit, missing, missing]
    if name in DTYPES:  # NaN where there is none: both make it minus zero
        kind = np.dtype(DTYPES[name])
        nan = np.array(np.nan).astype(kind).view(f"u{kind.itemsize}")
        assert missing == int(nan) & fmt.sign_bit - 1 or fmt.nan_word is None
        assert fmt.nan_word is not None or missing == int(nan)


def test_the_canonical_nans() -> None:
    """RISC-V's for the formats of IEEE's kind (unprivileged ISA, 11.3); OCP's only one for E4M3."""
    words = {name: fmt.nan_word for name, fmt in FLOATS.items()}
    assert (words["fp32"], words["fp16"], words["bf16"]) == (0x7FC00000, 0x7E00, 0x7FC0)
    assert (words["tf32"], words["fp8_e5m2"], words["fp8_e4m3"]) == (0x3FE00, 0x7E, 0x7F)
    assert [words[name] for name in ("fp6_e3m2", "fp6_e2m3", "fp4_e2m1")] == [None] * 3


@every_format
def test_words_and_values_go_round(name: str) -> None:
    fmt = FLOATS[name]
    words = some_words(fmt)
    values = fmt.decode(words)
    nan = np.isnan(values)
    np.testing.assert_array_equal(fmt.encode(values[~nan]), words[~nan])
    if nan.any():
        assert np.unique(fmt.encode(values[nan])).tolist() == [fmt.nan_word]
    finite = np.isfinite(values)
    same(fmt.nearest(values[finite]), values[finite])
    np.testing.assert_array_equal(fmt.from_bits(words), words)


@given(formats, st.lists(reals, min_size=2, max_size=20))
def test_rounding_keeps_the_order_and_does_it_once(fmt: FloatFormat, numbers: list[float]) -> None:
    known = [number for number in numbers if number == number] or [0.0]
    ordered = np.array(sorted(known, key=lambda number: (number, math.copysign(1, number))))
    nearest = fmt.nearest(ordered)
    assert (np.diff(fmt.order(fmt.words(ordered))) >= 0).all()
    assert (nearest[1:] >= nearest[:-1]).all()
    np.testing.assert_array_equal(fmt.words(nearest), fmt.words(ordered))


@every_format
def test_words_in_the_order_of_their_numbers(name: str) -> None:
    fmt = FLOATS[name]
    words = some_words(fmt)
    words = words[np.isfinite(fmt.decode(words))]
    ranked = words[np.argsort(fmt.order(words), kind="stable")]
    assert (np.diff(fmt.decode(ranked)) >= 0).all()
    assert fmt.order(np.array([fmt.sign_bit, 0])).tolist() == [-1, 0]


@pytest.mark.parametrize("name", [name for name, fmt in FLOATS.items() if fmt.bits <= 16])
def test_values_are_all_the_finite_ones(name: str) -> None:
    fmt = FLOATS[name]
    decoded = outside.numbers(name, np.arange(1 << fmt.bits))
    np.testing.assert_array_equal(fmt.values(), np.unique(decoded[np.isfinite(decoded)]))
    assert fmt.codes().tolist() == list(range(1 << fmt.bits))


@pytest.mark.parametrize("name", SHORT)
def test_the_scale_puts_the_largest_magnitude_on_the_maximum(name: str) -> None:
    fmt = FLOATS[name]
    channels = np.array([1.0, 50.0, 0.0, 1e-9])
    real = np.random.default_rng(4).standard_normal((4, 3, 2)) * channels[:, None, None]
    words, scale = fmt.quantize(real)
    assert scale == np.abs(real).max() / fmt.maximum
    assert words.dtype == np.int64
    same(fmt.decode(words), (real / scale).astype(DTYPES[name]))
    words, scales = fmt.quantize(real, axis=0)
    assert scales.shape == (4, 1, 1)
    largest = np.abs(real).max(axis=(1, 2)) / fmt.maximum
    np.testing.assert_array_equal(scales.ravel(), np.where(largest > 0, largest, 1.0))
    for channel, (one, used) in enumerate(zip(real, scales.ravel(), strict=True)):
        np.testing.assert_array_equal(words[channel], fmt.quantize(one, used)[0])
    again, _ = fmt.quantize(fmt.decode(words) * scales, scales)
    np.testing.assert_array_equal(fmt.decode(again), fmt.decode(words))
    assert fmt.quantize(real, axis=(0, 2))[1].shape == (4, 1, 2)


@pytest.mark.parametrize("name", ["fp32", "tf32", "bf16", "fp16"])
def test_wide_formats_are_not_scaled_unasked(name: str) -> None:
    fmt, real = FLOATS[name], np.array([1e-3, -2.5, 4e4])
    words, scale = fmt.quantize(real)
    assert scale == 1.0
    np.testing.assert_array_equal(words, fmt.words(real))
    np.testing.assert_array_equal(fmt.quantize(real, 4.0)[0], fmt.words(real / 4))


def test_errors_name_rule_and_value() -> None:
    fmt = FLOATS["fp8_e4m3"]
    with pytest.raises(UserError, match=r"fp8_e4m3 values must be representable .*, not .*0\.3"):
        fmt.encode([1.0, 0.3])
    with pytest.raises(UserError, match=r"fp8_e4m3 values must be representable .*, not .*500"):
        fmt.encode(500.0)
    with pytest.raises(UserError, match=r"fp4_e2m1 values must be representable .*, not .*nan"):
        FLOATS["fp4_e2m1"].encode(np.nan)
    with pytest.raises(UserError, match=r"fp8_e4m3 values must be representable .*, not .*inf"):
        fmt.encode(np.inf)
    with pytest.raises(UserError, match="fp8_e4m3 codes must be 0 to 255, not 256"):
        fmt.decode(256)
    with pytest.raises(UserError, match="fp32 codes must be 0 to 4294967295, not -1"):
        FLOATS["fp32"].decode(-1)
    with pytest.raises(UserError, match="fp8_e4m3 codes must be integers, not float64"):
        fmt.decode(1.0)
    with pytest.raises(UserError, match="numbers to quantize must be finite, not nan"):
        fmt.quantize([1.0, np.nan])
    with pytest.raises(UserError, match=r"scale must be positive and finite, not 0\.0"):
        fmt.quantize([1.0], 0.0)
    for listing in (FLOATS["fp32"].codes, FLOATS["fp32"].values):
        with pytest.raises(UserError, match=r"to be listed must be at most 2.*, not FP32's"):
            listing()


@pytest.mark.parametrize("name", ["fp8", "fp8_e3m4", "FP32", "fp64", "fp32 ", "bf16e4"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UserError, match=f"format must be .*fp8_e4m3.*, not '{name}'"):
        format_named(name)
