"""Formula, streams and golden layer against the executable model."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings

from characterize.regression import random_tensors
from rtl_gen import streams
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import descriptor
from rtl_gen.layer import Layer
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import Mapping, schedule
from tests.rtl_gen.model import Model
from tests.rtl_gen.strategies import mapped

Case = tuple[AcceleratorConfig, Layer, Mapping]


def modelled(config: AcceleratorConfig, layer: Layer, mapping: Mapping) -> tuple[Model, Any]:
    """The model, fed with random tensors, and what it must put out: (1, M, E, F)."""
    ifmap, weights = random_tensors(config.arithmetic, layer, seed=layer.macs)
    model = Model(
        config,
        descriptor(config, layer, mapping),
        streams.weight_beats(config, layer, mapping, weights),
        streams.ifmap_beats(config, layer, mapping, ifmap),
    )
    return model, golden_layer(config.arithmetic, layer, ifmap, weights, mapping)


@settings(max_examples=40)
@given(mapped(most=6))
def test_sums_come_out_of_the_streams_alone(case: Case) -> None:
    config, layer, mapping = case
    model, golden = modelled(config, layer, mapping)
    sums = np.stack(model.outputs)
    beats = streams.pack(sums, config.accumulator_bits, config.bus_bits)
    got = streams.ofmap(config, layer, mapping, beats)
    np.testing.assert_array_equal(got, golden)


@settings(max_examples=40)
@given(mapped(most=6))
def test_the_formula_counts_what_the_loops_do(case: Case) -> None:
    config, layer, mapping = case
    model, _ = modelled(config, layer, mapping)
    counts, phases, plan = model.counts, model.phases, schedule(config, layer, mapping)
    assert plan.cycles == phases.total()
    assert plan.words == {
        "dram": {
            "weight_beats": phases["weights"],
            "ifmap_beats": phases["load"],
            "output_beats": len(model.outputs),
        },
        "ifmap_sram": {"reads": counts["sram_reads"], "writes": counts["sram_writes"]},
        "psum_sram": {"reads": counts["bank_reads"], "writes": counts["bank_writes"]},
        "network": {"beats": counts["beats"]},
        "scratchpad": {
            f"{pad}_{access}": counts[f"{pad}_{access}"]
            for pad in ("ifmap", "weight", "psum")
            for access in ("reads", "writes")
        },
    }
    busy = {
        "pe": {
            "mac": counts["psum_writes"],
            "ifmap_write": counts["ifmap_writes"],
            "weight_write": counts["weight_writes"],
        },
        "node": {"beat": counts["beats"] * config.rows * config.columns},
        "row": {
            "beat": counts["beats"] * config.rows,
            "mac": (phases["compute"] + phases["flush"]) * config.rows,
        },
        "bank": {"accumulate": counts["bank_writes"], "output": counts["bank_outputs"]},
        "collector": {"output": phases["output"]},
        "controller": {"run": phases.total()},
    }
    for kind, events in busy.items():
        idle = KINDS[kind].count(config) * phases.total() - sum(events.values())
        assert plan.events[kind] == {**events, "idle": idle}
