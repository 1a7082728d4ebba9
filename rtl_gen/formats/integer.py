"""Two's complement integers, int2 to int16."""

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
    """Signed integers of `bits` bits; a code is the value itself.

    Quantizing rounds to nearest, ties to even, then clips. The scale chosen from data maps the
    largest magnitude to 2**(bits-1) - 1, so the most negative value comes from given scales only.
    """

    bits: int

    def __post_init__(self) -> None:
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise UserError(
                f"integer format must be int{MIN_BITS} to int{MAX_BITS}, not {self.name!r}"
            )

    @property
    def name(self) -> str:
        return f"int{self.bits}"

    @property
    def label(self) -> str:
        return self.name.upper()

    @property
    def minimum(self) -> int:
        return -(1 << self.bits - 1)

    @property
    def maximum(self) -> int:
        return (1 << self.bits - 1) - 1

    def values(self) -> Integers:
        return np.arange(self.minimum, self.maximum + 1, dtype=np.int64)

    def codes(self) -> Integers:
        return self.values()

    def encode(self, values: ArrayLike) -> Integers:
        integers = as_integers(f"{self.name} values", values)
        check_range(f"{self.name} values", integers, self.minimum, self.maximum)
        return integers

    def decode(self, codes: ArrayLike) -> Integers:
        integers = as_integers(f"{self.name} codes", codes)
        check_range(f"{self.name} codes", integers, self.minimum, self.maximum)
        return integers

    def quantize(self, real: ArrayLike, scale: float | None = None) -> tuple[Integers, float]:
        quotient, scale = scaled(real, scale, self.maximum)
        return np.clip(np.rint(quotient), self.minimum, self.maximum).astype(np.int64), scale
