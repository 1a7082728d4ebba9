"""Technology files: what they may say; the Liberty files made ready; what a check finds."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize.cell_check import examine
from characterize.cell_files import prepare
from characterize.liberty import read_library
from characterize.memory import MEMORIES
from characterize.technology import (
    NUMBERS,
    TECHNOLOGIES,
    Technology,
    load_technology,
    read_technology,
    shipped,
)
from rtl_gen.errors import ToolError, UserError
from tests.characterize.power_reference import SHARED

#: Three cells and a flip-flop, with a brace and a cell's name where a careless reader stumbles.
LIBERTY = """\
library (small) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW";
  capacitive_load_unit (1, pf);
  nom_voltage : 1.0; nom_temperature : 25;
  /* cell (GHOST) { */
  cell (INV) {
    area : 1; cell_leakage_power : 1;
    pin (A) { direction : input; capacitance : 0.002;
      rise_capacitance : 0.003; max_capacitance : 1; }
    pin (Y) { direction : output; capacitance : 0; function : "!A"; timing () { }
      internal_power () { related_pin : "A"; power (scalar) { values ("0.1"); } } }
  }
  cell ("NAND2") {
    area : 2; cell_leakage_power : 1;
    user_text : "not a } brace";
    pin (A) { direction : "input"; capacitance : 0.002; }
    pin (B) { direction : input; capacitance : 0.002; }
    pin (Y) { direction : output; function : "(A B)'"; timing () { }
      internal_power () { related_pin : "A"; power (scalar) { values ("0.1"); } } }
  }
  cell (DFF) {
    area : 5; cell_leakage_power : 1;
    ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin (C) { direction : input; clock : true; capacitance : 0.002;
      internal_power () { power (scalar) { values ("0.1"); } } }
    pin (D) { direction : input; capacitance : 0.002; timing () { setup : 1; } }
    pin (Q) { direction : output; function : "IQ"; timing () { edge : 1; } }
  }
  cell (TIE1) { area : 1; cell_leakage_power : 1; pin (Y) { direction : output; function : "1"; } }
}
"""

#: A flip-flop into a latch.
LATCH = ('ff (IQ, IQN) { clocked_on : "C"; next_state', 'latch (IQ, IQN) { enable : "C"; data_in')


def content(**changes: Any) -> dict[str, Any]:
    """A technology file's content; a value of None takes the key away."""
    result = {
        "name": "small",
        "description": "Four cells",
        "corner": "typical",
        "liberty": [{"file": "small.lib"}],
        "feature_nm": 130,
        "voltage_v": 1.0,
        "temperature_c": 25,
        "clock_ns": 2,
        "driving_cell": "INV",
        "output_load_ff": 5,
        "wire_ff_per_pin": 0,
        "memory": "ihp_sg13g2",
        "dram_pj_per_bit": 20,
        "sources": {"cells": "here", "dram_pj_per_bit": "there", "wire_ff_per_pin": "nowhere"},
        **changes,
    }
    return {key: value for key, value in result.items() if value is not None}


def write(folder: Path, text: str = LIBERTY, /, **changes: Any) -> Path:
    """A technology file with its Liberty file."""
    (folder / "small.lib").write_text(text)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content(**changes)))
    return path


def small(folder: Path, text: str = LIBERTY, /, **changes: Any) -> Technology:
    """The technology of `write`."""
    return load_technology(write(folder, text, **changes))


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_technology_reads_and_has_its_own_name(name: str) -> None:
    technology = read_technology(TECHNOLOGIES / f"{name}.yaml")
    assert technology.name == name
    assert "apt-get install" in technology.install or "QUIDAM_LIBERTY" in technology.install
    assert all(len(file.expected_sha256) == 64 for file in technology.liberty)
    assert technology.memories()["scaled"] == (name != "ihp130")
    for corner in technology.corners:
        other = read_technology(TECHNOLOGIES / f"{name}.yaml", corner)
        assert other.voltage_v != technology.voltage_v
        assert {file.path for file in other.liberty}.isdisjoint(f.path for f in technology.liberty)
        assert other.memories()["scaled"]  # there is no memory data but at 1.2 V


