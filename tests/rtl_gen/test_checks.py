"""What can't run is refused before anything is built, naming the rule and the value."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from rtl_gen import descriptor as module
from rtl_gen.descriptor import descriptor
from rtl_gen.errors import UserError
from rtl_gen.schedule import Mapping, check, check_layer, check_mapping, schedule
from tests.rtl_gen.strategies import CONFIG, LAYER

MAPPING = Mapping(p=1, q=1, r=1, t=1, e=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "pool"}, "kind must be conv or fc, not 'pool'"),
        ({"kind": "matmul"}, "kind must be conv or fc, not 'matmul'"),
        ({"batch": 2}, "batch must be 1, not 2"),
        ({"dilation": 2}, "dilation must be 1, not 2"),
        ({"groups": 2}, "groups must be 1, not 2"),
        ({"stride": 3}, "stride must be 1 or 2, not 3"),
        ({"padding": 3}, "padding must be less than the kernel's height and width, not 3"),
        (
            {"in_channels": 3641},
            "taps (C*R*S, products in a sum) must be at most 32768, not 32769",
        ),
        ({"out_channels": 32768}, "out_channels must be at most 32767, not 32768"),
        ({"in_width": 40000}, "in_width must be at most 32767, not 40000"),
    ],
)
def test_layers_that_no_config_runs(change: dict[str, Any], message: str) -> None:
    layer = replace(LAYER, **change)
    expected = f"^{re.escape(f'layer {layer.name!r}: {message}')}$"
    for refuse in (
        lambda: check_layer(layer),
        lambda: check(CONFIG, layer),
        lambda: schedule(CONFIG, layer),
    ):
        with pytest.raises(UserError, match=expected):
            refuse()


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        ({"rows": 2}, {}, "rows must be at least kernel_height (3), not 2"),
        ({"ifmap_words": 2}, {}, "ifmap_words must be at least kernel_width (3), not 2"),
        ({"weight_words": 2}, {}, "weight_words must be at least kernel_width (3), not 2"),
        (
            {"buffer_kib": 1},
            {"in_width": 34},
            "buffer_kib must hold one row of sums in a column's memories: words at least "
            "out_width (34), not 32",
        ),
        (
            {"buffer_kib": 1, "columns": 1},
            {"in_width": 65, "kernel_height": 1, "kernel_width": 1, "padding": 0},
            "buffer_kib must hold one channel of one strip: words at least columns loaded x "
            "beats a column (65), not 64",
        ),
    ],
)
def test_layers_that_this_config_does_not_run(
    config: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    small, layer = replace(CONFIG, **config), replace(LAYER, **change)
    with pytest.raises(UserError, match=f"^{re.escape(f'layer {layer.name!r}: {message}')}$"):
        check(small, layer)
    assert not schedule(small, layer).legal


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"q": 4}, "q*S must be at most ifmap_words (10), not 12"),
        ({"p": 7, "q": 3}, "p*q*S must be at most weight_words (60), not 63"),
        ({"p": 8}, "p must be at most psum_words (7), not 8"),
        ({"r": 2}, "r*R must be at most rows (5), not 6"),
        ({"t": 2, "e": 3}, "t*e must be at most columns (4), not 6"),
        ({"e": 0}, "e must be at least 1, not 0"),
    ],
)
def test_mappings_that_break_a_rule(change: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(f'mapping {message}')}$"):
        check_mapping(CONFIG, LAYER, replace(MAPPING, **change))


def test_mappings_that_overflow_the_buffer() -> None:
    small = replace(CONFIG, buffer_kib=1)
    wide = replace(LAYER, in_width=32)
    with pytest.raises(UserError, match=re.escape("mapping p*F must fit a column (32), not 64")):
        check_mapping(small, wide, replace(MAPPING, p=2))
    # 6 channels of 32 columns are not resident in 64 words; 3 channels a pass do not fit either.
    with pytest.raises(UserError, match=re.escape("a pass's input must fit (64), not 96")):
        check_mapping(small, wide, replace(MAPPING, q=3))
    check_mapping(small, wide, replace(MAPPING, q=2))


def test_a_value_too_wide_for_the_descriptor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No legal layer gets there: the fields are wider than what `check` lets through."""
    narrow = {**module.FIELDS, "out_width": (3, "F")}
    monkeypatch.setattr(module, "FIELDS", narrow)
    message = "layer 'conv1': descriptor field out_width (F) must be less than 8, not 9"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        descriptor(CONFIG, LAYER, MAPPING)


def test_the_largest_layers_fit_the_descriptor() -> None:
    largest: dict[str, Any] = {"rows": 64, "columns": 64, "ifmap_words": 256, "weight_words": 2048}
    config = replace(CONFIG, **largest, psum_words=256, buffer_kib=4096, bus_bits=32)
    layers = (
        {"in_channels": 32767, "out_channels": 32767, "in_height": 1, "in_width": 1},
        {"in_channels": 1, "out_channels": 32767, "in_height": 32767, "in_width": 5000},
    )
    for sizes in layers:
        for kernel in (1, 64):
            shape: dict[str, Any] = {
                "kernel_height": kernel,
                "kernel_width": kernel,
                "padding": kernel - 1,
            }
            shape["in_channels"] = min(sizes["in_channels"], 32768 // kernel**2)
            layer = replace(LAYER, **{**sizes, **shape})
            plan = schedule(config, layer)
            assert plan.legal
            descriptor(config, layer, plan.mapping)
