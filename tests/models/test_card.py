"""The model card: it says what the fit says, and its pictures are there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from models.card import element_size, headline_rows, percent, reference_elements, write_card
from models.component import Error
from models.fit import Fit
from rtl_gen.components import KINDS
from tests.models.synthetic import sample, sweep


@pytest.fixture(scope="module")
def folder(fitted: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("card")
    write_card(path, "demo", fitted, sweep(("int8", "lightpe1"), most=12, noise=0.01))
    return path


def test_every_picture_is_there_and_is_a_png(folder: Path) -> None:
    card = (folder / "demo.md").read_text()
    linked = re.findall(r"!\[.*?\]\((.*?)\)", card)
    assert linked == [f"demo-{one}.png" for one in ("area", "leakage", "energy", "period", "pe")]
    for name in linked:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_every_component_has_its_errors_in_the_card(folder: Path, fitted: Fit) -> None:
    card = (folder / "demo.md").read_text()
    rows = headline_rows(fitted)
    assert len(rows) == 2 * len(KINDS)
    for row in rows:
        assert f"| {' | '.join(row)} |" in card


def test_pe_areas_stand_apart_at_one_size(folder: Path) -> None:
    card = (folder / "demo.md").read_text()
    chosen = reference_elements(sweep(("int8", "lightpe1"), most=27))
    assert len({tuple(one.parameters.values()) for one in chosen}) == 1
    table = card.split("## Processing elements")[1].split("##")[0]
    numbers = [re.findall(r"[\d,]{4,}", line) for line in table.splitlines() if "int8" in line]
    datapath, scratchpad, total = (int(one.replace(",", "")) for one in numbers[0])
    assert abs(datapath + scratchpad - total) <= 1


def test_sizes_are_named_in_their_order_whatever_the_order_of_a_stored_sample() -> None:
    one = sample("pe", "int8", {"ifmap_words": 24, "psum_words": 8, "weight_words": 96})
    assert element_size(one) == "24 / 96 / 8"


def test_without_a_common_size_each_arithmetic_shows_its_own() -> None:
    samples = sweep(("int8", "lightpe1"), kinds=("pe",), most=27)
    int8 = [one for one in samples if one.arithmetic == "int8"][:3]
    other = [
        replace(one, parameters={**one.parameters, "ifmap_words": 99})
        for one in samples
        if one.arithmetic == "lightpe1"
    ]
    assert [one.arithmetic for one in reference_elements([*int8, *other])] == ["int8", "lightpe1"]


def test_an_error_that_was_not_computed_is_a_dash() -> None:
    assert percent(Error(mean_percent=None, max_percent=None, method="no")) == "-"
    assert percent(Error(mean_percent=1.234, max_percent=5.678, method="")) == "1.2 (5.7)"
