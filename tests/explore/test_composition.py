"""A whole accelerator against its parts: the sums, the bars, the report."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from characterize.memory import QUANTITIES
from characterize.whole_rtl import whole_layer
from characterize.whole_store import Whole
from explore.composition import Comparison, Prediction, by_kind, predict, settled_logic, summary
from models.build import Build
from models.features import features, means
from models.fit import fit
from models.ppa import PpaModel
from quidam.validation_file import Measured, read_report
from quidam.validation_report import report, show, write
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.schedule import schedule
from tests.models.synthetic import TECHNOLOGY, sweep

CLOCK_NS = 5.0
CONFIG = AcceleratorConfig.from_mapping(
    {
        **{"arithmetic": "int8", "rows": 4, "columns": 4, "buffer_kib": 64, "bus_bits": 64},
        **{"ifmap_words": 12, "weight_words": 96, "psum_words": 16},
    }
)
LAYER = whole_layer(CONFIG)


@pytest.fixture(scope="module")
def model() -> PpaModel:
    return fit(sweep(most=12), TECHNOLOGY, repeats=1).model


def test_a_prediction_is_the_sum_of_its_parts_and_has_no_memories(model: PpaModel) -> None:
    found = predict(model, CONFIG, LAYER, clock_ns=CLOCK_NS, recipe="fast")
    for total, parts in (
        (found.area_um2, found.area_by),
        (found.power_mw, found.power_by),
        (found.min_period_ns, {"slowest": max(found.period_by.values())}),
    ):
        assert total == pytest.approx(sum(parts.values()))
    with_memories = model.predict(CONFIG)
    assert with_memories.area_um2 > found.area_um2
    bare = settled_logic(model).predict(CONFIG)
    for chip in bare.memories.values():
        assert all(float(chip[quantity]) == 0 for quantity in QUANTITIES)


def test_power_is_counted_event_by_event(model: PpaModel) -> None:
    """Of the PEs, by hand: idling all the time, and what events add."""
    found = predict(model, CONFIG, LAYER, clock_ns=CLOCK_NS, recipe="fast")
    own = by_kind(settled_logic(model), CONFIG, Build())["pe"]
    plan = schedule(CONFIG, LAYER)

    def of(event: str) -> float:
        return sum(own[f"energy_pj.{event}.{part}"] for part in ("datapath", "scratchpad", "clock"))

    energy = 16 * int(plan.cycles) * of("idle")
    for event in ("mac", "ifmap_write", "weight_write"):
        energy += int(plan.events["pe"][event]) * (of(event) - of("idle"))
    leakage = 16 * sum(own[f"leakage_mw.{part}"] for part in ("datapath", "scratchpad"))
    power = energy / (int(plan.cycles) * CLOCK_NS) + leakage
    assert found.power_by["pe"] == pytest.approx(power)


def test_rows_are_summed_as_the_mean_one_and_timed_as_the_first(model: PpaModel) -> None:
    """The first keeps all lanes of a beat of weights that rows read, the last one only its own."""
    row = model.contents.components["int8"][Build().component("row")]
    known = features("row", CONFIG)
    less = {"weight_beat_bits": np.asarray(8 * (1 + 2 + 3 + 4) / 4)}
    assert means("row", CONFIG) == less
    first, mean = row.evaluate(known), row.evaluate(known | less)
    ppa = model.predict(CONFIG)
    for found in (by_kind(model, CONFIG, Build())["row"], row.evaluate(known, less)):
        assert found["min_period_ns"] == first["min_period_ns"]
        for part in ("datapath", "clock"):
            metric = f"energy_pj.idle.{part}"
            assert found[metric] == mean[metric] == ppa.energy_pj["row"]["idle"][part]
    assert ppa.period_by["row"] == first["min_period_ns"]


def whole(area: float, name: str = "int8") -> Whole:
    """A measurement of 2 mW and 4 ns."""
    parts = {kind: {"leakage": 0.0} for kind in (*KINDS, "glue")} | {"pe": {"leakage": 2.0}}
    return Whole(
        id=f"{name}{area}",
        config={**CONFIG.to_mapping(), "arithmetic": name},
        technology="imaginary",
        clock_ns=CLOCK_NS,
        recipe="fast",
        cycles=10,
        lanes=1,
        area_um2=dict.fromkeys((*KINDS, "glue"), 0.0) | {"pe": area},
        power_mw=parts,
        idle_mw=parts,
        min_period_ns=4.0,
        cells=3,
        manifest={"critical_path_ends": ["a", "b"], "tools": {}, "technology": {}},
    )


def comparison(area: float, predicted: float, name: str = "int8") -> Comparison:
    prediction = Prediction(
        area_um2=predicted,
        power_mw=2.0,
        min_period_ns=5.0,
        inside_range=True,
        area_by={},
        power_by={},
        idle_by={},
        period_by={},
    )
    return Comparison(whole=whole(area, name), predictions={"composed": prediction})


def test_errors_have_signs_and_bars_are_of_means_and_worsts() -> None:
    found = [comparison(100.0, 98.0), comparison(200.0, 200.0), comparison(100.0, 106.0, "int4")]
    assert found[0].error_percent("composed", "area_um2") == pytest.approx(-2.0)
    rows = {(row["arithmetic"], row["quantity"]): row for row in summary(found, "composed")}
    int8 = rows["int8", "area_um2"]
    assert (int8["designs"], int8["met"]) == (2, True)
    assert (int8["mean_percent"], int8["worst_percent"]) == pytest.approx((1.0, 2.0))
    assert rows["int4", "area_um2"]["met"] is False
    assert rows["int8", "power_mw"]["met"] is True
    assert rows["int8", "min_period_ns"]["met"] is False  # 25%


def test_the_report_shows_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [comparison(100.0, 99.0), comparison(100.0, 106.0, "int4")]
    taken = Measured(
        technology="imaginary",
        size=4,
        plan="some.yaml",
        failures={"int2 4x4": "no room"},
        wholes=[one.whole for one in found],
    )
    content: dict[str, Any] = report(found, taken, None)
    write(tmp_path, content)
    assert json.loads((tmp_path / "validate.json").read_text()) == content
    with (tmp_path / "validate.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["quantity"] for row in rows] == ["area_um2", "power_mw", "min_period_ns"] * 2
    assert float(rows[0]["error_percent"]) == pytest.approx(-1.0)
    assert (tmp_path / "validate.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "validate.md").read_text()
    assert "| int8 4x4 12/96/16 | 0.0001 | -1.0 | 2 | +0.0 | 4 | +25.0 |" in text
    assert "quidam validate --tech imaginary --plan some.yaml\n" in text
    show(content)
    shown = capsys.readouterr().out
    assert "failed: int2 4x4: no room" in shown
    assert "3 of 6 bars MISSED: int4 area_um2, int4 min_period_ns, int8 min_period_ns" in shown
    # What was measured comes back from the file, and says the same of the same predictions.
    before = read_report(tmp_path / "validate.json")
    again = [replace(one, whole=two) for one, two in zip(found, before.wholes, strict=True)]
    assert report(again, before, None) == content
