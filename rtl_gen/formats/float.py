"""Binary floating point: IEEE 754 and its short relatives.

Source: IEEE 754-2019, section 3; Micikevicius et al., "OCP 8-bit Floating Point Specification",
2023 (FP8); Rouhani et al., "OCP Microscaling Formats Specification", 2023 (FP6, FP4).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats.checks import as_integers, check_range, scaled
from rtl_gen.formats.format import Integers

Reals = NDArray[np.float64]

#: Formats up to this width are decoded by a table of all codes.
_TABLE_BITS = 16
#: Wider formats have too many codes for an array of them.
_LISTED_BITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatFormat:
    """Sign, biased exponent, mantissa, from the high bits down; subnormals always.

    A code is the word as an unsigned number. Every rounding is to nearest, ties to even.

    Parameters
    ----------
    name, label : "fp8_e4m3", "FP8 E4M3".
    exponent_bits, mantissa_bits : widths of the fields; the bias is 2**(exponent_bits - 1) - 1.
    specials : what the largest exponent means. "ieee": infinities and NaN. "nan": numbers, but
        for the word of ones, which is NaN (OCP E4M3). "none": numbers all.
    saturating : what is too large becomes the largest finite value, infinities too (the
        saturating mode of OCP); otherwise it becomes infinite (IEEE 754).
    """

    name: str
    label: str
    exponent_bits: int
    mantissa_bits: int
    specials: Literal["ieee", "nan", "none"]
    saturating: bool

    @property
    def bits(self) -> int:
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        return (1 << self.exponent_bits - 1) - 1

    @property
    def smallest_exponent(self) -> int:
        """Exponent of the smallest normal number, and of all subnormals."""
        return 1 - self.bias

    @property
    def quantum_exponent(self) -> int:
        """Exponent of the smallest subnormal: every value is a multiple of 2 to this."""
        return self.smallest_exponent - self.mantissa_bits

    @property
    def sign_bit(self) -> int:
        """The word of minus zero."""
        return 1 << self.bits - 1

    @property
    def largest_word(self) -> int:
        """The word of `maximum`."""
        ones = self.sign_bit - 1
        return {
            "ieee": (ones >> self.mantissa_bits << self.mantissa_bits) - 1,
            "nan": ones - 1,
            "none": ones,
        }[self.specials]

    @property
    def infinity_word(self) -> int | None:
        """The word of infinity, where there is one."""
        return self.largest_word + 1 if self.specials == "ieee" else None

    @property
    def limit_word(self) -> int:
        """What is too large becomes this."""
        past = self.infinity_word
        return self.largest_word if self.saturating or past is None else past

    @property
    def nan_word(self) -> int | None:
        """The word that every NaN is made: quiet, positive, mantissa otherwise 0; or None."""
        ones = self.sign_bit - 1
        quiet = 1 << max(self.mantissa_bits - 1, 0)
        return {"ieee": self.largest_word + 1 | quiet, "nan": ones, "none": None}[self.specials]

    @property
    def maximum(self) -> float:
        return float(self._decoded(np.array([self.largest_word]))[0])

    @property
    def minimum(self) -> float:
        return -self.maximum

    def values(self) -> Reals:
        """All finite values, ascending, zero once."""
        magnitudes = self.decode(self.codes()[: self.largest_word + 1])
        return np.concatenate([-magnitudes[:0:-1], magnitudes])

    def codes(self) -> Integers:
        if self.bits > _LISTED_BITS:
            raise UserError(
                f"codes to be listed must be at most 2**{_LISTED_BITS}, not {self.label}'s"
            )
        return np.arange(1 << self.bits, dtype=np.int64)

    def from_bits(self, patterns: ArrayLike) -> Integers:
        return np.asarray(patterns, dtype=np.int64)

    def decode(self, codes: ArrayLike) -> Reals:
        """Values of codes as float64, exact; infinities and NaN where the word means them."""
        words = as_integers(f"{self.name} codes", codes)
        check_range(f"{self.name} codes", words, 0, (1 << self.bits) - 1)
        if self.bits > _TABLE_BITS:
            return self._decoded(words)
        return np.take(_table(self), words)

    def encode(self, values: ArrayLike) -> Integers:
        """Codes of representable values; every NaN gets `nan_word`.

        Raises
        ------
        UserError
            When a value would have to be rounded, or is a NaN or infinite where there is none.
        """
        reals = np.asarray(values, dtype=np.float64)
        words = self.words(reals)
        if self.infinity_word is not None:  # also where rounding makes it finite
            infinite = self.infinity_word | words & self.sign_bit
            words = np.where(np.isinf(reals), infinite, words)
        back = self.decode(words)
        wrong = ~((back == reals) | (np.isnan(back) & np.isnan(reals)))
        if wrong.any():
            raise UserError(
                f"{self.name} values must be representable in {self.label}, not {reals[wrong][0]!r}"
            )
        return words

    def words(self, reals: Reals) -> Integers:
        """Codes of the nearest values, ties to even; any reals, infinities and NaN.

        NaN becomes `nan_word`; where there is none, minus zero (as in ml_dtypes).
        """
        magnitude = np.abs(reals)
        finite = np.isfinite(magnitude)
        bounded = np.where(finite, magnitude, 0.0)
        exponent = np.frexp(np.maximum(bounded, 2.0**self.smallest_exponent))[1] - 1
        quantum = exponent - self.mantissa_bits
        # In units of its quantum a number is its mantissa, hidden bit and all; a carry out of
        # the mantissa counts the exponent up by itself.
        steps = np.rint(np.ldexp(bounded, -quantum)).astype(np.int64)
        step = (exponent - self.smallest_exponent).astype(np.int64) << self.mantissa_bits
        words = np.where(finite, step + steps, self.largest_word + 1)
        words = np.minimum(words, self.limit_word)
        words |= np.signbit(reals).astype(np.int64) << self.bits - 1
        missing = self.sign_bit if self.nan_word is None else self.nan_word
        return np.where(np.isnan(reals), missing, words)

    def nearest(self, reals: ArrayLike) -> Reals:
        """The nearest values themselves, as float64."""
        return self.decode(self.words(np.asarray(reals, dtype=np.float64)))

    def order(self, words: Integers) -> Integers:
        """Integers ordered like the numbers of words, minus zero before zero."""
        magnitude = words & (self.sign_bit - 1)
        return np.where(words & self.sign_bit, ~magnitude, magnitude)

    def quantize(
        self,
        real: ArrayLike,
        scale: ArrayLike | None = None,
        axis: int | tuple[int, ...] | None = None,
    ) -> tuple[Integers, object]:
        """See `Format.quantize`; a format that has infinities and is not told a scale takes 1."""
        if scale is None and not self.saturating:
            scale = 1.0
        quotient, used = scaled(real, scale, self.maximum, axis)
        return self.words(quotient), used

    def _decoded(self, words: Integers) -> Reals:
        magnitude = words & (self.sign_bit - 1)
        field = magnitude >> self.mantissa_bits
        mantissa = magnitude & (1 << self.mantissa_bits) - 1
        hidden = (field > 0).astype(np.int64) << self.mantissa_bits
        exponent = np.maximum(field, 1) - 1 + self.quantum_exponent
        reals = np.ldexp((mantissa | hidden).astype(np.float64), exponent)
        if self.infinity_word is not None:
            reals = np.where(magnitude == self.infinity_word, np.inf, reals)
        if self.nan_word is not None:
            past = max(self.infinity_word or 0, self.largest_word)
            reals = np.where(magnitude > past, np.nan, reals)
        return np.asarray(np.where(words & self.sign_bit, -reals, reals))


@cache
def _table(fmt: FloatFormat) -> Reals:
    table = fmt._decoded(fmt.codes())
    table.setflags(write=False)
    return table


def _format(
    name: str,
    label: str,
    exponent_bits: int,
    mantissa_bits: int,
    specials: Literal["ieee", "nan", "none"],
) -> FloatFormat:
    return FloatFormat(
        name=name,
        label=label,
        exponent_bits=exponent_bits,
        mantissa_bits=mantissa_bits,
        specials=specials,
        saturating=1 + exponent_bits + mantissa_bits <= 8,
    )


#: Name -> format.
FLOATS: dict[str, FloatFormat] = {
    one.name: one
    for one in (
        _format("fp32", "FP32", 8, 23, "ieee"),
        _format("tf32", "TF32", 8, 10, "ieee"),
        _format("bf16", "BF16", 8, 7, "ieee"),
        _format("fp16", "FP16", 5, 10, "ieee"),
        _format("fp8_e5m2", "FP8 E5M2", 5, 2, "ieee"),
        _format("fp8_e4m3", "FP8 E4M3", 4, 3, "nan"),
        _format("fp6_e3m2", "FP6 E3M2", 3, 2, "none"),
        _format("fp6_e2m3", "FP6 E2M3", 2, 3, "none"),
        _format("fp4_e2m1", "FP4 E2M1", 2, 1, "none"),
    )
}
