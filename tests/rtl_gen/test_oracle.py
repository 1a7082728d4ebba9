"""The oracle itself: ONNX Runtime against a convolution written as its definition."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.rtl_gen.oracle import conv_integer


def naive_convolution(
    ifmap: NDArray[np.int8], weights: NDArray[np.int8], stride: int, padding: int
) -> NDArray[np.int64]:
    sides = (padding, padding)
    padded = np.pad(ifmap.astype(np.int64), ((0, 0), (0, 0), sides, sides))
    batch, _, height, width = padded.shape
    filters, _, kernel_height, kernel_width = weights.shape
    out_height = (height - kernel_height) // stride + 1
    out_width = (width - kernel_width) // stride + 1
    ofmap = np.zeros((batch, filters, out_height, out_width), np.int64)
    for y in range(out_height):
        for x in range(out_width):
            top, left = y * stride, x * stride
            window = padded[:, :, top : top + kernel_height, left : left + kernel_width]
            ofmap[:, :, y, x] = np.einsum("ncrs,mcrs->nm", window, weights.astype(np.int64))
    return ofmap


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 5)])
def test_runtime_convolves_by_the_definition(
    stride: int, padding: int, kernel: tuple[int, int]
) -> None:
    rng = np.random.default_rng(1)
    ifmap = rng.integers(-128, 128, (2, 3, 8, 9), dtype=np.int8)
    weights = rng.integers(-128, 128, (4, 3, *kernel), dtype=np.int8)
    ofmap = conv_integer(ifmap, weights, stride=stride, padding=padding)
    np.testing.assert_array_equal(ofmap, naive_convolution(ifmap, weights, stride, padding))


@pytest.mark.parametrize(("activation", "weight"), [(-128, -128), (127, 127), (-128, 127)])
def test_runtime_does_not_saturate_at_the_extremes(activation: int, weight: int) -> None:
    ifmap = np.full((1, 16, 4, 4), activation, np.int8)
    weights = np.full((1, 16, 3, 3), weight, np.int8)
    assert (conv_integer(ifmap, weights) == 16 * 9 * activation * weight).all()
