"""Whole accelerators: their parts by name, their files, and a small one from end to end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterize import whole, whole_rtl
from characterize.activity import simulate
from characterize.identity import sample_id
from characterize.measure import measure
from characterize.power import Circuit
from characterize.sample import Sample
from characterize.stimulus import Stimulus
from characterize.technology import TECHNOLOGIES, read_technology
from characterize.whole import measure_whole, whole_id
from characterize.whole_plan import DEFAULTS, components_of, load_whole_plan
from characterize.whole_power import GLUE, kind_of, owners_of, power_by_kind
from characterize.whole_rtl import black_boxes, watched_ports, whole_layer, whole_stimulus
from characterize.whole_store import Whole, WholeStore, from_json, to_json
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.mapper import check
from rtl_gen.verilog import accelerator_verilog
from tests.characterize import mini
from tests.characterize.osu018 import osu018
from tests.native import share_models

CONFIG = AcceleratorConfig.from_mapping(
    {
        **{"arithmetic": "int4", "rows": 2, "columns": 2, "buffer_kib": 4, "bus_bits": 64},
        **{"ifmap_words": 4, "weight_words": 16, "psum_words": 4},
    }
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where measurements find the modules mapped, and the models compiled, by those before."""
    for _ in share_models(tmp_path_factory):
        yield tmp_path_factory.mktemp("scratch")


@pytest.mark.parametrize(
    ("instance", "kind"),
    [
        ("core.array.pe_0_12.weight_scratchpad._12_", "pe"),
        ("core.array.node_3_1._7_", "node"),
        ("core.array.row_10._7_", "row"),
        ("core.bank_2.adder._1_", "bank"),
        ("core.collector.sender._1_", "collector"),
        ("core.controller.sequencer._1_", "controller"),
        ("control.port._1_", "control"),
        ("core._3_", GLUE),
        ("core.array._3_", GLUE),
        ("_3_", GLUE),
    ],
)
def test_kinds_by_place(instance: str, kind: str) -> None:
    assert kind_of(instance) == kind


def test_memories_become_black_boxes_and_nothing_else_does() -> None:
    text = accelerator_verilog(CONFIG)
    ports = watched_ports(text)
    memories = sorted(set(re.findall(r"^module (sram_\w+)", text, re.MULTILINE)))
    assert sorted(ports) == ["accelerator", *memories]
    assert ports["accelerator"]["s_axis_weights_tdata"] == (True, 64)
    assert ports["accelerator"]["m_axis_outputs_tvalid"] == (False, 1)
    boxed = black_boxes(text)
    assert boxed.count("(* blackbox *)") == len(memories) == 3
    bodies = re.findall(r"^module sram_.*?^\);\n(.*?)^endmodule", boxed, re.M | re.S)
    assert bodies == [""] * 3
    rest = re.compile(r"^(?:\(\* blackbox \*\)\n)?module sram_.*?^endmodule\n", re.M | re.S)
    assert rest.sub("", boxed) == rest.sub("", text)


def test_power_by_kind_adds_up_and_books_a_pin_where_it_is(tmp_path: Path) -> None:
    """A PE's flip-flop drives a bank's inverter: its pin is the bank's, its output's nobody's."""
    cells = {
        "core.array.pe_0_0._1_": ("DFF", {"C": 2, "D": 3, "Q": 4}),
        "core.bank_0._1_": ("NOT", {"A": 4, "Y": 5}),
    }
    netlist = mini.netlist(tmp_path, cells, {"clk": [2], "d": [3]}, {"y": [5]})
    library = mini.library(tmp_path)
    bits = np.where(np.arange(8) % 2, ~np.uint64(0), np.uint64(0))[:, None]
    seen = simulate(netlist, library, {"d": bits}, {"all": np.ones(8, np.bool_)}).masks["all"]
    slews = {f"{name}/{pin}": (0.02, 0.02) for name, (_, pins) in cells.items() for pin in pins}
    report = Circuit(netlist, library, slews).power(seen, 1.0)
    found = power_by_kind(netlist, library, seen, report, owners_of(netlist), 1.0)
    everything = sum(sum(parts.values()) for parts in found.values())
    assert everything == pytest.approx(report.total.total_mw + report.clock_mw + report.inputs_mw)
    # Pins of 1 x 2 fF at 1 V: half of C V^2 for each toggle; every cycle one, the clock two of 2.
    assert found["pe"]["switching"] == pytest.approx(0.5 * 0.002 * 1.0, rel=0.2)
    assert found["bank"]["switching"] == pytest.approx(float(report.switching_mw[0]))
    assert found["pe"]["clock"] == pytest.approx(0.5 * 0.004 * 2.0)
    assert found["bank"]["clock"] == 0.0


