"""Host steps: as ONNX Runtime pools and adds, half to even, every word counted once."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.host import Addition, add, average_pool, check_pool, max_pool
from rtl_gen.layer import Layer
from tests.rtl_gen import oracle

ADDITION = Addition(
    zero_points=(0, 0), multipliers=(1, 1), shift=0, zero_point=0, low=-128, high=127
)
CODES = st.integers(-128, 127)
#: The runtime's pool and addition add the zero point before they round (unlike its QLinearConv and
#: the standard's QuantizeLinear): an odd one would turn their halves.
EVEN = CODES.map(lambda code: code & ~1)


def pool(**fields: Any) -> Layer:
    sizes = {"in_channels": 2, "in_height": 4, "in_width": 6, "out_channels": 2, "stride": 2}
    sizes |= {"kernel_height": 2, "kernel_width": 2}
    return Layer(name="pool", kind="pool", **{**sizes, **fields})


@st.composite
def pools(draw: st.DrawFn) -> Layer:
    """A pool whose windows all have a pixel."""
    kernel = [draw(st.integers(1, 4)) for _ in range(2)]
    channels = draw(st.integers(1, 3))
    return pool(
        batch=draw(st.integers(1, 2)),
        in_channels=channels,
        out_channels=channels,
        in_height=draw(st.integers(kernel[0], 9)),
        in_width=draw(st.integers(kernel[1], 9)),
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride=draw(st.integers(1, 3)),
        # ONNX wants less padding than kernel.
        padding=[draw(st.integers(0, kernel[axis % 2] - 1)) for axis in range(4)],
    )


def codes(layer: Layer, seed: int) -> Any:
    return np.random.default_rng(seed).integers(-128, 128, layer.ifmap_shape)


@settings(max_examples=60)
@given(pools(), st.integers(0, 99))
def test_the_largest_code_is_onnx_runtimes(layer: Layer, seed: int) -> None:
    ifmap = codes(layer, seed)
    run = max_pool(layer, ifmap)
    assert run.ofmap.shape == layer.ofmap_shape
    np.testing.assert_array_equal(run.ofmap, oracle.max_pool(layer, ifmap))
    assert (run.words_read, run.words_written) == (ifmap.size, run.ofmap.size)


@settings(max_examples=60)
@given(pools(), CODES, st.integers(0, 99))
def test_the_mean_is_rounded_half_to_even(layer: Layer, zero_point: int, seed: int) -> None:
    ifmap = codes(layer, seed)
    run = average_pool(layer, ifmap, zero_point)
    assert run.ofmap.shape == layer.ofmap_shape
    for n, c, y, x in np.ndindex(run.ofmap.shape):
        top, left = y * layer.stride - layer.padding[0], x * layer.stride - layer.padding[1]
        rows = slice(max(top, 0), top + layer.kernel_height)
        columns = slice(max(left, 0), left + layer.kernel_width)
        pixels = [int(pixel) - zero_point for pixel in ifmap[n, c, rows, columns].ravel()]
        mean = round(Fraction(sum(pixels), len(pixels))) + zero_point
        assert run.ofmap[n, c, y, x] == mean
    assert (run.words_read, run.words_written) == (ifmap.size, run.ofmap.size)


@settings(max_examples=60)
@given(pools(), EVEN, st.integers(0, 99))
def test_the_mean_is_onnx_runtimes_where_its_float32_is_exact(
    layer: Layer, zero_point: int, seed: int
) -> None:
    """A window of 1, 2, 4, 8 or 16 pixels, without padding."""
    size = layer.kernel_height * layer.kernel_width
    if size & (size - 1):
        layer = replace(layer, kernel_height=2, in_height=9, kernel_width=2, in_width=8)
    layer = replace(layer, padding=0)
    ifmap = codes(layer, seed)
    expected = oracle.average_pool(layer, ifmap, zero_point)
    np.testing.assert_array_equal(average_pool(layer, ifmap, zero_point).ofmap, expected)


def test_means_of_two() -> None:
    layer = pool(in_channels=1, out_channels=1, in_height=1, kernel_height=1)
    halves = np.array([1, 0, 1, 2, -1, 0]).reshape(1, 1, 1, 6)
    assert average_pool(layer, halves, 0).ofmap.ravel().tolist() == [0, 2, 0]
    # 1/2 - 1 is -1/2, rounded to 0, is 1; 3/2 - 1 is 1/2; -1/2 - 1 is -3/2, rounded to -2.
    assert average_pool(layer, halves, 1).ofmap.ravel().tolist() == [1, 1, -1]


@settings(max_examples=60)
@given(
    st.tuples(CODES, CODES),
    EVEN,
    st.tuples(st.integers(1, 2**13), st.integers(1, 2**13)),
    st.integers(5, 16),
    st.integers(0, 99),
)
def test_a_sum_is_onnx_runtimes(
    zero_points: tuple[int, int],
    zero_point: int,
    multipliers: tuple[int, int],
    shift: int,
    seed: int,
) -> None:
    """The runtime adds in float32: exact, for no number here has more than 24 bits."""
    random = np.random.default_rng(seed)
    left, right = random.integers(-128, 128, (2, 2, 3, 4, 5))
    addition = Addition(
        zero_points=zero_points,
        multipliers=multipliers,
        shift=shift,
        zero_point=zero_point,
        low=-128,
        high=127,
    )
    scales = (multipliers[0] / 2**shift, multipliers[1] / 2**shift)
    expected = oracle.qlinear_add((left, right), scales, zero_points, zero_point)
    run = add(left, right, addition)
    np.testing.assert_array_equal(run.ofmap, expected)
    assert (run.words_read, run.words_written) == (2 * left.size, left.size)


@settings(max_examples=100)
@given(CODES, CODES, st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1), st.integers(0, 63))
def test_a_sum_is_that_of_fractions(a: int, b: int, ma: int, mb: int, shift: int) -> None:
    addition = Addition(
        zero_points=(3, -4), multipliers=(ma, mb), shift=shift, zero_point=-7, low=-7, high=99
    )
    exact = round(Fraction((a - 3) * ma + (b + 4) * mb, 2**shift)) - 7
    run = add(np.full((1, 1, 1, 1), a), np.full((1, 1, 1, 1), b), addition)
    assert run.ofmap.item() == min(max(exact, -7), 99)


@given(st.tuples(st.floats(0, 65535), st.floats(2.0**-48, 65535)), st.booleans())
def test_scales_are_met_within_the_bound(scales: tuple[float, float], swapped: bool) -> None:
    scales = (scales[1], scales[0]) if swapped else scales
    made = Addition.from_scales(scales, zero_points=(0, 0), zero_point=0, low=-128, high=127)
    made.check(arithmetic("int8"))
    bound = Fraction(max(scales)) / 2**16
    for scale, multiplier in zip(scales, made.multipliers, strict=True):
        assert abs(Fraction(multiplier, 2**made.shift) - Fraction(scale)) <= bound


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multipliers": (1, 2**16)}, "multipliers must be from 0 to 65535, not 65536"),
        ({"shift": -1}, "shift must be from 0 to 63, not -1"),
        ({"high": 128}, "zero points, low and high must be from -128 to 127, not 128"),
        (
            {"zero_points": (0, -129)},
            "zero points, low and high must be from -128 to 127, not -129",
        ),
        ({"low": 4, "high": 3}, "low must be at most high (3), not 4"),
    ],
)
def test_an_addition_out_of_range_is_refused(change: dict[str, Any], message: str) -> None:
    ADDITION.check(arithmetic("int8"))
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        replace(ADDITION, **change).check(arithmetic("int8"))


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ((-1.0, 2.0), "scales must not be negative, not (-1.0, 2.0)"),
        ((0.0, 0.0), "scale must be positive and below 65535.5, not 0.0"),
        ((1.0, 65535.5), "scale must be positive and below 65535.5, not 65535.5"),
    ],
)
def test_scales_that_no_multiplier_meets_are_refused(
    scales: tuple[float, float], message: str
) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        Addition.from_scales(scales, zero_points=(0, 0), zero_point=0, low=-1, high=1)


def test_maps_of_two_shapes_are_refused() -> None:
    message = "maps to add must be of one shape, not (1, 2, 1, 1) and (1, 1, 1, 1)"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        add(np.zeros((1, 2, 1, 1), int), np.zeros((1, 1, 1, 1), int), ADDITION)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Layer(name="pool", kind="fc", in_channels=1, out_channels=1),
            "layer 'pool': kind must be pool, not 'fc'",
        ),
        (
            pool(out_channels=3),
            "layer 'pool': a pool must have as many channels out as in, not (2, 3)",
        ),
        (
            pool(padding=[2, 0, 0, 0]),
            "layer 'pool': padding of a pool must leave every window a pixel, not (2, 0, 0, 0)",
        ),
    ],
)
def test_pools_that_mean_nothing_are_refused(layer: Layer, message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        check_pool(layer)
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        max_pool(layer, np.zeros(layer.ifmap_shape, int))
