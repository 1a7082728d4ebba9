"""Scratchpads compared: lines of a known law cross where the law says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from characterize.memory import sram
from characterize.sample import Sample
from models.crossover import Crossover, crossing, crossover, crossover_section
from models.crossover_plot import draw_crossover
from models.features import Array
from models.fit import fit
from models.ppa import PpaModel
from tests.models.synthetic import GRID, MEMORIES, TECHNOLOGY, law, sweep

#: Bits of the other two scratchpads: 16 words of 8 bits, 16 of 31.
OTHERS = 16 * 8 + 16 * 31
MACRO = "SRAM macro (scaled)"


def gated_law(kind: str, metric: str, known: Mapping[str, Array], operand_bits: int) -> Any:
    """Fewer um2 a bit, but 71,000 um2 for the gates: less area from 1420 bits on."""
    value = law(kind, metric, known, operand_bits)
    if metric == "area_um2.scratchpad":
        return value - 50.0 * known["storage_bits"] + 71000.0
    return value


def gated(grid: Mapping[str, Any] = GRID) -> list[Sample]:
    found = sweep(grid=grid, kinds=("pe",), law=gated_law)
    return [replace(one, id=f"gated {one.id}", scratchpads="gated") for one in found]


@pytest.fixture(scope="module")
def model() -> PpaModel:
    return fit([*sweep(), *gated()], TECHNOLOGY, repeats=1).model


@pytest.fixture(scope="module")
def found(model: PpaModel) -> Crossover:
    result = crossover(model)
    assert result is not None
    return result


def test_all_builds_and_the_macro_over_the_fitted_range(found: Crossover) -> None:
    assert list(found.builds) == ["flipflop, fast", "gated, fast", MACRO]
    assert list(found.area_um2) == list(found.mac_pj) == list(found.builds)
    assert (found.arithmetic, found.ifmap_words, found.psum_words) == ("int8", 16, 16)
    assert found.words.tolist() == list(range(32, 225))


def test_a_build_takes_its_part_by_bits_of_what_the_law_says(found: Crossover) -> None:
    words = np.array([32, 100, 224])
    bits = 8 * words + OTHERS
    known = {"storage_bits": bits, "address_bits": 4 + 4 + np.array([5, 7, 8])}
    part = 8 * words / bits
    at = words - 32
    expected = part * law("pe", "area_um2.scratchpad", known, 64)
    np.testing.assert_allclose(found.area_um2["flipflop, fast"][at], expected, rtol=1e-6)
    spent = sum(law("pe", f"energy_pj.mac.{one}", known, 64) for one in ("scratchpad", "clock"))
    np.testing.assert_allclose(found.mac_pj["flipflop, fast"][at], part * spent, rtol=1e-6)


def test_the_macro_is_that_of_the_memory_model(found: Crossover) -> None:
    macro = sram(MEMORIES, found.words, 8)
    assert (found.area_um2[MACRO] == macro["area_um2"]).all()
    assert (found.mac_pj[MACRO] == macro["read_pj"]).all()
    assert found.access_ns == (macro["access_ns"][0], macro["access_ns"][-1])


def test_lines_cross_where_the_law_says(found: Crossover) -> None:
    """The areas at 1420 bits, 99.5 words; the energies of both builds are the same."""
    where = crossing(found.words, found.area_um2, "flipflop, fast", "gated, fast")
    assert where == "at 100 words: from there gated, fast takes less"
    where = crossing(found.words, found.area_um2, "flipflop, fast", MACRO)
    assert where == f"nowhere in the range: {MACRO} takes less"
    build, macro = found.mac_pj["flipflop, fast"], found.mac_pj[MACRO]
    first = int(found.words[macro < build][0])
    assert 32 < first < 224
    where = crossing(found.words, found.mac_pj, "flipflop, fast", MACRO)
    assert where == f"at {first} words: from there {MACRO} takes less"


def test_the_growth_of_the_lines_is_held_against_that_of_the_law(found: Crossover) -> None:
    def whole(words: int, of: Any) -> float:
        bits, address = 8 * words + OTHERS, 8 + (words - 1).bit_length()
        return float(
            of("pe", "area_um2.scratchpad", {"storage_bits": bits, "address_bits": address}, 64)
        )

    for build, of in (("flipflop, fast", law), ("gated, fast", gated_law)):
        ends = [whole(words, of) for words in (32, 224)]
        parts = [8 * words / (8 * words + OTHERS) for words in (32, 224)]
        line = ends[1] * parts[1] - ends[0] * parts[0]
        expected = 100 * ((ends[1] - ends[0]) / line - 1)
        assert found.growth_percent[build][0] == pytest.approx(expected, rel=1e-4)
    # What goes with the bits alone is parted rightly; the gates of this law do not.
    assert abs(found.growth_percent["flipflop, fast"][0]) < 2
    assert found.growth_percent["gated, fast"][0] < -15


def test_lines_that_cross_twice_say_so_twice() -> None:
    lines = {"a": np.array([1.0, 3, 3, 1]), "b": np.array([2.0, 2, 2, 2])}
    where = crossing(np.array([5, 6, 7, 8]), lines, "a", "b")
    assert where == "at 6 words: from there b takes less; at 8 words: from there a takes less"


def test_the_range_is_what_all_builds_have_in_common() -> None:
    shallow = gated({**GRID, "weight_words": (48, 96, 160), "ifmap_words": (8, 12, 20)})
    found = crossover(fit([*sweep(), *shallow], TECHNOLOGY, repeats=1).model)
    assert found is not None
    assert (found.words[0], found.words[-1], found.ifmap_words) == (48, 160, 14)


def test_one_size_of_weight_scratchpads_has_nothing_to_compare() -> None:
    same = sweep(grid={**GRID, "weight_words": (96,)})
    assert crossover(fit(same, TECHNOLOGY, repeats=1).model) is None


def test_without_int8_the_first_arithmetic_is_shown() -> None:
    found = crossover(fit(sweep(("lightpe2", "lightpe1")), TECHNOLOGY, repeats=1).model)
    assert found is not None
    assert found.arithmetic == "lightpe1"


def test_a_technology_with_memories_of_its_own_is_not_called_scaled(model: PpaModel) -> None:
    technology = replace(TECHNOLOGY, memories={**MEMORIES, "scaled": False})
    own = crossover(PpaModel(contents=replace(model.contents, technology=technology)))
    assert own is not None
    assert "SRAM macro" in own.builds
    assert "scaled" not in crossover_section(own, "x.png")


def test_the_section_compares_builds_of_one_recipe_and_all_with_the_macro() -> None:
    small = [replace(one, id=f"small {one.id}", recipe="small") for one in sweep()]
    samples = [*sweep(), *gated(), *small]
    found = crossover(fit(samples, TECHNOLOGY, repeats=1).model)
    assert found is not None
    text = crossover_section(found, "demo-crossover.png")
    assert "](demo-crossover.png)" in text
    rows = [
        line.split(" | ")[0][2:]
        for line in text.splitlines()
        if line.startswith("| ") and " / " in line
    ]
    assert rows == [
        "flipflop, fast / gated, fast",
        f"flipflop, fast / {MACRO}",
        f"gated, fast / {MACRO}",
        f"flipflop, small / {MACRO}",
    ]


def test_the_picture_is_the_same_for_the_same_model(found: Crossover, tmp_path: Path) -> None:
    first = draw_crossover(tmp_path / "one.png", found).read_bytes()
    assert first.startswith(b"\x89PNG")
    assert draw_crossover(tmp_path / "two.png", found).read_bytes() == first
