"""What memories take, apart: it adds up to the costs, and what is scaled says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explore.cost import evaluate, layer_costs
from explore.memory_energy import memory_energy, memory_figures, scaled_share
from explore.workload import Workload
from quidam.predict import prediction
from rtl_gen.memories import memories
from rtl_gen.schedule import schedule
from tests.explore.test_cost import CONFIG, LAYER, layers, table

WORKLOAD = Workload(name="w", source="", layers=(LAYER, LAYER))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["int8", "lightpe1"]), layers)
def test_no_memory_is_accessed_more_often_than_there_are_cycles(
    seed: int, name: str, layer: Any
) -> None:
    designs = table(seed, name, 40)
    with np.errstate(all="ignore"):
        plan = schedule(designs, layer)
    for kind, memory in memories(designs).items():
        accesses = plan.words[kind]["reads"] + plan.words[kind]["writes"]
        assert (accesses <= plan.cycles * memory.count)[plan.legal].all()


@pytest.mark.parametrize("scratchpads", ["flipflop", "macro"])
def test_reads_writes_and_idling_are_in_their_parts_of_the_costs(
    model: Any, scratchpads: str
) -> None:
    """Without its memories a design takes less, by just what they took."""
    config = replace(CONFIG, scratchpads=scratchpads)
    ppa, plan = model.predict(config), schedule(config, LAYER)
    spent = memory_energy(ppa, plan)
    whole = layer_costs(ppa, config, LAYER).energy_by
    ppa.memories = {}
    without = layer_costs(ppa, config, LAYER).energy_by
    accessed = {name: one["read"] + one["write"] for name, one in spent.items()}
    weights = accessed.pop("weight_sram", 0.0)
    assert (weights > 0) == (scratchpads == "macro")
    assert whole["buffer"] - without["buffer"] == pytest.approx(sum(accessed.values()))
    assert whole["scratchpad"] - without["scratchpad"] == pytest.approx(weights)
    idle = sum(one["idle"] for one in spent.values())
    assert whole["idle"] - without["idle"] == pytest.approx(idle)
    changed = {part for part in whole if whole[part] != without[part]}
    assert changed - {"scratchpad"} == {"buffer", "idle"}


def test_figures_of_a_memory_over_two_layers(model: Any) -> None:
    ppa, plan = model.predict(CONFIG), schedule(CONFIG, LAYER)
    found = memory_figures(ppa, CONFIG, WORKLOAD, 5.0)["psum_sram"]
    words, one = plan.words["psum_sram"], ppa.memories["psum_sram"]
    assert found["count"] == 16
    assert (found["idle_pj"], found["scaled"]) == (one["idle_pj"], True)
    idle = 16 * plan.cycles - words["reads"] - words["writes"]
    assert found["energy_j_by"] == pytest.approx(
        {
            "read": 2 * words["reads"] * one["read_pj"] * 1e-12,
            "write": 2 * words["writes"] * one["write_pj"] * 1e-12,
            "idle": 2 * idle * one["idle_pj"] * 1e-12,
            "leakage": 2 * plan.cycles * 5e-9 * 16 * one["leakage_mw"] * 1e-3,
        }
    )


def test_the_scaled_part_is_that_of_the_scaled_memories(model: Any) -> None:
    ppa = model.predict(CONFIG)
    costs = evaluate(model, CONFIG, WORKLOAD)
    clock_ns, energy_j = float(costs.clock_ns), float(costs.energy_j)
    figures = memory_figures(ppa, CONFIG, WORKLOAD, clock_ns)
    share = scaled_share(ppa, figures, energy_j=energy_j, clock_ns=clock_ns)
    psums = figures["psum_sram"]
    assert share["area_um2"] == pytest.approx(16 * psums["area_um2"] / float(ppa.area_um2))
    assert share["energy_j"] == pytest.approx(sum(psums["energy_j_by"].values()) / energy_j)
    assert share["clock_ns"] is False
    ppa.logic_period_ns = np.array(clock_ns / 2)
    for asked, slowed in ((clock_ns, True), (2 * clock_ns, False)):
        share = scaled_share(ppa, figures, energy_j=energy_j, clock_ns=asked)
        assert share["clock_ns"] is slowed
    figures["psum_sram"]["scaled"] = False
    share = scaled_share(ppa, figures, energy_j=energy_j, clock_ns=clock_ns)
    assert share == {"area_um2": 0, "leakage_w": 0, "energy_j": 0, "clock_ns": False}


def test_a_prediction_tells_memories_apart(model: Any) -> None:
    result = prediction(model.predict(CONFIG), CONFIG, WORKLOAD)
    assert set(result["memories"]) == {"ifmap_sram", "psum_sram", "parameter_sram"}
    every = sum(sum(one["energy_j_by"].values()) for one in result["memories"].values())
    assert 0 < every < result["energy_j"]
    assert 0 < result["scaled_share"]["energy_j"] < every / result["energy_j"]