@pytest.mark.parametrize("size", DEFAULTS)
def test_the_accelerators_that_ship_run_the_layer_and_are_in_no_fit(size: int) -> None:
    plan = load_whole_plan(DEFAULTS[size])
    configs = plan.configs()
    assert len(configs) >= {4: 12, 8: 4}[size]
    technology = read_technology(TECHNOLOGIES / "osu018.yaml")
    for config in configs:
        assert (config.rows, config.columns) == (size, size)
        check(config, whole_layer(config))
        tasks = components_of(config, technology, 10.0, "fast")
        assert [task.component for task in tasks] == list(KINDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memories": [{"ifmap_words": 4}]}, "memories must be a list of"),
        ({"bus_bits": 65}, "bus_bits"),
        ({"arithmetics": "int8"}, "arithmetics must be a list of names, not 'int8'"),
        ({"arithmetics": ["int99"]}, "integer format must be int2 to int16"),
        ({"recipe": "quick"}, "recipe must be one of fast, small, target"),
        ({"colour": 1}, "keys must be"),
    ],
)
def test_mistakes_in_a_plan(tmp_path: Path, change: dict[str, object], message: str) -> None:
    words = {"ifmap_words": 10, "weight_words": 80, "psum_words": 12}
    memory = {**words, "buffer_kib": 24, "scratchpads": "gated"}
    right = {"arithmetics": ["int8"], "size": 4, "bus_bits": 64, "memories": [memory]}
    content = {**right, **change}
    path = tmp_path / "plan.yaml"
    path.write_text("\n".join(f"{key}: {value}" for key, value in content.items()))
    with pytest.raises(UserError, match=re.escape(message)):
        load_whole_plan(path)


def test_the_store_gives_back_what_it_got_and_nothing_damaged(tmp_path: Path) -> None:
    one = Whole(
        **{"id": "ab", "config": CONFIG.to_mapping(), "technology": "t", "clock_ns": 2.0},
        **{"recipe": "fast", "cycles": 7, "lanes": 1, "area_um2": {"pe": 1.5, GLUE: 0.5}},
        **{"power_mw": {"pe": {"leakage": 1.0, "clock": 2.0}, GLUE: {"leakage": 0.25}}},
        **{"idle_mw": {}, "min_period_ns": 1.0, "cells": 3, "manifest": {}},
    )
    assert (one.total_area_um2, one.total_power_mw) == (2.0, 3.25)
    store = WholeStore(tmp_path)
    assert store.get("ab") is None
    path = store.put(one)
    assert store.get("ab") == one
    path.write_text(to_json(one)[:-20])
    assert store.get("ab") is None
    with pytest.raises(ValueError, match="schema must be"):
        from_json("{}")


@pytest.mark.eda
@pytest.mark.parametrize(
    ("scratchpads", "recipe"),
    [pytest.param("flipflop", "fast", marks=pytest.mark.regress), ("macro", "target")],
)
def test_a_small_accelerator_from_end_to_end(
    tmp_path: Path, scratch: Path, scratchpads: str, recipe: str
) -> None:
    """The PEs, idle, take to the last digit what a PE measured alone takes, times their number."""
    technology, liberty = osu018(tmp_path)
    config = replace(CONFIG, scratchpads=scratchpads)
    clock = {"fast": technology.clock_ns, "target": 2.0}[recipe]
    found = measure_whole(
        config,
        technology=technology,
        liberty=liberty,
        clock_ns=clock,
        recipe=recipe,
        scratch=scratch,
    )
    assert found.id == whole_id(config, technology, clock, recipe)
    other = replace(whole_layer(config), out_channels=8)
    assert found.id != whole_id(config, technology, clock, recipe, other)
    assert from_json(to_json(found)) == found
    tasks = {one.component: one for one in components_of(config, technology, clock, recipe)}
    alone = measure(
        tasks["pe"], sample_id(tasks["pe"], technology), technology=technology, liberty=liberty
    )
    assert isinstance(alone, Sample), alone
    pes = CONFIG.rows * CONFIG.columns
    assert found.area_um2["pe"] == pytest.approx(pes * sum(alone.area_um2.values()))
    idle = sum(alone.energy_pj["idle"].values()) / clock + sum(alone.leakage_mw.values())
    assert sum(found.idle_mw["pe"].values()) == pytest.approx(pes * idle, rel=1e-3)
    for kind in KINDS:
        assert found.area_um2[kind] > 0
        assert sum(found.power_mw[kind].values()) >= sum(found.idle_mw[kind].values()) > 0
    assert found.min_period_ns >= alone.min_period_ns


@pytest.mark.eda
def test_a_netlist_that_differs_from_the_rtl_is_refused(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bit that a memory is given, in one cycle and one lane, is enough."""
    technology, liberty = osu018(tmp_path)

    def wrong(*arguments: object) -> whole_rtl.WholeStimulus:
        right = whole_stimulus(*arguments)  # type: ignore[arg-type]
        outputs = dict(right.stimulus.outputs)
        port = outputs["core.psum_sram_odd_1.write_data"].copy()
        port[400, 2] ^= np.uint64(1 << 3)
        outputs["core.psum_sram_odd_1.write_data"] = port
        stimulus = Stimulus(
            inputs=right.stimulus.inputs,
            outputs=outputs,
            checked=right.stimulus.checked,
            events=right.stimulus.events,
        )
        return replace(right, stimulus=stimulus)

    monkeypatch.setattr(whole, "whole_stimulus", wrong)
    message = r"differ first in core\.psum_sram_odd_1\.write_data\[2\] at cycle 400"
    config = replace(CONFIG, scratchpads="macro")
    with pytest.raises(UserError, match=message):
        measure_whole(
            config,
            technology=technology,
            liberty=liberty,
            clock_ns=2.0,
            recipe="target",
            scratch=scratch,
        )
