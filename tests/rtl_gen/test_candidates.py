"""Candidates of a whole table at once, and the shortcuts by which the mapper chooses among them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl_gen.candidates import candidates, flat_table, taken
from rtl_gen.config import AcceleratorConfig
from rtl_gen.cycles import total_cycles
from rtl_gen.layer import Layer
from rtl_gen.mapper import OBJECTIVES, best_mapping, mappings
from rtl_gen.mapping import LETTERS, Mapping, legal_mapping, loops
from rtl_gen.schedule import schedule
from rtl_gen.traffic import beats_off_chip
from tests.rtl_gen.strategies import cases, configs, table


def costs(config: AcceleratorConfig, layer: Layer, mapping: Mapping) -> dict[str, int]:
    bound = loops(config, layer, mapping)
    beats = sum(beats_off_chip(config, layer, mapping, bound).values())
    return {"cycles": int(total_cycles(config, layer, mapping, bound)), "dram": int(beats)}


@given(cases())
def test_the_choice_is_the_best_legal_candidate(case: tuple[AcceleratorConfig, Layer]) -> None:
    """Whatever was left out of the full cost by a bound, or of the check of the rules."""
    config, layer = case
    every = [one for one in mappings(config, layer) if legal_mapping(config, layer, one)]
    for first, second in (OBJECTIVES, OBJECTIVES[::-1]):
        found = [costs(config, layer, one) for one in every]
        best = min((cost[first], cost[second]) for cost in found)
        chosen = costs(config, layer, best_mapping(config, layer, first))
        assert (chosen[first], chosen[second]) == best


@settings(max_examples=30)
@given(st.lists(configs(("int8",)), min_size=1, max_size=12), cases())
def test_a_table_has_the_candidates_of_its_designs(
    designs: list[AcceleratorConfig], case: tuple[AcceleratorConfig, Layer]
) -> None:
    layer = case[1]
    rows, every = candidates(*flat_table(table(designs)), layer)
    letters = np.stack([getattr(every, name) for name in LETTERS], axis=1)
    assert np.all(np.diff(rows) >= 0)
    for row, design in enumerate(designs):
        together = {tuple(one) for one in letters[rows == row].tolist()}
        alone = {tuple(getattr(one, name) for name in LETTERS) for one in mappings(design, layer)}
        assert together == alone
    chosen: Any = best_mapping(table(designs), layer)
    for row, design in enumerate(designs):
        alone_chosen = best_mapping(design, layer)
        assert taken(chosen, row) == alone_chosen


@settings(max_examples=30)
@given(cases())
def test_few_candidates_come_twice(case: tuple[AcceleratorConfig, Layer]) -> None:
    """A repeated one costs time: ways to fill and to share out that agree are left out."""
    times = Counter(mappings(*case))
    assert times.total() <= 2 * len(times)


@given(cases())
def test_no_candidate_is_faster_than_its_bounds(case: tuple[AcceleratorConfig, Layer]) -> None:
    config, layer = case
    for one in mappings(config, layer):
        plan = schedule(config, layer, one)
        assert plan.cycles >= plan.ideal or not plan.legal
