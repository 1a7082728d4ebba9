"""Beats: packing loses nothing, and every number crosses the streams as often as it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from characterize.regression import random_tensors
from rtl_gen import streams
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS, lanes
from rtl_gen.output_stage import OutputStage
from rtl_gen.schedule import schedule
from rtl_gen.traffic import delivered_columns, group_beats
from tests.rtl_gen.model import words
from tests.rtl_gen.strategies import CONFIG, LAYER, mapped

Array = NDArray[np.int64]
Case = tuple[AcceleratorConfig, Layer, Mapping]


@given(st.integers(2, 48), st.sampled_from([64, 128, 256]), st.data())
def test_words_are_packed_and_unpacked(bits: int, bus: int, data: st.DataObject) -> None:
    count = int(lanes(bus, bits))
    word = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    codes = np.array(
        data.draw(st.lists(st.lists(word, min_size=count, max_size=count), min_size=1, max_size=5))
    )
    beats = streams.pack(codes, bits, bus)
    assert beats.shape == (len(codes), bus // 8)
    np.testing.assert_array_equal(streams.unpack(beats, bits, count), codes % (1 << bits))
    np.testing.assert_array_equal(words(beats, bits, signed=True), codes)


def test_the_layout_of_a_beat() -> None:
    """Words of 3 bits from the low bits up, low byte first: a power of two of them."""
    assert lanes(16, 3) == 4
    beat = streams.pack(np.array([[1, -1, 2, -4]]), 3, 16)
    assert int.from_bytes(beat.tobytes(), "little") == 0b100_010_111_001


@given(st.integers(1, 1024), st.integers(1, 48))
def test_lanes_are_the_largest_power_of_two_that_fits(bus: int, bits: int) -> None:
    count = int(lanes(bus, bits))
    if bits > bus:
        assert count == 0
    else:
        assert count * bits <= bus < 2 * count * bits
        assert count & (count - 1) == 0


def crossing(
    beats_of: Callable[[Array], NDArray[np.uint8]], shape: tuple[int, ...], bits: int
) -> tuple[Array, Array]:
    """Names 1, 2, 3 ... for the numbers of a tensor, and the names in the beats, 0 for none.

    A name may be wider than a word: its digits cross one after the other.
    """
    names = np.arange(1, np.prod(shape) + 1).reshape(shape)
    found: Any = 0
    for digit in range(0, int(names.max()).bit_length(), bits):
        beats = beats_of(names >> digit & (1 << bits) - 1)
        found = found + (words(beats, bits, signed=False) << digit)
    return names, found


def rounds(layer: Layer, plan: Any) -> int:
    """How often the weights of one of the layer's groups are needed: for every strip and tile."""
    return int(plan.loops.strips * plan.loops.tiles) // layer.groups


@settings(max_examples=40)
@given(mapped())
def test_every_weight_crosses_once_a_strip_and_tile(case: Case) -> None:
    config, layer, mapping = case
    plan = schedule(config, layer, mapping)
    names, crossed = crossing(
        lambda codes: streams.weight_beats(config, layer, mapping, codes),
        layer.weight_shape,
        config.weight_bits,
    )
    assert len(crossed) == plan.words["network"]["weight_beats"]
    times = Counter(crossed[crossed > 0].tolist())
    assert times == dict.fromkeys(names.ravel().tolist(), rounds(layer, plan))


