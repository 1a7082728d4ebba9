"""What the host does between layers, on codes: pools and the addition of residuals.

Each step reads every word of its inputs once and writes every word of its output once: windows that
overlap stay in the host's cache. Both counts come with the output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic
from rtl_gen.layer import Layer
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS
from rtl_gen.output_stage import OutputStage, rounded_shift
from rtl_gen.reference import windows

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRun:
    """What a host step put out (N, C, E, F), and the words (codes) that it read and wrote."""

    ofmap: Codes
    words_read: int
    words_written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """An element-wise sum of two quantized maps, rescaled; ReLU is `low` = zero_point.

    code = clamp(round_half_even(((a - a0) * ma + (b - b0) * mb) / 2**shift) + zero_point,
    low, high)

    Parameters
    ----------
    zero_points, multipliers : a0 and b0, ma and mb.
    shift : of both.
    zero_point, low, high : code of zero, smallest and largest code of the output.
    """

    zero_points: tuple[int, int]
    multipliers: tuple[int, int]
    shift: int
    zero_point: int
    low: int
    high: int

    @classmethod
    def from_scales(
        cls,
        scales: tuple[float, float],
        *,
        zero_points: tuple[int, int],
        zero_point: int,
        low: int,
        high: int,
    ) -> Addition:
        """The addition whose multipliers are as near to the real `scales` as 16 bits allow.

        They share a shift, so each is off by at most 2**-16 of the larger scale (and 2**-64).

        Raises
        ------
        UserError
            When a scale is negative, or the larger one is 0, or 65535.5 or more.
        """
        if not min(scales) >= 0:
            raise UserError(f"scales must not be negative, not {scales!r}")
        alone = OutputStage.from_scales([max(scales)], [0], zero_point=0, low=0, high=0)
        shift = int(alone.shift[0])
        return cls(
            zero_points=zero_points,
            multipliers=(round(scales[0] * 2**shift), round(scales[1] * 2**shift)),
            shift=shift,
            zero_point=zero_point,
            low=low,
            high=high,
        )

    def check(self, arithmetic: Arithmetic) -> None:
        """Refuse numbers out of range (`UserError`)."""
        output = arithmetic.activation
        codes = (*self.zero_points, self.zero_point, self.low, self.high)
        for what, numbers, low, high in (
            ("multipliers", self.multipliers, 0, 2**MULTIPLIER_BITS - 1),
            ("shift", (self.shift,), 0, 2**SHIFT_BITS - 1),
            ("zero points, low and high", codes, output.minimum, output.maximum),
        ):
            for number in numbers:
                if not low <= number <= high:
                    raise UserError(f"{what} must be from {low} to {high}, not {number!r}")
        if self.low > self.high:
            raise UserError(f"low must be at most high ({self.high}), not {self.low}")


def add(left: Codes, right: Codes, addition: Addition) -> HostRun:
    """The rescaled sum of two maps of codes of one shape, element by element."""
    if left.shape != right.shape:
        raise UserError(f"maps to add must be of one shape, not {left.shape} and {right.shape}")
    total = sum(
        (codes - zero_point) * multiplier
        for codes, zero_point, multiplier in zip(
            (left, right), addition.zero_points, addition.multipliers, strict=True
        )
    )
    codes = rounded_shift(np.asarray(total), np.array(addition.shift)) + addition.zero_point
    ofmap = codes.clip(addition.low, addition.high)
    return HostRun(ofmap=ofmap, words_read=left.size + right.size, words_written=ofmap.size)


def max_pool(layer: Layer, ifmap: Codes) -> HostRun:
    """The largest code of every window of (N, C, H, W); padding never wins."""
    check_pool(layer)
    found = _windows(layer, ifmap, int(np.iinfo(np.int64).min))
    return _pooled(ifmap, found.max(axis=(4, 5)))


def average_pool(layer: Layer, ifmap: Codes, zero_point: int) -> HostRun:
    """The mean of every window of (N, C, H, W), rounded half to even; padding does not count.

    What is rounded is the mean's distance from the zero point, as the output stage does.
    """
    check_pool(layer)
    sums = _windows(layer, ifmap - zero_point, 0).sum(axis=(4, 5))
    count = _pixels(layer)
    floor, rest = np.divmod(sums, count)
    up = (2 * rest > count) | ((2 * rest == count) & (floor % 2 != 0))
    return _pooled(ifmap, floor + up + zero_point)


def check_pool(layer: Layer) -> None:
    """Refuse a pool with windows of nothing but padding, or with other channels out than in."""
    if layer.kind != "pool":
        raise UserError(f"layer {layer.name!r}: kind must be pool, not {layer.kind!r}")
    if layer.in_channels != layer.out_channels:
        raise UserError(
            f"layer {layer.name!r}: a pool must have as many channels out as in, "
            f"not {(layer.in_channels, layer.out_channels)!r}"
        )
    if not _pixels(layer).all():
        raise UserError(
            f"layer {layer.name!r}: padding of a pool must leave every window a pixel, "
            f"not {layer.padding!r}"
        )


def _pixels(layer: Layer) -> Codes:
    """How many pixels of the map every window has, (E, F)."""
    ones = np.ones((1, 1, layer.in_height, layer.in_width), dtype=np.int64)
    return np.asarray(_windows(layer, ones, 0).sum(axis=(4, 5))[0, 0])


def _windows(layer: Layer, ifmap: Codes, padding: int) -> Codes:
    """(N, C, E, F, R, S) of a map (N, C, H, W)."""
    top, left, bottom, right = layer.padding
    sides = [(0, 0), (0, 0), (top, bottom), (left, right)]
    padded = np.pad(ifmap, sides, constant_values=padding)
    return windows(layer, padded)


def _pooled(ifmap: Codes, ofmap: Codes) -> HostRun:
    return HostRun(ofmap=ofmap, words_read=ifmap.size, words_written=ofmap.size)
