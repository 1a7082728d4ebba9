"""Technology files: what they may say, and where their Liberty files are."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize.memory import MEMORIES
from characterize.technology import (
    NUMBERS,
    TECHNOLOGIES,
    load_technology,
    read_technology,
    shipped,
)
from rtl_gen.errors import ToolError, UserError
from tests.characterize.small_technology import LIBERTY, content, small, write


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