def test_a_memory_model_may_lie_beside_the_technology_file(tmp_path: Path) -> None:
    path = write(tmp_path, memory="mine.yaml")
    model = yaml.safe_load((MEMORIES / "ihp_sg13g2.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**model, "voltage_v": 1.0}))
    assert not load_technology(path).memories()["scaled"]


def test_units_are_as_the_keys_say(tmp_path: Path) -> None:
    technology = small(tmp_path, tie_high="TIE1/Y", prune=["N*"])
    assert (technology.feature_nm, technology.clock_ns, technology.output_load_ff) == (130, 2, 5)
    assert technology.tie_high == ("TIE1", "Y")
    assert technology.tie_low is None
    assert technology.liberty[0].path == tmp_path / "small.lib"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"clock_ns": "2 ns"}, "clock_ns must be a number of ns from 0.01 to 1000, not '2 ns'"),
        ({"clock_ns": 20000}, "clock_ns must be a number of ns from 0.01 to 1000, not 20000"),
        ({"feature_nm": 0.13}, "feature_nm must be a number of nm from 1 to 5000, not 0.13"),
        ({"voltage_v": float("nan")}, "voltage_v must be a number of V from 0.1 to 10, not nan"),
        ({"voltage_v": True}, "voltage_v must be a number of V"),
        ({"corner": None}, "must have the key 'corner'"),
        ({"colour": "red"}, "keys must be among"),
        ({"liberty": []}, "liberty must be a list of mappings"),
        ({"liberty": [{"path": "x"}]}, "liberty must be a list of mappings"),
        ({"liberty": [{"file": "a", "sha256": "12"}]}, "sha256 must be 64 hexadecimal digits"),
        ({"tie_high": "TIE1"}, "tie_high must be CELL/PIN, or null, not 'TIE1'"),
        ({"prune": "TBUF"}, "prune must be a list"),
        ({"prune": ["a b"]}, "prune must hold patterns of cell names"),
        ({"driving_cell": "BUF; exec rm"}, "driving_cell must be the name of a cell"),
        ({"name": "../x"}, "name must be letters, digits"),
        ({"sources": {"cells": "here"}}, "sources must say where cells, dram_pj_per_bit"),
        ({"sources": None}, "must have the key 'sources'"),
    ],
)
def test_a_broken_rule_is_named_with_the_value(
    tmp_path: Path, changes: dict[str, Any], rule: str
) -> None:
    with pytest.raises(UserError, match=re.escape(rule)) as caught:
        small(tmp_path, **changes)
    assert "small.yaml" in str(caught.value)


def test_every_number_is_required(tmp_path: Path) -> None:
    for key in NUMBERS:
        with pytest.raises(UserError, match=f"must have the key '{key}'"):
            small(tmp_path, **{key: None})


def test_an_unknown_name_lists_those_that_ship() -> None:
    ships = r"ships \(asap7, ihp130, nangate45, osu018, osu035, sky130hd\) or a YAML file"
    with pytest.raises(UserError, match=f"{ships}, not 'osu99'"):
        load_technology("osu99")


def test_a_missing_liberty_file_says_how_to_install_it(tmp_path: Path) -> None:
    path = write(tmp_path, install="run `sudo apt-get install small`")
    (tmp_path / "small.lib").unlink()
    with pytest.raises(ToolError, match=r"small\.lib .* is missing: run `sudo apt-get install"):
        load_technology(path)
    path.write_text(yaml.safe_dump(content()))
    with pytest.raises(UserError, match="is missing"):
        load_technology(path)


def test_variables_in_paths_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    technology = small(tmp_path, liberty=[{"file": "${PDK_ROOT}/small.lib"}])
    assert technology.liberty[0].path == tmp_path / "small.lib"


def test_of_several_files_the_expected_one_is_taken(tmp_path: Path) -> None:
    (tmp_path / "other.lib").write_text(LIBERTY + "\n")
    (tmp_path / "broken.lib.gz").write_bytes(b"\x1f\x8b")
    paths = ["broken.lib.gz", "other.lib", "small.lib"]
    digest = hashlib.sha256(LIBERTY.encode()).hexdigest()
    technology = small(tmp_path, liberty=[{"file": paths, "sha256": digest}])
    assert technology.liberty[0].path == tmp_path / "small.lib"
    assert technology.warnings() == []
    technology = small(tmp_path, liberty=[{"file": paths[1:], "sha256": "0" * 64}])
    assert technology.liberty[0].path == tmp_path / "other.lib"
    assert len(technology.warnings()) == 1


def test_a_variable_that_is_not_set_is_a_file_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUIDAM_LIBERTY", raising=False)
    with pytest.raises(ToolError, match=r"is missing, QUIDAM_LIBERTY is not set: set QUIDAM_LIB"):
        load_technology("nangate45")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content(liberty=[{"file": "${QUIDAM_LIBERTY}/small.lib"}])))
    with pytest.raises(UserError, match=r"is missing, QUIDAM_LIBERTY is not set \("):
        load_technology(path)


def test_the_first_of_several_paths_that_is_there_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PDK_ROOT", raising=False)
    paths = ["${PDK_ROOT}/small.lib", "nowhere.lib", "small.lib"]
    file = small(tmp_path, liberty=[{"file": paths}]).liberty[0]
    assert file.path == tmp_path / "small.lib"
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "pdk"))
    (tmp_path / "pdk").mkdir()
    (tmp_path / "pdk" / "small.lib").write_text(LIBERTY)
    assert small(tmp_path, liberty=[{"file": paths}]).liberty[0].path.parent == tmp_path / "pdk"
    monkeypatch.delenv("PDK_ROOT")
    # Of those that are not there, the first that could be is named.
    with pytest.raises(UserError, match=r"nowhere\.lib of technology small is missing \("):
        small(tmp_path, liberty=[{"file": ["${PDK_ROOT}/small.lib", "nowhere.lib"]}])
    with pytest.raises(UserError, match=r"small\.lib of .* missing, PDK_ROOT is not set"):
        small(tmp_path, liberty=[{"file": ["${PDK_ROOT}/small.lib", "${PDK_ROOT}/a.lib"]}])
    for wrong in ([], [1], ["small.lib", ""], {"a": 1}):
        with pytest.raises(UserError, match="file must be a path, or a list of paths, not"):
            small(tmp_path, liberty=[{"file": wrong}])


