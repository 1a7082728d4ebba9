"""Beats: the order in which a layer's numbers cross the off-chip streams.

A beat is `bus_bits` wide and carries `lanes` words from its low bits up: weights of neighbouring
rows of the array, inputs of neighbouring ifmap rows, sums of neighbouring columns. Beats are
uint8 arrays (beats, bus_bits / 8), low byte first. Words that stand for nothing (a filter, channel
or row that the layer does not have) are 0. docs/reference/streams.md tells the order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.mapping import Loops, Mapping, is_flat, loops
from rtl_gen.memories import MULTIPLIER_BITS, lanes, memories
from rtl_gen.output_stage import OutputStage
from rtl_gen.traffic import delivered_columns, packed, word_beats

Codes = NDArray[np.int64]
Beats = NDArray[np.uint8]


def pack(codes: Codes, word_bits: int, bus_bits: int) -> Beats:
    """Lay words (beats, lanes) of `word_bits` into beats of `bus_bits`.

    Words of more than 63 bits come as Python's integers, in an array of objects.
    """
    shifts = np.arange(word_bits).astype(codes.dtype)
    bits = ((codes[..., None] >> shifts) & 1).astype(np.uint8)
    flat = bits.reshape(codes.shape[0], codes.shape[1] * word_bits)
    padded = np.zeros((codes.shape[0], bus_bits), dtype=np.uint8)
    padded[:, : flat.shape[1]] = flat
    return np.packbits(padded, axis=1, bitorder="little")


def unpack(beats: Beats, word_bits: int, count: int) -> Codes:
    """The `count` lowest words of each beat as unsigned numbers: (beats, count)."""
    bits = np.unpackbits(beats, axis=1, bitorder="little")[:, : word_bits * count]
    words = bits.reshape(beats.shape[0], count, word_bits).astype(np.int64)
    weights = np.left_shift(np.int64(1), np.arange(word_bits, dtype=np.int64))
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
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    weights: Codes,
    stage: OutputStage | None = None,
) -> Beats:
    """All beats of the weight stream, in order, from codes (M, C / groups, R, S)."""
    bound = loops(config, layer, mapping)
    per_group = int(bound.strips * bound.tiles) // layer.groups
    beats = []
    for conv_group in range(layer.groups):
        own = _of_group(weights, layer.groups, conv_group)
        parts = []
        for filter_group in range(int(bound.filter_groups)):
            parts += [
                pack(
                    weight_codes(config, layer, mapping, own, filter_group, number),
                    config.weight_bits,
                    config.bus_bits,
                )
                for number in range(int(bound.passes))
            ]
            if stage is not None:
                numbers = (stage.bias, stage.multiplier, stage.shift)
                parts.append(
                    parameter_beats(
                        config,
                        mapping,
                        [_of_group(one, layer.groups, conv_group) for one in numbers],
                        filter_group,
                    )
                )
        beats.append(np.tile(np.concatenate(parts), (per_group, 1)))
    return np.concatenate(beats)


def _of_group(values: Codes, groups: int, number: int) -> Codes:
    """What belongs to the filters of one of a layer's groups."""
    size = values.shape[0] // groups
    return values[number * size : (number + 1) * size]


def weight_codes(
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    weights: Codes,
    filter_group: int,
    number: int,
) -> Codes:
    """The weights of pass `number` of a group of filters, (beats, lanes); of one conv group."""
    bound = loops(config, layer, mapping)
    count = int(lanes(config.bus_bits, config.weight_bits))
    channel_pass, row_fold, column_fold = pass_of(mapping, bound, number)
    tap, channel, filter_, target, group = grid(
        bound.kernel_width, mapping.q, mapping.p, mapping.t, bound.weight_groups
    )
    row_set, kernel_row = np.divmod(group * count + np.arange(count), int(bound.kernel_height))
    channel = (channel_pass * mapping.r + row_set) * mapping.q + channel
    # Rows beyond the mapping belong to no channel: push them outside.
    channel = np.where(row_set < mapping.r, channel, -1)
    out_channel = (filter_group * mapping.t + target) * mapping.p + filter_
    kernel_row = kernel_row + row_fold * int(bound.kernel_height)
    tap = tap + column_fold * int(bound.kernel_width)
    return taken(weights, (out_channel, channel, kernel_row, tap))


