"""Sums of signed powers of two: multiplying by one takes shifts and adds, no multiplier.

Source: Ding et al., "LightNN: Filling the Gap between Conventional Deep Neural Networks and
Binarized Networks", arXiv 1802.02178; Inci et al., "QUIDAM", arXiv 2206.15463 (LightPE-1, -2);
Li, Dong, Wang, "Additive Powers-of-Two Quantization", ICLR 2020, arXiv 1909.13144 (APoT); Chen,
Blair, Cong, "Energy Efficient LSTM Inference Accelerator for Real-Time Causal Prediction", TODAES
2022 (bit-sparse weights); Rastegari et al., "XNOR-Net", arXiv 1603.05279; Li, Zhang, Liu, "Ternary
Weight Networks", arXiv 1605.04711.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from rtl_gen.errors import UserError
from rtl_gen.formats.checks import as_integers, check_range, scaled
from rtl_gen.formats.format import Integers

#: Largest exponent of a term, unless a name says otherwise.
USUAL_EXPONENT = 7
MAX_EXPONENT = 14
MAX_TERMS = 4
#: What stands in a table where there is no value or no code.
NOTHING = np.iinfo(np.int32).min


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A field of a code: an index, and above it a sign bit where it has its own (set is minus).

    Parameters
    ----------
    exponents : index -> exponent of the power of two, None for zero. Larger indices that the
        field could hold are no codes.
    signed : whether the term has a sign of its own.
    """

    exponents: tuple[int | None, ...]
    signed: bool

    @property
    def index_bits(self) -> int:
        return (len(self.exponents) - 1).bit_length()

    @property
    def bits(self) -> int:
        return self.index_bits + self.signed


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOfTwoFormat:
    """A sum of powers of two, term 0 in the low bits of a code.

    Terms have signs of their own, or the code has one in its top bit. Most values have several
    codes; `encode` gives the smallest one (zero is 0x08 in pot2, 96 = 32 + 64 is 0x56).

    Quantizing takes the nearest value; a tie goes to the smaller magnitude, and zero, where the
    format has none, to the smallest positive value. The scale chosen from data puts the largest
    magnitude on the largest value; of `bin` it is the mean magnitude (XNOR-Net, equation 6).
    """

    name: str
    label: str
    terms: tuple[Term, ...]

    @property
    def signed(self) -> bool:
        """Whether the top bit of a code is the sign of all terms."""
        return not self.terms[0].signed

    @property
    def bits(self) -> int:
        return sum(term.bits for term in self.terms) + self.signed

    @property
    def minimum(self) -> int:
        return -self.maximum

    @property
    def maximum(self) -> int:
        return int(sum(1 << max(e for e in t.exponents if e is not None) for t in self.terms))

    def values(self) -> Integers:
        return _tables(self)[1].copy()

    def codes(self) -> Integers:
        return np.flatnonzero(_tables(self)[0] != NOTHING).astype(np.int64)

    def from_bits(self, patterns: ArrayLike) -> Integers:
        return np.asarray(patterns, dtype=np.int64)

    def encode(self, values: ArrayLike) -> Integers:
        integers = as_integers(f"{self.name} values", values)
        _, _, code_of, _ = _tables(self)
        place = np.clip(integers, self.minimum, self.maximum) + self.maximum
        codes = np.where(np.abs(integers) <= self.maximum, code_of[place], NOTHING)
        if (codes == NOTHING).any():
            raise UserError(
                f"{self.name} values must be among its {len(_tables(self)[1])} sums of powers of "
                f"two, {self.minimum} to {self.maximum}, not {integers[codes == NOTHING].flat[0]}"
            )
        return codes.astype(np.int64)

    def decode(self, codes: ArrayLike) -> Integers:
        patterns = as_integers(f"{self.name} codes", codes)
        check_range(f"{self.name} codes", patterns, 0, (1 << self.bits) - 1)
        value_of = _tables(self)[0]
        decoded = np.take(value_of, patterns)
        # Only a format whose fields have indices to spare has words that are no codes.
        if value_of.min() == NOTHING and (decoded == NOTHING).any():
            wrong = patterns[decoded == NOTHING].flat[0]
            raise UserError(f"{self.name} codes must not have an index without a power, as {wrong}")
        return decoded.astype(np.int64)

    def quantize(
        self,
        real: ArrayLike,
        scale: ArrayLike | None = None,
        axis: int | tuple[int, ...] | None = None,
    ) -> tuple[Integers, object]:
        mean = self.maximum == 1 and 0 not in _tables(self)[1]
        halves, used = scaled(real, scale, self.maximum, axis, mean=mean)
        # Values are integers, so what is nearest changes at halves only, and a half goes inward:
        # count halves, rounded away from zero. In place, since fresh memory costs most.
        np.clip(halves, self.minimum, self.maximum, out=halves)
        halves *= 2
        place = np.asarray(np.abs(halves))
        np.ceil(place, out=place)
        np.copysign(place, halves, out=place)
        place += 2 * self.maximum
        return np.take(_tables(self)[3], place.astype(np.intp)), used


