"""A technology's Liberty files, made ready: pruned, unzipped, wire added."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from characterize.cell_files import prepare
from characterize.liberty import read_library
from rtl_gen.errors import UserError
from tests.characterize.small_technology import LIBERTY, small


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
