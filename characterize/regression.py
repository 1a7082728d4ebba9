"""The regression: random layers on the RTL, against golden arithmetic and cycle formula."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize.simulation import STALLS, Run, simulate
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic, FloatFormat, Format, IntegerFormat
from rtl_gen.layer import Layer
from rtl_gen.mapper import check
from rtl_gen.mapping import Mapping, is_phased, legal_mapping, widest
from rtl_gen.memories import MULTIPLIER_BITS
from rtl_gen.output_stage import FIELD_BITS, OutputStage
from rtl_gen.reference import golden_layer

Codes = NDArray[np.int64]
Random = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One layer on the RTL, and all that must agree.

    Parameters
    ----------
    layer, stalls : what ran, with which stalls at the streams in and out.
    run : what came out.
    mismatches : in words, what does not agree; empty where all does.
    """

    layer: Layer
    stalls: tuple[str, str]
    run: Run
    mismatches: tuple[str, ...]


def random_tensors(arithmetic: Arithmetic, layer: Layer, seed: int) -> tuple[Codes, Codes]:
    """Uniformly random codes of both tensors of a layer: (N, C, H, W) and (M, C / groups, R, S)."""
    random = np.random.default_rng(seed)
    return (
        random_codes(arithmetic.activation, random, layer.ifmap_shape),
        random_codes(arithmetic.weight, random, layer.weight_shape),
    )


def random_codes(fmt: Format, random: Random, shape: tuple[int, ...]) -> Codes:
    """Uniformly random codes; floating-point numbers are near one, so that sums are of numbers of
    one size, but in every third tensor, where some are any words."""
    if not isinstance(fmt, FloatFormat):
        return random.choice(fmt.codes(), size=shape)
    words = random.integers(0, 1 << fmt.bits, shape)
    near = fmt.words(random.standard_normal(shape))
    any_word = np.isfinite(fmt.decode(words)) & (
        random.random(shape) < random.choice([0, 0, 1 / 8])
    )
    return np.where(any_word, words, near)


def random_stage(arithmetic: Arithmetic, layer: Layer, seed: int) -> OutputStage | None:
    """An output stage whose codes spread over their range; None where the layer is raw."""
    if layer.output == "raw":
        return None
    random = np.random.default_rng(seed)
    accumulator, output = arithmetic.accumulator, arithmetic.activation
    filters = layer.out_channels
    if isinstance(output, FloatFormat):
        return _random_float_stage(arithmetic, output, filters, random)
    if not isinstance(output, IntegerFormat):  # a sign: half of the sums are below the threshold
        size = int(np.log2(layer.taps)) // 2
        return OutputStage(
            bias=random.integers(-(2**size), 2**size + 1, filters),
            multiplier=np.ones(filters, dtype=np.int64),
            shift=np.zeros(filters, dtype=np.int64),
            **{"zero_point": 0, "low": 1, "high": 0},
        )
    # A sum of random products is about as large as one product times the root of their number.
    size = arithmetic.product_bits - 2 + int(np.log2(layer.taps)) // 2
    bias = random.integers(-(2**size), 2**size, filters)
    shift = MULTIPLIER_BITS + size - output.bits + random.integers(-3, 3, filters)
    low = int(random.integers(output.minimum, 1))
    return OutputStage(
        bias=bias.clip(accumulator.minimum, accumulator.maximum),
        multiplier=random.integers(0, 2**MULTIPLIER_BITS, filters),
        shift=shift.clip(0, 63),
        zero_point=int(random.integers(low, output.maximum + 1)),
        low=low,
        high=output.maximum,
    )


