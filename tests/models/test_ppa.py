"""Composition: a whole accelerator is the sum of its components, one design or a table of them."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from characterize.memory import sram
from models.build import Build
from models.features import features
from models.fit import Fit, fit
from models.ppa import PpaModel, load_model
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.memories import memories
from tests.models.synthetic import GRID, MEMORIES, TECHNOLOGY, law, sample, sweep, table


@pytest.fixture(scope="module")
def model(fitted: Fit) -> PpaModel:
    return fitted.model


def config(**changes: Any) -> AcceleratorConfig:
    middle = {name: values[1] for name, values in GRID.items()}
    return AcceleratorConfig.from_mapping({"arithmetic": "int8", **middle, **changes})


def test_a_table_and_its_designs_one_by_one_agree_to_the_bit(
    model: PpaModel, designs: SimpleNamespace
) -> None:
    whole = model.predict(designs, "int8")
    for i in range(0, 500, 23):
        one = config(**{name: int(getattr(designs, name)[i]) for name in GRID})
        alone = model.predict(one)
        assert alone.area_um2 == whole.area_um2[i]
        assert alone.min_period_ns == whole.min_period_ns[i]
        assert alone.leakage_mw == whole.leakage_mw[i]
        assert bool(alone.inside_range) == whole.inside_range[i]
        for kind, events in alone.energy_pj.items():
            for event, parts in events.items():
                for part, value in parts.items():
                    assert value == whole.energy_pj[kind][event][part][i]
        for name, chip in alone.memories.items():
            assert chip["read_pj"] == np.broadcast_to(whole.memories[name]["read_pj"], 500)[i]


def test_the_whole_is_the_sum_that_the_law_says() -> None:
    """Fitted to a law without noise, the accelerator's area is that of its parts by hand."""
    exact = fit(sweep(most=30), TECHNOLOGY, repeats=1).model
    design = config()
    ppa = exact.predict(design)

    def by_hand(kind: str, metric: str) -> float:
        return float(np.squeeze(law(kind, metric, features(kind, design), 64)))

    count = {kind: int(KINDS[kind].count(design)) for kind in KINDS}
    assert count == {
        "pe": 64, "node": 64, "row": 8, "bank": 8, "collector": 1, "controller": 1, "control": 1
    }  # fmt: skip
    chips = {n: (m, sram(MEMORIES, m.depth, m.width)) for n, m in memories(design).items()}
    for quantity, total, by in (
        ("area_um2", ppa.area_um2, ppa.area_by),
        ("leakage_mw", ppa.leakage_mw, ppa.leakage_by),
    ):
        datapath = {kind: count[kind] * by_hand(kind, f"{quantity}.datapath") for kind in KINDS}
        expected = {
            "pe_datapath": datapath["pe"],
            "pe_scratchpad": 64 * by_hand("pe", f"{quantity}.scratchpad"),
            "network": datapath["node"] + datapath["row"] + datapath["collector"],
            "buffer_logic": datapath["bank"],
            "controller": datapath["controller"] + datapath["control"],
            "buffer_sram": sum(m.count * float(c[quantity]) for m, c in chips.values()),
        }
        assert {name: float(value) for name, value in by.items()} == pytest.approx(expected)
        assert float(total) == pytest.approx(sum(expected.values()))
    alone = {kind: by_hand(kind, "min_period_ns") for kind in KINDS}
    access = {name: float(chip["access_ns"]) for name, (_, chip) in chips.items()}
    known = {name: float(value) for name, value in ppa.period_by.items()}
    assert {kind: known[kind] for kind in KINDS} == pytest.approx(alone)
    assert {name: known[name] for name in chips} == pytest.approx(access)
    assert known["pe.order"] == pytest.approx(0.2 + 10.0 + alone["pe"])
    assert known["bank.sram"] == pytest.approx(access["psum_sram"] + 0.2)
    assert float(ppa.min_period_ns) == pytest.approx(max(known.values()))
    assert float(ppa.energy_pj["pe"]["mac"]["clock"]) == pytest.approx(
        by_hand("pe", "energy_pj.mac.clock")
    )
    assert {name: chip["count"] for name, chip in ppa.memories.items()} == {
        "ifmap_sram": 1, "psum_sram": 16, "parameter_sram": 2
    }  # fmt: skip
    assert ppa.memories["psum_sram"]["scaled"] is True
    assert ppa.dram_pj_per_bit == TECHNOLOGY.dram_pj_per_bit
    assert ppa.technology == "synthetic"


def test_macros_of_pes_count_once_and_as_their_scratchpads(model: PpaModel) -> None:
    """Samples of the same PEs under another name: what is new are the memories, by hand."""
    samples = [replace(one, scratchpads="macro") for one in sweep() if one.component == "pe"]
    both = fit([*sweep(), *samples], TECHNOLOGY, repeats=1).model
    plain, macros = (both.predict(config(scratchpads=one)) for one in ("flipflop", "macro"))
    memory = sram(MEMORIES, 48, 8)
    for quantity in ("area", "leakage"):
        name = {"area": "area_um2", "leakage": "leakage_mw"}[quantity]
        without, found = (getattr(one, f"{quantity}_by") for one in (plain, macros))
        more = {share: float(found[share] - without[share]) for share in found}
        expected = 2 * 64 * float(memory[name])
        assert more == pytest.approx({**dict.fromkeys(more, 0.0), "pe_scratchpad": expected})
        total = getattr(macros, name) - getattr(plain, name)
        assert float(total) == pytest.approx(expected)
    assert int(macros.memories["weight_sram"]["count"]) == 2 * 64
    assert float(macros.min_period_ns) >= float(memory["access_ns"])
    with pytest.raises(UserError, match="build must keep weights as the design does"):
        both.predict(config(), build=Build(scratchpads="macro"))