@cache
def _tables(fmt: PowerOfTwoFormat) -> tuple[Integers, Integers, Integers, Integers]:
    """Value of every word; values, ascending; code by value; code of the nearest, by halves."""
    words = np.arange(1 << fmt.bits, dtype=np.int64)
    value_of, legal, low = np.zeros_like(words), np.ones(words.shape, dtype=bool), 0
    for term in fmt.terms:
        index = words >> low & (1 << term.index_bits) - 1
        legal &= index < len(term.exponents)
        powers = [0 if e is None else 1 << e for e in term.exponents]
        magnitude = np.array(powers)[np.minimum(index, len(powers) - 1)]
        minus = words >> low + term.index_bits & 1 if term.signed else np.zeros_like(words)
        value_of += np.where(minus == 1, -magnitude, magnitude)
        low += term.bits
    if fmt.signed:
        value_of = np.where(words >> low & 1, -value_of, value_of)
    # np.unique points at the first, hence smallest, code of each value.
    values, first = np.unique(value_of[legal], return_index=True)
    smallest = words[legal][first]
    code_of = np.full(2 * fmt.maximum + 1, NOTHING, dtype=np.int64)
    code_of[values + fmt.maximum] = smallest
    magnitudes = values[values >= 0]
    middles = (magnitudes[:-1] + magnitudes[1:]) / 2
    halves = np.arange(-2 * fmt.maximum, 2 * fmt.maximum + 1)
    nearest = magnitudes[np.searchsorted(middles, np.abs(halves) / 2, side="left")]
    found = code_of[np.where(halves < 0, -nearest, nearest) + fmt.maximum]
    return np.where(legal, value_of, NOTHING), values, code_of, found


def _signed_terms(count: int, exponents: tuple[int | None, ...]) -> tuple[Term, ...]:
    return (Term(exponents=exponents, signed=True),) * count


def power_of_two(terms: int, exponent: int = USUAL_EXPONENT) -> PowerOfTwoFormat:
    """`pot2`, `pot3e5`: a sum of so many terms, with signs, and exponents 0 to `exponent`."""
    name = f"pot{terms}" if exponent == USUAL_EXPONENT else f"pot{terms}e{exponent}"
    if not (1 <= terms <= MAX_TERMS and 1 <= exponent <= MAX_EXPONENT):
        raise UserError(
            f"power-of-two format must be pot1 to pot{MAX_TERMS}, exponents up to e1 to "
            f"e{MAX_EXPONENT}, not {name!r}"
        )
    powers = _signed_terms(terms, tuple(range(exponent + 1)))
    return PowerOfTwoFormat(name=name, label=name.upper(), terms=powers)


def bit_sparse(terms: int) -> PowerOfTwoFormat:
    """`bitsparse2`: at most so many signed bits of a 16-bit number, 2**0 to 2**14."""
    if not 1 <= terms <= MAX_TERMS:
        raise UserError(
            f"bit-sparse format must be bitsparse1 to bitsparse{MAX_TERMS}, not 'bitsparse{terms}'"
        )
    return PowerOfTwoFormat(
        name=f"bitsparse{terms}",
        label=f"BitSparse-{terms}",
        terms=_signed_terms(terms, (*range(MAX_EXPONENT + 1), None)),
    )


#: Bits of a code -> exponents of each term: the sets of the APoT paper's own program, as integers.
_ADDITIVE: dict[int, tuple[tuple[int | None, ...], ...]] = {
    3: ((None, 2, 1, 0),),
    4: ((None, 3, 2, 0), (None, 1)),
    5: ((None, 5, 3, 1), (None, 4, 2, 0)),
    6: ((None, 6, 4, 1), (None, 5, 3, 0), (None, 2)),
    7: ((None, 8, 5, 2), (None, 7, 4, 1), (None, 6, 3, 0)),
}


def additive(bits: int) -> PowerOfTwoFormat:
    """`apot5`: a sign, and one power or none from each of one to three sets."""
    if bits not in _ADDITIVE:
        raise UserError(
            f"additive format must be apot{min(_ADDITIVE)} to apot{max(_ADDITIVE)}, "
            f"not 'apot{bits}'"
        )
    terms = tuple(Term(exponents=powers, signed=False) for powers in _ADDITIVE[bits])
    return PowerOfTwoFormat(name=f"apot{bits}", label=f"APoT-{bits}", terms=terms)


#: One bit: 0 is +1, 1 is -1. In the encoding of XNOR-Net, where 1 is +1, a product is an XNOR.
BINARY = PowerOfTwoFormat(name="bin", label="binary", terms=_signed_terms(1, (0,)))
#: -1, 0, +1 as sign and magnitude.
TERNARY = PowerOfTwoFormat(name="tern", label="ternary", terms=_signed_terms(1, (None, 0)))
