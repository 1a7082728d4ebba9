"""Integers: two's complement, int2 to int16, and unsigned, uint1 to uint16."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rtl_gen.errors import UserError
from rtl_gen.formats.checks import as_integers, check_range, scaled
from rtl_gen.formats.format import Integers

MIN_BITS = 2
MAX_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerFormat:
    """Integers of `bits` bits; a code is the value itself.

    Quantizing rounds to nearest, ties to even, then clips. The scale chosen from data maps the
    largest magnitude to the largest value, so the most negative one comes from given scales only.
    """

    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        low = MIN_BITS if self.signed else 1
        if not low <= self.bits <= MAX_BITS:
            kind = "int" if self.signed else "uint"
            raise UserError(
                f"integer format must be {kind}{low} to {kind}{MAX_BITS}, not {self.name!r}"
            )

    @property
    def name(self) -> str:
        return f"{'' if self.signed else 'u'}int{self.bits}"

    @property
    def label(self) -> str:
        return self.name.upper()

    @property
    def minimum(self) -> int:
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def maximum(self) -> int:
        return (1 << self.bits - self.signed) - 1

    def values(self) -> Integers:
        return np.arange(self.minimum, self.maximum + 1, dtype=np.int64)

    def codes(self) -> Integers:
        return self.values()

    def from_bits(self, patterns: ArrayLike) -> Integers:
        words = np.asarray(patterns, dtype=np.int64)
        return np.where(words > self.maximum, words - (1 << self.bits), words)

    def encode(self, values: ArrayLike) -> Integers:
        integers = as_integers(f"{self.name} values", values)
        check_range(f"{self.name} values", integers, self.minimum, self.maximum)
        return integers

    def decode(self, codes: ArrayLike) -> Integers:
        integers = as_integers(f"{self.name} codes", codes)
        check_range(f"{self.name} codes", integers, self.minimum, self.maximum)
        return integers

    def quantize(
        self,
        real: ArrayLike,
        scale: ArrayLike | None = None,
        axis: int | tuple[int, ...] | None = None,
    ) -> tuple[Integers, object]:
        quotient, used = scaled(real, scale, self.maximum, axis)
        np.rint(quotient, out=quotient)
        np.clip(quotient, self.minimum, self.maximum, out=quotient)
        return quotient.astype(np.int64), used
