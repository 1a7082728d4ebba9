"""`Mapping`: how a layer is laid on the array, and the loop bounds that follow.

ONE set of expressions for an `AcceleratorConfig` (Python ints) and for a table of designs (numpy
arrays). The loop nest is told in docs/explanation/schedule.md.

Source: Eyeriss (Chen et al., ISCA 2016, section V; JSSC 2017), for the letters p q r t e.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from rtl_gen.components import Design
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.memories import lanes, memories, weight_pass_words

#: Largest number of ifmap rows a strip may span: the tags of the network have 8 bits.
MAX_TAGS = 256
#: Largest f, and beats of one column of a pass; largest number of strips; columns of the map
#: between tiles, parts of the filter or windows: what fits the descriptor's fields.
MAX_COLUMNS, MAX_STRIPS, MAX_PITCH = 2**16 - 1, 2**24 - 1, 2**17 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How a layer is laid on the array; ints, or arrays with one element a design.

    Parameters
    ----------
    p, q : filters and channels interleaved in a PE.
    r : channel groups stacked down the rows.
    t, e : filter groups and output rows side by side across the columns.
    f : output columns of a pass, all where a column's memories hold that many sums.
    fold_height, fold_width : parts of the filter's height and width, one a pass; they must
        divide R and S.
    """

    p: Any
    q: Any
    r: Any
    t: Any
    e: Any
    f: Any
    fold_height: Any = 1
    fold_width: Any = 1


#: Names of a mapping's fields.
LETTERS = tuple(field.name for field in fields(Mapping))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Loop bounds and derived sizes of one layer under one mapping (see `loops`)."""

    kernel_height: Any
    kernel_width: Any
    phases: int
    row_phases: int
    column_phases: int
    stride: int
    row_step: Any
    column_step: Any
    column_jump: Any
    tags: Any
    strips: Any
    tiles: Any
    filter_groups: Any
    channel_passes: Any
    passes: Any
    ifmap_groups: Any
    weight_groups: Any
    tap_groups: Any
    output_groups: Any
    ring_columns: Any
    ahead_step: Any
    ahead_window: Any
    double_weights: Any


def is_flat(layer: Layer) -> bool:
    """Whether pixels stand alone, so that they may be dealt to rows of any length."""
    return layer.kernel_height == layer.kernel_width == 1 and not any(layer.padding)


def phases(layer: Layer) -> int:
    """P: into how many convolutions dilation splits the layer's rows, and its columns."""
    return 1 if is_flat(layer) else layer.dilation // math.gcd(layer.stride, layer.dilation)


def is_phased(layer: Layer) -> bool:
    """Whether dilation splits the layer in several convolutions."""
    return phases(layer) > 1


