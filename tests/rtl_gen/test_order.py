"""The order in which the golden layer adds, where sums saturate: plain loops, one at a time."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl_gen.formats import Arithmetic, arithmetic
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping
from rtl_gen.reference import Codes, golden_layer
from tests.rtl_gen.test_reference import shapes


@st.composite
def folded_orders(draw: st.DrawFn) -> tuple[Layer, Mapping]:
    """A small layer, and any order of its additions."""
    layer = draw(shapes(most=5, kernels=4))
    heights, widths = (
        [parts for parts in range(1, size + 1) if size % parts == 0]
        for size in (layer.kernel_height, layer.kernel_width)
    )
    return layer, Mapping(
        **{"p": 1, "t": 1, "e": 1, "f": 1},
        q=draw(st.integers(1, 4)),
        r=draw(st.integers(1, 3)),
        fold_height=draw(st.sampled_from(heights)),
        fold_width=draw(st.sampled_from(widths)),
    )


def saturated_sum(
    numbers: Arithmetic, layer: Layer, mapping: Mapping, window: Codes, filter_: Codes
) -> int:
    """One sum from values (C, R, S), an addition at a time in the order of the hardware."""
    low, high = numbers.accumulator.minimum, numbers.accumulator.maximum
    tall, wide = (
        layer.kernel_height // mapping.fold_height,
        layer.kernel_width // mapping.fold_width,
    )
    channels, step = window.shape[0], mapping.q * mapping.r
    total = 0
    for fold_column, fold_row, first in itertools.product(
        range(mapping.fold_width), range(mapping.fold_height), range(0, channels, step)
    ):
        column = 0
        for row_set in range(mapping.r):
            start = first + row_set * mapping.q
            for i in range(fold_row * tall, (fold_row + 1) * tall):
                own = 0
                for j in range(fold_column * wide, (fold_column + 1) * wide):
                    for c in range(start, min(start + mapping.q, channels)):
                        own = min(max(own + int(window[c, i, j] * filter_[c, i, j]), low), high)
                column = min(max(column + own, low), high)
        total = min(max(total + column, low), high)
    return total


@settings(max_examples=100)
@given(
    folded_orders(),
    st.sampled_from(["int4a8", "int8a16", "lightpe1a16", "lightpe2a17", "lightpe2"]),
    st.integers(0, 99),
)
def test_sums_are_added_in_the_order_of_the_hardware(
    case: tuple[Layer, Mapping], name: str, seed: int
) -> None:
    """In a PE over taps then channels, down the column row by row, then pass by pass."""
    layer, mapping = case
    numbers = arithmetic(name)
    random = np.random.default_rng(seed)
    # The extremes, so that nearly every sum saturates, and in another place by another order.
    ifmap, filters = (
        random.choice([format_.minimum, format_.maximum], shape)
        for format_, shape in (
            (numbers.activation, layer.ifmap_shape),
            (numbers.weight, layer.weight_shape),
        )
    )
    golden = golden_layer(numbers, layer, ifmap, numbers.weight.encode(filters), mapping)
    size, step = layer.in_channels // layer.groups, layer.dilation
    for n, m, y, x in (random.integers(golden.shape) for _ in range(20)):
        group = m // (layer.out_channels // layer.groups)
        window = np.full(filters.shape[1:], layer.padding_value)
        for r, s in np.ndindex(window.shape[1:]):
            row = y * layer.stride + r * step - layer.padding[0]
            column = x * layer.stride + s * step - layer.padding[1]
            if 0 <= row < layer.in_height and 0 <= column < layer.in_width:
                window[:, r, s] = ifmap[n, group * size : (group + 1) * size, row, column]
        assert golden[n, m, y, x] == saturated_sum(numbers, layer, mapping, window, filters[m])


def test_the_order_matters_where_sums_saturate() -> None:
    layer = Layer(name="order", kind="conv", in_channels=3, out_channels=1)
    ifmap = np.array([-8, -8, 7]).reshape(1, 3, 1, 1)
    weights = np.full((1, 3, 1, 1), -8)
    numbers = arithmetic("int4a8")
    in_one_pe = Mapping(p=1, q=3, r=1, t=1, e=1, f=1)
    # 64 + 64 clips to 127, less 56 is 71; in the other order nothing clips.
    assert golden_layer(numbers, layer, ifmap, weights, in_one_pe).item() == 71
    assert golden_layer(numbers, layer, ifmap[:, ::-1], weights, in_one_pe).item() == 72
    # Two channels in one row set, the third in the next: 127 and -56; or -56 + 64 and 64.
    in_two_sets = Mapping(p=1, q=2, r=2, t=1, e=1, f=1)
    assert golden_layer(numbers, layer, ifmap, weights, in_two_sets).item() == 71
    assert golden_layer(numbers, layer, ifmap[:, ::-1], weights, in_two_sets).item() == 72
