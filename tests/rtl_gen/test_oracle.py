"""The oracle itself: ONNX Runtime against a convolution written as its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rtl_gen.layer import Layer
from tests.rtl_gen import oracle

Codes = NDArray[np.int64]

#: Every field of a layer that ConvInteger sees, one at a time and together.
CHANGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "kernel": {"kernel_height": 2, "kernel_width": 5},
    "stride": {"stride": 2, "padding": 1},
    "padding": {"padding": [0, 1, 2, 3]},
    "zero point": {"padding": [2, 0, 1, 1], "padding_value": -128},
    "dilation": {"dilation": 2, "padding": 2},
    "groups": {"in_channels": 4, "groups": 2},
    "depthwise": {"in_channels": 4, "groups": 4, "padding": 1, "padding_value": 5},
    "all": {
        **{"in_channels": 6, "out_channels": 8, "groups": 2, "stride": 3, "dilation": 2},
        **{"padding": [1, 3, 2, 0], "padding_value": 127, "kernel_width": 2},
    },
}


def changed(change: dict[str, Any]) -> Layer:
    fields = {"in_channels": 3, "in_height": 8, "in_width": 9, "out_channels": 4}
    fields |= {"kernel_height": 3, "kernel_width": 3, "batch": 2}
    return Layer(name="changed", kind="conv", **{**fields, **change})


def naive_convolution(layer: Layer, ifmap: Codes, weights: Codes) -> Codes:
    """Sums of (input - padding_value) * weight, one at a time."""
    top, left, _, _ = layer.padding
    ofmap = np.zeros(layer.ofmap_shape, np.int64)
    per_group = layer.out_channels // layer.groups
    for n, m, y, x in np.ndindex(ofmap.shape):
        for c, r, s in np.ndindex(weights.shape[1:]):
            row = y * layer.stride + r * layer.dilation - top
            column = x * layer.stride + s * layer.dilation - left
            if 0 <= row < layer.in_height and 0 <= column < layer.in_width:
                channel = m // per_group * weights.shape[1] + c
                pixel = int(ifmap[n, channel, row, column]) - layer.padding_value
                ofmap[n, m, y, x] += pixel * int(weights[m, c, r, s])
    return ofmap


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_runtime_convolves_by_the_definition(change: dict[str, Any]) -> None:
    layer = changed(change)
    random = np.random.default_rng(1)
    ifmap = random.integers(-128, 128, layer.ifmap_shape)
    weights = random.integers(-128, 128, layer.weight_shape)
    expected = naive_convolution(layer, ifmap, weights)
    np.testing.assert_array_equal(oracle.conv_integer(layer, ifmap, weights), expected)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_runtime_requantizes_by_the_definition(change: dict[str, Any]) -> None:
    layer = changed(change)
    random = np.random.default_rng(2)
    ifmap = random.integers(-8, 8, layer.ifmap_shape)
    weights = random.integers(-8, 8, layer.weight_shape)
    bias = random.integers(-50, 50, layer.out_channels)
    layer = changed({**change, "padding_value": min(layer.padding_value, 7)})
    # Powers of two: every product is exact in float32, and halves come up often.
    scale = np.ldexp(1.0, -random.integers(1, 4, layer.out_channels))
    expected = naive_convolution(layer, ifmap, weights) + bias[:, None, None]
    expected = np.rint(expected * scale[:, None, None]).astype(np.int64) - 3
    codes = oracle.qlinear_conv(layer, ifmap, weights, bias=bias, scale=scale, zero_point=-3)
    np.testing.assert_array_equal(codes, expected.clip(-128, 127))
    assert (codes != codes.flat[0]).any()


@pytest.mark.parametrize(("activation", "weight"), [(-128, -128), (127, 127), (-128, 127)])
def test_runtime_does_not_saturate_at_the_extremes(activation: int, weight: int) -> None:
    layer = changed({"in_channels": 16})
    ifmap = np.full(layer.ifmap_shape, activation)
    weights = np.full(layer.weight_shape, weight)
    expected = 16 * 9 * activation * weight
    assert (oracle.conv_integer(layer, ifmap, weights) == expected).all()
    # 144 * 2**14 needs more than 24 bits but is a multiple of 2**14: exact, too.
    bias, scale = np.zeros(4, int), np.full(4, 2.0**-15)
    codes = oracle.qlinear_conv(layer, ifmap, weights, bias=bias, scale=scale, zero_point=0)
    assert (codes == round(expected / 2**15)).all()


def test_what_is_no_byte_is_refused() -> None:
    layer = changed({})
    ifmap, weights = np.full(layer.ifmap_shape, 128), np.zeros(layer.weight_shape, int)
    with pytest.raises(ValueError, match=r"^codes must be int8, not 128 to 128$"):
        oracle.conv_integer(layer, ifmap, weights)
