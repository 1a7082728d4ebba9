"""Bit slicing: 64 lanes of stimulus in the 64 bits of a word."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]

LANES = 64


def sliced(values: Any, width: int) -> Bits:
    """Bit-slice a port's values.

    Parameters
    ----------
    values : integers (T,), the same in all lanes, or (T, lanes), or bits (T, lanes, width).
        Negative integers are in two's complement.
    width : bits of the port, at most 63 unless bits are given.

    Returns
    -------
    uint64 (T, width) : bit l of [t, b] is bit b of the value in lane l.
    """
    array = np.asarray(values)
    if array.ndim == 1:
        bits = ((array.astype(np.int64)[:, None] >> np.arange(width)) & 1).astype(bool)
        return np.where(bits, ~np.uint64(0), np.uint64(0))
    if array.ndim == 2:
        array = ((array.astype(np.int64)[:, :, None] >> np.arange(width)) & 1).astype(np.uint8)
    if array.shape[1:] != (LANES, width):
        raise ValueError(f"values must be of shape (T, {LANES}, {width}), not {array.shape}")
    packed = np.packbits(array.transpose(0, 2, 1), axis=2, bitorder="little")
    return np.ascontiguousarray(packed).view(np.uint64)[:, :, 0]


def held(values: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
    """`values` where `valid`, else the last valid one before (the first cycle's, if none)."""
    index = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), 0))
    return np.asarray(values[index])
