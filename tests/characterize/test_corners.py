"""Corners of a technology: what a file may say of them, and what a name with one means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from characterize.cell_check import examine
from characterize.technology import Technology, find_technology, load_technology, read_technology
from rtl_gen.errors import UserError
from tests.characterize.small_technology import LIBERTY, write

SLOW = LIBERTY.replace("nom_voltage : 1.0; nom_temperature : 25", "nom_voltage : 0.9")
CORNER: dict[str, Any] = {"liberty": [{"file": "slow.lib"}], "voltage_v": 0.9, "temperature_c": 125}


def with_corners(folder: Path, **corners: Any) -> Path:
    """A technology file with a slow corner, or others."""
    (folder / "slow.lib").write_text(SLOW.replace("0.9;", "0.9; nom_temperature : 125;"))
    return write(folder, corners=corners or {"slow": CORNER})


def found(path: Path, corner: str) -> Technology:
    return load_technology(f"{path}@{corner}")


def test_a_corner_takes_the_place_of_what_it_says(tmp_path: Path) -> None:
    path = with_corners(tmp_path, slow=CORNER, hot={**CORNER, "clock_ns": 4})
    own, slow, hot = load_technology(path), found(path, "slow"), found(path, "hot")
    assert own.corners == slow.corners == ("hot", "slow")  # as YAML wrote them
    assert (own.name, slow.name, hot.name) == ("small", "small@slow", "small@hot")
    assert (own.corner, slow.corner) == ("typical", "slow")
    assert (slow.voltage_v, slow.temperature_c) == (0.9, 125)
    assert slow.liberty[0].path == tmp_path / "slow.lib"
    assert (own.clock_ns, slow.clock_ns, hot.clock_ns) == (2, 2, 4)
    assert (own.driving_cell, own.prune) == (slow.driving_cell, slow.prune)
    assert own.identity() != slow.identity()
    assert slow.identity()["name"] == "small@slow"


def test_a_corner_is_checked_like_a_technology(tmp_path: Path) -> None:
    path = with_corners(tmp_path)
    assert not [one for one in examine(found(path, "slow")) if one.severity == "error"]
    assert not any("corner" in one.message for one in examine(found(path, "slow")))
    path = with_corners(tmp_path, slow={**CORNER, "voltage_v": 0.8})
    (wrong,) = (one for one in examine(found(path, "slow")) if one.severity == "error")
    assert wrong.message == "voltage_v must be the Liberty file's, 0.9 V, not 0.8"


def test_an_unknown_corner_is_told_those_that_there_are(tmp_path: Path) -> None:
    path = with_corners(tmp_path, slow=CORNER, hot=CORNER)
    with pytest.raises(UserError, match=r"one of the file's \(hot, slow\), not 'cold'"):
        found(path, "cold")
    with pytest.raises(UserError, match="corner must be named after the @"):
        found(path, "")
    with pytest.raises(UserError, match=r"one of the file's \(it has none\), not 'slow'"):
        load_technology("osu018@slow")
    with pytest.raises(UserError, match=r"technology must be one that ships \(.*, not 'osu99'"):
        load_technology("osu99@slow")
    assert find_technology("sky130hd@fast").temperature_c == -40


def test_an_at_sign_in_a_folder_is_no_corner(tmp_path: Path) -> None:
    folder = tmp_path / "a@b"
    folder.mkdir()
    path = with_corners(folder)
    assert load_technology(path).name == "small"
    assert found(path, "slow").name == "small@slow"


@pytest.mark.parametrize(
    ("corners", "rule"),
    [
        ([], "corners must be a mapping of names to mappings, not []"),
        ({}, "corners must be a mapping of names to mappings, not {}"),
        ({1: CORNER}, "corners must have names of letters, digits, '.', '_' and '-', not 1"),
        ({"a@b": CORNER}, "corners must have names of letters"),
        ({"slow": {"voltage_v": 1}}, "corners: slow must have the keys liberty, voltage_v"),
        ({"slow": {**CORNER, "prune": []}}, "corners: slow must have the keys liberty"),
        ({"slow": {**CORNER, "voltage_v": 12}}, "voltage_v must be a number of V from 0.1 to 10"),
        ({"slow": {**CORNER, "liberty": []}}, "liberty must be a list of mappings"),
    ],
)
def test_a_broken_corner_is_found_before_it_is_asked_for(
    tmp_path: Path, corners: Any, rule: str
) -> None:
    with pytest.raises(UserError, match=re.escape(rule)):
        read_technology(write(tmp_path, corners=corners))