def test_a_compressed_copy_is_the_same_library(tmp_path: Path) -> None:
    digest = hashlib.sha256(LIBERTY.encode()).hexdigest()
    plain = small(tmp_path, liberty=[{"file": "small.lib", "sha256": digest}])
    for level in (1, 9):
        packed = gzip.compress(LIBERTY.encode(), compresslevel=level, mtime=level)
        (tmp_path / f"small{level}.lib.gz").write_bytes(packed)
        item = {"file": f"small{level}.lib.gz", "sha256": digest}
        technology = small(tmp_path, liberty=[item])
        assert technology.warnings() == []
        assert technology.identity() == plain.identity()
    (tmp_path / "small9.lib.gz").write_bytes(packed[:-9])
    with pytest.raises(UserError, match="must be readable"):
        technology.identity()


@pytest.mark.parametrize("name", ['"Y; !touch x"', '"Y\\nshell"', '"Y) ; #"', "Y $x", '"Y'])
def test_names_of_pins_are_names(tmp_path: Path, name: str) -> None:
    """They go into scripts of Yosys, and into Verilog."""
    small(tmp_path)
    path = tmp_path / "small.yaml"
    assert load_technology(path)
    text = LIBERTY.replace("pin (Y)", f"pin ({name})")
    assert text != LIBERTY
    (tmp_path / "small.lib").write_text(text)
    with pytest.raises(UserError, match="names of pins must be letters, digits and _"):
        load_technology(path)
    (tmp_path / "small.lib").write_text(
        "/* pin (Y; Z) */" + LIBERTY.replace("pin (Y)", 'pin ("Y[1]")')
    )
    assert load_technology(path)


def test_another_liberty_file_is_another_technology_and_a_warning(tmp_path: Path) -> None:
    digest = hashlib.sha256(LIBERTY.encode()).hexdigest()
    technology = small(tmp_path, liberty=[{"file": "small.lib", "sha256": digest}])
    before = technology.identity()
    assert technology.warnings() == []
    (tmp_path / "small.lib").write_text(LIBERTY + "\n")
    assert digest in technology.warnings()[0]
    assert technology.identity() != before


def test_pruned_cells_are_gone_and_nothing_else(tmp_path: Path) -> None:
    (path,) = prepare(small(tmp_path, prune=["NA?D*"]), tmp_path / "cells")
    assert set(read_library(path).cells) == {"INV", "DFF", "TIE1"}
    assert "GHOST" not in path.read_text()
    whole = read_library(tmp_path / "small.lib")
    assert read_library(path).cells["INV"] == whole.cells["INV"]


def test_zipped_files_come_out_plain(tmp_path: Path) -> None:
    (tmp_path / "small.lib.gz").write_bytes(gzip.compress(LIBERTY.encode()))
    technology = small(tmp_path, liberty=[{"file": "small.lib.gz"}])
    (plain,) = prepare(technology, tmp_path / "cells")
    assert set(read_library(plain).cells) == {"INV", "NAND2", "DFF", "TIE1"}
    (tmp_path / "small.lib.gz").write_bytes(gzip.compress(LIBERTY.encode())[:-40])
    with pytest.raises(UserError, match="must be readable"):
        prepare(technology, tmp_path / "cells")


def test_wire_is_added_to_input_pins_only(tmp_path: Path) -> None:
    (path,) = prepare(small(tmp_path, wire_ff_per_pin=1.5), tmp_path / "cells")
    text = path.read_text()
    pins = read_library(path).cells["INV"].pins
    assert pins["A"].capacitance_pf == pytest.approx(0.002 + 0.0015)
    assert pins["Y"].capacitance_pf == 0
    assert "rise_capacitance : 0.0045;" in text
    assert "max_capacitance : 1;" in text


@pytest.mark.parametrize(
    ("changes", "liberty", "rule"),
    [
        ({"prune": ["XOR*"]}, LIBERTY, r"prune must match cells of the library, not \['XOR\*'\]"),
        ({"prune": ["*"]}, LIBERTY, "prune must leave cells"),
        ({}, LIBERTY[:700], "cut short"),
    ],
)
def test_what_can_not_be_prepared(
    tmp_path: Path, changes: dict[str, Any], liberty: str, rule: str
) -> None:
    with pytest.raises(UserError, match=rule):
        prepare(small(tmp_path, liberty, **changes), tmp_path / "cells")


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
