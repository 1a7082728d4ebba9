"""What the formats check in common, and the scale they choose."""

from __future__ import annotations

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
    return array.astype(np.int64, copy=False)


def check_range(what: str, numbers: Integers, minimum: int, maximum: int) -> None:
    """Raise UserError, with the first offender, unless all numbers lie in the range."""
    if numbers.size and (numbers.min() < minimum or numbers.max() > maximum):
        wrong = numbers[(numbers < minimum) | (numbers > maximum)].flat[0]
        raise UserError(f"{what} must be {minimum} to {maximum}, not {wrong}")


def scaled(
    real: ArrayLike,
    scale: ArrayLike | None,
    maximum: float,
    axis: int | tuple[int, ...] | None = None,
    *,
    mean: bool = False,
) -> tuple[NDArray[np.float64], object]:
    """Return `real / scale`, and the scale: the given one, or max|real| / maximum.

    Parameters
    ----------
    axis : whose indices have a scale each; None: one for all.
    mean : choose mean|real| instead.
    """
    reals = np.asarray(real, dtype=np.float64)
    shared = _shared_axes(axis, reals.ndim)
    # NaN goes through minimum and maximum: they tell of it without an array of their own.
    low, high = (
        extreme(reals, axis=shared, keepdims=shared is not None, initial=0.0)
        for extreme in (np.min, np.max)
    )
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise UserError(f"numbers to quantize must be finite, not {reals[~np.isfinite(reals)][0]}")
    if scale is None:
        used = np.maximum(high, -low) / maximum
        if mean and reals.size:
            used = np.abs(reals).mean(axis=shared, keepdims=shared is not None)
        # Zero where all data are (or are too small to divide): then every scale is as good.
        used = np.where(used > 0, used, 1.0)
    else:
        used = _given(scale, reals.shape)
    with np.errstate(over="ignore"):  # an infinite quotient is clipped like any other
        return np.asarray(reals / used), used if used.ndim else float(used)


def _shared_axes(axis: int | tuple[int, ...] | None, dimensions: int) -> tuple[int, ...] | None:
    """The axes that share a scale, which are all but those of `axis`; None: all of them."""
    if axis is None:
        return None
    own = axis if isinstance(axis, tuple) else (axis,)
    for one in own:
        if not -dimensions <= one < dimensions:
            raise UserError(f"axis must be one of {dimensions} axes, not {one}")
    return tuple(one for one in range(dimensions) if one not in own and one - dimensions not in own)


def _given(scale: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The scale, once it is known to be one of an array of that shape."""
    used = np.asarray(scale, dtype=np.float64)
    wrong = ~(np.isfinite(used) & (used > 0))
    if wrong.any():
        raise UserError(f"scale must be positive and finite, not {float(used[wrong][0])!r}")
    try:
        np.broadcast_to(used, shape)
    except ValueError:
        raise UserError(f"scale must broadcast against {shape}, not be {used.shape}") from None
    return used
