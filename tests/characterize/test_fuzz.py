"""Thousands of spoilt Liberty files: refused with one message, or read without a wrong number."""

from __future__ import annotations

import dataclasses
import gzip
import math
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from characterize.cell_check import examine
from characterize.cell_files import prepare
from characterize.cells import Library, Table
from characterize.liberty import read_library
from characterize.liberty_text import Group
from characterize.technology import (
    load_technology,
)
from rtl_gen.errors import ToolError, UserError
from tests.characterize import mini, mutations
from tests.characterize.spoilt import outcome, technology


def plain(thing: Any) -> Any:
    """A value made of dataclasses and arrays as nested tuples, so that `==` compares it."""
    if isinstance(thing, Group):
        return None  # the file's own text: lines differ
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return tuple(plain(getattr(thing, item.name)) for item in dataclasses.fields(thing))
    if isinstance(thing, np.ndarray):
        return thing.shape, thing.tolist()
    if isinstance(thing, dict):
        return tuple(sorted(((key, plain(value)) for key, value in thing.items()), key=repr))
    if isinstance(thing, list | tuple):
        return tuple(plain(value) for value in thing)
    return thing


def check_library(library: Library, what: str) -> None:
    """Whether no number in it is one that no cell can have.

    Internal energies may be negative: real libraries have such (the load's part is taken off).
    """
    assert library.cells is not None
    assert library.voltage_v > 0, what
    units = [library.time_ns, library.capacitance_pf, library.leakage_mw, library.energy_pj]
    assert all(0 < unit < math.inf for unit in units), what
    assert math.isfinite(library.temperature_c), what
    for cell in library.cells.values():
        sizes = [cell.area_um2, cell.leakage_mw, *(value for _, value in cell.leakages)]
        sizes += [pin.capacitance_pf for pin in cell.pins.values()]
        assert all(0 <= size < math.inf for size in sizes), f"{cell.name} after {what}"
        for table in tables(cell.pins.values()):
            assert np.isfinite(table.values).all(), f"{cell.name} after {what}"
            for _, points in table.axes:
                assert np.isfinite(points).all(), f"{cell.name} after {what}"
                assert (points >= 0).all(), f"{cell.name} after {what}"


def tables(pins: Any) -> Iterator[Table]:
    """All energy tables of some pins."""
    for pin in pins:
        for power in pin.powers:
            yield from (power.rise, power.fall)


def read_and_prepare(path: Path) -> Library:
    """As a sweep reads cells: made ready, then read; and what `quidam tech check` says of them."""
    technology_ = technology(path)
    examine(technology_)
    library = read_library(path)
    prepared = prepare(technology_, path.parent / "prepared")
    check_library(read_library(*prepared), "prepare")
    return library


def excerpt(cells: int) -> str:
    """The head and the first cells of osu018, or a skip where it is not installed."""
    try:
        path = load_technology("osu018").liberty[0].path
    except (ToolError, UserError) as error:
        pytest.skip(str(error))
    head, *rest = path.read_text(encoding="utf-8").split("\ncell (")
    return "\ncell (".join([head, *rest[:cells]]) + "\n}\n"


def fuzz_liberty(text: str, folder: Path, count: int, seed: int) -> Counter[str]:
    path = folder / "cells.lib"
    path.write_text(text, encoding="utf-8")
    whole = outcome(read_and_prepare, path, "nothing")
    assert isinstance(whole, Library), whole
    seen: Counter[str] = Counter()
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        what, data = mutations.mutated(text, rng)
        path.write_bytes(data)
        result = outcome(read_and_prepare, path, f"mutation {number}: {what}")
        seen["refused" if isinstance(result, str) else "read"] += 1
        if isinstance(result, Library):
            check_library(result, f"mutation {number}: {what}")
            untouched = untouched_cells(text, data.decode("utf-8", "surrogateescape"))
            for name in untouched & result.cells.keys():
                same = plain(result.cells[name]) == plain(whole.cells[name])
                assert same, f"{name} is read otherwise after mutation {number}: {what}"
                seen["untouched"] += 1
    return seen


