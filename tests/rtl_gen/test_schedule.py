"""The closed form: one formula for ints and arrays, and counts that agree with one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.mapper import OBJECTIVES, best_mapping, check
from rtl_gen.mapping import LETTERS, Mapping
from rtl_gen.schedule import schedule
from tests.rtl_gen.strategies import CONFIG, LAYER, cases, configs, layers, mapped, table


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """Leaves of nested dicts and slotted dataclasses, by their path."""
    if hasattr(tree, "__slots__") and not isinstance(tree, np.generic):
        tree = {name: getattr(tree, name) for name in tree.__slots__}
    if not isinstance(tree, dict):
        return {path: tree}
    parts = (leaves(tree[name], f"{path}.{name}") for name in tree)
    return {key: leaf for part in parts for key, leaf in part.items()}


@st.composite
def designs_and_layer(draw: st.DrawFn) -> tuple[list[AcceleratorConfig], Layer]:
    """Designs of which the first can run the layer; others may not."""
    first = draw(configs())
    layer = draw(layers(first))
    return [first, *draw(st.lists(configs(), min_size=1, max_size=4))], layer


@settings(max_examples=40)
@given(designs_and_layer(), st.sampled_from(OBJECTIVES))
def test_a_table_is_scheduled_as_its_rows_are(
    drawn: tuple[list[AcceleratorConfig], Layer], objective: str
) -> None:
    designs, layer = drawn
    whole = leaves(schedule(table(designs), layer, objective=objective))
    for number, design in enumerate(designs):
        for path, value in leaves(schedule(design, layer, objective=objective)).items():
            column = np.broadcast_to(whole[path], len(designs))
            assert column[number] == value, (path, design)


@settings(max_examples=40)
@given(st.lists(mapped(), min_size=2, max_size=4), st.data())
def test_a_table_of_mappings_is_scheduled_as_its_rows_are(
    drawn: list[tuple[AcceleratorConfig, Layer, Mapping]], data: st.DataObject
) -> None:
    """Mappings of other layers, too: where one is not legal, all that is counted is 0."""
    config, layer, _ = data.draw(st.sampled_from(drawn))
    given_ = [mapping for _, _, mapping in drawn]
    stacked = Mapping(**{name: np.array([getattr(m, name) for m in given_]) for name in LETTERS})
    whole = schedule(table([config] * len(given_)), layer, stacked)
    counted = {name: getattr(whole, name) for name in ("words", "events", "bounds", "cycles")}
    for number, mapping in enumerate(given_):
        plan = schedule(config, layer, mapping)
        assert whole.legal[number] == plan.legal
        for path, column in leaves(counted).items():
            one = leaves({name: getattr(plan, name) for name in counted})[path]
            assert np.broadcast_to(column, len(given_))[number] == one, (path, mapping)
            assert plan.legal or one == 0, (path, mapping)


@settings(max_examples=50)
@given(st.data())
def test_a_design_is_legal_exactly_when_nothing_is_to_be_said_against_it(
    data: st.DataObject,
) -> None:
    layer = data.draw(cases())[1]
    config = data.draw(configs())
    plan = schedule(config, layer)
    if plan.legal:
        check(config, layer)
        assert plan.cycles > 0
    else:
        with pytest.raises(UserError):
            check(config, layer)
        assert plan.cycles == 0


@settings(max_examples=50)
@given(mapped())
def test_events_happen_in_cycles(case: tuple[AcceleratorConfig, Layer, Mapping]) -> None:
    """Each event at most once a component and cycle; several of them may coincide."""
    config, layer, mapping = case
    plan = schedule(config, layer, mapping)
    assert set(plan.events) == set(KINDS)
    for kind, events in plan.events.items():
        assert set(events) == set(KINDS[kind].events) - {"idle"} | {"cycle"}
        assert events["cycle"] == KINDS[kind].count(config) * plan.cycles
        assert all(0 <= count <= events["cycle"] for count in events.values()), kind
    assert plan.events["controller"]["run"] == plan.cycles


@settings(max_examples=50)
@given(mapped())
def test_the_array_does_all_the_work_and_no_faster_than_it_can(
    case: tuple[AcceleratorConfig, Layer, Mapping],
) -> None:
    config, layer, mapping = case
    plan = schedule(config, layer, mapping)
    assert plan.macs == layer.macs
    in_use = mapping.r * plan.loops.kernel_height * mapping.t * mapping.e
    assert in_use <= config.rows * config.columns
    assert plan.events["pe"]["mac"] == in_use * plan.bounds["compute"]
    assert layer.macs <= plan.events["pe"]["mac"] <= in_use * plan.cycles


@settings(max_examples=50)
@given(mapped())
def test_the_ideal_is_the_scarcest_resource_and_never_beaten(
    case: tuple[AcceleratorConfig, Layer, Mapping],
) -> None:
    config, layer, mapping = case
    plan = schedule(config, layer, mapping)
    assert set(plan.bounds) == {"compute", "weights", "ifmap", "output"}
    assert plan.ideal == plan.bounds[plan.bound] == max(plan.bounds.values())
    assert 0 < plan.ideal < plan.cycles


@settings(max_examples=50)
@given(mapped())
def test_every_word_comes_from_somewhere(case: tuple[AcceleratorConfig, Layer, Mapping]) -> None:
    """What is delivered comes from the stream, from the buffer, or stands for nothing."""
    config, layer, mapping = case
    plan = schedule(config, layer, mapping)
    dram, network = plan.words["dram"], plan.words["network"]
    sram, again = plan.words["ifmap_sram"], plan.loops.filter_groups - 1
    assert sram["reads"] == again * sram["writes"]
    assert sram["writes"] <= dram["ifmap_beats"]
    assert dram["ifmap_beats"] + sram["reads"] <= network["ifmap_beats"]
    pad = plan.words["scratchpad"]
    assert pad["ifmap_reads"] == pad["weight_reads"] == pad["psum_writes"]
    parameters = plan.words["parameter_sram"]["writes"]
    assert dram["weight_beats"] == network["weight_beats"] + 2 * parameters
    assert (parameters > 0) == (layer.output == "quantized")


@settings(max_examples=50)
@given(cases())
def test_a_larger_buffer_never_means_more_beats_of_input(
    case: tuple[AcceleratorConfig, Layer],
) -> None:
    config, layer = case
    mapping = best_mapping(config, layer)
    sizes = table([config] * 6)
    sizes.buffer_kib = config.buffer_kib * np.array([1, 2, 4, 8, 64, 2048])
    plan = schedule(sizes, layer, mapping)
    beats = plan.words["dram"]["ifmap_beats"]
    assert np.all(np.diff(beats) <= 0)
    real = plan.words["ifmap_sram"]["reads"] + beats
    assert np.all(real == real[0]), "what is not read from the buffer crosses again"


def test_a_layer_worked_out_by_hand() -> None:
    """Two groups of filters, two channel passes, no room for anything beside a slot.

    4 filters a PE, 3 channels of 3 columns: 36 MACs a slot. A column is 3 beats, a window 9, and
    comes after the slot's MACs. The weights of a pass are 36 beats, those of the next follow the
    MACs of the last slot through the scratchpad.
    """
    plan = schedule(CONFIG, LAYER, Mapping(p=4, q=3, r=1, t=1, e=4, f=9))
    assert (plan.loops.strips, plan.loops.filter_groups, plan.loops.passes) == (3, 2, 2)
    assert not plan.loops.double_weights
    assert plan.loops.ahead_step == plan.loops.ahead_window == 0
    setup, fill = 4, 36
    passes = 12 * (8 * (36 + 3) + 36 + 9) - 9  # after the very last slot comes no window
    # 4 sums a column, 5 rows and the way to the banks; then 9 columns of 4 words of 2 beats.
    end = 4 + (5 + 6) + 9 * 4 * 2 + 3
    assert plan.cycles == setup + fill + passes + end
    # Three filters and a channel: slots of 9 MACs, longer than the 6 beats for a column of the
    # group before. Only a group's first slot waits, until those sums have settled.
    layer = replace(LAYER, in_channels=1, out_channels=6)
    plan = schedule(CONFIG, layer, Mapping(p=3, q=1, r=1, t=1, e=4, f=9))
    assert (plan.loops.strips, plan.loops.filter_groups, plan.loops.passes) == (3, 2, 1)
    assert plan.loops.double_weights
    first, others = 9 * 9, 5 * (3 + 5 + 6 + 3 * 2 + 8 * 9)
    assert plan.cycles == setup + 9 + first + others + 3 + (5 + 6) + 9 * 3 * 2 + 3
