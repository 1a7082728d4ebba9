"""The golden layer, before anything is measured by it: others' arithmetic, and plain loops."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize.regression import random_tensors
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping
from rtl_gen.output_stage import OutputStage
from rtl_gen.reference import Codes, check_tensors, golden_layer
from tests.rtl_gen import oracle

INT8 = arithmetic("int8")
ANY_ORDER = Mapping(p=1, q=1, r=1, t=1, e=1, f=1)


@st.composite
def shapes(draw: st.DrawFn, most: int = 4, kernels: int = 5) -> Layer:
    """Any convolution, whether a config runs it or not."""
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    kernel = [draw(st.integers(1, kernels)) for _ in range(2)]
    dilation = draw(st.integers(1, 3))
    padding = [draw(st.integers(0, 3)) for _ in range(4)]
    spans = [(size - 1) * dilation + 1 for size in kernel]
    least = [max(spans[axis] - padding[axis] - padding[axis + 2], 1) for axis in range(2)]
    return Layer(
        name="drawn",
        kind="conv",
        batch=draw(st.integers(1, 2)),
        in_channels=draw(st.integers(1, most)) * groups,
        in_height=least[0] + draw(st.integers(0, 6)),
        in_width=least[1] + draw(st.integers(0, 6)),
        out_channels=draw(st.integers(1, most)) * groups,
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride=draw(st.integers(1, 4)),
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_value=draw(st.integers(-8, 7)),
    )


def zero_point_part(layer: Layer, weights: Codes) -> Codes:
    """What the input's zero point adds to every sum of a filter, (M, 1, 1)."""
    return np.asarray(layer.padding_value * weights.sum(axis=(1, 2, 3))[:, None, None])


@settings(max_examples=100)
@given(shapes(), st.integers(0, 99))
def test_int8_convolves_as_onnx_runtime_does(layer: Layer, seed: int) -> None:
    ifmap, weights = random_tensors(INT8, layer, seed)
    golden = golden_layer(INT8, layer, ifmap, weights, ANY_ORDER)
    expected = oracle.conv_integer(layer, ifmap, weights)
    np.testing.assert_array_equal(golden - zero_point_part(layer, weights), expected)


@settings(max_examples=100)
@given(shapes(), st.integers(0, 99))
def test_int8_requantizes_as_onnx_runtime_does(layer: Layer, seed: int) -> None:
    """Code by code, where the runtime's float32 is exact.

    It is where a scale is a 16-bit integer over a power of two and the sum times that integer
    has at most 24 bits.
    """
    random = np.random.default_rng(seed)
    ifmap, weights = random_tensors(INT8, layer, seed)
    sums = golden_layer(INT8, layer, ifmap, weights, ANY_ORDER)
    bias = random.integers(-(2**12), 2**12, layer.out_channels)
    folded = bias - zero_point_part(layer, weights).ravel()
    largest = np.abs(sums + folded[:, None, None]).max(axis=(0, 2, 3)).clip(1)
    multiplier = random.integers(1, np.minimum(2**24 // largest, 2**16 - 1) + 1)
    # The largest output of a filter is anywhere up to four times the largest code.
    shift = np.log2(largest * multiplier).astype(int) - random.integers(-1, 10, layer.out_channels)
    shift = shift.clip(0, 63)
    stage = OutputStage(
        bias=folded,
        multiplier=multiplier,
        shift=shift,
        zero_point=int(random.integers(-128, 128)),
        low=-128,
        high=127,
    )
    stage.check(INT8, layer)
    expected = oracle.qlinear_conv(
        layer,
        ifmap,
        weights,
        bias=bias,
        scale=np.ldexp(multiplier.astype(np.float64), -shift),
        zero_point=stage.zero_point,
    )
    np.testing.assert_array_equal(stage.apply(INT8, sums), expected)


@settings(max_examples=40)
@given(shapes(), st.integers(0, 99))
def test_any_scale_requantizes_as_onnx_runtime_does_but_for_its_float32(
    layer: Layer, seed: int
) -> None:
    """Scales of all 16 bits: codes differ by one at most, and only next to a half."""
    random = np.random.default_rng(seed)
    ifmap, weights = random_tensors(INT8, layer, seed)
    sums = golden_layer(INT8, layer, ifmap, weights, ANY_ORDER)
    bias = -zero_point_part(layer, weights).ravel()
    real = random.uniform(1e-4, 1e-2, layer.out_channels)
    stage = OutputStage.from_scales(real, bias, zero_point=0, low=-128, high=127)
    scale = np.ldexp(stage.multiplier.astype(np.float64), -stage.shift)
    nothing = np.zeros_like(bias)
    other = oracle.qlinear_conv(layer, ifmap, weights, bias=nothing, scale=scale, zero_point=0)
    codes = stage.apply(INT8, sums)
    for n, m, y, x in zip(*np.nonzero(codes != other), strict=True):
        exact = Fraction(float(scale[m])) * int(sums[n, m, y, x] + bias[m])
        assert abs(codes[n, m, y, x] - other[n, m, y, x]) == 1
        assert abs(exact % 1 - Fraction(1, 2)) < Fraction(1, 2**15)


@settings(max_examples=30)
@given(*(st.integers(1, 12) for _ in range(4)), st.sampled_from(["int8", "int16", "int4"]))
def test_a_matrix_product_is_numpys(
    batch: int, rows: int, depth: int, columns: int, name: str
) -> None:
    numbers = arithmetic(name)
    layer = Layer(
        name="product",
        kind="matmul",
        batch=batch,
        in_channels=depth,
        in_height=rows,
        out_channels=columns,
    )
    ifmap, weights = random_tensors(numbers, layer, rows)
    golden = golden_layer(numbers, layer, ifmap, weights, ANY_ORDER)
    left, right = ifmap[:, :, :, 0].transpose(0, 2, 1), weights[:, :, 0, 0].T
    assert left.dtype == right.dtype == np.int64
    np.testing.assert_array_equal(golden[..., 0].transpose(0, 2, 1), left @ right)


@settings(max_examples=20)
@given(*(st.integers(1, 20) for _ in range(3)))
def test_a_fully_connected_layer_is_numpys_product(batch: int, inputs: int, outputs: int) -> None:
    layer = Layer(name="fc", kind="fc", batch=batch, in_channels=inputs, out_channels=outputs)
    ifmap, weights = random_tensors(INT8, layer, batch)
    golden = golden_layer(INT8, layer, ifmap, weights, ANY_ORDER)
    expected = ifmap[:, :, 0, 0] @ weights[:, :, 0, 0].T
    np.testing.assert_array_equal(golden[:, :, 0, 0], expected)


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


@pytest.mark.parametrize("value", [-129, 128])
def test_padding_that_is_no_code_is_refused(value: int) -> None:
    layer = Layer(name="x", kind="conv", in_channels=1, out_channels=1, padding_value=value)
    zeros = np.zeros((1, 1, 1, 1), int)
    message = f"padding_value: int8 codes must be -128 to 127, not {value}"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        check_tensors(INT8, layer, zeros, zeros)
