"""The golden layer: what the accelerator must put out, in plain numpy."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic, Format
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping

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
    _check_codes("padding_value", np.array(layer.padding_value), arithmetic.activation)


def _check_codes(name: str, tensor: Codes, format_: Format) -> None:
    try:
        format_.decode(tensor)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def golden_layer(
    arithmetic: Arithmetic, layer: Layer, ifmap: Codes, weights: Codes, mapping: Mapping
) -> Codes:
    """Codes of the raw accumulators (N, M, E, F) of a layer.

    Parameters
    ----------
    ifmap : activation codes (N, C, H, W).
    weights : weight codes (M, C / groups, R, S).
    mapping : decides the order of additions, which matters where sums saturate or are rounded.

    Source: the definition of convolution; the order is that of `hardware/`: in a PE over taps
    then channels, down the column row by row, then pass by pass.
    """
    check_tensors(arithmetic, layer, ifmap, weights)
    values = arithmetic.activation.decode(ifmap)
    zero = arithmetic.activation.decode(np.array([layer.padding_value]))[0]
    top, left, bottom, right = layer.padding
    padded = np.pad(values, [(0, 0), (0, 0), (top, bottom), (left, right)], constant_values=zero)
    filters = arithmetic.weight.decode(weights)
    sum_up = _in_order if arithmetic.accumulator.order_matters else _exact
    channels, outputs = (size // layer.groups for size in (layer.in_channels, layer.out_channels))
    result = np.zeros(layer.ofmap_shape, dtype=values.dtype)
    for image, group in np.ndindex(layer.batch, layer.groups):
        views = windows(layer, padded[image, group * channels : (group + 1) * channels])
        chosen = slice(group * outputs, (group + 1) * outputs)
        result[image, chosen] = sum_up(arithmetic, views, filters[chosen], mapping)
    return arithmetic.accumulator.encode(result)


def windows(layer: Layer, values: Codes) -> Codes:
    """(..., E, F, R, S) views of padded maps (..., H, W)."""
    spans = [
        (kernel - 1) * layer.dilation + 1 for kernel in (layer.kernel_height, layer.kernel_width)
    ]
    views = np.lib.stride_tricks.sliding_window_view(values, spans, axis=(-2, -1))
    step = slice(None, None, layer.stride)
    taps = slice(None, None, layer.dilation)
    return np.asarray(views[..., step, step, taps, taps])


def _exact(arithmetic: Arithmetic, views: Codes, filters: Codes, mapping: Mapping) -> Codes:
    """Sums that cannot overflow, in any order.

    Floating-point arithmetic of 53 bits is exact here and fast: no sum passes 2**47.
    """
    channels, height, width, rows, columns = views.shape
    flat = filters.reshape(filters.shape[0], -1).astype(np.float64)
    result = np.empty((filters.shape[0], height, width), dtype=np.int64)
    # Row by row of the output: all windows at once would not fit the memory of a large layer.
    for row in range(height):
        matrix = views[:, row].transpose(1, 0, 2, 3).reshape(width, channels * rows * columns)
        result[:, row] = np.rint(flat @ matrix.astype(np.float64).T)
    return result


def _in_order(arithmetic: Arithmetic, views: Codes, filters: Codes, mapping: Mapping) -> Codes:
    """Sums in the hardware's order, saturated or rounded at every addition."""
    channels, height, width, rows, columns = views.shape
    result = np.zeros((filters.shape[0], height, width), dtype=views.dtype)
    high, wide = rows // mapping.fold_height, columns // mapping.fold_width
    step = mapping.q * mapping.r
    for first_tap, first_row, start in itertools.product(
        range(0, columns, wide), range(0, rows, high), range(0, channels, step)
    ):
        column = np.zeros_like(result)
        for first, row in itertools.product(
            range(start, start + step, mapping.q), range(first_row, first_row + high)
        ):
            local = np.zeros_like(result)
            present = range(first, min(first + mapping.q, channels))
            for tap, channel in itertools.product(range(first_tap, first_tap + wide), present):
                weights = filters[:, channel, row, tap, None, None]
                product = arithmetic.product(views[channel, :, :, row, tap], weights)
                local = arithmetic.add(local, product)
            column = arithmetic.add(column, local)
        result = arithmetic.add(result, column)
    return result
