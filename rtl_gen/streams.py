"""Beats: the order in which a layer's numbers cross the off-chip streams.

A beat is `bus_bits` wide and carries `schedule.lanes` words from its low bits up: weights of
neighbouring rows of the array, inputs of neighbouring ifmap rows, sums of neighbouring columns.
Beats are uint8 arrays (beats, bus_bits / 8), low byte first. Words that stand for nothing (a
filter, channel or row that the layer does not have) are 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.schedule import Loops, Mapping, lanes, loops

Codes = NDArray[np.int64]
Beats = NDArray[np.uint8]


def pack(codes: Codes, word_bits: int, bus_bits: int) -> Beats:
    """Lay words (beats, lanes) of `word_bits` into beats of `bus_bits`."""
    shifts = np.arange(word_bits, dtype=np.int64)
    bits = ((codes[..., None] >> shifts) & 1).astype(np.uint8)
    flat = bits.reshape(codes.shape[0], -1)
    padded = np.zeros((codes.shape[0], bus_bits), dtype=np.uint8)
    padded[:, : flat.shape[1]] = flat
    return np.packbits(padded, axis=1, bitorder="little")


def unpack_signed(beats: Beats, word_bits: int, count: int) -> Codes:
    """The `count` lowest words of each beat as signed numbers: (beats, count)."""
    bits = np.unpackbits(beats, axis=1, bitorder="little")[:, : word_bits * count]
    words = bits.reshape(beats.shape[0], count, word_bits).astype(np.int64)
    weights = np.left_shift(np.int64(1), np.arange(word_bits, dtype=np.int64))
    weights[-1] = -weights[-1]
    return np.asarray(words @ weights, dtype=np.int64)


def taken(values: Codes, index: tuple[NDArray[np.int64], ...]) -> Codes:
    """`values[index]`, 0 where any index lies outside."""
    inside = np.ones(np.broadcast_shapes(*(part.shape for part in index)), dtype=bool)
    safe = []
    for part, size in zip(index, values.shape, strict=True):
        inside &= (part >= 0) & (part < size)
        safe.append(np.clip(part, 0, size - 1))
    return np.where(inside, values[tuple(safe)], 0)


def grid(*sizes: int) -> list[NDArray[np.int64]]:
    """One index array per loop, outermost first, each of shape (product of sizes, 1)."""
    index = np.indices(sizes, dtype=np.int64).reshape(len(sizes), -1, 1)
    return list(index)


def weight_beats(
    config: AcceleratorConfig, layer: Layer, mapping: Mapping, weights: Codes
) -> Beats:
    """All beats of the weight stream, in order, from codes (M, C, R, S)."""
    bound = loops(config, layer, mapping)
    passes = [
        pack(
            weight_codes(config, layer, mapping, weights, filter_group, channel_pass),
            config.weight_bits,
            config.bus_bits,
        )
        for filter_group in range(int(bound.filter_groups))
        for channel_pass in range(int(bound.channel_passes))
    ]
    return np.tile(np.concatenate(passes), (int(bound.strips), 1))


def weight_codes(
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    weights: Codes,
    filter_group: int,
    channel_pass: int,
) -> Codes:
    """The weights of one pass: (beats, lanes)."""
    count = int(lanes(config.bus_bits, config.weight_bits))
    groups = int(loops(config, layer, mapping).weight_groups)
    tap, channel, filter_, target, group = grid(
        layer.kernel_width, mapping.q, mapping.p, mapping.t, groups
    )
    row_set, kernel_row = np.divmod(group * count + np.arange(count), layer.kernel_height)
    channel = (channel_pass * mapping.r + row_set) * mapping.q + channel
    # Rows beyond the mapping belong to no channel: push them outside.
    channel = np.where(row_set < mapping.r, channel, -1)
    out_channel = (filter_group * mapping.t + target) * mapping.p + filter_
    return taken(weights, (out_channel, channel, kernel_row, tap))


def ifmap_beats(config: AcceleratorConfig, layer: Layer, mapping: Mapping, ifmap: Codes) -> Beats:
    """All beats of the input stream, in order, from codes (1, C, H, W)."""
    bound = loops(config, layer, mapping)
    if bound.resident:
        loads = [
            [_load(config, layer, mapping, ifmap, strip, 0, layer.in_channels)]
            for strip in range(int(bound.strips))
        ]
    else:
        step = mapping.q * mapping.r
        loads = [
            [
                _load(config, layer, mapping, ifmap, strip, start, step)
                for start in range(0, layer.in_channels, step)
            ]
            * int(bound.filter_groups)
            for strip in range(int(bound.strips))
        ]
    return np.concatenate([load for strip in loads for load in strip])


def _load(
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    ifmap: Codes,
    strip: int,
    start: int,
    count: int,
) -> Beats:
    """One load: the channels from `start` on, of the ifmap rows of one strip."""
    bound = loops(config, layer, mapping)
    ways = int(lanes(config.bus_bits, config.activation_bits))
    count = min(count, layer.in_channels - start)
    column, channel, group = grid(bound.loaded_columns, count, bound.ifmap_groups)
    tag = group * ways + np.arange(ways, dtype=np.int64)
    first_row = strip * mapping.e * bound.row_step
    row = (first_row + tag) * skip(layer, layer.kernel_height) - layer.padding
    tags = (mapping.e - 1) * bound.row_step + layer.kernel_height
    row = np.where(tag < tags, row, -1)
    column = (column + bound.first_column) * skip(layer, layer.kernel_width) - layer.padding
    codes = taken(ifmap[0], (start + channel, row, column))
    return pack(codes, config.activation_bits, config.bus_bits)


def skip(layer: Layer, kernel: int) -> int:
    """Where the stride exceeds the kernel, rows (columns) in between are never sent."""
    return layer.stride if layer.stride > kernel else 1


def ofmap(config: AcceleratorConfig, layer: Layer, mapping: Mapping, beats: Beats) -> Codes:
    """Sums (1, M, E, F) from all beats of the output stream, in order."""
    bound: Loops = loops(config, layer, mapping)
    count = int(lanes(config.bus_bits, config.accumulator_bits))
    strip, group, column, filter_, output_group = grid(
        bound.strips, bound.filter_groups, layer.out_width, mapping.p, bound.output_groups
    )
    place = output_group * count + np.arange(count, dtype=np.int64)
    target, tap = np.divmod(place, mapping.e)
    out_channel = (group * mapping.t + target) * mapping.p + filter_
    row = strip * mapping.e + tap
    column = np.broadcast_to(column, row.shape)
    inside = (target < mapping.t) & (out_channel < layer.out_channels) & (row < layer.out_height)
    words = unpack_signed(beats, config.accumulator_bits, count)
    result = np.zeros(layer.ofmap_shape, dtype=np.int64)
    result[0, out_channel[inside], row[inside], column[inside]] = words[inside]
    return result