def _random_float_stage(
    arithmetic: Arithmetic, output: FloatFormat, filters: int, random: Random
) -> OutputStage:
    """ReLU, ReLU6 or no limit, over numbers near one."""
    low, high = random.choice([0.0, -2.0, output.minimum]), random.choice([6.0, output.maximum])
    below = 1 << max(output.bits - FIELD_BITS, 0)
    limits = [int(word) // below * below for word in output.words(np.array([low, high]))]
    accumulator = arithmetic.accumulator
    return OutputStage(
        bias=accumulator.encode(accumulator.nearest(random.standard_normal(filters))),
        multiplier=random.integers(0, 2**MULTIPLIER_BITS, filters),
        shift=MULTIPLIER_BITS + random.integers(-4, 4, filters),
        zero_point=0,
        low=limits[0],
        high=limits[1],
    )


def random_layers(config: AcceleratorConfig, count: int, seed: int) -> Iterator[Layer]:
    """`count` random layers that `config` can run: every kind, field and odd shape."""
    random = np.random.default_rng(seed)
    found = 0
    while found < count:
        kind = random.choice(["conv", "fc", "matmul"], p=[0.76, 0.12, 0.12])
        fields = _convolution(random) if kind == "conv" else _product(random, str(kind))
        output = str(random.choice(["raw", "quantized"]))
        if "padding_value" in fields:
            fmt = config.arithmetic.activation
            value = min(max(fields["padding_value"], fmt.minimum), fmt.maximum)
            fields["padding_value"] = int(fmt.quantize(value, 1.0)[0])
        try:
            layer = Layer(name=f"random_{found}", kind=str(kind), output=output, **fields)
            check(config, layer)
        except UserError:
            continue  # a shape that can't be, or that this config is too small for
        found += 1
        yield layer


def _count(random: Random, low: int, high: int) -> int:
    return int(random.integers(low, high + 1))


def _convolution(random: Random) -> dict[str, Any]:
    groups = int(random.choice([1, 1, 1, 2, 3]))
    channels = [_count(random, 1, 12) * groups for _ in range(2)]
    if random.random() < 0.15:  # depthwise
        groups = channels[0] = channels[1] = _count(random, 1, 8)
    largest = int(random.choice([1, 4, 4, 4, 9]))
    padded = random.random() < 0.7
    return {
        "batch": _count(random, 1, 2),
        "in_channels": channels[0],
        "in_height": _count(random, 1, 14),
        "in_width": _count(random, 1, 14),
        "out_channels": channels[1],
        "kernel_height": _count(random, 1, largest),
        "kernel_width": _count(random, 1, largest),
        "stride": _count(random, 1, 4),
        "padding": [_count(random, 0, 3) for _ in range(4)] if padded else 0,
        "dilation": _count(random, 1, 3) if random.random() < 0.3 else 1,
        "groups": groups,
        "padding_value": _count(random, -2, 1) if random.random() < 0.5 else 0,
    }


def _product(random: Random, kind: str) -> dict[str, Any]:
    return {
        "batch": _count(random, 1, 4),
        "in_channels": _count(random, 1, 60),
        "in_height": 1 if kind == "fc" else _count(random, 1, 30),
        "out_channels": _count(random, 1, 40),
    }


def random_mapping(config: AcceleratorConfig, layer: Layer, seed: int) -> Mapping | None:
    """A random legal mapping; None where none was found in a few thousand tries."""
    random = np.random.default_rng(seed)
    folds = [
        [parts for parts in range(1, size + 1) if size % parts == 0]
        for size in (layer.kernel_height, layer.kernel_width)
    ]
    whole = widest(layer)
    for _ in range(2000):
        mapping = Mapping(
            p=_count(random, 1, config.psum_words),
            q=_count(random, 1, min(config.ifmap_words, layer.in_channels)),
            r=_count(random, 1, config.rows),
            t=_count(random, 1, config.columns),
            e=_count(random, 1, config.columns),
            f=whole if is_phased(layer) else _count(random, 1, whole),
            fold_height=int(random.choice(folds[0])),
            fold_width=int(random.choice(folds[1])),
        )
        if legal_mapping(config, layer, mapping):
            return mapping
    return None


def verify_layer(
    config: AcceleratorConfig,
    layer: Layer,
    stalls: tuple[str, str],
    seed: int,
    mapping: Mapping | None = None,
) -> Verdict:
    """Run one layer with random tensors, and compare sums or codes, cycles and words."""
    ifmap, weights = random_tensors(config.arithmetic, layer, seed)
    stage = random_stage(config.arithmetic, layer, seed)
    run = simulate(
        config, layer, ifmap, weights, stage=stage, mapping=mapping, stalls=stalls, seed=seed
    )
    golden = golden_layer(config.arithmetic, layer, ifmap, weights, run.schedule.mapping)
    if stage is not None:
        golden = stage.apply(config.arithmetic, golden)
    return Verdict(layer=layer, stalls=stalls, run=run, mismatches=mismatches(run, golden))


def mismatches(run: Run, golden: Codes) -> tuple[str, ...]:
    """What of a run does not agree with golden sums, cycle formula and word counts.

    Where streams stall, cycles are at least those of the formula, and at most one more for each
    cycle that a stream was not there or not taken.
    """
    found = []
    wrong = int(np.count_nonzero(run.ofmap != golden))
    if wrong:
        found.append(f"{wrong} of {golden.size} outputs differ from the golden layer")
    least = int(run.schedule.cycles)
    most = least + run.input_stalls + run.output_stalls
    if not least <= run.cycles <= most:
        found.append(f"cycles must be from {least} to {most}, not {run.cycles}")
    for name, beats in run.beats.items():
        words = int(run.schedule.words["dram"][name])
        if beats != words:
            found.append(f"{name} must be {words}, not {beats}")
    return tuple(found)


def stall_pairs() -> list[tuple[str, str]]:
    """Every way to stall the streams in and the stream out."""
    return [(inward, outward) for inward in STALLS for outward in STALLS]
