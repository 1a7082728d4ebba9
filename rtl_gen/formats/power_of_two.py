"""Sums of signed powers of two: multiplying by one takes shifts and adds, no multiplier.

Source: Ding et al., "LightNN: Filling the Gap between Conventional Deep Neural Networks and
Binarized Networks", arXiv 1802.02178; Inci et al., "QUIDAM", arXiv 2206.15463 (LightPE-1, -2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from rtl_gen.errors import UserError
from rtl_gen.formats.checks import as_integers, check_range, scaled
from rtl_gen.formats.format import Integers

TERM_BITS = 4
SIGN_BIT = 3
MAX_EXPONENT = 7
MAX_SUMMANDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOfTwoFormat:
    """A sum of `terms` signed powers of two, 4 bits each: sign (bit 3), exponent 0 to 7.

    Term k lies in bits 4k+3 to 4k. A set sign bit is minus.

    One term (pot1) has no code for zero. All sixteen are spent on the range: the smallest
    magnitude is 1/128 of the largest, so an absent weight costs at most that, and the hardware
    never needs a zero weight, since padding is a zero activation.
    Two terms (pot2) write zero as 2**0 - 2**0. Most values have several codes; `encode` gives
    the smallest one, taken as an unsigned number (zero is 0x08, 96 = 32 + 64 is 0x56).

    Quantizing takes the nearest value; a tie goes to the smaller magnitude, and zero, which lies
    between -1 and +1 in pot1, to +1.
    """

    terms: int

    def __post_init__(self) -> None:
        if not 1 <= self.terms <= MAX_SUMMANDS:
            raise UserError(
                f"power-of-two format must be pot1 to pot{MAX_SUMMANDS}, not {self.name!r}"
            )

    @property
    def name(self) -> str:
        return f"pot{self.terms}"

    @property
    def label(self) -> str:
        return self.name.upper()

    @property
    def bits(self) -> int:
        return TERM_BITS * self.terms

    @property
    def minimum(self) -> int:
        return -self.maximum

    @property
    def maximum(self) -> int:
        return self.terms << MAX_EXPONENT

    def values(self) -> Integers:
        return _tables(self.terms)[1].copy()

    def codes(self) -> Integers:
        return np.arange(1 << self.bits, dtype=np.int64)

    def encode(self, values: ArrayLike) -> Integers:
        integers = as_integers(f"{self.name} values", values)
        _, known, smallest = _tables(self.terms)
        place = np.searchsorted(known, integers).clip(max=known.size - 1)
        wrong = known[place] != integers
        if wrong.any():
            raise UserError(
                f"{self.name} values must be sums of {self.terms} signed powers of two, "
                f"2**0 to 2**{MAX_EXPONENT}, not {integers[wrong].flat[0]}"
            )
        codes: Integers = smallest[place]
        return codes

    def decode(self, codes: ArrayLike) -> Integers:
        patterns = as_integers(f"{self.name} codes", codes)
        check_range(f"{self.name} codes", patterns, 0, (1 << self.bits) - 1)
        values: Integers = _tables(self.terms)[0][patterns]
        return values

    def quantize(self, real: ArrayLike, scale: float | None = None) -> tuple[Integers, float]:
        quotient, scale = scaled(real, scale, self.maximum)
        known = _tables(self.terms)[1]
        magnitudes = known[known >= 0]
        midpoints = (magnitudes[:-1] + magnitudes[1:]) / 2
        nearest = magnitudes[np.searchsorted(midpoints, np.abs(quotient), side="left")]
        return self.encode(np.where(quotient < 0, -nearest, nearest)), scale


@cache
def _tables(terms: int) -> tuple[Integers, Integers, Integers]:
    """Return the value of every code; the distinct values, ascending; the code of each."""
    codes = np.arange(1 << TERM_BITS * terms, dtype=np.int64)
    value_of = np.zeros_like(codes)
    for term in range(terms):
        nibble = codes >> TERM_BITS * term
        magnitude = np.int64(1) << (nibble & MAX_EXPONENT)
        value_of += np.where(nibble >> SIGN_BIT & 1, -magnitude, magnitude)
    # np.unique points at the first, hence smallest, code of each value.
    values, smallest = np.unique(value_of, return_index=True)
    return value_of, values, codes[smallest]
