"""The mapper: which mapping a layer gets on a design, and which layers a design can run.

`best_mapping` chooses among the candidates of `mappings`, for one design or a table of them;
`every_mapping` enumerates all legal ones of a single design.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtl_gen.candidates import alike, candidates, flat_table, smallest_mapping, taken
from rtl_gen.components import Design
from rtl_gen.config import AcceleratorConfig
from rtl_gen.cycles import total_cycles
from rtl_gen.errors import UserError
from rtl_gen.formats import MAX_TERMS
from rtl_gen.layer import Layer
from rtl_gen.mapping import (
    LETTERS,
    Mapping,
    check_mapping,
    is_flat,
    is_phased,
    legal_mapping,
    loops,
    phases,
    pixels,
    widest,
)
from rtl_gen.memories import memories
from rtl_gen.traffic import beats_off_chip

Integers = NDArray[np.int64]
#: What a mapping may be chosen for: the fewest cycles, or the fewest beats off chip. Ties go to
#: the other one.
OBJECTIVES = ("cycles", "dram")
#: Largest channel, filter and map sizes the layer descriptor can carry.
MAX_SIZE = 2**15 - 1


def check_layer(layer: Layer) -> None:
    """Refuse what no config of this generator can run.

    Raises
    ------
    UserError
        Naming the rule and the value.
    """
    if layer.kind == "pool":
        raise UserError(
            f"layer {layer.name!r}: kind must be conv, fc or matmul; pool is a host step"
        )
    if layer.taps > MAX_TERMS:
        raise UserError(
            f"layer {layer.name!r}: taps (C/groups*R*S, products in a sum) must be at most "
            f"{MAX_TERMS}, not {layer.taps!r}"
        )
    sizes = {
        name: getattr(layer, name)
        for name in ("in_channels", "out_channels", "stride", "dilation", "batch")
    }
    sizes["padded height"] = layer.in_height + layer.padding[0] + layer.padding[2]
    sizes["padded width"] = layer.in_width + layer.padding[1] + layer.padding[3]
    for name, size in sizes.items():
        if size > MAX_SIZE:
            raise UserError(
                f"layer {layer.name!r}: {name} must be at most {MAX_SIZE}, not {size!r}"
            )


def check(config: AcceleratorConfig, layer: Layer) -> None:
    """Refuse a layer that `config` can't run even under the smallest mapping (`UserError`)."""
    check_layer(layer)
    check_mapping(config, layer, smallest_mapping(layer))


def best_mapping(design: Design, layer: Layer, objective: str = "cycles") -> Mapping:
    """The best of all `candidates`, design by design; where none is legal, one that is not."""
    if objective not in OBJECTIVES:
        raise UserError(f"objective must be one of {', '.join(OBJECTIVES)}, not {objective!r}")
    table, count = flat_table(design)
    best = _best(table, count, layer, objective)
    letters = {name: getattr(best, name) for name in LETTERS}
    # Nearly all candidates are legal, so only the chosen ones are checked.
    wrong = np.flatnonzero(~np.broadcast_to(legal_mapping(table, layer, best), count))
    if len(wrong):
        others = _best(taken(table, wrong), len(wrong), layer, objective, checked=True)
        for name, values in letters.items():
            values[wrong] = getattr(others, name)
    shape = np.shape(design.rows)
    return Mapping(**{name: _plain(values.reshape(shape)) for name, values in letters.items()})


def _best(
    table: Design, count: int, layer: Layer, objective: str, *, checked: bool = False
) -> Mapping:
    """The best candidate of every design, arrays (count,); `checked`: of the legal ones only."""
    first = kind = np.arange(count)
    if objective == "cycles":
        first, kind = alike(table, count, layer)
    some = taken(table, first)
    rows, every = candidates(some, len(first), layer)

    def cost(chosen: Integers) -> Integers:
        return _cost(taken(some, rows[chosen]), layer, taken(every, chosen), objective, checked)

    chosen = np.arange(len(rows))
    if objective == "cycles":
        # Most candidates take longer to multiply alone than the best one takes in all.
        least = _least_cycles(layer, every)
        limit = cost(_firsts(rows, _lowest(rows, least)))
        chosen = np.flatnonzero(least <= limit[rows])
    tied = chosen[_lowest(rows[chosen], cost(chosen))]
    # Of all designs of a kind with the candidates that are equally good for it, the best.
    times = np.bincount(rows[tied], minlength=len(first))
    owners = np.repeat(np.arange(count), times[kind])
    start = np.repeat(_starts(times)[kind] - _starts(times[kind]), times[kind])
    pairs = tied[start + np.arange(len(owners))]
    best = _firsts(owners, np.arange(len(owners)))
    several = np.flatnonzero(times[kind][owners] > 1)
    if len(several):
        (other,) = (one for one in OBJECTIVES if one != objective)
        design, mapping = taken(table, owners[several]), taken(every, pairs[several])
        lowest = _lowest(owners[several], _cost(design, layer, mapping, other, checked))
        lowest = several[_firsts(owners[several], lowest)]
        best[owners[lowest]] = lowest
    return Mapping(**{name: getattr(every, name)[pairs[best]] for name in LETTERS})


