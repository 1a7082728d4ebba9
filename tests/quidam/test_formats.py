"""`quidam formats`: the list, and what formats cost, on samples and for real."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from characterize.format_cost import PE, costs, tasks
from characterize.sample import Sample, Task
from characterize.sweep import Outcome
from characterize.technology import TECHNOLOGIES, read_technology
from quidam import characterize as measuring
from quidam.main import main
from rtl_gen.formats import CATALOGUE, arithmetic

NAMES = [name for names in CATALOGUE.values() for name in names]


def test_the_list_has_every_arithmetic_of_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["formats"]
    assert [row["arithmetic"] for row in rows] == NAMES
    assert len(set(NAMES)) == len(NAMES) >= 35
    bf16 = next(row for row in rows if row["arithmetic"] == "bf16xint4")
    assert (bf16["activation_bits"], bf16["weight_bits"], bf16["mac_latency"]) == (16, 4, 2)
    assert main(["formats", "int8", "fp4_e2m1"]) == 0
    text = capsys.readouterr().out
    assert "fp4_e2m1" in text
    assert "int16" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["int17"], "integer format must be int2 to int16, not 'int17'"),
        (["-o", "x"], "--output, --store and --workers must come with --tech"),
        (["--tech", "osu018", "--workers", "0"], "--workers must be at least 1, not 0"),
        (["--tech", "nowhere"], "technology must be one that ships"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", *arguments]) == 2
    assert message in capsys.readouterr().err


def sample(task: Task, factor: float) -> Sample:
    """What a measurement could have given."""
    parts = ("datapath", "scratchpad") if task.component == "pe" else ("datapath",)
    energy = dict.fromkeys((*parts, "clock"), 10 * factor)
    return Sample(
        id=f"{task.arithmetic}-{task.component}",
        component=task.component,
        arithmetic=task.arithmetic,
        parameters=task.parameters,
        technology=task.technology,
        clock_ns=task.clock_ns,
        scratchpads=task.scratchpads,
        recipe=task.recipe,
        area_um2=dict.fromkeys(parts, 1000 * factor),
        leakage_mw=dict.fromkeys(parts, 0.0),
        energy_pj={"mac": energy, "idle": energy},
        min_period_ns=factor,
        segments_ns={},
        cells=1,
        manifest={},
    )


FACTORS = {"int16": 4.0, "int8": 2.0, "lightpe1": 1.0}


def samples() -> list[Sample]:
    technology = read_technology(TECHNOLOGIES / "osu018.yaml")
    return [sample(task, FACTORS[task.arithmetic]) for task in tasks(FACTORS, technology)]


def test_a_cost_is_made_of_two_samples() -> None:
    found = costs(["lightpe1", "int16", "int4"], samples())
    assert [one.arithmetic for one in found] == ["lightpe1", "int16"]
    assert found[0].samples == ("lightpe1-mac", "lightpe1-pe")
    assert (found[0].mac_area_um2, found[0].mac_energy_pj) == (1000, 20)
    assert (found[1].pe_area_um2, found[1].pe_energy_pj) == (8000, 120)
    assert found[1].scratchpad_energy_pj == 80  # with the clock net's


def test_one_pe_size_and_each_arithmetic_once() -> None:
    technology = read_technology(TECHNOLOGIES / "osu018.yaml")
    found = tasks(["int8xpot1", "lightpe1", "int16"], technology)
    assert [(one.component, one.arithmetic) for one in found] == [
        *(("pe", "int16"), ("pe", "lightpe1"), ("mac", "int16"), ("mac", "lightpe1")),
    ]
    assert all(one.parameters == PE for one in found)


def test_the_tables_compare_with_int16_and_int8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = samples()

    def stand_in(wanted: Any, technology: Any, store: Any, *_: Any, **__: Any) -> Any:
        monkeypatch.setattr(type(store), "samples", lambda self: made)
        return Outcome(total=6, skipped=0, measured=6, failures=()), {one.id for one in made}

    monkeypatch.setattr(measuring, "measured", stand_in)
    technology = TECHNOLOGIES / "osu018.yaml"
    text = technology.read_text()
    library = tmp_path / "cells.lib"
    library.write_text("")
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace("/usr/share/qflow/tech/osu018/osu018_stdcells.lib", str(library)))
    call = ["formats", *FACTORS, "--tech", str(mine), "-o", str(tmp_path / "out")]
    assert main([*call, "--json"]) == 0
    rows = {row["arithmetic"]: row for row in json.loads(capsys.readouterr().out)["formats"]}
    assert rows["lightpe1"]["mac_area_vs_int16"] == 0.25
    assert rows["lightpe1"]["pe_energy_vs_int8"] == 0.5
    bits = [rows["lightpe1"][f"{what}_bits"] for what in ("activation", "weight", "accumulator")]
    assert bits == [8, 4, 31]
    assert rows["lightpe1"]["mac_latency"] == 1
    with (tmp_path / "out" / "formats.csv").open() as stream:
        assert [row["arithmetic"] for row in csv.DictReader(stream)] == list(FACTORS)
    assert (
        "| `lightpe1` | 8x4+31 | 1,000 | 0.25 | 0.50 |"
        in (tmp_path / "out" / "formats.md").read_text()
    )
    assert (tmp_path / "out" / "formats.png").stat().st_size > 5000
    # Without the references there is nothing to compare with.
    made[:] = [one for one in made if one.arithmetic == "lightpe1"]
    assert main(["formats", "lightpe1", "--tech", str(mine)]) == 0
    assert "lightpe1" in capsys.readouterr().out
    assert replace(made[0]).arithmetic == "lightpe1"


@pytest.mark.eda
def test_a_format_is_measured_and_not_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["formats", "int4", "fp4_e2m1", "--tech", "osu018", "--store", str(tmp_path), "--json"]
    assert main([*call, "--workers", "2"]) == 0
    once = json.loads(capsys.readouterr().out)["formats"]
    assert main(call) == 0
    assert json.loads(capsys.readouterr().out)["formats"] == once
    integer, short = once
    assert arithmetic("fp4_e2m1").accumulator_bits == 32
    # Four bits in integers are cheap; an FP32 sum is not, however short the operands.
    assert 4 * integer["mac_area_um2"] < short["mac_area_um2"]
    assert integer["mac_period_ns"] < short["mac_period_ns"]