@settings(max_examples=40)
@given(mapped(), st.sampled_from(["bias", "multiplier", "shift"]))
def test_every_parameter_crosses_beside_the_weights(case: Case, name: str) -> None:
    """Bias in one beat, multiplier and shift in the next, after the weights of their filters."""
    config, layer, mapping = case
    layer = replace(layer, output="quantized")
    plan = schedule(config, layer, mapping)
    count = layer.out_channels
    fields = {"bias": config.accumulator_bits, "multiplier": MULTIPLIER_BITS, "shift": SHIFT_BITS}
    bits, low = fields[name], {"shift": MULTIPLIER_BITS}.get(name, 0)
    names = np.arange(1, count + 1) % (2 ** (bits - 1) - 1) + 1
    none = np.zeros(count, np.int64)
    numbers = {**dict.fromkeys(fields, none), name: names}
    stage = OutputStage(**numbers, zero_point=0, low=0, high=0)
    weights = np.zeros(layer.weight_shape, np.int64)
    beats = streams.weight_beats(config, layer, mapping, weights, stage)
    assert len(beats) == plan.words["dram"]["weight_beats"]
    found = [int.from_bytes(beat.tobytes(), "little") for beat in beats]
    place = [number for number, value in enumerate(found) if value]
    times = Counter(found[number] for number in place)
    expected = Counter(names.tolist())
    assert times == {code << low: rounds(layer, plan) * n for code, n in expected.items()}
    # The first of a group of filters comes after the weights of all the group's passes.
    group = plan.words["network"]["weight_beats"] // (
        plan.loops.strips * plan.loops.tiles * plan.loops.filter_groups
    )
    assert place[0] == group + (name != "bias")


@settings(max_examples=40)
@given(mapped())
def test_every_input_that_counts_crosses(case: Case) -> None:
    """Those under a window, and no others but on rows that end a strip."""
    config, layer, mapping = case
    layer = replace(layer, padding_value=0)
    plan = schedule(config, layer, mapping)
    names, crossed = crossing(
        lambda codes: streams.ifmap_beats(config, layer, mapping, codes),
        layer.ifmap_shape,
        config.activation_bits,
    )
    assert len(crossed) == plan.words["dram"]["ifmap_beats"]
    needed = set(np.unique(under_windows(layer, names))) - {0}
    assert set(names.ravel()) >= set(crossed.ravel()) - {0} >= needed


def under_windows(layer: Layer, values: Array) -> Array:
    """Everything that a window of the layer sees, by the definition of a convolution."""
    top, left, bottom, right = layer.padding
    padded = np.pad(values, [(0, 0), (0, 0), (top, bottom), (left, right)])
    seen = []
    for row in range(layer.out_height):
        for column in range(layer.out_width):
            first = (row * layer.stride, column * layer.stride)
            down, across = (
                start + np.arange(size) * layer.dilation
                for start, size in zip(
                    first, (layer.kernel_height, layer.kernel_width), strict=True
                )
            )
            seen.append(padded[:, :, down][:, :, :, across])
    return np.stack(seen)


@settings(max_examples=40)
@given(mapped())
def test_inputs_that_the_buffer_has_room_for_cross_once_for_all_filters(case: Case) -> None:
    """A buffer without end makes one group of filters of many: later ones read what was kept."""
    config, layer, mapping = case
    roomy = replace(config, buffer_kib=4096)
    plan = schedule(roomy, layer, mapping)
    assert plan.words["dram"]["ifmap_beats"] == plan.words["ifmap_sram"]["writes"] or (
        plan.loops.filter_groups == 1
    )
    _, crossed = crossing(
        lambda codes: streams.ifmap_beats(roomy, layer, mapping, codes),
        layer.ifmap_shape,
        config.activation_bits,
    )
    once = replace(layer, out_channels=layer.groups)
    _, alone = crossing(
        lambda codes: streams.ifmap_beats(roomy, once, mapping, codes),
        layer.ifmap_shape,
        config.activation_bits,
    )
    np.testing.assert_array_equal(crossed, alone)


@settings(max_examples=40)
@given(mapped())
def test_the_traffic_of_a_group_is_what_its_passes_hold(case: Case) -> None:
    """The closed form counts real beats; the streams list them, tile by tile."""
    config, layer, mapping = case
    bound = schedule(config, layer, mapping).loops
    ifmap = np.zeros(layer.ifmap_shape, np.int64)
    for tile in range(int(bound.tiles)):
        passes = [
            [
                len(streams.ifmap_codes(config, layer, mapping, ifmap, 0, tile, n, delivered=all_))
                for n in range(int(bound.passes))
            ]
            for all_ in (False, True)
        ]
        assert sum(passes[0]) == group_beats(layer, mapping, bound, tile)
        column = mapping.q * mapping.r * bound.ifmap_groups
        assert passes[1] == [delivered_columns(mapping, bound) * column] * int(bound.passes)


