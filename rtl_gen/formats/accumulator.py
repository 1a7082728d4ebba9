"""Accumulators: what sums of products are kept in, and how they are added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rtl_gen.formats.checks import as_integers, check_range
from rtl_gen.formats.float import FloatFormat, Reals
from rtl_gen.formats.format import Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerAccumulator:
    """A signed two's complement register; a code is the value itself.

    Parameters
    ----------
    bits : width.
    saturating : whether every addition clips to the range; otherwise it wraps, which an
        automatic width never lets happen.
    """

    bits: int
    saturating: bool

    @property
    def minimum(self) -> int:
        return -(1 << self.bits - 1)

    @property
    def maximum(self) -> int:
        return (1 << self.bits - 1) - 1

    @property
    def order_matters(self) -> bool:
        """Whether a sum depends on the order of its additions."""
        return self.saturating

    def add(self, left: ArrayLike, right: ArrayLike) -> Integers:
        """Sums of values (broadcast), clipped or wrapped as the hardware does."""
        operands = [as_integers("addends", operand) for operand in (left, right)]
        for operand in operands:
            check_range(f"{self.bits}-bit addends", operand, self.minimum, self.maximum)
        total = operands[0] + operands[1]
        if self.saturating:
            return total.clip(self.minimum, self.maximum)
        return (total - self.minimum) % (1 << self.bits) + self.minimum

    def nearest(self, values: ArrayLike) -> Integers:
        """The nearest values it can hold."""
        return np.asarray(values, dtype=np.int64).clip(self.minimum, self.maximum)

    def from_bits(self, patterns: ArrayLike) -> Integers:
        """Codes of a word's bits, given as unsigned numbers."""
        words = np.asarray(patterns, dtype=np.int64)
        return np.where(words > self.maximum, words - (1 << self.bits), words)

    def encode(self, values: ArrayLike) -> Integers:
        """Codes of values; UserError on one out of range."""
        integers = as_integers("sums", values)
        check_range(f"{self.bits}-bit sums", integers, self.minimum, self.maximum)
        return integers

    def decode(self, codes: ArrayLike) -> Integers:
        """Values of codes; UserError on a number that is no code."""
        return self.encode(codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatAccumulator:
    """A register of a floating-point format; every addition rounds to it.

    Values are float64 arrays of the format's values. All NaNs are one.
    """

    format: FloatFormat

    @property
    def bits(self) -> int:
        return self.format.bits

    @property
    def minimum(self) -> float:
        return self.format.minimum

    @property
    def maximum(self) -> float:
        return self.format.maximum

    @property
    def order_matters(self) -> bool:
        """Whether a sum depends on the order of its additions."""
        return True

    def add(self, left: ArrayLike, right: ArrayLike) -> Reals:
        """Sums of values (broadcast), rounded once.

        float64 has more than twice the digits and two (Figueroa, "When is double rounding
        innocuous?", SIGNUM 1995), so rounding its sum again is rounding the sum.
        """
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
            return self.format.nearest(np.add(left, right, dtype=np.float64))

    def nearest(self, values: ArrayLike) -> Reals:
        """The nearest values it can hold."""
        return self.format.nearest(values)

    def from_bits(self, patterns: ArrayLike) -> Integers:
        """Codes of a word's bits, given as unsigned numbers."""
        return self.format.from_bits(patterns)

    def encode(self, values: ArrayLike) -> Integers:
        """Codes of values; UserError on one that would have to be rounded."""
        return self.format.encode(values)

    def decode(self, codes: ArrayLike) -> Reals:
        """Values of codes; UserError on a number that is no code."""
        return self.format.decode(codes)


Accumulator = IntegerAccumulator | FloatAccumulator
#: What an accumulator holds: int64, or float64.
Sums = np.ndarray[Any, np.dtype[Any]]
