"""The regression: random layers on the RTL, against golden arithmetic and cycle formula."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from characterize.simulation import STALLS, Run, simulate
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic
from rtl_gen.layer import Layer
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import check

Codes = NDArray[np.int64]


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
    """Uniformly random codes of both tensors of a layer: (1, C, H, W) and (M, C, R, S)."""
    random = np.random.default_rng(seed)
    return (
        random.choice(arithmetic.activation.codes(), size=layer.ifmap_shape),
        random.choice(arithmetic.weight.codes(), size=layer.weight_shape),
    )


def random_layers(config: AcceleratorConfig, count: int, seed: int) -> Iterator[Layer]:
    """`count` random layers that `config` can run: kernels, strides, paddings, odd shapes."""
    random = np.random.default_rng(seed)
    found = 0
    while found < count:
        kernel = [
            int(random.integers(1, 1 + min(limit, 7)))
            for limit in (config.rows, config.ifmap_words)
        ]
        size = [int(random.integers(1, 16)) for _ in range(2)]
        fully_connected = random.random() < 0.15
        try:
            layer = Layer(
                name=f"random_{found}",
                kind="fc" if fully_connected else "conv",
                in_channels=int(random.integers(1, 40)),
                out_channels=int(random.integers(1, 40)),
                in_height=1 if fully_connected else size[0],
                in_width=1 if fully_connected else size[1],
                kernel_height=1 if fully_connected else kernel[0],
                kernel_width=1 if fully_connected else kernel[1],
                stride=int(random.integers(1, 3)),
                padding=0 if fully_connected else int(random.integers(0, min(kernel))),
            )
            check(config, layer)
        except UserError:
            continue  # a shape that can't be, or that this config is too small for
        found += 1
        yield layer


def verify_layer(
    config: AcceleratorConfig, layer: Layer, stalls: tuple[str, str], seed: int
) -> Verdict:
    """Run one layer with random tensors, and compare sums, cycles and words."""
    ifmap, weights = random_tensors(config.arithmetic, layer, seed)
    run = simulate(config, layer, ifmap, weights, stalls=stalls, seed=seed)
    golden = golden_layer(config.arithmetic, layer, ifmap, weights, run.schedule.mapping)
    return Verdict(layer=layer, stalls=stalls, run=run, mismatches=mismatches(run, golden))


def mismatches(run: Run, golden: Codes) -> tuple[str, ...]:
    """What of a run does not agree with golden sums, cycle formula and word counts."""
    found = []
    wrong = int(np.count_nonzero(run.ofmap != golden))
    if wrong:
        found.append(f"{wrong} of {golden.size} sums differ from the golden layer")
    expected = int(run.schedule.cycles) + run.input_stalls + run.output_stalls
    if run.cycles != expected:
        found.append(
            f"cycles must be {expected} ({run.schedule.cycles} + stalls), not {run.cycles}"
        )
    for name, beats in run.beats.items():
        words = int(run.schedule.words["dram"][name])
        if beats != words:
            found.append(f"{name} must be {words}, not {beats}")
    return tuple(found)


def stall_pairs() -> list[tuple[str, str]]:
    """Every way to stall the streams in and the stream out."""
    return [(inward, outward) for inward in STALLS for outward in STALLS]
