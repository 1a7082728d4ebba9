"""Costs: tables against single configs, and the energy against a sum written out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explore.cost import PARTS, Costs, evaluate, layer_costs, part_of
from explore.designs import Designs
from explore.workload import Workload, load_workload
from models.build import BUILDS
from rtl_gen.components import KINDS
from rtl_gen.config import INTEGER_FIELDS, AcceleratorConfig, legal
from rtl_gen.formats import ARITHMETICS, arithmetic
from rtl_gen.layer import OUTPUTS, Layer
from rtl_gen.memories import memories
from rtl_gen.schedule import schedule

FIGURES = (
    "legal", "inside_range", "cycles", "clock_ns", "area_um2", "leakage_w", "latency_s",
    "energy_j", "power_w", "perf", "perf_per_area", "edp_js",
)  # fmt: skip

layers = st.builds(
    lambda channels, size, filters, kernel, stride, padding, dilation, output: Layer(
        name="l", kind="conv", in_channels=channels, in_height=size, in_width=size + 1,
        out_channels=filters, kernel_height=kernel, kernel_width=kernel, stride=stride,
        padding=padding, dilation=dilation, output=output,
    ),
    st.integers(1, 40), st.integers(9, 20), st.integers(1, 40), st.integers(1, 5),
    st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.sampled_from(OUTPUTS),
)  # fmt: skip


def table(seed: int, name: str, count: int) -> Designs:
    draw = np.random.default_rng(seed)
    ranges = {
        "rows": (1, 20), "columns": (1, 20), "ifmap_words": (1, 30), "weight_words": (1, 100),
        "psum_words": (1, 30), "buffer_kib": (1, 40),
    }  # fmt: skip
    columns = {field: draw.integers(*ends, count, endpoint=True) for field, ends in ranges.items()}
    columns["bus_bits"] = draw.choice([64, 128], count)
    build = np.full(count, draw.integers(len(BUILDS)))
    designs = Designs(arithmetic=arithmetic(name), build=build, **columns)
    return designs.take(legal(designs))


def row(costs: Costs, index: int) -> dict[str, Any]:
    figures = {name: getattr(costs, name)[index] for name in FIGURES}
    return figures | {part: joules[index] for part, joules in costs.energy_by.items()}


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(ARITHMETICS),
    st.lists(layers, min_size=1, max_size=3),
)
def test_a_table_costs_what_its_designs_cost(
    model: Any, seed: int, name: str, some: list[Layer]
) -> None:
    workload = Workload(name="w", source="", layers=tuple(some))
    designs = table(seed, name, 40)
    with np.errstate(all="ignore"):
        costs = evaluate(model, designs, workload)
        for index in range(0, len(designs), 5):
            one = evaluate(model, designs.config(index), workload)
            assert bool(one.legal) == bool(costs.legal[index])
            if one.legal:
                assert row(costs, index) == {
                    **{figure: getattr(one, figure) for figure in FIGURES}, **one.energy_by
                }  # fmt: skip


CONFIG = AcceleratorConfig(
    arithmetic=arithmetic("lightpe1"), rows=6, columns=8, ifmap_words=12, weight_words=48,
    psum_words=16, buffer_kib=32, bus_bits=64,
)  # fmt: skip
LAYER = Layer(
    name="l", kind="conv", in_channels=8, in_height=10, in_width=10, out_channels=12,
    kernel_height=3, kernel_width=3, padding=1, output="quantized",
)  # fmt: skip


def test_energy_written_out(model: Any) -> None:
    ppa, plan = model.predict(CONFIG), schedule(CONFIG, LAYER)
    picojoules = 0.0
    for kind, entry in KINDS.items():
        events = ppa.energy_pj[kind]
        idle = sum(events["idle"].values())
        picojoules += entry.count(CONFIG) * plan.cycles * idle
        for event in entry.events:
            if event != "idle":
                above = sum(events[event].values()) - idle
                picojoules += plan.events[kind][event] * above
    for name in ("ifmap_sram", "psum_sram", "parameter_sram"):
        assert plan.words[name]["writes"] > 0
        accesses = plan.words[name]["reads"] + plan.words[name]["writes"]
        picojoules += plan.words[name]["reads"] * ppa.memories[name]["read_pj"]
        picojoules += plan.words[name]["writes"] * ppa.memories[name]["write_pj"]
        waits = plan.cycles * memories(CONFIG)[name].count - accesses
        picojoules += waits * ppa.memories[name]["idle_pj"]
    assert set(memories(CONFIG)) == {"ifmap_sram", "psum_sram", "parameter_sram"}
    picojoules += sum(plan.words["dram"].values()) * 64 * ppa.dram_pj_per_bit
    seconds = plan.cycles * ppa.min_period_ns * 1e-9
    joules = picojoules * 1e-12 + ppa.leakage_mw * 1e-3 * seconds
    costs = layer_costs(ppa, CONFIG, LAYER)
    assert costs.energy_j == pytest.approx(joules, rel=1e-12)
    assert costs.latency_s == pytest.approx(seconds, rel=1e-12)
    assert costs.energy_by["leakage"] == pytest.approx(ppa.leakage_mw * 1e-3 * seconds)
    macs, pe = plan.words["scratchpad"]["ifmap_reads"], ppa.energy_pj["pe"]
    above = pe["mac"]["datapath"] - pe["idle"]["datapath"]
    assert costs.energy_by["mac"] == pytest.approx(macs * above * 1e-12)
    assert all(costs.energy_by[part] > 0 for part in PARTS)


def test_all_that_a_component_does_every_cycle_is_idle_or_clock(model: Any) -> None:
    """Twice as long for the same work costs the idle energy and the clock's of those cycles.

    Memories, which idle in the cycles without an access, are let alone here.
    """
    ppa, plan = model.predict(CONFIG), schedule(CONFIG, LAYER)
    every = {
        part: sum(
            entry.count(CONFIG) * ppa.energy_pj[kind]["idle"][part] * plan.cycles * 1e-12
            for kind, entry in KINDS.items()
        )
        for part in ("datapath", "scratchpad", "clock")
    }
    for memory in ppa.memories.values():
        memory["idle_pj"] = 0.0
    costs = layer_costs(ppa, CONFIG, LAYER)
    assert costs.energy_by["idle"] == pytest.approx(every["datapath"] + every["scratchpad"])
    assert costs.energy_by["clock"] == pytest.approx(every["clock"])  # no event adds to it


def test_an_event_that_takes_less_than_idling_counts_below_zero(model: Any) -> None:
    """Noise of the measurement goes both ways: clipping it would add a bias."""
    ppa = model.predict(CONFIG)
    whole = layer_costs(ppa, CONFIG, LAYER)
    plan = schedule(CONFIG, LAYER)
    node = ppa.energy_pj["node"]
    node["weight_beat"]["datapath"] = node["idle"]["datapath"] - 0.01
    before = model.predict(CONFIG).energy_pj["node"]["weight_beat"]["datapath"]
    less = before - node["weight_beat"]["datapath"]
    network = layer_costs(ppa, CONFIG, LAYER).energy_by["network"]
    beats = plan.events["node"]["weight_beat"]
    assert network == pytest.approx(whole.energy_by["network"] - beats * less * 1e-12)


def test_every_energy_has_one_place() -> None:
    expected = {
        ("pe", "mac", "datapath"): "mac",
        ("pe", "mac", "scratchpad"): "scratchpad",
        ("pe", "ifmap_write", "datapath"): "scratchpad",
        ("pe", "weight_write", "scratchpad"): "scratchpad",
        ("pe", "idle", "datapath"): "idle",
        ("pe", "idle", "clock"): "clock",
        ("node", "ifmap_beat", "datapath"): "network",
        ("row", "weight_beat", "datapath"): "network",
        ("row", "mac", "datapath"): "network",
        ("bank", "accumulate", "datapath"): "buffer",
        ("collector", "output", "datapath"): "buffer",
        ("controller", "run", "datapath"): "controller",
        ("controller", "idle", "datapath"): "idle",
        ("control", "run", "datapath"): "controller",
        ("bank", "output", "clock"): "clock",
    }
    assert {key: part_of(*key) for key in expected} == expected
    for kind, entry in KINDS.items():
        for event in entry.events:
            for part in ("datapath", "scratchpad", "clock"):
                assert part_of(kind, event, part) in PARTS


def test_layers_add_up_with_their_multiplicity(model: Any) -> None:
    workload = load_workload("resnet20")
    ppa = model.predict(CONFIG)
    each = [layer_costs(ppa, CONFIG, layer) for layer in workload.computed]
    whole = evaluate(model, CONFIG, workload)
    assert whole.cycles == sum(int(one.cycles) for one in each)
    assert whole.macs == workload.macs == sum(one.macs for one in each)
    assert whole.energy_j == pytest.approx(sum(float(one.energy_j) for one in each), rel=1e-12)


def test_clock_is_the_users_but_never_faster_than_the_design(model: Any) -> None:
    workload = Workload(name="w", source="", layers=(LAYER,))
    fastest = evaluate(model, CONFIG, workload)
    assert fastest.clock_ns == model.predict(CONFIG).min_period_ns
    assert evaluate(model, CONFIG, workload, clock_ns=0.1).clock_ns == fastest.clock_ns
    slow = evaluate(model, CONFIG, workload, clock_ns=10.0)
    assert slow.clock_ns == 10.0
    assert slow.latency_s > fastest.latency_s
    # Switching is paid by the event, leakage by the second.
    assert slow.energy_by["leakage"] > fastest.energy_by["leakage"]
    assert slow.energy_by["mac"] == fastest.energy_by["mac"]


def test_a_design_that_cannot_run_one_layer_is_not_legal(model: Any) -> None:
    """A dilated layer needs memories for half of its sums in a row."""
    dilated = replace(LAYER, dilation=2, padding=2, in_width=40)
    designs = table(1, "int8", 200)
    costs = evaluate(model, designs, Workload(name="w", source="", layers=(LAYER, dilated)))
    room = 2 * memories(designs)["psum_sram"].depth
    assert costs.legal.tolist() == (room >= 20).tolist()
    assert 0 < costs.legal.sum() < len(designs)


def test_columns_have_the_names_of_the_fields() -> None:
    assert tuple(table(0, "int8", 3).columns_by_name()) == INTEGER_FIELDS
