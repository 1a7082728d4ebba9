"""Golden floating-point arithmetic against numpy, ml_dtypes and exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtl_gen.formats import CATALOGUE, FLOATS, FloatAccumulator, arithmetic
from tests.rtl_gen.formats import outside

Values = NDArray[Any]

#: Arithmetic -> numpy's or ml_dtypes' type in which it multiplies and adds.
NATIVE = {
    **dict.fromkeys(CATALOGUE["float"], np.float32),
    "fp16afp16": np.float16,
    "fp8_e4m3afp16": np.float16,
    "bf16abf16": ml_dtypes.bfloat16,
    "fp8_e5m2abf16": ml_dtypes.bfloat16,
    "fp32xint16": np.float32,
    "tf32xuint8": np.float32,
    "fp16xtern": np.float32,
}
INF, NAN = float("inf"), float("nan")
TINY = 2.0**-149  # FP32's smallest
HUGE = float(np.finfo(np.float32).max)

accumulators = st.sampled_from(sorted(outside.PUBLISHED))
fp32_words = st.integers(0, 2**32 - 1)


def same(ours: Values, theirs: Values) -> None:
    """Equal numbers, NaN where NaN is, zeros of one sign."""
    theirs = theirs.astype(np.float64)
    np.testing.assert_array_equal(ours, theirs)
    numbers = ~np.isnan(theirs)
    np.testing.assert_array_equal(np.signbit(ours)[numbers], np.signbit(theirs)[numbers])


def codes_of(fmt: Any, count: int, rng: np.random.Generator) -> Values:
    """All, again and again, or at random; half of a wide float's have an exponent near 1's."""
    if fmt.bits <= 8:
        return np.resize(rng.permutation(fmt.codes()), count)
    codes = fmt.from_bits(rng.integers(0, 1 << fmt.bits, count))
    if fmt.name not in FLOATS:
        return codes
    field = fmt.bias + rng.integers(-8, 9, count) << fmt.mantissa_bits
    fields = fmt.sign_bit - (1 << fmt.mantissa_bits)
    return np.where(rng.random(count) < 0.5, codes, codes & ~fields | field)


@pytest.mark.parametrize("name", NATIVE)
def test_multiply_and_add_are_those_of_numpy(name: str) -> None:
    arith, kind = arithmetic(name), NATIVE[name]
    rng = np.random.default_rng(1)
    activations, weights = (codes_of(f, 200_000, rng) for f in (arith.activation, arith.weight))
    with np.errstate(all="ignore"):
        one, other = (
            fmt.decode(codes).astype(kind)
            for fmt, codes in ((arith.activation, activations), (arith.weight, weights))
        )
        products = one * other
        assert products.dtype == kind
        same(arith.multiply(activations, weights), products)
        wide = arith.accumulator
        addends = wide.decode(codes_of(wide.format, 200_000, rng))  # type: ignore[union-attr]
        near = rng.permutation(products).astype(np.float64)
        for addend in (addends, near, -products.astype(np.float64)):
            same(arith.add(addend, products.astype(np.float64)), addend.astype(kind) + products)


@given(st.lists(st.tuples(fp32_words, fp32_words), min_size=1, max_size=8))
def test_sums_in_order_are_those_of_numpy(pairs: list[tuple[int, int]]) -> None:
    arith = arithmetic("fp32")
    ours, theirs = np.array(0.0), np.float32(0)
    with np.errstate(all="ignore"):
        for activation, weight in pairs:
            ours = arith.add(ours, arith.multiply(activation, weight))
            numbers = np.array([activation, weight], np.uint32).view(np.float32)
            theirs = theirs + numbers[0] * numbers[1]
    same(ours[None], np.array([theirs]))


@given(accumulators, st.data())
def test_sums_in_order_are_those_of_exact_fractions(wide: str, data: st.DataObject) -> None:
    """Every step: the product rounded, then the sum rounded; nothing else in between."""
    operand = data.draw(st.sampled_from([n for n in FLOATS if _holds(wide, n)]))
    arith = arithmetic(f"{operand}a{wide}")
    codes = st.lists(st.integers(0, 2**arith.activation_bits - 1), min_size=2, max_size=8)
    ours, theirs = np.array(0.0), Fraction(0)
    for activation, weight in zip(data.draw(codes), data.draw(codes), strict=False):
        one, other = arith.activation.decode([activation, weight])
        if not np.isfinite([one, other]).all():
            continue
        product = outside.rounded(Fraction(one) * Fraction(other), wide)
        assert arith.multiply(activation, weight) == product
        if np.isinf(product):
            continue
        ours = arith.add(ours, arith.multiply(activation, weight))
        exact = outside.rounded(theirs + Fraction(product), wide)
        assert ours == exact
        if np.isinf(exact):
            return
        theirs = Fraction(exact)


def _holds(wide: str, operand: str) -> bool:
    one, other = FLOATS[wide], FLOATS[operand]
    return one.exponent_bits >= other.exponent_bits and one.mantissa_bits >= other.mantissa_bits


@given(accumulators, st.data())
def test_a_sum_is_rounded_once(wide: str, data: st.DataObject) -> None:
    """The second operand reaches just below half a unit of the first, and ties."""
    fmt = FLOATS[wide]
    left = data.draw(st.integers(0, fmt.largest_word))
    distance = data.draw(st.integers(0, fmt.mantissa_bits + 3))
    field = max((left >> fmt.mantissa_bits) - distance, 0)
    mantissa = data.draw(
        st.sampled_from([0, 1, (1 << fmt.mantissa_bits) - 1])
        | st.integers(0, (1 << fmt.mantissa_bits) - 1)
    )
    sign = data.draw(st.sampled_from([0, fmt.sign_bit]))
    values = fmt.decode([left, sign | field << fmt.mantissa_bits | mantissa])
    total = FloatAccumulator(format=fmt).add(values[0], values[1])
    assert total == outside.rounded(Fraction(values[0]) + Fraction(values[1]), wide)


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        (INF, -INF, NAN),
        (INF, INF, INF),
        (-INF, 1.0, -INF),
        (NAN, 1.0, NAN),
        (INF, NAN, NAN),
        (0.0, -0.0, 0.0),
        (-0.0, -0.0, -0.0),
        (1.5, -1.5, 0.0),
        (TINY, TINY, 2 * TINY),
        (TINY, -TINY, 0.0),
        (2.0**-126, -TINY, 2.0**-126 - TINY),
        (HUGE, HUGE, INF),
        (HUGE, 2.0**102, HUGE),  # less than half a unit
        (HUGE, 2.0**103, INF),  # half a unit, and odd
        (-HUGE, -(2.0**103), -INF),
        (1.0, 2.0**-24, 1.0),  # a tie, even below
        (1.0 + 2.0**-23, 2.0**-24, 1.0 + 2.0**-22),  # a tie, even above
        (1.0, 2.0**-24 + 2.0**-47, 1.0 + 2.0**-23),
        (1.0, -(2.0**-25), 1.0),
        (1.0, -(2.0**-25) - 2.0**-48, 1.0 - 2.0**-24),
    ],
)
def test_sums_worked_by_hand(left: float, right: float, total: float) -> None:
    arith = arithmetic("fp32")
    for one, other in ((left, right), (right, left)):
        same(arith.add([one], [other]), np.array([total]))


@pytest.mark.parametrize(
    ("name", "activation", "weight", "product"),
    [
        ("fp32", 0.0, INF, NAN),
        ("fp32", -INF, 0.0, NAN),
        ("fp32", INF, -1.0, -INF),
        ("fp32", NAN, 0.0, NAN),
        ("fp32", -0.0, 5.0, -0.0),
        ("fp32", -0.0, -5.0, 0.0),
        ("fp32", -TINY, 0.5, -0.0),  # a tie, even is zero
        ("fp32", 3 * TINY, 0.5, 2 * TINY),  # a tie, even is above
        ("fp32", TINY, 0.5 + 2.0**-24, TINY),
        ("fp32", 2.0**-126, 1 - 2.0**-24, 2.0**-126),  # rounds up out of the subnormals
        ("fp32", HUGE, 1 + 2.0**-23, INF),
        ("fp32", 2.0**64, 2.0**64, INF),
        ("fp32", 1 + 2.0**-23, 1 + 2.0**-23, 1 + 2.0**-22),
        ("fp8_e4m3", 448.0, 448.0, 448.0**2),
        ("fp8_e4m3", NAN, 1.0, NAN),
        ("fp8_e4m3afp16", 448.0, 448.0, INF),  # 200704, past 65504
        ("fp8_e4m3afp16", 2.0**-9, 2.0**-9, 2.0**-18),
        ("fp8_e5m2", INF, 0.0, NAN),
        ("fp8_e5m2", 2.0**-16, -(2.0**-16), -(2.0**-32)),
        ("bf16xint4", 1.5, -8, -12.0),
        ("bf16xint8", -0.0, 3, -0.0),
        ("bf16xint8", 1.0, 0, 0.0),
        ("bf16xint8", -1.0, 0, -0.0),
        ("bf16xint8", INF, 0, NAN),
        ("fp16xbin", INF, -1, -INF),
    ],
)
def test_products_worked_by_hand(
    name: str, activation: float, weight: float, product: float
) -> None:
    arith = arithmetic(name)
    got = arith.multiply([arith.activation.encode(activation)], [arith.weight.encode(weight)])
    same(got, np.array([product]))


def test_a_multiply_add_rounds_twice() -> None:
    """A fused one would keep what the product loses."""
    arith = arithmetic("fp32")
    operand = 1 + 2.0**-12
    code = arith.activation.encode(operand)
    product = arith.multiply(code, code)
    assert product == 1 + 2.0**-11  # less 2**-24, a tie
    assert arith.add(-product, product) == 0 != operand**2 - product


def test_the_order_of_a_sum_matters() -> None:
    add = arithmetic("fp16afp16").add
    assert add(add(2048.0, 1.0), 1.0) == 2048 != add(add(1.0, 1.0), 2048.0)
