"""The output stage: sums become codes of the next layer's input, in plain numpy.

    code = clamp(round_half_even((sum + bias) * multiplier / 2**shift) + zero_point, low, high)

Of floating-point sums, `sum + bias` rounds to the accumulator's format and the product to the
activation's, both to nearest, ties to even; the zero point is 0. A binary output is the sign.

Source: the integer-only inference of Jacob et al., CVPR 2018 (arXiv 1712.05877), equation 5, with
a shorter multiplier and rounding to even as in ONNX's QLinearConv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic, FloatFormat, Format, IntegerFormat
from rtl_gen.layer import Layer
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS

Codes = NDArray[np.int64]

#: Bits of the descriptor's fields for codes.
FIELD_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStage:
    """What one layer's output stage does; ReLU is `low` = zero_point.

    Parameters
    ----------
    bias, multiplier, shift : (M,) int64, by filter; the bias is a code of the accumulator.
    zero_point : code that stands for zero.
    low, high : codes of the smallest and largest output; of a format of more than 16 bits only
        the upper 16 may be ones.
    """

    bias: Codes
    multiplier: Codes
    shift: Codes
    zero_point: int
    low: int
    high: int

    @classmethod
    def from_scales(
        cls, scale: ArrayLike, bias: ArrayLike, *, zero_point: int, low: int, high: int
    ) -> OutputStage:
        """The stage that multiplies by the reals `scale` (M,), as near as the hardware can.

        A multiple of 2**-63 of at most 16 significant bits is met exactly. Otherwise the
        multiplier is normalized (2**15 or more) and off by at most a half: a relative error of
        at most 2**-16, which moves an output of 8 bits by at most 1/256 of a code, one of 16 bits
        by at most one. Scales below 2**-48 are off by at most 2**-64.

        Raises
        ------
        UserError
            When a scale is not finite, not positive, or 65535.5 or more.
        """
        scales = np.asarray(scale, dtype=np.float64)
        largest = 2**MULTIPLIER_BITS - 0.5
        wrong = scales[~((scales > 0) & (scales < largest))]
        if wrong.size:
            raise UserError(f"scale must be positive and below {largest}, not {float(wrong[0])!r}")
        fraction, exponent = np.frexp(scales)  # scale = fraction * 2**exponent, fraction >= 1/2
        shift = np.minimum(MULTIPLIER_BITS - exponent, 2**SHIFT_BITS - 1)
        multiplier = np.rint(np.ldexp(fraction, exponent + shift)).astype(np.int64)
        rounded_up = multiplier == 2**MULTIPLIER_BITS
        return cls(
            bias=np.asarray(bias, dtype=np.int64),
            multiplier=np.where(rounded_up, multiplier >> 1, multiplier),
            shift=(shift - rounded_up).astype(np.int64),
            zero_point=zero_point,
            low=low,
            high=high,
        )

    def check(self, arithmetic: Arithmetic, layer: Layer) -> None:
        """Refuse numbers of the wrong shape or range (`UserError`)."""
        accumulator, output = arithmetic.accumulator, arithmetic.activation
        for name, largest in (
            ("bias", None),
            ("multiplier", 2**MULTIPLIER_BITS - 1),
            ("shift", 2**SHIFT_BITS - 1),
        ):
            values = getattr(self, name)
            if not np.issubdtype(values.dtype, np.integer):
                raise UserError(f"{name} must hold integers, not {values.dtype!r}")
            if values.shape != (layer.out_channels,):
                raise UserError(
                    f"{name} must be of shape {(layer.out_channels,)}, not {values.shape!r}"
                )
            if largest is None:
                _checked(name, accumulator, values)
                continue
            wrong = values[(values < 0) | (values > largest)]
            if wrong.size:
                raise UserError(f"{name} must be from 0 to {largest}, not {int(wrong[0])}")
        for name in ("zero_point", "low", "high"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise UserError(f"{name} must be an integer, not {value!r}")
            _checked(name, output, value)
            field_of(output, value, name)
        if not isinstance(output, IntegerFormat) and self.zero_point:
            raise UserError(f"zero_point of {output.name} must be 0, not {self.zero_point}")
        low, high = output.decode([self.low, self.high])
        if not low <= high:
            raise UserError(f"low must be at most high ({self.high}), not {self.low}")

    def apply(self, arithmetic: Arithmetic, sums: Codes) -> Codes:
        """Codes (N, M, E, F) of codes of sums (N, M, E, F); exact."""
        if isinstance(arithmetic.activation, FloatFormat):
            return self._rounded(arithmetic, arithmetic.activation, sums)
        bias, multiplier, shift = (
            numbers[None, :, None, None] for numbers in (self.bias, self.multiplier, self.shift)
        )
        total = sums + bias
        if total.size and np.abs(total).max() >= 2 ** (62 - MULTIPLIER_BITS):
            total = total.astype(object)  # a product would not fit 64 bits: Python's integers
        codes = rounded_shift(total * multiplier, shift) + self.zero_point
        if not isinstance(arithmetic.activation, IntegerFormat):
            return arithmetic.activation.encode(np.where(codes < 0, -1, 1))
        return np.asarray(codes.clip(self.low, self.high), dtype=np.int64)

    def _rounded(self, arithmetic: Arithmetic, output: FloatFormat, sums: Codes) -> Codes:
        bias, multiplier, shift = (
            numbers[None, :, None, None] for numbers in (self.bias, self.multiplier, self.shift)
        )
        wide = arithmetic.accumulator
        total = arithmetic.add(wide.decode(sums), wide.decode(bias))
        with np.errstate(invalid="ignore"):  # infinity times zero
            scaled = np.ldexp(total * multiplier, -shift)
        words = output.words(scaled)
        order = output.order(words)
        low, high = np.array(self.low), np.array(self.high)
        words = np.where(order < output.order(low), low, words)
        words = np.where(order > output.order(high), high, words)
        return (
            words if output.nan_word is None else np.where(np.isnan(scaled), output.nan_word, words)
        )


def field_of(fmt: Format, code: int, name: str) -> int:
    """What a 16-bit field of the descriptor holds of a code: all of it, or its upper 16 bits."""
    below = max(fmt.bits - FIELD_BITS, 0)
    if code % (1 << below):
        raise UserError(
            f"{name} of {fmt.name} must have zeros below its upper 16 bits, not {code:#x}"
        )
    return (code >> below) % (1 << FIELD_BITS)


def _checked(name: str, fmt: Any, codes: ArrayLike) -> None:
    """Refuse what is no code of a format or of an accumulator."""
    try:
        fmt.decode(codes)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def rounded_shift(numbers: Any, shift: Codes) -> Any:
    """Numbers (int64, or Python's integers) over 2**shift, half to even."""
    floor = numbers >> shift
    rest = numbers - (floor << shift)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return floor + ((shift > 0) & ((rest > half) | ((rest == half) & (floor % 2 != 0))))
