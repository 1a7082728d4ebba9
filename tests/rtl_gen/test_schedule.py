"""The closed form: one formula for ints and arrays, mappings that are legal, sums that add up."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, descriptor
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.schedule import (
    Mapping,
    check,
    check_mapping,
    lanes,
    loops,
    memories,
    schedule,
)
from tests.rtl_gen.strategies import CONFIG, LAYER, cases, chosen, configs, layers, table


def flat(tree: Any, path: str = "") -> dict[str, Any]:
    """Leaves of nested dicts and slotted dataclasses, by their path."""
    if hasattr(tree, "__slots__") and not isinstance(tree, np.generic):
        tree = {name: getattr(tree, name) for name in tree.__slots__}
    if not isinstance(tree, dict):
        return {path: tree}
    return {key: leaf for name in tree for key, leaf in flat(tree[name], f"{path}.{name}").items()}


@st.composite
def designs_and_layer(draw: st.DrawFn) -> tuple[list[AcceleratorConfig], Layer]:
    """Designs of which the first can run the layer; others may not."""
    first = draw(configs())
    layer = draw(layers(first))
    return [first, *draw(st.lists(configs(), min_size=1, max_size=4))], layer


@given(designs_and_layer())
def test_a_table_is_scheduled_as_its_rows_are(drawn: tuple[list[AcceleratorConfig], Layer]) -> None:
    designs, layer = drawn
    whole = flat(schedule(table(designs), layer))
    for number, design in enumerate(designs):
        for path, value in flat(schedule(design, layer)).items():
            column = np.broadcast_to(whole[path], len(designs))
            assert column[number] == value, (path, design)


@given(st.data())
def test_a_design_is_legal_exactly_when_nothing_is_to_be_said_against_it(
    data: st.DataObject,
) -> None:
    layer = data.draw(cases())[1]
    config = data.draw(configs())
    plan = schedule(config, layer)
    if plan.legal:
        check(config, layer)
        check_mapping(config, layer, plan.mapping)
        assert set(descriptor(config, layer, plan.mapping)) == set(FIELDS)
        assert plan.cycles > 0
    else:
        with pytest.raises(UserError):
            check(config, layer)
        assert plan.cycles == 0


def test_a_buffer_that_feeds_one_output_row_only_is_legal() -> None:
    """Every way to share the columns wants 2 rows or more, and the buffer holds the input of 1."""
    config = replace(CONFIG, rows=64, columns=8, buffer_kib=1, bus_bits=32)
    layer = replace(LAYER, in_height=40, in_width=16, kernel_height=32, kernel_width=1, padding=0)
    check(config, layer)
    plan = schedule(config, layer)
    assert plan.legal
    assert plan.mapping.e == 1


@given(cases())
def test_events_of_a_kind_fill_its_cycles(case: tuple[AcceleratorConfig, Layer]) -> None:
    config, layer = case
    plan = schedule(config, layer)
    assert set(plan.events) == set(KINDS)
    for kind, events in plan.events.items():
        assert set(events) == set(KINDS[kind].events)
        assert all(count >= 0 for count in events.values())
        assert sum(events.values()) == KINDS[kind].count(config) * plan.cycles


@given(cases())
def test_the_array_does_all_the_work_and_no_faster_than_it_can(
    case: tuple[AcceleratorConfig, Layer],
) -> None:
    config, layer = case
    plan = schedule(config, layer)
    assert plan.macs == layer.macs
    assert layer.macs <= plan.events["pe"]["mac"] <= config.rows * config.columns * plan.cycles
    sums = layer.out_channels * layer.out_height * layer.out_width
    assert plan.words["dram"]["output_beats"] * lanes(config.bus_bits, config.accumulator_bits) >= (
        sums
    )


@given(cases())
def test_the_chosen_mapping_has_nothing_to_spare(case: tuple[AcceleratorConfig, Layer]) -> None:
    """With one less of any letter, something must be done once more."""
    config, layer = case
    plan = schedule(config, layer)
    rounds = {
        **dict.fromkeys("pt", "filter_groups"),
        **dict.fromkeys("qr", "channel_passes"),
        "e": "strips",
    }
    for letter, counted in rounds.items():
        less = replace(plan.mapping, **{letter: getattr(plan.mapping, letter) - 1})
        if getattr(less, letter) >= 1:
            check_mapping(config, layer, less)
            other = schedule(config, layer, less)
            assert getattr(other.loops, counted) > getattr(plan.loops, counted), letter


def test_the_chosen_mappings_are_close_to_the_best_of_all() -> None:
    """Fifteen candidates a layer stand for thousands: a few more cycles on average, never 2.5x."""
    ratios = []
    for config, layer in chosen(cases(), 100):
        cycles = schedule(config, layer).cycles
        ratios.append(cycles / schedule(config, layer, every_mapping(config, layer)).cycles.min())
    assert np.min(ratios) >= 1
    assert np.mean(ratios) < 1.06
    assert np.max(ratios) < 2.5


def every_mapping(config: AcceleratorConfig, layer: Layer) -> Mapping:
    """All legal mappings as one table, by trying every five numbers that could be."""
    ranges = (
        range(1, min(config.psum_words, layer.out_channels) + 1),
        range(1, min(config.ifmap_words // layer.kernel_width, layer.in_channels) + 1),
        range(1, config.rows // layer.kernel_height + 1),
        range(1, config.columns + 1),
        range(1, min(config.columns, layer.out_height) + 1),
    )
    p, q, r, t, e = np.array(list(product(*ranges))).T
    bound = loops(config, layer, Mapping(p=p, q=q, r=r, t=t, e=e))
    tile = q * r * bound.ifmap_groups * bound.loaded_columns
    sram = memories(config)
    legal = (
        (p * q * layer.kernel_width <= config.weight_words)
        & (t * e <= config.columns)
        & (p * layer.out_width <= 2 * sram["psum_sram"].depth)
        & (bound.resident | (tile <= sram["ifmap_sram"].depth))
    )
    return Mapping(p=p[legal], q=q[legal], r=r[legal], t=t[legal], e=e[legal])
