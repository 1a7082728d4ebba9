"""Number formats as others have them, none of it from `rtl_gen.formats`.

ml_dtypes and numpy decode, multiply, add and cast; gfloat decodes and rounds; `fractions` rounds
exactly. What nobody publishes (bit-sparse weights and the like) is decoded by its definition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
from gfloat import Domain, FormatInfo, encode_ndarray
from gfloat import formats as gfloat_formats
from numpy.typing import NDArray

Words = NDArray[np.int64]

#: Format -> type of an array. ml_dtypes casts to all but bfloat16 from float64 with one rounding.
DTYPES: dict[str, Any] = {
    "fp32": np.float32,
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp6_e3m2": ml_dtypes.float6_e3m2fn,
    "fp6_e2m3": ml_dtypes.float6_e2m3fn,
    "fp4_e2m1": ml_dtypes.float4_e2m1fn,
}
GFLOAT: dict[str, FormatInfo] = {
    "fp32": gfloat_formats.format_info_binary32,
    "fp16": gfloat_formats.format_info_binary16,
    "bf16": gfloat_formats.format_info_bfloat16,
    "fp8_e5m2": gfloat_formats.format_info_ocp_e5m2,
    "fp8_e4m3": gfloat_formats.format_info_ocp_e4m3,
    "fp6_e3m2": gfloat_formats.format_info_ocp_e3m2,
    "fp6_e2m3": gfloat_formats.format_info_ocp_e2m3,
    "fp4_e2m1": gfloat_formats.format_info_ocp_e2m1,
    # As NVIDIA published it: FP32's exponents, FP16's digits.
    "tf32": FormatInfo(
        name="tf32",
        k=19,
        precision=11,
        bias=127,
        has_nz=True,
        domain=Domain.Extended,
        num_high_nans=2**10 - 1,
        has_subnormals=True,
        is_signed=True,
        is_twos_complement=False,
    ),
}


#: Bits of a weight -> the exponents that each field offers beside zero; the largest is about 1.
#: Source: Li, Dong, Wang, ICLR 2020, arXiv 1909.13144, equation 5, and the authors' program.
APOT = {
    3: ((-1, -2, -3),),
    4: ((-1, -2, -4), (-3,)),
    5: ((-1, -3, -5), (-2, -4, -6)),
    6: ((-1, -3, -6), (-2, -4, -7), (-5,)),
    7: ((-1, -4, -7), (-2, -5, -8), (-3, -6, -9)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Parameters of a binary format as IEEE 754-2019, table 3.5, gives them: p, emin, emax."""

    digits: int
    smallest: int
    largest: int


PUBLISHED = {
    "fp32": Published(digits=24, smallest=-126, largest=127),
    "tf32": Published(digits=11, smallest=-126, largest=127),
    "bf16": Published(digits=8, smallest=-126, largest=127),
    "fp16": Published(digits=11, smallest=-14, largest=15),
}


def rounded(exact: Fraction, name: str) -> float:
    """The number of a format nearest to `exact`, ties to even; too large is infinite.

    Zero comes out positive: a fraction has no sign to keep.
    """
    fmt = PUBLISHED[name]
    exponent = fmt.smallest
    while abs(exact) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    quantum = Fraction(2) ** (exponent - fmt.digits + 1)
    nearest = round(exact / quantum) * quantum  # Python rounds a fraction's tie to even
    if abs(nearest) >= Fraction(2) ** (fmt.largest + 1):
        return float("inf") if exact > 0 else -float("inf")
    return float(nearest)


def numbers(name: str, patterns: Words) -> NDArray[Any]:
    """Numbers that bit patterns of a format mean: float32, or int64 of the integer-valued."""
    if name == "tf32":
        return (patterns << 13).astype(np.uint32).view(np.float32)
    if name in DTYPES:
        kind = np.dtype(DTYPES[name])
        return patterns.astype(f"u{kind.itemsize}").view(kind).astype(np.float32)
    return _integers(name, patterns)


def patterns(floats: NDArray[Any]) -> Words:
    """Bit patterns of numbers in their own type; every NaN is the quiet one without a payload."""
    unsigned = f"u{floats.dtype.itemsize}"
    marks = np.array([1.0, 1.5, np.inf]).astype(floats.dtype).view(unsigned)
    return _quiet(floats, floats.view(unsigned), marks)


def gfloat_patterns(name: str, floats: NDArray[np.float64]) -> Words:
    """The same by gfloat, of numbers that the format has."""
    marks = encode_ndarray(GFLOAT[name], np.array([1.0, 1.5, np.inf]))
    numbers_only = np.where(np.isnan(floats), 0.0, floats)
    return _quiet(floats, encode_ndarray(GFLOAT[name], numbers_only), marks)


def _quiet(floats: NDArray[Any], words: NDArray[Any], marks: NDArray[Any]) -> Words:
    one, more, infinite = marks  # 1.5 has only the top bit of its mantissa
    return np.where(np.isnan(floats), infinite | one ^ more, words).astype(np.int64)


def _integers(name: str, patterns: Words) -> Words:
    match = re.fullmatch(r"([a-z]+)([0-9]*)(?:e([0-9]+))?", name)
    assert match, name
    family, count = match[1], int(match[2] or 1)
    terms = [patterns * 0]
    match family:
        case "int":
            return patterns - (patterns >> count - 1 << count)
        case "uint":
            return patterns
        case "bin":
            return np.array([1, -1])[patterns]
        case "tern":
            return np.array([0, 1, 0, -1])[patterns]
        case "pot":
            width = int(match[3] or 7).bit_length()
            terms = [_power(patterns >> i * (width + 1), width) for i in range(count)]
        case "bitsparse":
            terms = [_power(patterns >> i * 5, 4, absent=15) for i in range(count)]
        case "apot":
            terms = [_additive(count, patterns)]
        case _:
            raise AssertionError(name)
    return np.sum(terms, axis=0)


def _power(term: Words, width: int, absent: int | None = None) -> Words:
    """A signed power of two: exponent in the low bits, the sign above it."""
    exponent = term & (1 << width) - 1
    power = np.where(exponent == absent, 0, np.int64(1) << exponent)
    return np.where(term >> width & 1, -power, power)


def _additive(bits: int, patterns: Words) -> Words:
    """In units of the smallest power, field 0 low, the sign on top; index 0 is no power."""
    fields = APOT[bits]
    unit = -min(min(field) for field in fields)
    value, rest = patterns * 0, patterns
    for field in fields:
        width = len(field).bit_length()
        choices = np.array([0, *(1 << unit + exponent for exponent in field)])
        value = value + choices[rest & (1 << width) - 1]
        rest = rest >> width
    return np.where(rest & 1, -value, value)
