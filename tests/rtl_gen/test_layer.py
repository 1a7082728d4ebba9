"""`Layer`: shapes that can't be are refused; the others have the sizes of the textbook."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rtl_gen.errors import UserError
from rtl_gen.layer import Layer, load_layer
from tests.rtl_gen.strategies import cases

GOOD: dict[str, Any] = {
    "name": "conv1",
    "kind": "conv",
    "in_channels": 4,
    "in_height": 9,
    "in_width": 8,
    "out_channels": 6,
    "kernel_height": 3,
    "kernel_width": 2,
    "stride": 2,
    "padding": 1,
}
MATMUL: dict[str, Any] = {"name": "scores", "kind": "matmul", "in_channels": 64, "out_channels": 10}
SIDES = "padding must be an integer of at least 0, or four: top, left, bottom, right; not"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "dense"}, "kind must be one of conv, fc, matmul, pool, not 'dense'"),
        ({"name": 3}, "name must be a string, not 3"),
        ({"output": "int8"}, "output must be one of raw, quantized, not 'int8'"),
        ({"in_channels": 0}, "in_channels must be an integer of at least 1, not 0"),
        ({"stride": 1.0}, "stride must be an integer of at least 1, not 1.0"),
        ({"batch": True}, "batch must be an integer of at least 1, not True"),
        ({"dilation": 0}, "dilation must be an integer of at least 1, not 0"),
        ({"padding": -1}, f"{SIDES} -1"),
        ({"padding": "same"}, f"{SIDES} 'same'"),
        ({"padding": [1, 1]}, f"{SIDES} [1, 1]"),
        ({"padding": [1, 1, 1, -1]}, f"{SIDES} [1, 1, 1, -1]"),
        ({"padding": [1, 1, 1, True]}, f"{SIDES} [1, 1, 1, True]"),
        ({"padding_value": 0.5}, "padding_value must be an integer, not 0.5"),
        ({"padding_value": False}, "padding_value must be an integer, not False"),
        (
            {"groups": 4},
            "groups must divide in_channels and out_channels, not 4 for 4 and 6",
        ),
        (
            {"kernel_height": 12},
            "kernel_height must fit in the padded map of 11, not 12 (with dilation 1)",
        ),
        (
            {"kernel_width": 4, "dilation": 4},
            "kernel_width must fit in the padded map of 10, not 4 (with dilation 4)",
        ),
        (
            {"kernel_width": 12, "padding": [5, 1, 5, 2]},
            "kernel_width must fit in the padded map of 11, not 12 (with dilation 1)",
        ),
        (
            {"kind": "fc"},
            "a fully connected layer must have in_height and kernel_height of 1, not (9, 3)",
        ),
        (
            {"kind": "matmul"},
            "a matrix product must have in_width, kernel and stride of 1, not (8, 3, 2, 2)",
        ),
        ({"kernel": 3}, f"layer keys must be among {', '.join(Layer.__slots__)}, not 'kernel'"),
    ],
)
def test_every_rule_names_itself_and_the_value(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        Layer.from_mapping({**GOOD, **change})


@pytest.mark.parametrize("key", ["name", "kind", "in_channels", "out_channels"])
def test_the_four_keys_without_a_default(key: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(UserError, match=f"^layer must have the key '{key}', it has"):
        Layer.from_mapping(rest)


def test_the_sizes_of_a_layer() -> None:
    layer = Layer.from_mapping(GOOD)
    assert layer.padding == (1, 1, 1, 1)
    assert (layer.out_height, layer.out_width) == (5, 5)
    assert layer.taps == 4 * 3 * 2
    assert layer.macs == 5 * 5 * 6 * 24
    assert layer.weights == 6 * 24
    assert layer.ifmap_shape == (1, 4, 9, 8)
    assert layer.weight_shape == (6, 4, 3, 2)
    assert layer.ofmap_shape == (1, 6, 5, 5)


def test_the_sizes_of_a_batch_in_groups() -> None:
    layer = Layer.from_mapping({**GOOD, "batch": 3, "groups": 2, "padding": [0, 1, 2, 3]})
    assert (layer.out_height, layer.out_width) == (5, 6)
    assert layer.taps == 2 * 3 * 2
    assert layer.macs == 3 * 5 * 6 * 6 * 12
    assert layer.ifmap_shape == (3, 4, 9, 8)
    assert layer.weight_shape == (6, 2, 3, 2)
    assert layer.ofmap_shape == (3, 6, 5, 6)


def test_matrix_products() -> None:
    layer = Layer.from_mapping({**MATMUL, "kind": "fc", "batch": 7})
    assert (layer.ofmap_shape, layer.macs) == ((7, 10, 1, 1), 4480)
    layer = Layer.from_mapping({**MATMUL, "in_height": 20, "batch": 2})
    assert layer.ifmap_shape == (2, 64, 20, 1)
    assert (layer.ofmap_shape, layer.macs) == ((2, 10, 20, 1), 2 * 20 * 640)


@given(
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(1, 4),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.integers(1, 3),
    st.booleans(),
)
def test_as_many_outputs_as_windows_fit(
    size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int, upright: bool
) -> None:
    """Counted on the padded map itself, down or across."""
    padded = np.pad(np.arange(size), padding)
    starts = range(0, len(padded), stride)
    windows = [start for start in starts if start + (kernel - 1) * dilation < len(padded)]
    before, after = padding
    axis = "height" if upright else "width"
    sides = [before, 0, after, 0] if upright else [0, before, 0, after]
    layer: dict[str, Any] = {
        **{"name": "drawn", "kind": "conv", "in_channels": 1, "out_channels": 1},
        **{f"in_{axis}": size, f"kernel_{axis}": kernel, "stride": stride, "dilation": dilation},
        "padding": sides,
    }
    if windows:
        assert getattr(Layer(**layer), f"out_{axis}") == len(windows)
    else:
        with pytest.raises(UserError, match=f"kernel_{axis} must fit"):
            Layer(**layer)


@given(cases())
def test_the_yaml_form_reads_back(case: Any) -> None:
    layer = case[1]
    again = Layer.from_mapping(yaml.safe_load(yaml.safe_dump(layer.to_mapping())))
    assert again == layer
    assert hash(again) == hash(layer)


def test_one_number_of_padding_means_all_four_sides() -> None:
    assert Layer(**{**GOOD, "padding": [1, 1, 1, 1]}) == Layer(**GOOD)


def test_files_are_read(tmp_path: Any) -> None:
    path = tmp_path / "layer.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    assert load_layer(path) == Layer.from_mapping(GOOD)
