"""The output stage: sums become codes of the next layer's input, in plain numpy.

    code = clamp(round_half_even((sum + bias) * multiplier / 2**shift) + zero_point, low, high)

Source: the integer-only inference of Jacob et al., CVPR 2018 (arXiv 1712.05877), equation 5, with
a shorter multiplier and rounding to even as in ONNX's QLinearConv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic
from rtl_gen.layer import Layer
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStage:
    """What one layer's output stage does; ReLU is `low` = zero_point.

    Parameters
    ----------
    bias, multiplier, shift : (M,) int64, by filter.
    zero_point : code that stands for zero.
    low, high : smallest and largest code.
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
        for name, low, high in (
            ("bias", accumulator.minimum, accumulator.maximum),
            ("multiplier", 0, 2**MULTIPLIER_BITS - 1),
            ("shift", 0, 2**SHIFT_BITS - 1),
        ):
            values = getattr(self, name)
            if not np.issubdtype(values.dtype, np.integer):
                raise UserError(f"{name} must hold integers, not {values.dtype!r}")
            if values.shape != (layer.out_channels,):
                raise UserError(
                    f"{name} must be of shape {(layer.out_channels,)}, not {values.shape!r}"
                )
            wrong = values[(values < low) | (values > high)]
            if wrong.size:
                raise UserError(f"{name} must be from {low} to {high}, not {int(wrong[0])}")
        for name in ("zero_point", "low", "high"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise UserError(f"{name} must be an integer, not {value!r}")
            if not output.minimum <= value <= output.maximum:
                raise UserError(
                    f"{name} must be from {output.minimum} to {output.maximum}, not {value!r}"
                )
        if self.low > self.high:
            raise UserError(f"low must be at most high ({self.high}), not {self.low}")

    def apply(self, sums: Codes) -> Codes:
        """Codes (N, M, E, F) of sums (N, M, E, F); exact."""
        bias, multiplier, shift = (
            numbers[None, :, None, None] for numbers in (self.bias, self.multiplier, self.shift)
        )
        total = sums + bias
        if total.size and np.abs(total).max() >= 2 ** (62 - MULTIPLIER_BITS):
            total = total.astype(object)  # a product would not fit 64 bits: Python's integers
        codes = rounded_shift(total * multiplier, shift) + self.zero_point
        return np.asarray(codes.clip(self.low, self.high), dtype=np.int64)


def rounded_shift(numbers: Any, shift: Codes) -> Any:
    """Numbers (int64, or Python's integers) over 2**shift, half to even."""
    floor = numbers >> shift
    rest = numbers - (floor << shift)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return floor + ((shift > 0) & ((rest > half) | ((rest == half) & (floor % 2 != 0))))
