"""The row-stationary loop nest in closed form: tiles, cycles, words moved.

ONE formula for an `AcceleratorConfig` (Python ints) and for a table of designs (numpy arrays):
the explorer runs over millions of designs what the RTL obeys to the cycle. The loop nest, and
why each term stands here, is told in docs/explanation/schedule.md.

Source: Eyeriss (Chen et al., ISCA 2016, section V; JSSC 2017), for the letters p q r t e.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtl_gen.components import KINDS, Design
from rtl_gen.config import HALF_KIB_BITS, AcceleratorConfig, psum_sram_depth
from rtl_gen.errors import UserError
from rtl_gen.formats import MAX_TERMS
from rtl_gen.layer import Layer

#: Cycles from the last instruction of a pass to the last write of its sums, rows aside:
#: feed, row, operands, product, sum out, then bank read, add, write (see hardware/bank.py).
SETTLE = 6
#: Cycles from the first bank read to the first beat on the output stream.
OUTPUT_LATENCY = 2
#: Largest channel, filter and map sizes the layer descriptor can carry.
MAX_SIZE = 2**15 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How a layer is laid on the array; ints, or arrays with one element a design.

    p filters and q channels interleave in a PE, r channel groups stack down the rows, t filter
    groups and e output rows stand side by side across the columns.
    """

    p: Any
    q: Any
    r: Any
    t: Any
    e: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`count` single-port memories of `depth` words of `width` bits."""

    depth: Any
    width: Any
    count: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Loop bounds and derived sizes of one layer under one mapping (see `loops`)."""

    strips: Any
    filter_groups: Any
    channel_passes: Any
    resident: Any
    row_step: Any
    column_step: Any
    ifmap_groups: Any
    weight_groups: Any
    output_groups: Any
    delivered_columns: Any
    first_column: Any
    last_column: Any
    loaded_columns: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What a layer costs on a design.

    Parameters
    ----------
    mapping, loops : the mapping chosen and its loop bounds.
    cycles : from the first busy cycle to the last, streams never stalling; 0 where not legal.
    macs : multiply-accumulates of the layer.
    legal : whether the design can run the layer.
    events : kind of component -> event -> component-cycles spent in it (idle included).
    words : level of the memory hierarchy -> traffic -> words moved.
    """

    mapping: Mapping
    loops: Loops
    cycles: Any
    macs: int
    legal: Any
    events: dict[str, dict[str, Any]]
    words: dict[str, dict[str, Any]]


def lanes(bus_bits: Any, word_bits: Any) -> Any:
    """Words a beat carries: the largest power of two of them that fits, 0 if none does."""
    count = bus_bits // word_bits
    for shift in (1, 2, 4, 8):
        count = count | (count >> shift)
    return count - (count >> 1)


def memories(design: Design) -> dict[str, Memory]:
    """The global buffer's memories, all single-port: `ifmap_sram` and `psum_sram`."""
    return {
        "ifmap_sram": Memory(
            depth=design.buffer_kib * HALF_KIB_BITS // design.bus_bits,
            width=design.bus_bits,
            count=design.rows**0,
        ),
        "psum_sram": Memory(
            depth=psum_sram_depth(design),
            width=design.accumulator_bits,
            count=2 * design.columns,
        ),
    }


def check_layer(layer: Layer) -> None:
    """Refuse what no config of this generator can run.

    Raises
    ------
    UserError
        Naming the rule and the value.
    """
    kernel = min(layer.kernel_height, layer.kernel_width)
    rules: tuple[tuple[bool, str, object], ...] = (
        (layer.kind in ("conv", "fc"), "kind must be conv or fc", layer.kind),
        (layer.batch == 1, "batch must be 1", layer.batch),
        (layer.dilation == 1, "dilation must be 1", layer.dilation),
        (layer.groups == 1, "groups must be 1", layer.groups),
        (layer.stride in (1, 2), "stride must be 1 or 2", layer.stride),
        (
            layer.padding < kernel,
            "padding must be less than the kernel's height and width",
            layer.padding,
        ),
        (
            layer.taps <= MAX_TERMS,
            f"taps (C*R*S, products in a sum) must be at most {MAX_TERMS}",
            layer.taps,
        ),
    )
    for holds, text, value in rules:
        if not holds:
            raise UserError(f"layer {layer.name!r}: {text}, not {value!r}")
    for name in ("in_channels", "out_channels", "in_height", "in_width"):
        if getattr(layer, name) > MAX_SIZE:
            raise UserError(
                f"layer {layer.name!r}: {name} must be at most {MAX_SIZE}, "
                f"not {getattr(layer, name)!r}"
            )


