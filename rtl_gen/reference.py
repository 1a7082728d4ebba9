"""The golden layer: what the accelerator must put out, in plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic, Format
from rtl_gen.layer import Layer
from rtl_gen.schedule import Mapping

Codes = NDArray[np.int64]


def check_tensors(arithmetic: Arithmetic, layer: Layer, ifmap: Codes, weights: Codes) -> None:
    """Refuse tensors of the wrong shape, or with a number that is no code of its format."""
    for name, tensor, shape, format_ in (
        ("ifmap", ifmap, layer.ifmap_shape, arithmetic.activation),
        ("weights", weights, layer.weight_shape, arithmetic.weight),
    ):
        if tensor.shape != shape:
            raise UserError(f"{name} must be of shape {shape}, not {tensor.shape!r}")
        if not np.issubdtype(tensor.dtype, np.integer):
            raise UserError(f"{name} must hold encoded integers, not {tensor.dtype!r}")
        _check_codes(name, tensor, format_)


def _check_codes(name: str, tensor: Codes, format_: Format) -> None:
    try:
        format_.decode(tensor)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def golden_layer(
    arithmetic: Arithmetic, layer: Layer, ifmap: Codes, weights: Codes, mapping: Mapping
) -> Codes:
    """Raw accumulators (1, M, E, F) of a layer.

    Parameters
    ----------
    ifmap : activation codes (1, C, H, W).
    weights : weight codes (M, C, R, S).
    mapping : decides the order of additions, which matters where the accumulator saturates.

    Source: the definition of convolution; the order is that of `hardware/`: in a PE over taps
    then channels, down the column row by row, then pass by pass.
    """
    check_tensors(arithmetic, layer, ifmap, weights)
    padding = [(0, 0), (0, 0), (layer.padding,) * 2, (layer.padding,) * 2]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(arithmetic.activation.decode(ifmap), padding)[0],
        (layer.kernel_height, layer.kernel_width),
        axis=(1, 2),
    )[:, :: layer.stride, :: layer.stride]  # (C, E, F, R, S)
    filters = arithmetic.weight.decode(weights)
    if arithmetic.accumulator.saturating:
        return _in_order(arithmetic, windows, filters, mapping)[None]
    return _exact(windows, filters)[None]


def _exact(windows: Codes, filters: Codes) -> Codes:
    """Sums that cannot overflow, in any order.

    Floating-point arithmetic of 53 bits is exact here and fast: no sum passes 2**47.
    """
    channels, height, width, rows, columns = windows.shape
    matrix = windows.transpose(1, 2, 0, 3, 4).reshape(height * width, channels * rows * columns)
    flat = filters.reshape(filters.shape[0], -1)
    sums = matrix.astype(np.float64) @ flat.astype(np.float64).T
    result = sums.T.reshape(filters.shape[0], height, width)
    return np.asarray(np.rint(result), dtype=np.int64)


def _in_order(arithmetic: Arithmetic, windows: Codes, filters: Codes, mapping: Mapping) -> Codes:
    """Sums in the hardware's order, saturated at every addition."""
    channels, height, width, rows, columns = windows.shape
    result = np.zeros((filters.shape[0], height, width), dtype=np.int64)
    step = mapping.q * mapping.r
    for start in range(0, channels, step):
        column = np.zeros_like(result)
        for row_set in range(mapping.r):
            first = start + row_set * mapping.q
            for row in range(rows):
                local = np.zeros_like(result)
                for tap in range(columns):
                    for channel in range(first, min(first + mapping.q, channels)):
                        product = (
                            windows[channel, :, :, row, tap]
                            * filters[:, channel, row, tap, None, None]
                        )
                        local = arithmetic.add(local, product)
                column = arithmetic.add(column, local)
        result = arithmetic.add(result, column)
    return result