def _starts(times: Integers) -> Integers:
    """Where each begins of things that come so many times."""
    return np.asarray(np.cumsum(times) - times)


def _lowest(rows: Integers, costs: Integers) -> Integers:
    """Which candidates cost their design the least; `rows` are ascending."""
    starts = _firsts(rows, np.arange(len(rows)))
    lowest = np.repeat(np.minimum.reduceat(costs, starts), np.diff(starts, append=len(rows)))
    return np.flatnonzero(costs == lowest)


def _firsts(rows: Integers, chosen: Integers) -> Integers:
    """Of the chosen candidates the first one of each design."""
    return chosen[np.diff(rows[chosen], prepend=-1) > 0]


def _plain(value: Any) -> Any:
    """An int where the design is a single one."""
    return int(value) if np.ndim(value) == 0 else value


def _cost(
    design: Design, layer: Layer, mapping: Mapping, objective: str, checked: bool
) -> Integers:
    """Cycles or beats off chip; past all others where not legal, if that is `checked`."""
    bound = loops(design, layer, mapping)
    if objective == "cycles":
        cost = total_cycles(design, layer, mapping, bound)
    else:
        cost = sum(beats_off_chip(design, layer, mapping, bound).values())
    if checked:
        cost = np.where(legal_mapping(design, layer, mapping), cost, np.iinfo(np.int64).max)
    return np.asarray(cost)


def _least_cycles(layer: Layer, mapping: Mapping) -> Integers:
    """Cycles in which PEs multiply: no mapping takes fewer in all."""
    strips, tiles, times = pixels(layer, mapping)
    rounds = layer.groups * times * _ceil(strips, mapping.e) * tiles
    rounds *= _ceil(layer.out_channels // layer.groups, mapping.p * mapping.t)
    rounds *= _ceil(layer.in_channels // layer.groups, mapping.q * mapping.r)
    taps = layer.kernel_width * mapping.fold_height  # in all folds, of one row
    return np.asarray(rounds * mapping.p * mapping.q * mapping.f * taps)


def mappings(config: AcceleratorConfig, layer: Layer) -> Iterator[Mapping]:
    """The candidates of one design."""
    table, count = flat_table(config)
    rows, every = candidates(table, count, layer)
    for number in range(len(rows)):
        yield Mapping(**{name: int(getattr(every, name)[number]) for name in LETTERS})


def every_mapping(config: AcceleratorConfig, layer: Layer) -> Iterator[Mapping]:
    """All legal mappings of one design in which no loop has anything to spare.

    Balanced: a value that could be smaller with as many rounds of its loop is left out, for it
    would only move zeros.
    """
    check(config, layer)
    sums = int(2 * memories(config)["psum_sram"].depth)
    channels, filters = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    tall = [n for n in range(1, layer.kernel_height + 1) if layer.kernel_height % n == 0]
    wide = [n for n in range(1, layer.kernel_width + 1) if layer.kernel_width % n == 0]
    whole = widest(layer)
    across = [whole] if is_phased(layer) else _steps(whole, min(whole, sums))
    for fold_height, fold_width, f in itertools.product(tall, wide, across):
        rows = _ceil(whole, f) if is_flat(layer) else _ceil(layer.out_height, phases(layer))
        for e, q, p in itertools.product(
            _steps(rows, config.columns),
            _steps(channels, config.ifmap_words),
            _steps(filters, config.psum_words),
        ):
            for r in _steps(_ceil(channels, q), config.rows):
                for t in _steps(_ceil(filters, p), config.columns // e):
                    mapping = Mapping(
                        p=p,
                        q=q,
                        r=r,
                        t=t,
                        e=e,
                        f=f,
                        fold_height=fold_height,
                        fold_width=fold_width,
                    )
                    if legal_mapping(config, layer, mapping):
                        yield mapping


def _steps(total: int, most: int) -> list[int]:
    """The sizes up to `most` that no smaller one equals in rounds of `total`."""
    sizes = range(1, min(total, most) + 1)
    return [n for n in sizes if n == 1 or _ceil(total, n) < _ceil(total, n - 1)]


def _ceil(dividend: Any, divisor: Any) -> Any:
    return -(-dividend // divisor)
