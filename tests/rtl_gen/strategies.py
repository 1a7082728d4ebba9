"""What hypothesis draws: configs, layers that they can run, tensors; and tables of designs."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from characterize.regression import random_stage
from rtl_gen.config import (
    INTEGER_FIELDS,
    AcceleratorConfig,
    legal,
    psum_sram_depth,
)
from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic, FloatFormat, Format, arithmetic
from rtl_gen.layer import Layer
from rtl_gen.mapper import best_mapping, check
from rtl_gen.mapping import Mapping, check_mapping, is_phased, widest
from rtl_gen.memories import weight_pass_words
from rtl_gen.output_stage import OutputStage
from rtl_gen.storage import FLIPFLOP, MACRO

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
    """A small config: arrays to 8 x 8, scratchpads that hold a word, a kernel or a few."""
    numbers = arithmetic(draw(st.sampled_from(arithmetics)))
    narrowest = (numbers.accumulator_bits - 1).bit_length()
    # Gated and latch are as flipflop to all that is drawn for here.
    scratchpads = draw(st.sampled_from((FLIPFLOP, FLIPFLOP, MACRO)))
    return AcceleratorConfig(
        arithmetic=numbers,
        rows=draw(st.integers(1, 8)),
        columns=draw(st.integers(1, 8)),
        ifmap_words=draw(st.integers(1, 12)),
        weight_words=draw(st.integers(2, 24)) * 2
        if scratchpads == MACRO
        else draw(st.integers(1, 48)),
        psum_words=draw(st.integers(1, 6)),
        buffer_kib=draw(st.sampled_from((1, 1, 2))),
        # A beat of 512 bits: a buffer of a few words, so that most inputs are streamed again.
        bus_bits=2 ** draw(st.integers(max(narrowest, 5), 9)),
        scratchpads=scratchpads,
    )


@st.composite
def layers(draw: st.DrawFn, config: AcceleratorConfig, most: int = 9) -> Layer:
    """A layer that `config` can run, channels, filters and maps up to `most`, kernels to 7 x 7."""
    kind = draw(st.sampled_from(("conv", "conv", "conv", "conv", "conv", "fc", "matmul")))
    output = draw(st.sampled_from(("raw", "quantized")))
    fields = draw(convolutions(config, most) if kind == "conv" else products(kind, most))
    layer = Layer(name="drawn", kind=kind, output=output, **fields)
    try:
        check(config, layer)
    except UserError:  # of a dilated layer, the column memories must hold all phases' columns
        assume(False)
    return layer


@st.composite
def products(draw: st.DrawFn, kind: str, most: int) -> dict[str, Any]:
    """Fields of a fully connected layer or a matrix product."""
    sizes = {name: draw(st.integers(1, 3 * most)) for name in ("in_channels", "out_channels")}
    batch = draw(st.integers(1, 3))
    if kind == "fc":
        return {**sizes, "batch": batch}
    return {**sizes, "batch": batch, "in_height": draw(st.integers(1, most))}


@st.composite
def convolutions(draw: st.DrawFn, config: AcceleratorConfig, most: int) -> dict[str, Any]:
    """Fields of a convolution of any shape, with few enough products to step through them."""
    sizes, left = {}, 60 * most
    for name in draw(st.permutations(("height", "width", "channels", "filters", "E", "F", "N"))):
        largest = {"height": 7, "width": 7, "N": 3}.get(name, most)
        sizes[name] = draw(st.integers(1, min(largest, left)))
        left //= sizes[name]
    groups = draw(st.sampled_from((1, 1, 1, min(2, left + 1), min(3, left + 1))))
    if draw(st.integers(0, 7)) == 0:  # depthwise
        groups, sizes["channels"], sizes["filters"] = sizes["channels"], 1, draw(st.integers(1, 2))
    stride = draw(st.sampled_from((1, 1, 2, 3, 4, 5)))
    dilation = draw(st.sampled_from((1, 1, 1, 2, 3)))
    # Often none: only then pixels stand alone under a kernel of 1 x 1.
    sides = st.sampled_from((0, 0, 1, 2, 3))
    padding = draw(st.one_of(st.just((0, 0, 0, 0)), st.tuples(sides, sides, sides, sides)))
    activation = config.arithmetic.activation

    def size(outputs: int, kernel: int, padded: int) -> int:
        least = (outputs - 1) * stride + (kernel - 1) * dilation + 1 - padded
        return max(least + draw(st.integers(0, stride - 1)), 1)

    return {
        "batch": sizes["N"],
        "in_channels": sizes["channels"] * groups,
        "in_height": size(sizes["E"], sizes["height"], padding[0] + padding[2]),
        "in_width": size(sizes["F"], sizes["width"], padding[1] + padding[3]),
        "out_channels": sizes["filters"] * groups,
        "kernel_height": sizes["height"],
        "kernel_width": sizes["width"],
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "padding_value": draw(st.one_of(st.just(0), _padding(activation))),
    }


def _padding(activation: Format) -> st.SearchStrategy[int]:
    """Codes whose lower bits, beyond 16, are zeros."""
    if isinstance(activation, FloatFormat):
        return st.sampled_from(activation.encode([1.0, -2.0, 0.5]).tolist())
    return st.integers(activation.minimum, activation.maximum)


@st.composite
def stages(draw: st.DrawFn, arithmetic: Arithmetic, layer: Layer) -> OutputStage | None:
    """An output stage of any numbers, ties and clamped codes among them; None for a raw layer."""
    if layer.output == "raw":
        return None
    if arithmetic.is_float:
        return random_stage(arithmetic, layer, draw(st.integers(0, 999)))
    sums, codes = arithmetic.accumulator, arithmetic.activation
    multipliers = st.one_of(st.integers(0, 2**16 - 1), st.sampled_from([2**n for n in range(16)]))
    shifts = st.one_of(st.integers(0, 63), st.integers(0, 2 * codes.bits))
    biases = st.one_of(st.integers(sums.minimum, sums.maximum), st.integers(-8, 7))

    def each(numbers: st.SearchStrategy[int]) -> Any:
        count = layer.out_channels
        return np.array(draw(st.lists(numbers, min_size=count, max_size=count)), dtype=np.int64)

    low, high = sorted(draw(st.tuples(*[st.integers(codes.minimum, codes.maximum)] * 2)))
    return OutputStage(
        bias=each(biases),
        multiplier=each(multipliers),
        shift=each(shifts),
        zero_point=draw(st.integers(codes.minimum, codes.maximum)),
        low=draw(st.sampled_from((codes.minimum, low))),
        high=draw(st.sampled_from((codes.maximum, high))),
    )


@st.composite
def mappings(draw: st.DrawFn, config: AcceleratorConfig, layer: Layer) -> Mapping:
    """Any legal mapping: the mapper's own, or one that wastes what it likes."""
    if draw(st.integers(0, 3)) == 0:
        return best_mapping(config, layer)

    def parts(size: int, limit: int) -> int:
        """In how many equal parts to cut, so that each is within a limit."""
        counts = range(1, size + 1)
        return draw(st.sampled_from([n for n in counts if size % n == 0 and size // n <= limit]))

    def number(limit: int) -> int:
        return draw(st.integers(1, limit))

    weights, sums = int(weight_pass_words(config)), 2 * psum_sram_depth(config)
    words = min(config.ifmap_words, weights)
    fold_height = parts(layer.kernel_height, config.rows)
    fold_width = parts(layer.kernel_width, words)
    width = layer.kernel_width // fold_width
    f = widest(layer) if is_phased(layer) else number(min(widest(layer), sums))
    q = number(words // width)
    e = number(config.columns)
    mapping = Mapping(
        p=number(min(config.psum_words, weights // (q * width), sums // f)),
        q=q,
        r=number(config.rows * fold_height // layer.kernel_height),
        t=number(config.columns // e),
        e=e,
        f=f,
        fold_height=fold_height,
        fold_width=fold_width,
    )
    check_mapping(config, layer, mapping)
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
    bits = ("activation_bits", "weight_bits", "accumulator_bits")
    names = (*INTEGER_FIELDS, *bits, "weight_macros", "mac_latency", "has_zero")
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
