"""Candidates of a whole table at once, and the shortcuts by which the mapper chooses among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl_gen.candidates import alike, candidates, flat_table, taken
from rtl_gen.config import AcceleratorConfig
from rtl_gen.cycles import total_cycles
from rtl_gen.layer import Layer
from rtl_gen.mapper import OBJECTIVES, best_mapping, mappings
from rtl_gen.mapping import LETTERS, Mapping, legal_mapping, loops
from rtl_gen.schedule import schedule
from rtl_gen.traffic import beats_off_chip
from tests.rtl_gen.strategies import CONFIG, LAYER, cases, configs, table


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


#: Field -> sizes, some of them more than any small layer can use.
SIZES = {
    "ifmap_words": (2, 5, 12, 40, 256),
    "weight_words": (4, 20, 48, 300, 2048),
    "psum_words": (1, 3, 6, 20, 256),
    "buffer_kib": (1, 2, 5, 64, 1024),
}


@settings(max_examples=40)
@given(configs(("int8",)), cases())
def test_designs_that_are_alike_to_a_layer_get_the_mapping_of_their_own(
    config: AcceleratorConfig, case: tuple[AcceleratorConfig, Layer]
) -> None:
    layer = case[1]
    designs = [replace(config, **{name: size}) for name in SIZES for size in SIZES[name]]
    for objective in OBJECTIVES:
        together: Any = best_mapping(table(designs), layer, objective)
        for row, design in enumerate(designs):
            alone = best_mapping(design, layer, objective)
            assert taken(together, row) == alone, design


def test_alike_are_designs_that_differ_in_what_a_layer_cannot_use() -> None:
    layer = replace(LAYER, in_channels=2, out_channels=4)
    base = replace(CONFIG, ifmap_words=12, weight_words=48, psum_words=4, buffer_kib=64)
    larger = replace(base, ifmap_words=200, weight_words=999, psum_words=9, buffer_kib=99)
    smaller = [
        replace(base, ifmap_words=11),
        replace(base, weight_words=47),
        replace(base, psum_words=3),
        replace(base, buffer_kib=1),
        replace(base, rows=4),
        replace(base, columns=3),
        replace(base, bus_bits=128),
    ]
    first, kind = alike(*flat_table(table([base, larger, *smaller])), layer)
    assert kind[0] == kind[1]
    assert len(first) == len(set(kind.tolist())) == 1 + len(smaller)


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
