"""Beats: packing loses nothing, and every number crosses the streams as often as it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from characterize.regression import random_tensors
from rtl_gen import streams
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.schedule import lanes, schedule
from tests.rtl_gen.model import words
from tests.rtl_gen.strategies import cases

Array = NDArray[np.int64]


@given(st.integers(2, 48), st.sampled_from([64, 128, 256]), st.data())
def test_words_are_packed_and_unpacked(bits: int, bus: int, data: st.DataObject) -> None:
    count = int(lanes(bus, bits))
    word = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    codes = np.array(
        data.draw(st.lists(st.lists(word, min_size=count, max_size=count), min_size=1, max_size=5))
    )
    beats = streams.pack(codes, bits, bus)
    assert beats.shape == (len(codes), bus // 8)
    np.testing.assert_array_equal(streams.unpack_signed(beats, bits, count), codes)
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


@settings(max_examples=40)
@given(cases())
def test_every_weight_crosses_once_a_strip(case: tuple[AcceleratorConfig, Layer]) -> None:
    config, layer = case
    plan = schedule(config, layer)
    names, crossed = crossing(
        lambda codes: streams.weight_beats(config, layer, plan.mapping, codes),
        layer.weight_shape,
        config.weight_bits,
    )
    assert len(crossed) == plan.words["dram"]["weight_beats"]
    times = Counter(crossed[crossed > 0].tolist())
    assert times == dict.fromkeys(names.ravel().tolist(), int(plan.loops.strips))


@settings(max_examples=40)
@given(cases())
def test_every_input_that_counts_crosses(case: tuple[AcceleratorConfig, Layer]) -> None:
    config, layer = case
    plan = schedule(config, layer)
    names, crossed = crossing(
        lambda codes: streams.ifmap_beats(config, layer, plan.mapping, codes),
        layer.ifmap_shape,
        config.activation_bits,
    )
    assert len(crossed) == plan.words["dram"]["ifmap_beats"]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(names, [(0, 0), (0, 0), (layer.padding,) * 2, (layer.padding,) * 2]),
        (layer.kernel_height, layer.kernel_width),
        axis=(2, 3),
    )[:, :, :: layer.stride, :: layer.stride]
    assert set(names.ravel()) >= set(crossed.ravel()) - {0} >= set(windows.ravel()) - {0}


@settings(max_examples=40)
@given(cases(), st.integers(0, 9))
def test_sums_are_found_where_they_lie(case: tuple[AcceleratorConfig, Layer], seed: int) -> None:
    """`ofmap` takes every sum from one word of one beat, and leaves the others alone."""
    config, layer = case
    plan = schedule(config, layer)
    count, bits = int(lanes(config.bus_bits, config.accumulator_bits)), config.accumulator_bits
    random = np.random.default_rng(seed)
    low = -(2 ** (bits - 1))
    codes = random.integers(low, -low, (int(plan.words["dram"]["output_beats"]), count))
    beats = streams.pack(codes, bits, config.bus_bits)
    got = Counter(streams.ofmap(config, layer, plan.mapping, beats).ravel().tolist())
    assert got.total() == layer.out_channels * layer.out_height * layer.out_width
    assert got <= Counter(codes.ravel().tolist())


def test_random_tensors_hold_every_code() -> None:
    config = AcceleratorConfig.from_mapping(
        {
            **dict.fromkeys(("rows", "columns"), 2),
            **dict.fromkeys(("ifmap_words", "weight_words", "psum_words"), 4),
            **{"arithmetic": "lightpe1", "buffer_kib": 1, "bus_bits": 32},
        }
    )
    layer = Layer(name="many", kind="fc", in_channels=4000, out_channels=1)
    ifmap, weights = random_tensors(config.arithmetic, layer, 1)
    assert set(np.unique(ifmap)) == set(range(-128, 128))
    assert set(np.unique(weights)) == set(range(16))
