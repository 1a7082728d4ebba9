"""`Layer`: shapes that can't be are refused; the others have the sizes of the textbook."""

from __future__ import annotations

import re
from typing import Any

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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "dense"}, "kind must be one of conv, fc, matmul, pool, not 'dense'"),
        ({"name": 3}, "name must be a string, not 3"),
        ({"in_channels": 0}, "in_channels must be an integer of at least 1, not 0"),
        ({"padding": -1}, "padding must be an integer of at least 0, not -1"),
        ({"stride": 1.0}, "stride must be an integer of at least 1, not 1.0"),
        ({"batch": True}, "batch must be an integer of at least 1, not True"),
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
            {"kind": "fc"},
            "a fully connected layer must have in_height and kernel_height of 1, not (9, 3)",
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
    assert (layer.out_height, layer.out_width) == (5, 5)
    assert layer.taps == 4 * 3 * 2
    assert layer.macs == 5 * 5 * 6 * 24
    assert layer.weights == 6 * 24
    assert layer.ifmap_shape == (1, 4, 9, 8)
    assert layer.weight_shape == (6, 4, 3, 2)
    assert layer.ofmap_shape == (1, 6, 5, 5)


def test_a_fully_connected_layer_is_a_matrix() -> None:
    layer = Layer.from_mapping({"name": "fc", "kind": "fc", "in_channels": 64, "out_channels": 10})
    assert (layer.ofmap_shape, layer.macs) == ((1, 10, 1, 1), 640)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 3), st.integers(0, 3))
def test_as_many_outputs_as_windows_fit(size: int, kernel: int, stride: int, padding: int) -> None:
    windows = range(0, size + 2 * padding - kernel + 1, stride)
    sizes = {"in_height": size, "kernel_height": kernel, "stride": stride, "padding": padding}
    mapping = {**GOOD, "in_width": 9, "kernel_width": 1, **sizes}
    if windows:
        assert Layer.from_mapping(mapping).out_height == len(windows)
    else:
        with pytest.raises(UserError, match="kernel_height must fit"):
            Layer.from_mapping(mapping)


@given(cases())
def test_the_yaml_form_reads_back(case: Any) -> None:
    layer = case[1]
    assert Layer.from_mapping(yaml.safe_load(yaml.safe_dump(layer.to_mapping()))) == layer


def test_files_are_read(tmp_path: Any) -> None:
    path = tmp_path / "layer.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    assert load_layer(path) == Layer.from_mapping(GOOD)
