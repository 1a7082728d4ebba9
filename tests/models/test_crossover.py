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
from rtl_gen.components import KINDS
from tests.models.synthetic import GRID, MEMORIES, TECHNOLOGY, law, sweep

#: Bits of the other two scratchpads: 16 words of 8 bits, 16 of 31.
OTHERS = 16 * 8 + 16 * 31
MACRO = "macro, fast (scaled)"


def gated_law(kind: str, metric: str, known: Mapping[str, Array], operand_bits: int) -> Any:
    """Fewer um2 a bit, but 71,000 um2 for the gates: less area from 1420 bits on."""
    value = law(kind, metric, known, operand_bits)
    if metric == "area_um2.scratchpad":
        return value - 50.0 * known["storage_bits"] + 71000.0
    return value


def plain(*arithmetics: str, grid: Mapping[str, Any] = GRID) -> list[Sample]:
    """PEs of plain flip-flops; and a few of the other components, which are not looked at here."""
    names = arithmetics or ("int8",)
    others = [kind for kind in KINDS if kind != "pe"]
    return [*sweep(names, grid=grid, kinds=("pe",)), *sweep(names, kinds=others, most=4)]


def gated(grid: Mapping[str, Any] = GRID) -> list[Sample]:
    found = sweep(grid=grid, kinds=("pe",), law=gated_law)
    return [replace(one, id=f"gated {one.id}", scratchpads="gated") for one in found]


def macro_law(kind: str, metric: str, known: Mapping[str, Array], operand_bits: int) -> Any:
    """The same for all numbers of words."""
    flat = {"storage_bits": np.array(OTHERS), "address_bits": np.array(12)}
    return law(kind, metric, flat, operand_bits)


def macros() -> list[Sample]:
    found = sweep(kinds=("pe",), law=macro_law)
    return [replace(one, id=f"macro {one.id}", scratchpads="macro") for one in found]


@pytest.fixture(scope="module")
def model() -> PpaModel:
    return fit([*plain(), *gated(), *macros()], TECHNOLOGY, repeats=1).model


@pytest.fixture(scope="module")
def found(model: PpaModel) -> Crossover:
    result = crossover(model)
    assert result is not None
    return result


def test_all_builds_over_the_fitted_range(found: Crossover) -> None:
    assert list(found.builds) == ["flipflop, fast", "gated, fast", MACRO]
    assert list(found.area_um2) == list(found.mac_pj) == list(found.builds)
    assert (found.arithmetic, found.ifmap_words, found.psum_words) == ("int8", 16, 16)
    assert found.words.tolist() == list(range(32, 225, 2))


def test_words_take_what_the_law_says(found: Crossover) -> None:
    words = np.array([32, 100, 224])
    known = {"storage_bits": 8 * words + OTHERS, "address_bits": 4 + 4 + np.array([5, 7, 8])}
    at = (words - 32) // 2
    expected = law("pe", "area_um2.scratchpad", known, 64)
    np.testing.assert_allclose(found.area_um2["flipflop, fast"][at], expected, rtol=1e-6)
    spent = sum(law("pe", f"energy_pj.mac.{one}", known, 64) for one in ("scratchpad", "clock"))
    np.testing.assert_allclose(found.mac_pj["flipflop, fast"][at], spent, rtol=1e-6)


def test_macros_take_two_memories_of_half_the_words_and_one_read(found: Crossover) -> None:
    memory = sram(MEMORIES, found.words // 2, 8)
    expected = macro_law("pe", "area_um2.scratchpad", {}, 64) + 2 * memory["area_um2"]
    np.testing.assert_allclose(found.area_um2[MACRO], expected, rtol=1e-6)
    spent = sum(macro_law("pe", f"energy_pj.mac.{one}", {}, 64) for one in ("scratchpad", "clock"))
    np.testing.assert_allclose(found.mac_pj[MACRO], spent + memory["read_pj"], rtol=1e-6)
    assert found.access_ns == (memory["access_ns"][0], memory["access_ns"][-1])


def test_lines_cross_where_the_law_says(found: Crossover) -> None:
    """The areas at 1420 bits, 99.5 words; the energies of both builds are the same."""
    where = crossing(found.words, found.area_um2, "flipflop, fast", "gated, fast")
    assert where == "at 100 words: from there gated, fast takes less"
    words = next(one for one in found.words if _flipflops(one) >= _macros(one))
    assert 32 < words < 224
    where = crossing(found.words, found.area_um2, "flipflop, fast", MACRO)
    assert where == f"at {words} words: from there {MACRO} takes less"


def _flipflops(words: int) -> float:
    known = {"storage_bits": 8 * words + OTHERS, "address_bits": 8 + int(words - 1).bit_length()}
    return float(law("pe", "area_um2.scratchpad", known, 64))


def _macros(words: int) -> float:
    own = macro_law("pe", "area_um2.scratchpad", {}, 64)
    return float(own + 2 * sram(MEMORIES, words // 2, 8)["area_um2"])


def test_lines_that_cross_twice_say_so_twice() -> None:
    lines = {"a": np.array([1.0, 3, 3, 1]), "b": np.array([2.0, 2, 2, 2])}
    where = crossing(np.array([5, 6, 7, 8]), lines, "a", "b")
    assert where == "at 6 words: from there b takes less; at 8 words: from there a takes less"


def test_the_range_is_what_all_builds_have_in_common() -> None:
    shallow = gated({**GRID, "weight_words": (48, 96, 160), "ifmap_words": (8, 12, 20)})
    found = crossover(fit([*plain(), *shallow], TECHNOLOGY, repeats=1).model)
    assert found is not None
    assert (found.words[0], found.words[-1], found.ifmap_words) == (48, 160, 14)


def test_one_size_of_weight_scratchpads_has_nothing_to_compare() -> None:
    same = plain(grid={**GRID, "weight_words": (96,)})
    assert crossover(fit(same, TECHNOLOGY, repeats=1).model) is None


def test_without_int8_the_first_arithmetic_is_shown() -> None:
    found = crossover(fit(plain("lightpe2", "lightpe1"), TECHNOLOGY, repeats=1).model)
    assert found is not None
    assert found.arithmetic == "lightpe1"


def test_a_technology_with_memories_of_its_own_is_not_called_scaled(model: PpaModel) -> None:
    technology = replace(TECHNOLOGY, memories={**MEMORIES, "scaled": False})
    own = crossover(PpaModel(contents=replace(model.contents, technology=technology)))
    assert own is not None
    assert "macro, fast" in own.builds
    assert "scaled" not in crossover_section(own, "x.png")


def test_without_macros_the_section_does_not_speak_of_them() -> None:
    found = crossover(fit(plain(), TECHNOLOGY, repeats=1).model)
    assert found is not None
    assert (found.scaled, found.access_ns) == (None, None)
    assert "acro" not in crossover_section(found, "x.png")


def test_the_section_compares_builds_of_one_recipe() -> None:
    small = [replace(one, id=f"small {one.id}", recipe="small") for one in plain()]
    samples = [*plain(), *gated(), *macros(), *small]
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
    ]


def test_the_picture_is_the_same_for_the_same_model(found: Crossover, tmp_path: Path) -> None:
    first = draw_crossover(tmp_path / "one.png", found).read_bytes()
    assert first.startswith(b"\x89PNG")
    assert draw_crossover(tmp_path / "two.png", found).read_bytes() == first