def pass_of(mapping: Mapping, bound: Loops, number: int) -> tuple[int, int, int]:
    """(channel pass, part of the filter's height, part of its width) of a pass in its group."""
    rest, channel_pass = divmod(number, int(bound.channel_passes))
    column_fold, row_fold = divmod(rest, int(mapping.fold_height))
    return channel_pass, row_fold, column_fold


def parameter_beats(
    config: AcceleratorConfig, mapping: Mapping, numbers: list[Codes], filter_group: int
) -> Beats:
    """Bias, then multiplier and shift, of every filter of a group; filters that are not: zeros."""
    target, filter_ = grid(mapping.t, mapping.p)
    out_channel = (filter_group * mapping.t + target) * mapping.p + filter_
    bias, multiplier, shift = (taken(one, (out_channel,)) for one in numbers)
    scale = multiplier | (shift << MULTIPLIER_BITS)
    pairs = np.stack(
        [pack(bias, config.accumulator_bits, config.bus_bits), pack(scale, 32, config.bus_bits)],
        axis=1,
    )
    return pairs.reshape(-1, config.bus_bits // 8)


def ifmap_beats(config: AcceleratorConfig, layer: Layer, mapping: Mapping, ifmap: Codes) -> Beats:
    """All beats of the input stream, in order, from codes (N, C, H, W).

    The first group of filters takes all of its beats from the stream, the others only those
    for which the buffer had no room.
    """
    bound = loops(config, layer, mapping)
    room = int(memories(config)["ifmap_sram"].depth)
    beats = []
    for strip in range(int(bound.strips)):
        for tile in range(int(bound.tiles)):
            group = np.concatenate(
                [
                    pack(
                        ifmap_codes(config, layer, mapping, ifmap, strip, tile, number),
                        config.activation_bits,
                        config.bus_bits,
                    )
                    for number in range(int(bound.passes))
                ]
            )
            beats += [group] + [group[room:]] * int(bound.filter_groups - 1)
    return np.concatenate(beats)


def ifmap_codes(
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    ifmap: Codes,
    strip: int,
    tile: int,
    number: int,
    *,
    delivered: bool = False,
) -> Codes:
    """The inputs of one pass, (beats, lanes): those that are real, or all that are delivered."""
    bound = loops(config, layer, mapping)
    ways = int(lanes(config.bus_bits, config.activation_bits))
    channel_pass, row_fold, column_fold = pass_of(mapping, bound, number)
    first, size = channel_pass * mapping.q * mapping.r, layer.in_channels // layer.groups
    columns = _positions(layer, mapping, bound, tile, column_fold)
    exists = first + np.arange(mapping.q * mapping.r) < size
    if not delivered:
        columns = columns[(columns >= 0) & (columns < _map_width(layer, mapping))]
        exists = exists[exists]
    column, channel, group = grid(len(columns), len(exists), bound.ifmap_groups)
    tag = group * ways + np.arange(ways, dtype=np.int64)
    image, row, real_column = _place(layer, mapping, bound, strip, tag, row_fold, columns[column])
    group_start = strip // (int(bound.strips) // layer.groups) * size
    codes = taken(ifmap, (image, group_start + first + channel, row, real_column))
    inside = (row >= 0) & (row < layer.in_height)
    inside &= (real_column >= 0) & (real_column < layer.in_width)
    codes = np.where(inside, codes, layer.padding_value)
    return np.where((tag < bound.tags) & exists[channel] & (image < layer.batch), codes, 0)


def _map_width(layer: Layer, mapping: Mapping) -> int:
    return int(mapping.f) if is_flat(layer) else layer.in_width


def _positions(layer: Layer, mapping: Mapping, bound: Loops, tile: int, fold: int) -> Codes:
    """Columns of the map that a pass delivers; where pixels stand alone, places in their row."""
    if is_flat(layer):
        return np.arange(mapping.f, dtype=np.int64)
    number = np.arange(delivered_columns(mapping, bound), dtype=np.int64)
    # Columns that no window wants are left out, window by window.
    number += np.maximum(number // int(bound.kernel_width), 0) * int(bound.column_jump)
    shift = layer.stride * (1 if bound.phases > 1 else mapping.f)
    start = tile * shift - layer.padding[1] + fold * int(bound.kernel_width) * layer.dilation
    return np.asarray(start + number * layer.dilation)


def _place(
    layer: Layer, mapping: Mapping, bound: Loops, strip: int, tag: Codes, fold: int, column: Codes
) -> tuple[Codes, Codes, Codes]:
    """(image, row, column) of tags and columns of a strip; they may lie outside of the map."""
    within = strip % (int(bound.strips) // layer.groups)
    if is_flat(layer):
        pixel = (within * mapping.e + tag) * mapping.f + column
        image, rest = np.divmod(pixel, layer.out_height * layer.out_width)
        row, column = np.divmod(rest, layer.out_width)
        return image, row * layer.stride, column * layer.stride
    image, phase, row_strip = _row_strip(layer, mapping, bound, within)
    step, height = int(bound.row_step), int(bound.kernel_height)
    # Rows that no window wants are left out: tags count those that are sent.
    out_row, tap = np.divmod(tag, step) if step < height else np.divmod(tag, height)
    if step == height:
        number = (row_strip * mapping.e + out_row) * bound.stride + tap
    else:
        number = row_strip * mapping.e * bound.stride + tag
    number = number + fold * height
    row = phase * layer.stride + number * layer.dilation - layer.padding[0]
    image = np.full_like(row, image)
    return image, row, column


def _row_strip(layer: Layer, mapping: Mapping, bound: Loops, within: int) -> tuple[int, int, int]:
    """(image, phase of the rows, strip of e rows) of a strip within its conv group."""
    strips = int(bound.strips) // (layer.groups * layer.batch * bound.row_phases)
    rest, row_strip = divmod(within, strips)
    image, phase = divmod(rest, bound.row_phases)
    return image, phase, row_strip


def ofmap(config: AcceleratorConfig, layer: Layer, mapping: Mapping, beats: Beats) -> Codes:
    """Sums or output codes (N, M, E, F) from all beats of the output stream, in order."""
    bound = loops(config, layer, mapping)
    count = int(lanes(config.bus_bits, config.accumulator_bits))
    words = _sent_words(config, layer, bound, beats, count)
    strip, tile, group, x, filter_, target, tap_group = grid(
        *(bound.strips, bound.tiles, bound.filter_groups, mapping.f),
        *(mapping.p, mapping.t, bound.tap_groups),
    )
    tap = tap_group * count + np.arange(count, dtype=np.int64)
    per_group = int(bound.strips) // layer.groups
    conv_group, within = np.divmod(strip, per_group)
    filters = layer.out_channels // layer.groups
    out_channel = (group * mapping.t + target) * mapping.p + filter_
    inside = (tap < mapping.e) & (out_channel < filters)
    out_channel = np.broadcast_to(conv_group * filters + out_channel, tap.shape)
    if is_flat(layer):
        pixel = (within * mapping.e + tap) * mapping.f + x
        image, rest = np.divmod(pixel, layer.out_height * layer.out_width)
        row, column = np.divmod(rest, layer.out_width)
    else:
        strips = per_group // (layer.batch * bound.row_phases)
        rest, row_strip = np.divmod(within, strips)
        image, phase = np.divmod(rest, bound.row_phases)
        row = (row_strip * mapping.e + tap) * bound.phases + phase
        column = x * bound.phases + tile if bound.phases > 1 else tile * mapping.f + x
    image, column = (np.broadcast_to(one, tap.shape) for one in (image, column))
    inside &= (image < layer.batch) & (row < layer.out_height) & (column < layer.out_width)
    result = np.zeros(layer.ofmap_shape, dtype=np.int64)
    index = (image[inside], out_channel[inside], row[inside], column[inside])
    result[index] = words[inside]
    return result


def _sent_words(
    config: AcceleratorConfig, layer: Layer, bound: Loops, beats: Beats, count: int
) -> Codes:
    """The sender's steps, (steps, count): a beat each, or several that share one."""
    if layer.output == "raw":
        words = unpack(beats, config.accumulator_bits, count)
        return config.arithmetic.accumulator.from_bits(words)
    ways = int(packed(config))
    words = unpack(beats, config.activation_bits, count * ways)
    words = config.arithmetic.activation.from_bits(words)
    steps = words.reshape(-1, int(word_beats(config, layer, bound)) * ways, count)
    return steps[:, : int(bound.output_groups)].reshape(-1, count)
