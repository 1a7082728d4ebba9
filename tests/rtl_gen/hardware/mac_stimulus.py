"""Operands and addends that are hard on a multiply-accumulate unit."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtl_gen.formats import (
    Accumulator,
    Arithmetic,
    FloatAccumulator,
    FloatFormat,
    Format,
    Values,
)

Codes = NDArray[np.int64]

#: Kinds of addends: as many turns show every pair of operands one of each.
KINDS = 6


def operand_pairs(
    arith: Arithmetic, first: int, count: int, limit: int, rng: np.random.Generator
) -> tuple[Codes, Codes]:
    """Pairs of codes from number `first` on: all of them, again and again, where there are at most
    `limit`; else pairs of corners, then random ones."""
    one, other = arith.activation, arith.weight
    if one.bits + other.bits <= limit.bit_length() - 1:
        codes = one.codes(), other.codes()
        number = (first + np.arange(count)) % (codes[0].size * codes[1].size)
        return codes[0][number // codes[1].size], codes[1][number % codes[1].size]
    weights = some(other, count, rng)
    activations = some(one, count, rng)
    if isinstance(one, FloatFormat) and isinstance(arith.accumulator, FloatAccumulator):
        aimed = _aimed(one, arith.weight.decode(weights), arith.accumulator.format, rng)
        activations = np.where(rng.random(count) < 0.3, aimed, activations)
    if first == 0:
        ends = np.array(list(product(corners(one), corners(other))))[:count]
        activations[: len(ends)], weights[: len(ends)] = ends.T
    return activations, weights


def corners(fmt: Format) -> Codes:
    """Codes where something changes: ends, zero, one, and what lies beside."""
    if isinstance(fmt, FloatFormat):
        one = fmt.bias << fmt.mantissa_bits
        normal, largest = 1 << fmt.mantissa_bits, fmt.largest_word
        middle = np.array([0, normal, one, largest])[:, None] + np.arange(-2, 3)
        quiet = np.array([fmt.sign_bit - 1, fmt.sign_bit - 2, largest + 1 | normal >> 1])
        magnitudes = np.unique(np.append(middle, quiet) & fmt.sign_bit - 1)
        return np.concatenate([magnitudes, magnitudes | fmt.sign_bit])
    codes = fmt.codes()
    half = codes.size // 2
    near = np.array([0, 1, 2, half - 1, half, half + 1, -3, -2, -1])
    return np.unique(codes[near % codes.size])


def some(fmt: Format, count: int, rng: np.random.Generator) -> Codes:
    """Random codes: of any kind, corners, and of floats many with few digits near 1."""
    if not isinstance(fmt, FloatFormat):
        codes = rng.choice(fmt.codes(), count)
        return np.where(rng.random(count) < 0.2, rng.choice(corners(fmt), count), codes)
    uniform = rng.integers(0, 1 << fmt.bits, count)
    near = fmt.bias + rng.integers(-fmt.mantissa_bits - 2, fmt.mantissa_bits + 3, count)
    moderate = _word(fmt, near, _mantissas(fmt, count, rng), rng)
    kind = rng.integers(0, 10, count)
    return np.select([kind < 3, kind < 5], [uniform, rng.choice(corners(fmt), count)], moderate)


def sums(accumulator: Accumulator, count: int, rng: np.random.Generator) -> Codes:
    """Codes of an accumulator, to be an operand of its adder."""
    if isinstance(accumulator, FloatAccumulator):
        return some(accumulator.format, count, rng)
    ends = rng.choice(_ends(accumulator), count)
    uniform = rng.integers(accumulator.minimum, accumulator.maximum + 1, count)
    return np.where(rng.random(count) < 0.3, ends, uniform)


def addends(accumulator: Accumulator, values: Values, turn: int, rng: np.random.Generator) -> Codes:
    """Codes to be added to `values`, of one of the KINDS each, the next one in the next turn."""
    kind = (np.arange(values.size) + turn) % KINDS
    nudge = rng.integers(-2, 3, values.size)
    if isinstance(accumulator, FloatAccumulator):
        choices = _float_addends(accumulator.format, values, nudge, rng)
    else:
        low, high = accumulator.minimum, accumulator.maximum
        choices = [
            rng.integers(low, high + 1, values.size),
            rng.choice(_ends(accumulator), values.size),
            # Sums of zero and about, and those that just reach or pass the limits.
            *(edge - values + nudge for edge in (0, low, high)),
            values + nudge,
        ]
        choices = [np.clip(choice, low, high) for choice in choices]
    return np.choose(kind, choices)


def _float_addends(
    fmt: FloatFormat, values: Values, nudge: Codes, rng: np.random.Generator
) -> list[Codes]:
    words, ones = fmt.words(values), fmt.sign_bit - 1
    sign, magnitude = words & fmt.sign_bit, words & ones
    field = magnitude >> fmt.mantissa_bits
    digits = fmt.mantissa_bits
    beside = np.clip(magnitude + nudge, 0, ones)
    around = field + rng.integers(-digits - 4, digits + 5, values.size)
    below = field - digits - 1 + rng.integers(-1, 2, values.size)
    same = rng.random(values.size) < 0.7
    return [
        rng.integers(0, 1 << fmt.bits, values.size),
        rng.choice(corners(fmt), values.size),
        sign ^ fmt.sign_bit | beside,  # cancels, or nearly
        _word(fmt, around, _mantissas(fmt, values.size, rng), rng),
        _word(fmt, below, _mantissas(fmt, values.size, rng), rng),  # ties, and beside them
        np.where(same, sign | beside, sign ^ rng.choice([0, fmt.sign_bit], values.size)),
    ]


def _aimed(fmt: FloatFormat, weights: Values, wide: FloatFormat, rng: np.random.Generator) -> Codes:
    """Activations whose product with `weights` is about as small or large as `wide` can tell."""
    count = weights.size
    with np.errstate(invalid="ignore"):
        exponent = np.frexp(np.where(np.isfinite(weights), weights, 1.0))[1] - 1
    small = wide.quantum_exponent + rng.integers(-3, wide.mantissa_bits + 4, count)
    large = wide.bias + rng.integers(-2, 3, count)
    target = np.where(rng.random(count) < 0.7, small, large)
    return _word(fmt, target - exponent + fmt.bias, _mantissas(fmt, count, rng), rng)


def _word(fmt: FloatFormat, field: Codes, mantissa: Codes, rng: np.random.Generator) -> Codes:
    """Words of a random sign; exponent fields out of range become the nearest."""
    bounded = np.clip(field, 0, fmt.largest_word >> fmt.mantissa_bits)
    sign = rng.choice([0, fmt.sign_bit], field.size)
    return sign | bounded << fmt.mantissa_bits | mantissa


def _mantissas(fmt: FloatFormat, count: int, rng: np.random.Generator) -> Codes:
    """Random ones, whose low digits are often all zeros or all ones: that is where ties are."""
    full = (1 << fmt.mantissa_bits) - 1
    mantissa = rng.integers(0, full + 1, count)
    low = (1 << rng.integers(0, fmt.mantissa_bits + 1, count)) - 1
    kind = rng.integers(0, 3, count)
    return np.choose(kind, [mantissa, mantissa & ~low, mantissa | low])


def _ends(accumulator: Accumulator) -> Codes:
    low, high = accumulator.minimum, accumulator.maximum
    return np.array([low, low + 1, -1, 0, 1, high - 1, high])
