"""The golden layer, before anything is measured by it: others' arithmetic, and plain loops."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize.regression import random_tensors
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.layer import Layer
from rtl_gen.reference import check_tensors, golden_layer
from rtl_gen.schedule import Mapping
from tests.rtl_gen.oracle import conv_integer

ANY_ORDER = Mapping(p=1, q=1, r=1, t=1, e=1)


@st.composite
def shapes(draw: st.DrawFn, most: int = 8) -> Layer:
    """Any layer, whether a config runs it or not."""
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    padding = draw(st.integers(0, 3))
    return Layer(
        name="drawn",
        kind="conv",
        in_channels=draw(st.integers(1, most)),
        in_height=draw(st.integers(max(height - 2 * padding, 1), 9)),
        in_width=draw(st.integers(max(width - 2 * padding, 1), 9)),
        out_channels=draw(st.integers(1, most)),
        kernel_height=height,
        kernel_width=width,
        stride=draw(st.integers(1, 3)),
        padding=padding,
    )


@settings(max_examples=60)
@given(shapes(), st.integers(0, 99))
def test_int8_convolves_as_onnx_runtime_does(layer: Layer, seed: int) -> None:
    ifmap, weights = random_tensors(arithmetic("int8"), layer, seed)
    expected = conv_integer(
        ifmap.astype(np.int8), weights.astype(np.int8), stride=layer.stride, padding=layer.padding
    )
    golden = golden_layer(arithmetic("int8"), layer, ifmap, weights, ANY_ORDER)
    np.testing.assert_array_equal(golden, expected)


@settings(max_examples=30)
@given(
    shapes(most=5),
    st.sampled_from(["int4a8", "int8a16", "lightpe1a16", "lightpe2a17", "int16", "lightpe2"]),
    st.builds(
        Mapping, p=st.just(1), q=st.integers(1, 4), r=st.integers(1, 3), t=st.just(1), e=st.just(1)
    ),
    st.integers(0, 99),
)
def test_sums_are_added_in_the_order_of_the_hardware(
    layer: Layer, name: str, mapping: Mapping, seed: int
) -> None:
    """In a PE over taps then channels, down the column row by row, then pass by pass."""
    numbers = arithmetic(name)
    ifmap, weights = random_tensors(numbers, layer, seed)
    values = np.pad(
        numbers.activation.decode(ifmap)[0], [(0, 0), (layer.padding,) * 2, (layer.padding,) * 2]
    ).tolist()
    filters = numbers.weight.decode(weights).tolist()
    golden = golden_layer(numbers, layer, ifmap, weights, mapping)
    low, high = numbers.accumulator.minimum, numbers.accumulator.maximum
    for m, y, x in np.ndindex(golden.shape[1:]):
        total = 0
        for first in range(0, layer.in_channels, mapping.q * mapping.r):
            column = 0
            for row_set in range(mapping.r):
                start = first + row_set * mapping.q
                for i in range(layer.kernel_height):
                    own = 0
                    for j in range(layer.kernel_width):
                        for c in range(start, min(start + mapping.q, layer.in_channels)):
                            pixel = values[c][y * layer.stride + i][x * layer.stride + j]
                            own = min(max(own + pixel * filters[m][c][i][j], low), high)
                    column = min(max(column + own, low), high)
            total = min(max(total + column, low), high)
        assert golden[0, m, y, x] == total


def test_the_order_matters_where_sums_saturate() -> None:
    layer = Layer(name="order", kind="conv", in_channels=3, out_channels=1)
    ifmap = np.array([-8, -8, 7]).reshape(1, 3, 1, 1)
    weights = np.full((1, 3, 1, 1), -8)
    numbers = arithmetic("int4a8")
    in_one_pe = Mapping(p=1, q=3, r=1, t=1, e=1)
    # 64 + 64 clips to 127, less 56 is 71; in the other order nothing clips.
    assert golden_layer(numbers, layer, ifmap, weights, in_one_pe).item() == 71
    assert golden_layer(numbers, layer, ifmap[:, ::-1], weights, in_one_pe).item() == 72
    # Two channels in one row set, the third in the next: 127 and -56; or -56 + 64 and 64.
    in_two_sets = Mapping(p=1, q=2, r=2, t=1, e=1)
    assert golden_layer(numbers, layer, ifmap, weights, in_two_sets).item() == 71
    assert golden_layer(numbers, layer, ifmap[:, ::-1], weights, in_two_sets).item() == 72


def test_a_wide_sum_is_exact() -> None:
    """The largest that there is: 2**15 products of the most negative 16-bit numbers."""
    layer = Layer(name="widest", kind="fc", in_channels=2**15, out_channels=1)
    codes = np.full((1, 2**15, 1, 1), -(2**15))
    golden = golden_layer(arithmetic("int16"), layer, codes, codes, ANY_ORDER)
    assert golden.item() == 2**45


@pytest.mark.parametrize(
    ("which", "tensor", "message"),
    [
        ("ifmap", np.zeros((1, 2, 3), int), "ifmap must be of shape (1, 2, 3, 3), not (1, 2, 3)"),
        ("ifmap", np.zeros((1, 2, 3, 3)), "ifmap must hold encoded integers, not dtype('float64')"),
        ("ifmap", np.full((1, 2, 3, 3), 128), "ifmap: int8 codes must be -128 to 127, not 128"),
        ("weights", np.full((4, 2, 1, 1), 16), "weights: pot1 codes must be 0 to 15, not 16"),
        (
            "weights",
            np.zeros((2, 4, 1, 1), int),
            "weights must be of shape (4, 2, 1, 1), not (2, 4, 1, 1)",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused(which: str, tensor: Any, message: str) -> None:
    layer = Layer(name="x", kind="conv", in_channels=2, in_height=3, in_width=3, out_channels=4)
    numbers = arithmetic("lightpe1")
    tensors = dict(zip(("ifmap", "weights"), random_tensors(numbers, layer, 1), strict=True))
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        check_tensors(numbers, layer, **{**tensors, which: tensor})
