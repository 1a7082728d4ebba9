"""What can't run is refused before anything is built, naming the rule and the value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtl_gen import descriptor as module
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, descriptor, limits
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.mapper import check, check_layer
from rtl_gen.mapping import Mapping
from rtl_gen.output_stage import OutputStage
from rtl_gen.schedule import schedule
from tests.rtl_gen.strategies import CONFIG, LAYER, mapped, stages

MAPPING = Mapping(p=1, q=1, r=1, t=1, e=1, f=9)
NUMBERS = np.zeros(LAYER.out_channels, np.int64)
STAGE = OutputStage(
    bias=NUMBERS, multiplier=NUMBERS, shift=NUMBERS, zero_point=-3, low=-128, high=7
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "pool"}, "kind must be conv, fc or matmul; pool is a host step"),
        (
            {"in_channels": 3641},
            "taps (C/groups*R*S, products in a sum) must be at most 32768, not 32769",
        ),
        ({"out_channels": 32768}, "out_channels must be at most 32767, not 32768"),
        ({"batch": 32768}, "batch must be at most 32767, not 32768"),
        (
            {"in_channels": 32768, "out_channels": 32768, "groups": 32768},
            "in_channels must be at most 32767, not 32768",
        ),
        ({"stride": 40000}, "stride must be at most 32767, not 40000"),
        (
            {"kernel_width": 1, "kernel_height": 1, "dilation": 32768},
            "dilation must be at most 32767, not 32768",
        ),
        ({"in_width": 32766}, "padded width must be at most 32767, not 32768"),
        ({"padding": [32759, 0, 0, 0]}, "padded height must be at most 32767, not 32768"),
    ],
)
def test_layers_that_no_config_runs(change: dict[str, Any], message: str) -> None:
    layer = replace(LAYER, **change)
    expected = f"^{re.escape(f'layer {layer.name!r}: {message}')}$"
    refusals: tuple[Callable[[], Any], ...] = (
        lambda: check_layer(layer),
        lambda: check(CONFIG, layer),
        lambda: schedule(CONFIG, layer),
    )
    for refuse in refusals:
        with pytest.raises(UserError, match=expected):
            refuse()


def test_layers_that_this_config_does_not_run() -> None:
    """Only dilated ones: the others run column by column, tap by tap, if it must be."""
    sizes = ("rows", "columns", "ifmap_words", "weight_words", "psum_words", "buffer_kib")
    one: dict[str, Any] = dict.fromkeys(sizes, 1)
    tiny = replace(CONFIG, **one)
    wide = replace(LAYER, in_width=400, kernel_height=5, kernel_width=7, stride=3, batch=2)
    check(tiny, wide)
    assert schedule(tiny, wide).legal
    dilated = replace(wide, dilation=2)
    message = "layer 'conv1': mapping p*f must be at most the sums a column holds (132), not 195"
    shorter = replace(dilated, stride=1)
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        check(tiny, shorter)
    plan = schedule(tiny, shorter)
    assert not plan.legal
    assert plan.cycles == 0
    check(tiny, dilated)


def test_a_stage_is_given_exactly_for_quantized_outputs() -> None:
    quantized = replace(LAYER, output="quantized")
    message = "an output stage must be given if and only if the output is quantized, not"
    for layer, stage in ((LAYER, STAGE), (quantized, None)):
        with pytest.raises(UserError, match=f"{message} {layer.output!r} with {stage}"[:60]):
            descriptor(CONFIG, layer, MAPPING, stage)
    raw, codes = descriptor(CONFIG, LAYER, MAPPING), descriptor(CONFIG, quantized, MAPPING, STAGE)
    differ = {name: (raw[name], codes[name]) for name in FIELDS if raw[name] != codes[name]}
    assert differ == {
        **{"quantized": (0, 1), "zero_point": (0, 65533), "low": (0, 65408), "high": (0, 7)}
    }


def test_descriptors_of_mappings_that_break_a_rule_are_refused() -> None:
    with pytest.raises(UserError, match="mapping p must be at most psum_words"):
        descriptor(CONFIG, LAYER, replace(MAPPING, p=8))


@given(st.data())
def test_a_descriptor_is_within_the_limits_that_the_hardware_checks(data: st.DataObject) -> None:
    config, layer, mapping = data.draw(mapped())
    stage = data.draw(stages(config.arithmetic, layer))
    fields = descriptor(config, layer, mapping, stage)
    assert tuple(fields) == tuple(FIELDS)
    for name, (bits, _) in FIELDS.items():
        assert 0 <= fields[name] < 2**bits, name
    for name, (low, high) in limits(config).items():
        assert low <= fields[name] <= high, name


def test_a_value_too_wide_for_the_descriptor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = {**module.FIELDS, "out_width": (3, "f")}
    monkeypatch.setattr(module, "FIELDS", narrow)
    message = "layer 'conv1': descriptor field out_width (f) must be less than 8, not 9"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        descriptor(CONFIG, LAYER, MAPPING)


#: The largest array and memories, and the same with one column and one sum a PE.
SIZES: dict[str, Any] = {
    **{"rows": 64, "columns": 64, "ifmap_words": 256, "weight_words": 2048, "psum_words": 256},
    **{"buffer_kib": 4096, "bus_bits": 32},
}
LARGEST = replace(CONFIG, **SIZES)
NARROW = replace(LARGEST, columns=1, psum_words=1)
POINT: dict[str, Any] = {"kernel_height": 1, "kernel_width": 1, "padding": 0, "in_width": 1}
HUGE: dict[str, tuple[AcceleratorConfig, dict[str, Any]]] = {
    "a matrix": (LARGEST, {"in_channels": 32767, "out_channels": 32767, "in_height": 1}),
    "a tall map": (LARGEST, {"in_channels": 1, "in_height": 32767, "in_width": 5000}),
    "one pixel": (LARGEST, {"in_height": 32767, "in_width": 32767, "stride": 32767}),
    "channels": (LARGEST, {"in_channels": 16384, "in_height": 64, "in_width": 64, "batch": 64}),
    "padded points": (LARGEST, {"in_channels": 16384, "in_height": 60, "padding": 2}),
    "a wide kernel": (LARGEST, {"in_width": 300, "kernel_width": 257}),
    "a tall kernel": (LARGEST, {"in_height": 32767, "kernel_height": 5449}),
    "a kernel beyond the tags": (LARGEST, {"in_height": 1000, "kernel_height": 307}),
    "a kernel folded beyond the tags": (LARGEST, {"in_height": 1000, "kernel_height": 320}),
    "many pixels": (NARROW, {"in_channels": 4, "in_height": 300, "in_width": 300}),
    "many strips": (NARROW, {"in_height": 600, "kernel_height": 2, "batch": 32767}),
}


@pytest.mark.parametrize(("config", "shape"), HUGE.values(), ids=HUGE)
def test_what_is_legal_fits_the_descriptor(
    config: AcceleratorConfig, shape: dict[str, Any]
) -> None:
    """A layer is refused by `check`, with its rule, or it has a schedule and a descriptor."""
    layer: Layer = replace(LAYER, **{**POINT, **shape})
    plan = schedule(config, layer)
    if not plan.legal:
        with pytest.raises(UserError):
            check(config, layer)
        return
    fields = descriptor(config, layer, plan.mapping)
    for name, (low, high) in limits(config).items():
        assert low <= fields[name] <= high, name
