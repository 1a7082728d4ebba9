"""What hypothesis draws: configs, layers that they can run, tensors; and tables of designs."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from rtl_gen.config import INTEGER_FIELDS, AcceleratorConfig, legal
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.layer import Layer
from rtl_gen.schedule import Mapping, check, check_mapping, schedule

Value = TypeVar("Value")

#: One of every family, wrapping and saturating; narrow ones saturate often.
ARITHMETICS = ("int16", "int8", "int4", "lightpe1", "lightpe2", "int6xint3a12", "int8a18", "int4a8")

#: A small design and layer that many tests start from.
CONFIG = AcceleratorConfig.from_mapping(
    {
        "arithmetic": "int8",
        "rows": 5,
        "columns": 4,
        "ifmap_words": 10,
        "weight_words": 60,
        "psum_words": 7,
        "buffer_kib": 4,
        "bus_bits": 64,
    }
)
LAYER = Layer(
    name="conv1",
    kind="conv",
    in_channels=6,
    in_height=9,
    in_width=9,
    out_channels=8,
    kernel_height=3,
    kernel_width=3,
    padding=1,
)


@st.composite
def configs(draw: st.DrawFn, arithmetics: Sequence[str] = ARITHMETICS) -> AcceleratorConfig:
    """A small config: arrays to 8 x 8, scratchpads that just hold a kernel or a few."""
    numbers = arithmetic(draw(st.sampled_from(arithmetics)))
    narrowest = (numbers.accumulator_bits - 1).bit_length()
    return AcceleratorConfig(
        arithmetic=numbers,
        rows=draw(st.integers(1, 8)),
        columns=draw(st.integers(1, 8)),
        ifmap_words=draw(st.integers(1, 12)),
        weight_words=draw(st.integers(1, 48)),
        psum_words=draw(st.integers(1, 6)),
        buffer_kib=draw(st.sampled_from((1, 1, 2))),
        # A beat of 512 bits: a buffer of a few words, which no input is resident in.
        bus_bits=2 ** draw(st.integers(max(narrowest, 3), 9)),
    )


@st.composite
def layers(draw: st.DrawFn, config: AcceleratorConfig, most: int = 9) -> Layer:
    """A layer that `config` can run, channels, filters and maps up to `most`."""
    if draw(st.integers(0, 9)) == 0:
        sizes = {name: draw(st.integers(1, 3 * most)) for name in ("in_channels", "out_channels")}
        return Layer(name="drawn", kind="fc", **sizes)
    height = draw(st.integers(1, min(config.rows, 5)))
    width = draw(st.integers(1, min(config.ifmap_words, config.weight_words, 4)))
    padding = draw(st.integers(0, min(height, width) - 1))
    sizes = {name: draw(st.integers(1, most)) for name in ("in_channels", "out_channels")}
    layer = Layer(
        name="drawn",
        kind="conv",
        in_height=draw(st.integers(max(height - 2 * padding, 1), most + 3)),
        in_width=draw(st.integers(max(width - 2 * padding, 1), most + 3)),
        kernel_height=height,
        kernel_width=width,
        stride=draw(st.integers(1, 2)),
        padding=padding,
        **sizes,
    )
    try:
        check(config, layer)
    except UserError:  # the buffer is too small
        assume(False)
    return layer


@st.composite
def mappings(draw: st.DrawFn, config: AcceleratorConfig, layer: Layer) -> Mapping:
    """Any legal mapping: the schedule's own, or one that wastes what it likes."""
    if draw(st.booleans()):
        return schedule(config, layer).mapping
    q = draw(st.integers(1, min(config.ifmap_words, config.weight_words) // layer.kernel_width))
    words = config.weight_words // (q * layer.kernel_width)
    e = draw(st.integers(1, config.columns))
    mapping = Mapping(
        p=draw(st.integers(1, min(config.psum_words, words))),
        q=q,
        r=draw(st.integers(1, config.rows // layer.kernel_height)),
        t=draw(st.integers(1, config.columns // e)),
        e=e,
    )
    try:
        check_mapping(config, layer, mapping)
    except UserError:  # the buffer is too small
        assume(False)
    return mapping


@st.composite
def cases(
    draw: st.DrawFn, arithmetics: Sequence[str] = ARITHMETICS, most: int = 9
) -> tuple[AcceleratorConfig, Layer]:
    """A config and a layer that it can run."""
    config = draw(configs(arithmetics))
    return config, draw(layers(config, most))


@st.composite
def mapped(
    draw: st.DrawFn, config: AcceleratorConfig | None = None, most: int = 9
) -> tuple[AcceleratorConfig, Layer, Mapping]:
    """A config, a layer that it can run, and how."""
    config = config or draw(configs())
    layer = draw(layers(config, most))
    return config, layer, draw(mappings(config, layer))


def table(designs: Sequence[AcceleratorConfig]) -> Any:
    """The designs as a table, one int64 array a field: what the explorer hands to `schedule`."""
    names = (*INTEGER_FIELDS, "activation_bits", "weight_bits", "accumulator_bits")
    result = SimpleNamespace(
        **{name: np.array([getattr(design, name) for design in designs]) for name in names}
    )
    assert np.all(legal(result))
    return result


def chosen(strategy: st.SearchStrategy[Value], count: int, number: int = 1) -> list[Value]:
    """`count` values that hypothesis chooses, the same in every run: for one long simulation."""
    found: list[Value] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Value) -> None:
        found.append(value)

    collect()
    return found
