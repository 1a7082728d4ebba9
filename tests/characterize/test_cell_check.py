"""What a check finds in a technology: nothing in those that ship, every planted fault."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from characterize.cell_check import examine
from characterize.liberty import read_library
from characterize.technology import (
    TECHNOLOGIES,
    Technology,
    load_technology,
    read_technology,
    shipped,
)
from rtl_gen.errors import UserError
from tests.characterize.power_reference import SHARED
from tests.characterize.small_technology import LATCH, LIBERTY, small


def said(technology: Technology) -> list[str]:
    """What a check finds, as lines."""
    return [f"{f.severity}: {f.cell} {f.message}".replace(":  ", ": ") for f in examine(technology)]


def test_a_check_of_a_sound_technology_notes_the_missing_tie_cell(tmp_path: Path) -> None:
    memories, *lines = said(small(tmp_path, tie_high="TIE1/Y"))
    assert memories.startswith("note: memories are scaled, not measured: scaled from 130 nm")
    none = "the library has none that would do"
    assert lines == [
        "note: no tie_low: a constant 0 is taken as a net of the supply",
        f"note: no latch: scratchpads can't be of latches; {none}",
        f"note: no clock_gate: gated clocks take a flip-flop and an and; {none}",
    ]


@pytest.mark.parametrize(
    ("changes", "old", "new", "expected"),
    [
        ({"voltage_v": 1.2}, "", "", "error: voltage_v must be the Liberty file's, 1 V, not 1.2"),
        ({"temperature_c": 85}, "", "", "error: temperature_c must be the Liberty file's, 25 C"),
        ({"driving_cell": "BUF"}, "", "", "error: driving_cell must be a cell of the library"),
        ({"tie_low": "TIE1/Y"}, "", "", "error: tie_low must be a pin whose function is 0"),
        ({"memory": "no_such"}, "", "", "error: memory model must be one that ships"),
        ({"prune": ["DFF"]}, "", "", "error: the library must have a flip-flop"),
        ({"prune": ["INV"]}, "", "", "error: the library must have an inverter"),
        ({"prune": ["NAND2"]}, "", "", "error: the library must have a NAND or a NOR"),
        ({}, "area : 2;", "area : 0;", "warning: NAND2 has no area"),
        ({}, "area : 2; cell_leakage_power : 1", "area : 2", "warning: NAND2 has no leakage"),
        ({}, 'function : "(A B)\'";', "", "note: NAND2 has no function at Y"),
        (
            {},
            "pin (B) { direction : input; capacitance : 0.002; }",
            "pin (B) { direction : input; }",
            "warning: NAND2 has no capacitance at B",
        ),
        ({}, "ff (IQ, IQN)", "latch_bank (IQ, IQN)", "note: DFF is a latch bank cell: not sim"),
        ({}, LATCH[0], LATCH[1], "note: DFF is a latch that nothing uses"),
        ({"latch": "INV"}, "", "", "error: latch must be a latch with one enable"),
        ({"clock_gate": "INV"}, "", "", "error: clock_gate must be a clock gate of kind"),
        ({"latch": "GHOST"}, "", "", "error: latch and clock_gate must be cells of the library"),
        ({}, 'time_unit : "1ns";', "", "error: small.lib:1: library: must say its time_unit"),
        ({}, "capacitive_load_unit (1, pf);", "", "error: small.lib:1: library: a unit must be"),
        ({}, "(A B)'", "(A PAD)'", "note: NAND2 has a function of pins it lacks at Y"),
        ({}, "(A B)'", "(A &", "error: NAND2 can't be read: pin: "),
        ({}, "timing () { setup : 1; }", "", "warning: DFF has no setup time at D: periods leave"),
        ({}, "timing () { edge : 1; }", "", "warning: DFF has no delay to Q: periods leave out"),
        (
            {},
            "nom_temperature : 25;",
            "nom_temperature : 25; operating_conditions (hot) { temperature : 125; }",
            "note: operating_conditions hot are not the library's default; its nominal 1 V, 25 C",
        ),
    ],
)
def test_a_planted_fault_is_found(
    tmp_path: Path, changes: dict[str, Any], old: str, new: str, expected: str
) -> None:
    assert not old or LIBERTY.count(old) == 1
    found = said(small(tmp_path, LIBERTY.replace(old, new) if old else LIBERTY, **changes))
    found = [line.replace(f"{tmp_path}/", "") for line in found]
    assert any(line.startswith(expected) for line in found), found


def test_delays_inside_a_bus_are_found(tmp_path: Path) -> None:
    pin = 'pin (Q) { direction : output; function : "IQ"; timing () { edge : 1; } }'
    inside = LIBERTY.replace(pin, f"bus (Z) {{ {pin} }}")
    assert inside != LIBERTY
    assert not any("no delay" in line for line in said(small(tmp_path, inside)))
    outside = LIBERTY.replace(pin, 'bus (Z) { timing () { } pin (Q) { function : "IQ"; } }')
    assert not any("no delay" in line for line in said(small(tmp_path, outside)))


def test_a_cell_that_can_not_be_read_is_named_and_may_be_pruned(tmp_path: Path) -> None:
    broken = LIBERTY.replace("(A B)'", "(A &").replace('values ("0.1")', 'values ("0.1, 2")', 1)
    found = examine(small(tmp_path, broken))
    refused = [finding for finding in found if "can't be read" in finding.message]
    assert [finding.cell for finding in refused] == ["INV", "NAND2"]
    assert [finding.proposal for finding in refused] == ["prune: [INV]", "prune: [NAND2]"]
    left = LIBERTY.replace("cell (INV)", "cell (INV2)").replace("cell (TIE1)", broken_cell(), 1)
    technology = small(tmp_path, left, driving_cell="INV2", prune=["ODD"])
    assert not any(finding.severity == "error" for finding in examine(technology))
    with pytest.raises(UserError, match=r"small\.lib:\d+: pin: .*"):
        read_library(tmp_path / "small.lib")


def broken_cell() -> str:
    """A cell whose function is none, and the head of the one that it stands before."""
    return 'cell (ODD) { area : 1; pin (Y) { direction : output; function : "A &"; } } cell (TIE1)'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("nom_voltage : 1.0", "nom_voltage : 1.1", "one voltage, not 1 V ({0}), 1.1 V ({1})"),
        ("temperature : 25", "temperature : 85", "one temperature, not 25 C ({0}), 85 C ({1})"),
        ("XOR", "INV", "different cells, not INV of {1} again"),
        (
            "library (small) {",
            "library (small) { default_operating_conditions : ss;"
            " operating_conditions (ss) { voltage : 1.0; temperature : 25; }",
            "operating conditions differ by name between files (none, ss): one corner?",
        ),
    ],
)
def test_files_of_different_corners_are_no_library(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    second = re.sub(r"cell \(\"?(\w+)\"?\)", r"cell (\g<1>_2)", LIBERTY).replace("INV_2", "XOR")
    assert old in second
    (tmp_path / "more.lib").write_text(second.replace(old, new))
    technology = small(tmp_path, liberty=[{"file": "small.lib"}, {"file": "more.lib"}])
    expected = expected.format(tmp_path / "small.lib", tmp_path / "more.lib")
    assert any(expected in line for line in said(technology)), said(technology)


@pytest.mark.eda
@pytest.mark.parametrize("name", shipped())
def test_a_shipped_technology_is_clean(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIDAM_LIBERTY", str(SHARED / "tech"))
    files = read_technology(TECHNOLOGIES / f"{name}.yaml").liberty
    if not name.startswith("osu") and not all(file.path.is_file() for file in files):
        pytest.skip(f"needs the open Liberty files, and {files[0].path} is not there")
    technology = load_technology(name)
    assert technology.warnings() == []
    assert {finding.severity for finding in examine(technology)} <= {"note"}
