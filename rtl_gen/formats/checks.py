"""What the formats check in common, and the scale they choose."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats.format import Integers


def as_integers(what: str, numbers: ArrayLike) -> Integers:
    """Return `numbers` as int64; UserError where they are not integers."""
    array = np.asarray(numbers)
    if array.size and array.dtype.kind not in "iu":
        raise UserError(f"{what} must be integers, not {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise UserError(f"{what} must fit 64 signed bits, not {array.max()}")
    return array.astype(np.int64)


def check_range(what: str, numbers: Integers, minimum: int, maximum: int) -> None:
    """Raise UserError, with the first offender, unless all numbers lie in the range."""
    wrong = (numbers < minimum) | (numbers > maximum)
    if wrong.any():
        raise UserError(f"{what} must be {minimum} to {maximum}, not {numbers[wrong].flat[0]}")


def scaled(real: ArrayLike, scale: float | None, maximum: int) -> tuple[NDArray[np.float64], float]:
    """Return `real / scale`, and the scale: the given one, or max|real| / maximum."""
    reals = np.asarray(real, dtype=np.float64)
    if not np.isfinite(reals).all():
        raise UserError(f"numbers to quantize must be finite, not {reals[~np.isfinite(reals)][0]}")
    if scale is None:
        # Zero where all data are (or are too small to divide): then every scale is as good.
        scale = float(np.abs(reals).max(initial=0.0)) / maximum or 1.0
    elif not (math.isfinite(scale) and scale > 0):
        raise UserError(f"scale must be positive and finite, not {scale!r}")
    with np.errstate(over="ignore"):  # an infinite quotient is clipped like any other
        return reals / scale, scale
