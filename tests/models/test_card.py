"""The model card: it says what the fit says, and its pictures are there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.build import Build
from models.card import headline_rows, percent, write_card
from models.card_plots import _scatter, plt
from models.component import Error
from models.element_card import element_section, element_size, elements
from models.fit import Fit
from models.memory_card import memory_section
from models.whole_card import QUANTITIES, TITLE, array_of, refresh, whole_section
from rtl_gen.components import KINDS
from tests.models.synthetic import MEMORIES, sample, sweep


@pytest.fixture(scope="module")
def folder(fitted: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("card")
    write_card(path, "demo", fitted, sweep(("int8", "lightpe1"), most=12, noise=0.01))
    return path


def test_every_picture_is_there_and_is_a_png(folder: Path) -> None:
    card = (folder / "demo.md").read_text()
    linked = re.findall(r"!\[.*?\]\((.*?)\)", card)
    names = ("crossover", "area", "leakage", "energy", "period", "pe")
    assert linked == [f"demo-{one}.png" for one in names]
    for name in linked:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_every_component_has_its_errors_in_the_card(folder: Path, fitted: Fit) -> None:
    card = (folder / "demo.md").read_text()
    rows = headline_rows(fitted)
    assert len(rows) == 2 * len(KINDS)
    for row in rows:
        assert f"| {' | '.join(row)} |" in card


def test_pes_stand_side_by_side_at_one_size(folder: Path) -> None:
    card = (folder / "demo.md").read_text()
    chosen = elements(sweep(("int8", "lightpe1"), most=27))
    assert list(chosen) == [Build()]
    assert len({tuple(one.parameters.values()) for one in chosen[Build()]}) == 1
    section = card.split("## Processing elements")[1].split("\n## ")[0]
    assert "### flipflop, fast, " in section
    (row,) = [line.split(" | ") for line in section.splitlines() if line.startswith("| int8")]
    energies = [float(cell) for cell in row[3:7]]
    assert sum(energies[:3]) == pytest.approx(energies[3], rel=0.01)


def test_ratios_and_glitches_are_those_of_the_samples() -> None:
    samples = sweep(("int16", "int8"), kinds=("pe",), most=1)
    gated = [replace(one, scratchpads="gated") for one in samples]
    factors = {"int8": {"datapath": 2.0, "scratchpad": 1.0, "from": "here"}}
    section = element_section([*samples, *gated], factors)
    assert section.count("### ") == 2
    int16, int8 = elements(samples)[Build()]
    row = next(line for line in section.splitlines() if line.startswith("| int8")).split(" | ")
    area = sum(int16.area_um2.values()) / sum(int8.area_um2.values())
    assert row[-2] == f"{area:.2f}x"
    busy, idle = int8.energy_pj["mac"], int8.energy_pj["idle"]
    more = sum(busy.values()) + busy["datapath"] - idle["datapath"]
    assert float(row[7]) == pytest.approx(more, rel=0.01)


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
    assert [one.arithmetic for one in elements([*int8, *other])[Build()]] == ["int8", "lightpe1"]


def test_every_held_out_sample_is_in_the_pictures(fitted: Fit) -> None:
    """Whatever way its component was built."""
    rows = [row for row in fitted.residuals if row.metric == "area_um2"]
    known = [row for row in rows if row.predicted is not None]
    figure = _scatter("Area", "um²", rows, {"int8": "red", "lightpe1": "blue"})
    drawn = [sum(len(c.get_offsets()) for c in axes.collections) for axes in figure.axes]
    plt.close(figure)
    assert drawn == [len(known), len(known)]
    assert len(known) > 20


def test_every_number_of_a_scaled_memory_says_so(folder: Path) -> None:
    card = (folder / "demo.md").read_text()
    memories = card.split("## Memories")[1].split("##")[0]
    assert MEMORIES["source"] in memories
    rows = [line.split(" | ") for line in memories.splitlines() if " x " in line]
    assert len(rows) == 1 + 5
    for _, _, *cells in rows[1:]:
        assert len(cells) == 6
        assert all("(scaled)" in cell for cell in cells)
    own = memory_section({**MEMORIES, "scaled": False})
    assert "| 64 x 8 | 1 | 32,872 | 4.40 | 31 | 39 | 0.02 | 1.02e-05 |" in own


def test_an_error_that_was_not_computed_is_a_dash() -> None:
    assert percent(Error(mean_percent=None, max_percent=None, method="no")) == "-"
    assert percent(Error(mean_percent=1.234, max_percent=5.678, method="")) == "1.2 (5.7)"


def validation(sha256: str, *, met: bool = True, size: int = 4) -> dict[str, Any]:
    """What validate.json has of it, for one PE type."""
    numbers = {"mean_percent": 1.04, "worst_percent": 3.0, "designs": 3, "met": True}
    rows = [
        {"way": way, "arithmetic": "int8", "quantity": quantity, **numbers}
        for way in ("composed", "fitted")
        for quantity in QUANTITIES
    ]
    rows[-1]["met"] = met
    bars = {quantity: [2.0, 5.0] for quantity in QUANTITIES}
    manifest = {"model_sha256": sha256}
    return {"size": size, "summary": rows, "bars_percent": bars, "manifest": manifest}


def test_a_plan_of_one_build_is_named_by_it() -> None:
    latch, small = (
        {"config": {"scratchpads": one}, "recipe": other}
        for one, other in (("latch", "fast"), ("gated", "small"))
    )
    content = {"size": 4, "plan": "some.yaml", "designs": [latch, latch]}
    assert array_of(content) == "4 x 4 latch fast"
    assert array_of(content | {"designs": [latch, small]}) == "4 x 4"
    assert array_of(content | {"plan": None}) == "4 x 4"
    assert array_of({"size": 8}) == "8 x 8"  # of a report that an older version wrote


def put(folder: Path, content: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "validate.json").write_text(json.dumps(content))


def test_a_validation_goes_into_the_card_beside_it(tmp_path: Path) -> None:
    card = tmp_path / "demo.md"
    card.write_text(f"# Demo\n\n{TITLE}\n\nNothing yet.\n\n## Not in the model\n\nWires.\n")
    small, large = tmp_path / "demo-validation", tmp_path / "demo-validation-8x8"
    put(small, validation("ab"))
    assert refresh(small, "demo", "ab") == card
    put(large, validation("ab", met=False, size=8))
    assert refresh(large, "demo", "ab") == card
    text = card.read_text()
    assert text.startswith(f"# Demo\n\n{TITLE}\n\n`quidam validate --tech demo`")
    assert text.endswith("\n\n## Not in the model\n\nWires.\n")
    assert "Nothing yet" not in text
    assert "| int8 | 4 x 4 | 3 | 1.0 (3.0) | 1.0 (3.0) | 1.0 (3.0) | none |" in text
    assert "| int8 | 8 x 8 | 3 | 1.0 (3.0) | 1.0 (3.0) | 1.0 (3.0) | period |" in text
    assert "area 2 (5), power 2 (5), period 2 (5)" in text
    assert "[demo-validation-8x8](demo-validation-8x8/validate.md)" in text


def test_a_validation_of_another_model_says_nothing_of_this_one(tmp_path: Path) -> None:
    put(tmp_path / "demo-validation", validation("ab"))
    section = whole_section(tmp_path, "demo", "demo", "cd")
    assert "Of another model than this one: [demo-validation]" in section
    assert "int8" not in section
    assert "not been done" in whole_section(tmp_path, "other", "demo", "cd")


def test_a_validation_elsewhere_has_no_card(tmp_path: Path) -> None:
    put(tmp_path / "demo-validation", validation("ab"))
    assert refresh(tmp_path / "demo-validation", "demo", "ab") is None
    assert refresh(tmp_path / "results", "demo", "ab") is None