def test_every_event_of_every_kind_has_an_energy(model: PpaModel) -> None:
    energy = model.predict(config()).energy_pj
    assert {kind: tuple(events) for kind, events in energy.items()} == {
        kind: KINDS[kind].events for kind in KINDS
    }
    assert set(energy["pe"]["mac"]) == {"datapath", "scratchpad", "clock"}


def test_the_slowest_memory_bounds_the_clock(model: PpaModel) -> None:
    ppa = model.predict(config())
    slow = {**MEMORIES, "coefficients": {**MEMORIES["coefficients"], "access_ns": {"one": 999.0}}}
    contents = model.contents
    technology = type(contents.technology)(
        name="slow", voltage_v=1.8, memories=slow, dram_pj_per_bit=1.0, glitches={}
    )
    slower = PpaModel(
        contents=type(contents)(technology=technology, components=contents.components, manifest={})
    )
    assert float(ppa.min_period_ns) < 999
    found = slower.predict(config())
    # What is behind the memory comes after its word, which is there after 999 ns.
    assert float(found.period_by["psum_sram"]) == 999
    assert 999 < float(found.min_period_ns) < 1010
    assert float(found.logic_period_ns) < float(ppa.min_period_ns) + 1e-9


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"weight_words": 2000}, "weight_storage_bits of pe"),
        ({"ifmap_words": 2}, "ifmap_address_bits of pe"),
        ({"bus_bits": 256}, "bus_bits of node"),
        ({"buffer_kib": 4096}, "ifmap_depth_bits of controller"),
    ],
)
def test_designs_outside_the_range_say_so(
    model: PpaModel, change: dict[str, int], named: str
) -> None:
    assert bool(model.predict(config()).inside_range)
    outside = model.predict(config(**change))
    assert not bool(outside.inside_range)
    assert named in outside.outside


def test_range_is_told_design_by_design(model: PpaModel) -> None:
    designs = table("int8", 4)
    for name, values in GRID.items():
        setattr(designs, name, np.full(4, values[1]))
    designs.weight_words = np.array([96, 4000, 96, 1])
    ppa = model.predict(designs, "int8")
    assert ppa.inside_range.tolist() == [True, False, True, False]
    assert ppa.outside["weight_storage_bits of pe"].tolist() == [False, True, False, True]


def test_the_corners_of_a_sampled_box_are_inside() -> None:
    """Nine PEs of an orthogonal array: no sample has the largest of all three scratchpads."""
    middle = {name: (values[1],) for name, values in GRID.items()}
    one = sweep(grid=middle)
    square = [(i, j, (i + j) % 3) for i in range(3) for j in range(3)]
    words = ("ifmap_words", "weight_words", "psum_words")
    array = [
        sample("pe", "int8", {name: GRID[name][i] for name, i in zip(words, row, strict=True)})
        for row in square
    ]
    model = fit([*(s for s in one if s.component != "pe"), *array], TECHNOLOGY, repeats=1).model
    names = {name: GRID[name][2] for name in words}
    outside = model.predict(config(**names)).outside
    assert not [place for place in outside if place.endswith("of pe")]
    larger = model.predict(config(**{**names, "psum_words": GRID["psum_words"][2] + 1})).outside
    assert "psum_storage_bits of pe" in larger


def test_an_arithmetic_that_was_not_fitted_is_refused(model: PpaModel) -> None:
    rule = r"arithmetic must be one the model was fitted to \(int8, lightpe1\), not 'int16'"
    with pytest.raises(UserError, match=rule):
        model.predict(table("int16", 3), "int16")


def test_a_hundred_thousand_designs_take_well_under_a_second(model: PpaModel) -> None:
    designs = table("int8", 100_000)
    started = time.process_time()  # not the wall clock: the machine may be busy
    ppa = model.predict(designs, "int8")
    assert time.process_time() - started < 1.0
    assert ppa.area_um2.shape == (100_000,)
    assert np.all(ppa.area_um2 > 0)


def test_load_model_takes_a_file_and_refuses_what_is_not_there(
    model: PpaModel, tmp_path: Path
) -> None:
    model.save(tmp_path / "mine.json")
    assert load_model(tmp_path / "mine.json").contents == model.contents
    with pytest.raises(UserError, match=r"a model that ships .* not 'nowhere'"):
        load_model("nowhere")


def test_predicting_loads_no_heavy_package() -> None:
    code = (
        "import sys, models.ppa\n"
        "heavy = {'sklearn', 'scipy', 'amaranth', 'matplotlib', 'pyosys', 'numba', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