def check(config: AcceleratorConfig, layer: Layer) -> None:
    """Refuse a layer that `config` can't run, naming the rule and the value (`UserError`)."""
    check_layer(layer)
    loaded = _columns(layer)[2]
    groups = _ceil(layer.kernel_height, lanes(config.bus_bits, config.activation_bits))
    sram = memories(config)
    rules = (
        ("rows must be at least kernel_height", config.rows, layer.kernel_height),
        ("ifmap_words must be at least kernel_width", config.ifmap_words, layer.kernel_width),
        ("weight_words must be at least kernel_width", config.weight_words, layer.kernel_width),
        (
            "buffer_kib must hold one row of sums in a column's memories: words at least out_width",
            2 * sram["psum_sram"].depth,
            layer.out_width,
        ),
        (
            "buffer_kib must hold one channel of one strip: words at least "
            "columns loaded x beats a column",
            sram["ifmap_sram"].depth,
            loaded * groups,
        ),
    )
    for text, have, need in rules:
        if have < need:
            raise UserError(f"layer {layer.name!r}: {text} ({need}), not {have}")


def check_mapping(config: AcceleratorConfig, layer: Layer, mapping: Mapping) -> None:
    """Refuse a mapping that breaks a rule of the array or its memories (`UserError`)."""
    check(config, layer)
    for letter in ("p", "q", "r", "t", "e"):
        if getattr(mapping, letter) < 1:
            raise UserError(f"mapping {letter} must be at least 1, not {getattr(mapping, letter)}")
    width, bound = layer.kernel_width, loops(config, layer, mapping)
    sram = memories(config)
    tile = mapping.q * mapping.r * bound.ifmap_groups * bound.loaded_columns
    rules = (
        ("q*S must be at most ifmap_words", mapping.q * width, config.ifmap_words),
        ("p*q*S must be at most weight_words", mapping.p * mapping.q * width, config.weight_words),
        ("p must be at most psum_words", mapping.p, config.psum_words),
        ("r*R must be at most rows", mapping.r * layer.kernel_height, config.rows),
        ("t*e must be at most columns", mapping.t * mapping.e, config.columns),
        ("p*F must fit a column", mapping.p * layer.out_width, 2 * sram["psum_sram"].depth),
        ("a pass's input must fit", 0 if bound.resident else tile, sram["ifmap_sram"].depth),
    )
    for text, have, limit in rules:
        if have > limit:
            raise UserError(f"mapping {text} ({limit}), not {have}")


def schedule(design: Design, layer: Layer, mapping: Mapping | None = None) -> Schedule:
    """Cycles, events and words of `layer` on `design`, under the fastest mapping or the given.

    Parameters
    ----------
    design : an `AcceleratorConfig`, or a table of designs: an object with its integer fields
        and `activation_bits`, `weight_bits`, `accumulator_bits` as int64 arrays of one shape.
    mapping : None for the best of `mappings`.

    Raises
    ------
    UserError
        When no design could run the layer (`check_layer`). A design that can't is not an
        error but `legal == False`; ask `check` for the reason.
    """
    check_layer(layer)
    legal, best = best_mapping(design, layer) if mapping is None else (True, mapping)
    bound = loops(design, layer, best)
    total = np.where(legal, _cycles(design, layer, best, bound), 0)
    words = _words(layer, best, bound, total > 0)
    return Schedule(
        mapping=best,
        loops=bound,
        cycles=total[()],
        macs=layer.macs,
        legal=(total > 0)[()],
        events=_events(design, layer, best, bound, total),
        words=words,
    )


def best_mapping(design: Design, layer: Layer) -> tuple[Any, Mapping]:
    """Fewest cycles among `mappings`, design by design: (whether there is one, the mapping)."""
    fewest: Any = np.iinfo(np.int64).max
    chosen: list[Any] = [1] * 5
    for legal, candidate in mappings(design, layer):
        bound = loops(design, layer, candidate)
        cycles = _cycles(design, layer, candidate, bound)
        better = legal & (cycles < fewest)
        fewest = np.where(better, cycles, fewest)
        letters = (candidate.p, candidate.q, candidate.r, candidate.t, candidate.e)
        chosen = [np.where(better, new, old)[()] for new, old in zip(letters, chosen, strict=True)]
    p, q, r, t, e = chosen
    return (fewest < np.iinfo(np.int64).max)[()], Mapping(p=p, q=q, r=r, t=t, e=e)


