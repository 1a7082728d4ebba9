"""Candidate mappings: a few ways to lay a layer on a design, over a whole table of designs at once.

Of the thousands of legal mappings of a layer (`mapper.every_mapping`) some ten to thirty differ
from each other and fill scratchpads, rows and columns. The table is worked off flat: one row a
candidate of a design, and none twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtl_gen.components import Design
from rtl_gen.config import INTEGER_FIELDS
from rtl_gen.layer import Layer
from rtl_gen.mapping import (
    LETTERS,
    MAX_COLUMNS,
    MAX_TAGS,
    Mapping,
    is_flat,
    is_phased,
    phases,
    widest,
)
from rtl_gen.memories import memories, weight_pass_words

Integers = NDArray[np.int64]
#: Ways to share out the columns: to e output rows all of them, a half, a third, a quarter.
_SHARES = (1, 2, 3, 4)
_BITS = ("activation_bits", "weight_bits", "accumulator_bits")
_FIELDS = (*INTEGER_FIELDS, *_BITS, "weight_macros", "mac_latency", "has_zero")


def flat_table(design: Design) -> tuple[Design, int]:
    """The designs as a table of one dimension, and how many; what all share is a plain number."""
    count = int(np.size(design.rows))
    fields: dict[str, Any] = {}
    for name in _FIELDS:
        values = np.asarray(getattr(design, name), dtype=np.int64).ravel()
        same = values.size and (values == values[0]).all()
        fields[name] = values[0] if same else values
    return SimpleNamespace(**fields), count


def taken(values: Any, index: Any) -> Any:
    """Rows of an array, or of all arrays of a table or a mapping; plain numbers stay."""
    if isinstance(values, np.ndarray) and values.ndim:
        return values[index]
    if isinstance(values, SimpleNamespace):
        return SimpleNamespace(**{name: taken(one, index) for name, one in vars(values).items()})
    if isinstance(values, Mapping):
        return Mapping(**{name: taken(getattr(values, name), index) for name in LETTERS})
    return values


def alike(design: Design, count: int, layer: Layer) -> tuple[Integers, Integers]:
    """The designs of a table by what of them the cycles of this layer's candidates depend on.

    Scratchpads and memories larger than a layer can use make no difference.

    Returns
    -------
    first, kind : a design of each kind, and the kind of each design.
    """
    channels, filters = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    window = 2 * channels * layer.kernel_width
    psums = np.minimum(design.psum_words, filters)
    sums = 2 * memories(design)["psum_sram"].depth
    key, size = np.zeros(count, dtype=np.int64), 1
    for values in (
        *(design.rows, design.columns, design.bus_bits, psums),
        *(design.activation_bits, design.weight_bits, design.accumulator_bits),
        *(design.weight_macros, design.mac_latency, design.has_zero),
        np.minimum(design.ifmap_words, window),
        np.minimum(design.weight_words, window * psums),
        np.minimum(sums, psums * widest(layer)),
    ):
        radix = int(np.max(values)) + 1
        if size * radix >= 2**63:
            key, size = np.unique(key, return_inverse=True)[1], count
        key, size = key * radix + values, size * radix
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    return first, kind


def candidates(design: Design, count: int, layer: Layer) -> tuple[Integers, Mapping]:
    """All candidates of a table, design by design: the design of each, and its mapping.

    Every design has one; not all need be legal.

    Filters are folded as little as the array allows, and again row by row. Columns are shared out
    between e output rows and t filter groups in several ways. A window's q channels leave room
    in the ring for the next window, for the next step, or for nothing. Weights fill half of
    their scratchpads (so that the next pass's are loaded beside), or all. The smallest mapping
    is there for designs so small that none of these is legal.
    """
    pieces: list[tuple[Integers, Mapping]] = [(np.arange(count), smallest_mapping(layer))]
    width = _fewest_parts(
        layer.kernel_width, np.minimum(design.ifmap_words, weight_pass_words(design))
    )
    low = _fewest_parts(layer.kernel_height, design.rows)
    spare = (low != layer.kernel_height) & (design.rows % (layer.kernel_height // low) != 0)
    for height, where in ((low, True), (layer.kernel_height, spare)):
        rows = np.flatnonzero(np.broadcast_to(where, count))
        if len(rows):
            every, parts = (
                np.broadcast_to(one, count)[rows].astype(np.int64) for one in (height, width)
            )
            pieces += [
                (rows[chosen], mapping)
                for chosen, mapping in _filled(taken(design, rows), len(rows), layer, every, parts)
            ]
    owners = np.concatenate([rows for rows, _ in pieces])
    # Two bytes are sorted ten times as fast as eight.
    order = np.argsort(owners.astype(np.min_scalar_type(count)), kind="stable")
    letters = {}
    for name in LETTERS:
        values = [np.broadcast_to(getattr(mapping, name), len(rows)) for rows, mapping in pieces]
        letters[name] = np.concatenate(values)[order]
    return owners[order], Mapping(**letters)


def smallest_mapping(layer: Layer) -> Mapping:
    """One filter tap, channel, filter and output at a time: legal wherever any mapping is."""
    return Mapping(
        p=1,
        q=1,
        r=1,
        t=1,
        e=1,
        f=widest(layer) if is_phased(layer) else 1,
        fold_height=layer.kernel_height,
        fold_width=layer.kernel_width,
    )


def _fewest_parts(size: int, limit: Any) -> Any:
    """The smallest number of equal parts of `size` so that one is at most `limit`."""
    parts: Any = size * limit**0
    for count in range(size, 0, -1):
        if size % count == 0:
            parts = np.where(size // count <= limit, count, parts)
    return parts


def _filled(
    design: Design, count: int, layer: Layer, fold_height: Integers, fold_width: Integers
) -> Iterator[tuple[Integers, Mapping]]:
    """The candidates of one way to fold, by how the scratchpads are filled."""
    height, width = layer.kernel_height // fold_height, layer.kernel_width // fold_width
    channels, filters = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    room = width, np.minimum(layer.stride, width), 0
    seen: list[Integers] = []
    for beside in room:
        for passes_held in (2, 1):
            weights = np.minimum(design.weight_words // passes_held, weight_pass_words(design))
            most = np.minimum(design.ifmap_words // (width + beside), weights // width)
            q = np.maximum(np.minimum(most, channels), 1)
            r = np.minimum(design.rows // height, channels)
            passes = _ceil(channels, q * r)
            q = _ceil(channels, r * passes)
            r = _ceil(channels, q * passes)
            p = np.minimum(np.minimum(design.psum_words, filters), weights // (q * width))
            new = _unseen(seen, q << 32 | np.maximum(p, 1))
            if len(new):
                folds = {"fold_height": fold_height[new], "fold_width": fold_width[new]}
                part = Mapping(p=np.maximum(p, 1)[new], q=q[new], r=r[new], t=1, e=1, f=1, **folds)
                for chosen, mapping in _spread(taken(design, new), layer, part, filters):
                    yield new[chosen], mapping


def _spread(
    design: Design, layer: Layer, part: Mapping, filters: int
) -> Iterator[tuple[Integers, Mapping]]:
    """The candidates of one way to fill the scratchpads, by who gets the columns."""
    sums = 2 * memories(design)["psum_sram"].depth
    height = layer.kernel_height // part.fold_height
    seen: list[Integers] = []
    for share in _SHARES:
        for e, f in _outputs(design, layer, height, part.p, sums, share):
            narrow = np.maximum(np.minimum(part.p, sums // f), 1)
            t = np.maximum(design.columns // e, 1)
            groups = _ceil(filters, narrow * t)
            t = np.minimum(t, _ceil(filters, narrow * groups))
            p = _ceil(filters, t * groups)
            new = _unseen(seen, ((e << 8 | t) << 12 | p) << 32 | f)
            new = new[(f <= sums)[new]]
            if len(new):
                found = {"p": p, "q": part.q, "r": part.r, "t": t, "e": e, "f": f}
                folds = {name: getattr(part, name) for name in ("fold_height", "fold_width")}
                yield new, taken(Mapping(**found, **folds), new)


def _unseen(seen: list[Integers], keys: Integers) -> Integers:
    """Where the keys differ from all seen so far, which they join."""
    new = np.ones(keys.shape, dtype=bool)
    for one in seen:
        new &= keys != one
    seen.append(keys)
    return np.flatnonzero(new)


def _outputs(
    design: Design, layer: Layer, height: Any, p: Any, sums: Any, share: int
) -> Iterator[tuple[Any, Any]]:
    """Output rows side by side and columns in a row, (e, f), with room for p sums each.

    height : rows of the filter in a pass.
    """
    side = np.maximum(design.columns // share, 1) * p**0
    fewest = np.clip(sums // p, 1, MAX_COLUMNS)
    whole = widest(layer)
    if is_flat(layer):
        strips = _ceil(whole, side * fewest)
        f = _ceil(whole, side * strips)
        rows = _ceil(whole, f)
        yield _ceil(rows, _ceil(rows, side)), f
        return
    # The tags of the network limit how many rows a strip may span.
    side = np.minimum(side, (MAX_TAGS - height) // np.minimum(layer.stride, height) + 1)
    rows = _ceil(layer.out_height, phases(layer))
    e = _ceil(rows, _ceil(rows, side))
    if not is_phased(layer):
        yield e, _ceil(whole, _ceil(whole, fewest))
    yield e, whole * e**0


def _ceil(dividend: Any, divisor: Any) -> Any:
    return -(-dividend // divisor)
