"""Words that a layer moves at each level of the memory hierarchy, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from rtl_gen.components import Design
from rtl_gen.layer import Layer
from rtl_gen.mapping import Loops, Mapping, is_flat
from rtl_gen.memories import WEIGHT_SRAM, lanes, memories

Words = dict[str, dict[str, Any]]


def words_moved(design: Design, layer: Layer, mapping: Mapping, bound: Loops, legal: Any) -> Words:
    """Level -> traffic -> words: beats off chip, beats of the network, accesses of memories.

    All are 0 where `legal` is not.
    """
    groups = np.where(legal, bound.strips * bound.tiles * bound.filter_groups, 0)
    passes = groups * bound.passes
    quantized = layer.output == "quantized"
    sums = mapping.p * mapping.f
    active = mapping.t * mapping.e
    pes = active * mapping.r * bound.kernel_height
    steps = mapping.q * bound.kernel_width
    delivered = delivered_columns(mapping, bound)
    loads = passes * delivered * mapping.q
    macs = passes * sums * steps
    weights = passes * mapping.t * mapping.p * steps * bound.weight_groups
    parameters = groups * mapping.t * mapping.p if quantized else 0 * groups
    _, writes, reads = _ifmap_words(design, layer, mapping, bound)
    dram = beats_off_chip(design, layer, mapping, bound)
    words = {
        "dram": {name: np.where(legal, beats, 0) for name, beats in dram.items()},
        "ifmap_sram": {"reads": np.where(legal, reads, 0), "writes": np.where(legal, writes, 0)},
        "psum_sram": {"reads": passes * sums * active, "writes": passes * sums * active},
        "parameter_sram": {
            "reads": groups * sums * bound.output_groups * int(quantized),
            "writes": parameters,
        },
        "network": {
            "weight_beats": weights,
            "ifmap_beats": loads * mapping.r * bound.ifmap_groups,
        },
        "scratchpad": {
            "ifmap_reads": macs * pes,
            "ifmap_writes": loads * pes,
            "weight_reads": macs * pes,
            "weight_writes": passes * mapping.p * steps * pes,
            # Sums drain while others are made, but for the very last.
            "psum_reads": (macs + np.where(legal, mapping.p, 0)) * pes,
            "psum_writes": macs * pes,
        },
    }
    if np.any(design.weight_macros):
        words[WEIGHT_SRAM] = {
            name: words["scratchpad"][f"weight_{name}"] * (design.weight_macros > 0)
            for name in ("reads", "writes")
        }
    return {
        level: {name: np.asarray(count)[()] for name, count in of_level.items()}
        for level, of_level in words.items()
    }


def beats_off_chip(design: Design, layer: Layer, mapping: Mapping, bound: Loops) -> dict[str, Any]:
    """Beats of the three streams."""
    groups = bound.strips * bound.tiles * bound.filter_groups
    weights = mapping.t * mapping.p * mapping.q * bound.kernel_width * bound.weight_groups
    parameters = 2 * mapping.t * mapping.p if layer.output == "quantized" else 0
    return {
        "weight_beats": groups * (bound.passes * weights + parameters),
        "ifmap_beats": _ifmap_words(design, layer, mapping, bound)[0],
        "output_beats": groups * mapping.p * mapping.f * word_beats(design, layer, bound),
    }


def delivered_columns(mapping: Mapping, bound: Loops) -> Any:
    """Columns of the map that a pass delivers, padding included."""
    return (mapping.f - 1) * bound.column_step + bound.kernel_width


def word_beats(design: Design, layer: Layer, bound: Loops) -> Any:
    """Output beats for one sum of every column: raw, or packed by the output stage."""
    if layer.output == "raw":
        return bound.output_groups
    return _ceil(bound.output_groups, packed(design))


def packed(design: Design) -> Any:
    """Groups of sums that share a beat once they are quantized."""
    return np.maximum(
        lanes(design.bus_bits, design.activation_bits)
        // lanes(design.bus_bits, design.accumulator_bits),
        1,
    )


def _ifmap_words(
    design: Design, layer: Layer, mapping: Mapping, bound: Loops
) -> tuple[Any, Any, Any]:
    """Input beats off chip, and the buffer's writes and reads.

    A group's beats are numbered; those the buffer has room for are kept for the groups after.
    """
    room = memories(design)["ifmap_sram"].depth
    again = bound.filter_groups - 1
    off_chip: Any = 0
    kept: Any = 0
    for tile in range(int(np.max(bound.tiles))):
        beats = np.where(tile < bound.tiles, group_beats(layer, mapping, bound, tile), 0)
        stored = np.minimum(beats, room)
        off_chip = off_chip + beats + again * (beats - stored)
        kept = kept + stored
    kept = kept * bound.strips
    return off_chip * bound.strips, np.where(again > 0, kept, 0), again * kept


def group_beats(layer: Layer, mapping: Mapping, bound: Loops, tile: int) -> Any:
    """Real input beats of one group of filters of a strip, in column tile `tile`."""
    present = layer.in_channels // layer.groups * mapping.fold_height
    columns: Any = 0
    for fold in range(int(np.max(mapping.fold_width))):
        inside = _inside(layer, mapping, bound, tile, fold)
        columns = columns + np.where(fold < mapping.fold_width, inside, 0)
    return columns * present * bound.ifmap_groups


def _inside(layer: Layer, mapping: Mapping, bound: Loops, tile: int, fold: int) -> Any:
    """Columns delivered in a pass that lie within the map."""
    if is_flat(layer):
        return mapping.f
    shift = layer.stride * (1 if bound.phases > 1 else mapping.f)
    first = tile * shift - layer.padding[1] + fold * bound.kernel_width * layer.dilation
    pitch = layer.dilation
    sliding = _between(first, pitch, delivered_columns(mapping, bound), layer.in_width)
    if np.all(bound.column_jump == 0):
        return sliding
    # Windows that share nothing: each of their columns is a series of its own.
    apart: Any = 0
    for tap in range(int(np.max(bound.kernel_width))):
        series = _between(first + tap * pitch, pitch * bound.stride, mapping.f, layer.in_width)
        apart = apart + np.where(tap < bound.kernel_width, series, 0)
    return np.where(bound.column_jump == 0, sliding, apart)


def _between(first: Any, pitch: Any, count: Any, width: Any) -> Any:
    """How many of first, first + pitch, ... (`count` of them) lie in [0, width)."""
    below = np.clip(_ceil(-first, pitch), 0, count)
    return np.clip(_ceil(width - first, pitch), 0, count) - below


def _ceil(dividend: Any, divisor: Any) -> Any:
    return -(-dividend // divisor)