def mappings(design: Design, layer: Layer) -> Iterator[tuple[Any, Mapping]]:
    """Candidate mappings (whether legal, mapping), each balanced over its passes.

    Columns are shared out between e output rows (as many as the buffer feeds) and t filter
    groups in five ways; channels between q and the number of passes in three: as many as the
    scratchpads hold, half of them, and as many as leave room for all the filters that psum_words
    allows.
    """
    sram = memories(design)
    bank_words = 2 * sram["psum_sram"].depth
    loaded = _columns(layer)[2]
    height, width, channels = layer.kernel_height, layer.kernel_width, layer.in_channels
    ways, step = lanes(design.bus_bits, design.activation_bits), min(layer.stride, height)
    # Output rows whose input, of one channel, fits the buffer.
    tallest = (sram["ifmap_sram"].depth // loaded * ways - height) // step + 1
    whole = design.columns // np.minimum(layer.out_height, design.columns)
    for share in (1, 2, 3, 4, whole):
        side = np.maximum(np.minimum(design.columns // share, tallest), 1)
        e = _ceil(layer.out_height, _ceil(layer.out_height, side))
        fits = sram["ifmap_sram"].depth // (_ceil((e - 1) * step + height, ways) * loaded)
        # A resident input is loaded once whatever a pass takes of it: no limit.
        room = np.where(fits >= channels, 2 * channels, fits)
        most = np.minimum(design.ifmap_words, design.weight_words) // width
        most = np.minimum(np.minimum(most, channels), room)
        legal = (most >= 1) & (design.rows >= height) & (bank_words >= layer.out_width)
        most = np.maximum(most, 1)
        filters = np.minimum(design.psum_words, layer.out_channels)
        for q in (most, (most + 1) // 2, design.weight_words // (width * filters)):
            q = np.clip(q, 1, most)
            r = np.minimum(design.rows // height, np.minimum(_ceil(channels, q), room // q))
            r = np.maximum(r, 1)
            passes = _ceil(channels, q * r)
            q = _ceil(channels, r * passes)
            r = _ceil(channels, q * passes)
            p = np.minimum(filters, design.weight_words // (q * width))
            p = np.maximum(np.minimum(p, bank_words // layer.out_width), 1)
            t = design.columns // e
            groups = _ceil(layer.out_channels, p * t)
            p = _ceil(layer.out_channels, t * groups)
            t = _ceil(layer.out_channels, p * groups)
            yield legal, Mapping(p=p, q=q, r=r, t=t, e=e)


def loops(design: Design, layer: Layer, mapping: Mapping) -> Loops:
    """Loop bounds of `layer` under `mapping`.

    Returns
    -------
    Loops
        strips of e output rows; filter_groups of p*t filters; channel_passes of q*r channels;
        whether the strip's whole input is resident in the buffer; the step between the ifmap
        rows (columns) of neighbouring outputs, unused ones left out; beats to carry one column
        of a channel, one weight of each row, one sum of each column; columns delivered, the
        range [first, last) of them that lies within the map, and its size.
    """
    row_step = min(layer.stride, layer.kernel_height)
    tags = (mapping.e - 1) * row_step + layer.kernel_height
    ifmap_groups = _ceil(tags, lanes(design.bus_bits, design.activation_bits))
    first, last, loaded = _columns(layer)
    room = memories(design)["ifmap_sram"].depth
    return Loops(
        strips=_ceil(layer.out_height, mapping.e),
        filter_groups=_ceil(layer.out_channels, mapping.p * mapping.t),
        channel_passes=_ceil(layer.in_channels, mapping.q * mapping.r),
        resident=layer.in_channels * ifmap_groups * loaded <= room,
        row_step=row_step,
        column_step=min(layer.stride, layer.kernel_width),
        ifmap_groups=ifmap_groups,
        weight_groups=_ceil(
            mapping.r * layer.kernel_height, lanes(design.bus_bits, design.weight_bits)
        ),
        output_groups=_ceil(mapping.t * mapping.e, lanes(design.bus_bits, design.accumulator_bits)),
        delivered_columns=_delivered(layer),
        first_column=first,
        last_column=last,
        loaded_columns=loaded,
    )


def _ceil(dividend: Any, divisor: Any) -> Any:
    return -(-dividend // divisor)


def _delivered(layer: Layer) -> int:
    step = min(layer.stride, layer.kernel_width)
    return (layer.out_width - 1) * step + layer.kernel_width


def _columns(layer: Layer) -> tuple[int, int, int]:
    """Of the delivered columns, the range [first, last) that lies within the map, its size."""
    # Where the stride exceeds the kernel (1 wide), columns between outputs are never sent.
    skip = layer.stride if layer.stride > layer.kernel_width else 1
    first = _ceil(layer.padding, skip)
    last = min(_delivered(layer), _ceil(layer.in_width + layer.padding, skip))
    return first, last, last - first


def _pass_words(layer: Layer, mapping: Mapping, bound: Loops) -> tuple[Any, Any, Any]:
    """Of one pass: weight beats, ifmap beats, and MACs of one PE."""
    weights = mapping.t * mapping.p * mapping.q * layer.kernel_width * bound.weight_groups
    ifmaps = bound.delivered_columns * mapping.q * mapping.r * bound.ifmap_groups
    macs = layer.out_width * mapping.p * mapping.q * layer.kernel_width
    return weights, ifmaps, macs


def _load_beats(layer: Layer, bound: Loops) -> Any:
    """Beats of one load of a strip's whole input, in one go or pass by pass."""
    return bound.loaded_columns * layer.in_channels * bound.ifmap_groups


def _cycles(design: Design, layer: Layer, mapping: Mapping, bound: Loops) -> Any:
    weights, ifmaps, macs = _pass_words(layer, mapping, bound)
    one_pass = weights + ifmaps + macs + mapping.p
    output = mapping.p * layer.out_width * bound.output_groups + OUTPUT_LATENCY
    group = bound.channel_passes * one_pass + design.rows + SETTLE + output
    loads = np.where(bound.resident, 1, bound.filter_groups)
    strip = loads * _load_beats(layer, bound) + bound.filter_groups * group
    return design.columns + bound.strips * strip


def _words(layer: Layer, mapping: Mapping, bound: Loops, legal: Any) -> dict[str, dict[str, Any]]:
    weights, ifmaps, macs = _pass_words(layer, mapping, bound)
    groups = np.where(legal, bound.strips * bound.filter_groups, 0)
    passes = groups * bound.channel_passes
    load = _load_beats(layer, bound)
    loads = np.where(bound.resident, groups // bound.filter_groups, groups)
    sums = mapping.p * layer.out_width
    active = mapping.t * mapping.e
    pes = active * mapping.r * layer.kernel_height
    steps = mapping.q * layer.kernel_width
    written = bound.delivered_columns * mapping.q * pes
    words = {
        "dram": {
            "weight_beats": passes * weights,
            "ifmap_beats": loads * load,
            "output_beats": groups * sums * bound.output_groups,
        },
        "ifmap_sram": {"reads": groups * load, "writes": loads * load},
        "psum_sram": {
            "reads": passes * sums * active,
            "writes": passes * sums * active,
        },
        "network": {"beats": passes * (weights + ifmaps)},
        "scratchpad": {
            "ifmap_reads": passes * macs * pes,
            "ifmap_writes": passes * written,
            "weight_reads": passes * macs * pes,
            "weight_writes": passes * mapping.p * steps * pes,
            "psum_reads": passes * (macs + mapping.p) * pes,
            "psum_writes": passes * macs * pes,
        },
    }
    return {
        level: {name: np.asarray(count)[()] for name, count in of_level.items()}
        for level, of_level in words.items()
    }


def _events(
    design: Design, layer: Layer, mapping: Mapping, bound: Loops, cycles: Any
) -> dict[str, dict[str, Any]]:
    """Component-cycles spent in each event; what is left of count x cycles is idle."""
    legal = cycles > 0
    words = _words(layer, mapping, bound, legal)
    passes = np.where(legal, bound.strips * bound.filter_groups * bound.channel_passes, 0)
    macs = _pass_words(layer, mapping, bound)[2]
    beats = words["network"]["beats"]
    groups = np.where(legal, bound.strips * bound.filter_groups, 0)
    output = words["dram"]["output_beats"] + OUTPUT_LATENCY * groups
    pad = words["scratchpad"]
    sums = mapping.p * layer.out_width * mapping.t * mapping.e
    busy: dict[str, dict[str, Any]] = {
        "pe": {
            "mac": pad["ifmap_reads"],
            "ifmap_write": pad["ifmap_writes"],
            "weight_write": pad["weight_writes"],
        },
        "node": {"beat": beats * design.rows * design.columns},
        "row": {"beat": beats * design.rows, "mac": passes * (macs + mapping.p) * design.rows},
        "bank": {"accumulate": passes * sums, "output": groups * sums},
        "collector": {"output": output},
        "controller": {"run": cycles},
    }
    for kind, events in busy.items():
        events["idle"] = KINDS[kind].count(design) * cycles - sum(events.values())
    return {
        kind: {event: np.asarray(count)[()] for event, count in events.items()}
        for kind, events in busy.items()
    }