def untouched_cells(text: str, spoilt: str) -> set[str]:
    """Cells whose every letter is still there, once, under the same head of the library: whatever
    has become of the others, their numbers are known."""
    head, *rest = re.split(r"(?=\n *cell *\()", text)
    if not spoilt.startswith(head):
        return set()
    rest[-1] = rest[-1].rstrip().removesuffix("}")  # the library's own
    cells = {re.split(r"[()]", cell)[1].strip(): cell.rstrip() for cell in rest}
    heads = {name: re.compile(rf"\bcell *\( *{re.escape(name)} *\)") for name in cells}
    return {
        name
        for name, cell in cells.items()
        if cell in spoilt and len(heads[name].findall(spoilt)) == 1
    }


def test_spoilt_cells(tmp_path: Path) -> None:
    seen = fuzz_liberty(mini.LIBERTY, tmp_path, 1200, seed=1)
    assert min(seen["refused"], seen["read"]) > 200, seen
    assert seen["untouched"] > 1000, seen


def test_spoilt_cells_of_a_foundry(tmp_path: Path) -> None:
    seen = fuzz_liberty(excerpt(3), tmp_path, 300, seed=2)
    assert min(seen["refused"], seen["read"]) > 30, seen
    assert seen["untouched"] > 100, seen


def same_meaning(text: str, rng: random.Random) -> str:
    """The text respelled, its cells in another order."""
    head, *cells = text.rstrip().removesuffix("}").split("\n  cell (")
    rng.shuffle(cells)
    return mutations.respelled("\n  cell (".join([head, *cells]) + "\n}\n", rng)


@pytest.mark.parametrize("foundry", [False, True], ids=["mini", "osu018"])
def test_spelling_and_order_change_nothing(foundry: bool, tmp_path: Path) -> None:
    text = excerpt(3).replace("\ncell (", "\n  cell (") if foundry else mini.LIBERTY
    path = tmp_path / "cells.lib"
    path.write_text(text, encoding="utf-8")
    whole = plain(read_and_prepare(path))
    spellings = set()
    for number in range(40):
        spelling = same_meaning(text, random.Random(number))
        path.write_bytes(spelling.encode())
        assert plain(outcome(read_and_prepare, path, str(number))) == whole, number
        spellings.add(spelling)
    assert len(spellings) == 40


def test_spoilt_archives(tmp_path: Path) -> None:
    path = tmp_path / "cells.lib.gz"
    whole = gzip.compress(mini.LIBERTY.encode(), mtime=0)
    refused = 0
    for number in range(100):
        rng = random.Random(number)
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        result = outcome(read_and_prepare, path, str(number))
        refused += isinstance(result, str)
        if isinstance(result, Library):
            check_library(result, str(number))
    assert refused > 50


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("bomb.lib.gz", gzip.compress(b" " * 2**22), "must have 1 MiB at most"),
        ("comments.lib", b"library (x) {" + b"/*" * 200_000, "library (x)"),
        ("quotes.lib", b"library (x) {" + b'a : "' * 200_001, ""),
        ("braces.lib", b"library (x) {" + b"cell (x) { pin (y) {" * 20_000, "must close"),
        ("parentheses.lib", b"library (x) {" + b"a (" * 200_000, "must have ':' or '(...)'"),
        ("blanks.lib", b"library (x) {" + b" \n;\\" * 200_000 + b"@", "must have a statement"),
        ("empty.lib", b"", "must hold one library group"),
        ("zeros.lib", bytes(100_000), "must have a statement"),
    ],
)
def test_what_is_made_to_hang(
    name: str, data: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("characterize.liberty_text.MOST_BYTES", 2**20)
    path = tmp_path / name
    path.write_bytes(data)
    found = outcome(read_library, path, name)
    assert isinstance(found, str)
    assert name in found
    assert message in found or name == "comments.lib"
    assert isinstance(outcome(lambda p: prepare(technology(p), tmp_path / "out"), path, name), str)