@settings(max_examples=40)
@given(mapped())
def test_outputs_are_found_where_they_lie(case: Case) -> None:
    """`ofmap` takes every output from a word of its own, and leaves the others alone."""
    config, layer, mapping = case
    plan = schedule(config, layer, mapping)
    raw = layer.output == "raw"
    bits = config.accumulator_bits if raw else config.activation_bits
    count = int(lanes(config.bus_bits, bits))
    shape = (int(plan.words["dram"]["output_beats"]), count)
    names = np.arange(1, np.prod(shape) + 1).reshape(shape)
    found: Any = 0
    for digit in range(0, int(names.max()).bit_length(), bits - 1):  # words are signed
        beats = streams.pack(names >> digit & (1 << bits - 1) - 1, bits, config.bus_bits)
        found = found + (streams.ofmap(config, layer, mapping, beats) << digit)
    assert found.shape == layer.ofmap_shape
    assert len(np.unique(found)) == found.size
    assert np.all(np.isin(found, names))


def test_the_order_of_outputs() -> None:
    """Two strips of 2 rows, two tiles of 2 columns, two groups of one filter for either set."""
    layer = replace(LAYER, in_height=3, in_width=3, out_channels=4)
    mapping = Mapping(p=1, q=1, r=1, t=2, e=2, f=2)
    plan = schedule(CONFIG, layer, mapping)
    # Beats of two sums: rows 2k and 2k + 1 of one filter and column, sets one after the other.
    assert plan.words["dram"]["output_beats"] == 2 * 2 * 2 * 2 * 2
    sums = np.arange(64).reshape(-1, 2)
    found = streams.ofmap(
        CONFIG, layer, mapping, streams.pack(sums, CONFIG.accumulator_bits, CONFIG.bus_bits)
    )
    strip, tile, group, column, target = 1, 0, 1, 1, 1
    beat = (((strip * 2 + tile) * 2 + group) * 2 + column) * 2 + target
    assert found[0, group * 2 + target, 2 * strip, 2 * tile + column] == 2 * beat
    assert found[0, 3, 1, 1] == 2 * ((((0 * 2 + 0) * 2 + 1) * 2 + 1) * 2 + 1) + 1


def test_codes_share_a_beat_until_their_word_ends() -> None:
    """3 sets of one row, beats of 2 sums or 8 codes: a group a set, all of a word in one beat."""
    layer = replace(LAYER, out_channels=3, output="quantized")
    mapping = Mapping(p=1, q=1, r=1, t=3, e=1, f=9)
    assert schedule(CONFIG, layer, mapping).words["dram"]["output_beats"] == 9 * 9
    codes = np.tile(np.arange(8), (81, 1))
    found = streams.ofmap(CONFIG, layer, mapping, streams.pack(codes, 8, 64))
    assert [set(found[0, m].ravel().tolist()) for m in range(3)] == [{0}, {2}, {4}]


@pytest.mark.parametrize("name", ["lightpe1", "int4a8"])
def test_random_tensors_hold_every_code(name: str) -> None:
    config = replace(
        CONFIG,
        arithmetic=AcceleratorConfig.from_mapping(
            {**CONFIG.to_mapping(), "arithmetic": name}
        ).arithmetic,
    )
    layer = Layer(name="many", kind="fc", in_channels=4000, out_channels=1)
    ifmap, weights = random_tensors(config.arithmetic, layer, 1)
    for tensor, format_ in (
        (ifmap, config.arithmetic.activation),
        (weights, config.arithmetic.weight),
    ):
        np.testing.assert_array_equal(np.unique(tensor), np.unique(format_.codes()))