def loops(design: Design, layer: Layer, mapping: Mapping) -> Loops:
    """Loop bounds of `layer` under `mapping`.

    Returns
    -------
    Loops
        kernel_height, kernel_width : R' and S', of one part of a folded filter.
        phases, stride : P and U'. Dilation D is decimation: on every D-th row and column a layer
        is P x P convolutions of stride U' = U / gcd(U, D), P = D / gcd(U, D).
        row_phases, column_phases : of those, the ones that have outputs.
        row_step, column_step : rows and columns between neighbouring outputs that are sent;
        column_jump : columns left out after a window, where the stride exceeds it.
        tags : ifmap rows of a strip. strips, tiles, filter_groups : loops around the passes;
        channel_passes : passes over channels, passes : over channels and parts of the filter.
        ifmap_groups, weight_groups, tap_groups, output_groups : beats for one column of one
        channel, one weight of every row, one sum of every column of a set, and of all sets.
        ring_columns : columns that the ifmap scratchpads hold; ahead_step, ahead_window : of the
        new columns of a step or a window, those that fit beside the window in use.
        double_weights : whether the weight scratchpads hold two passes.
    """
    common = math.gcd(layer.stride, layer.dilation)
    stride = 1 if is_flat(layer) else layer.stride // common
    height = layer.kernel_height // mapping.fold_height
    width = layer.kernel_width // mapping.fold_width
    rows, tiles, images = pixels(layer, mapping)
    step = np.minimum(stride, width)
    tags = (mapping.e - 1) * np.minimum(stride, height) + height
    ring = np.minimum(design.ifmap_words // mapping.q, 2 * width)
    channel_passes = _ceil(layer.in_channels // layer.groups, mapping.q * mapping.r)
    tap_groups = _ceil(mapping.e, lanes(design.bus_bits, design.accumulator_bits))
    return Loops(
        kernel_height=height,
        kernel_width=width,
        phases=phases(layer),
        row_phases=min(phases(layer), layer.out_height),
        column_phases=min(phases(layer), layer.out_width),
        stride=stride,
        row_step=np.minimum(stride, height),
        column_step=step,
        column_jump=stride - step,
        tags=tags,
        strips=layer.groups * images * _ceil(rows, mapping.e),
        tiles=tiles,
        filter_groups=_ceil(layer.out_channels // layer.groups, mapping.p * mapping.t),
        channel_passes=channel_passes,
        passes=channel_passes * mapping.fold_height * mapping.fold_width,
        ifmap_groups=_ceil(tags, lanes(design.bus_bits, design.activation_bits)),
        weight_groups=_ceil(mapping.r * height, lanes(design.bus_bits, design.weight_bits)),
        tap_groups=tap_groups,
        output_groups=mapping.t * tap_groups,
        ring_columns=ring,
        ahead_step=np.minimum(step, ring - width),
        ahead_window=np.minimum(width, ring - width),
        double_weights=2 * mapping.p * mapping.q * width <= design.weight_words,
    )


def pixels(layer: Layer, mapping: Mapping) -> tuple[Any, Any, int]:
    """Output rows dealt to strips, tiles of columns, and how often that happens a group."""
    if is_flat(layer):
        pixels = layer.batch * layer.out_height * layer.out_width
        return _ceil(pixels, mapping.f), mapping.f**0, 1
    split = phases(layer)
    tiles = _ceil(layer.out_width, mapping.f)
    if split > 1:
        tiles = min(split, layer.out_width) * mapping.f**0
    return _ceil(layer.out_height, split), tiles, layer.batch * min(split, layer.out_height)


def widest(layer: Layer) -> int:
    """The largest sensible f: all output columns of one row."""
    if is_flat(layer):
        return layer.batch * layer.out_height * layer.out_width
    return int(_ceil(layer.out_width, phases(layer)))


def rules(design: Design, layer: Layer, mapping: Mapping) -> tuple[tuple[Any, str, Any, Any], ...]:
    """The laws a mapping must keep: (holds, text, value, limit) of each."""
    height = layer.kernel_height // np.maximum(mapping.fold_height, 1)
    width = layer.kernel_width // np.maximum(mapping.fold_width, 1)
    window = mapping.q * width
    stride = layer.stride // math.gcd(layer.stride, layer.dilation)
    tags = (mapping.e - 1) * np.minimum(1 if is_flat(layer) else stride, height) + height
    sums = 2 * memories(design)["psum_sram"].depth
    whole, channels = widest(layer), layer.in_channels // layer.groups
    safe = Mapping(**{name: np.maximum(getattr(mapping, name), 1) for name in LETTERS})
    beats = mapping.q * mapping.r * _ceil(tags, lanes(design.bus_bits, design.activation_bits))
    rows, _, images = pixels(layer, safe)
    jump = (mapping.f > 1) * np.maximum(stride - width, 0) * layer.dilation
    tile = layer.stride * (1 if is_phased(layer) else mapping.f)
    upper = (
        ("q*S/fold_width must be at most ifmap_words", window, design.ifmap_words),
        (
            "p*q*S/fold_width must be at most weight_words, halved in macros",
            mapping.p * window,
            weight_pass_words(design),
        ),
        ("p must be at most psum_words", mapping.p, design.psum_words),
        ("r*R/fold_height must be at most rows", mapping.r * height, design.rows),
        ("t*e must be at most columns", mapping.t * mapping.e, design.columns),
        ("p*f must be at most the sums a column holds", mapping.p * mapping.f, sums),
        ("f must be at most the output columns", mapping.f, whole),
        ("(e-1)*U + R must be at most the tags", tags, MAX_TAGS),
        ("f must be at most what the descriptor holds", mapping.f, MAX_COLUMNS),
        ("beats of a column must be at most what the descriptor holds", beats, MAX_COLUMNS),
        (
            "strips must be at most what the descriptor holds",
            layer.groups * images * _ceil(rows, safe.e),
            MAX_STRIPS,
        ),
        *(
            ("columns of the map between windows must be at most what the descriptor holds", *one)
            for one in ((jump, MAX_PITCH), (tile, MAX_PITCH), (width * layer.dilation, MAX_PITCH))
            if not is_flat(layer)
        ),
    )
    phased = is_phased(layer)
    exact: tuple[tuple[Any, str, Any, Any], ...] = (
        (
            height * mapping.fold_height == layer.kernel_height,
            "fold_height must divide R",
            *(mapping.fold_height, layer.kernel_height),
        ),
        (
            width * mapping.fold_width == layer.kernel_width,
            "fold_width must divide S",
            *(mapping.fold_width, layer.kernel_width),
        ),
        ((mapping.f == whole) | (not phased), "f must be a dilated layer's F/P", mapping.f, whole),
        (
            (channels % (safe.q * safe.r) == 0) | (np.asarray(design.has_zero) != 0),
            "q*r must divide the channels where no word is a zero",
            *(mapping.q * mapping.r, channels),
        ),
    )
    positive = tuple(
        (getattr(mapping, name) >= 1, f"{name} must be at least 1", getattr(mapping, name), 1)
        for name in LETTERS
    )
    return (
        positive
        + exact
        + tuple((value <= limit, text, value, limit) for text, value, limit in upper)
    )


def legal_mapping(design: Design, layer: Layer, mapping: Mapping) -> Any:
    """Whether every rule holds: bool, or an array of them."""
    result: Any = True
    for holds, *_ in rules(design, layer, mapping):
        result = result & holds
    return result


def check_mapping(design: Design, layer: Layer, mapping: Mapping) -> None:
    """Refuse a mapping that breaks a rule of the array or its memories.

    Raises
    ------
    UserError
        Naming the rule, the limit and the value.
    """
    for holds, text, value, limit in rules(design, layer, mapping):
        if not holds:
            raise UserError(f"layer {layer.name!r}: mapping {text} ({limit}), not {value}")


def _ceil(dividend: Any, divisor: Any) -> Any:
    return -(-dividend // divisor)
