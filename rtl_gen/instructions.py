"""The instructions of one pass, cycle by cycle, as the controller issues them.

What the hardware does in a pass, in numpy: the benches of PE and array, and the stimulus of
gate-level power, are made from it. The pass stands alone: its weights and its first window come
before its slots, and the next pass's do not follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.mapping import Loops, Mapping, loops
from rtl_gen.streams import Codes, grid, ifmap_codes, weight_codes

#: Members of the three parts of an instruction (`hardware.instruction`), but data and `fresh`,
#: by the strobes that give them a meaning.
PARTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("load_weight",): ("load_weight", "weight_target", "weight_group", "weight_write_address"),
    ("load_ifmap",): ("load_ifmap", "ifmap_target", "ifmap_group", "ifmap_write_address"),
    ("mac", "drain"): (
        *("mac", "first", "drain"),
        *("ifmap_read_address", "weight_read_address", "psum_address"),
    ),
}
NAMES = tuple(name for names in PARTS.values() for name in names)

#: Some members of an instruction over some cycles; the others are 0.
Part = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass of T cycles: weights, a window, then slots; at last a flush.

    Parameters
    ----------
    fields : name of `NAMES` -> int64 array (T,).
    weights : lane codes of the weight beats, (weight beats, weight lanes).
    ifmaps : lane codes of the input beats, (ifmap beats, activation lanes).
    """

    fields: dict[str, NDArray[np.int64]]
    weights: Codes
    ifmaps: Codes

    @property
    def cycles(self) -> int:
        """T."""
        return len(self.fields["mac"])


def pass_instructions(
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    ifmap: Codes,
    weights: Codes,
    *,
    strip: int = 0,
    tile: int = 0,
    filter_group: int = 0,
    number: int = 0,
    pause: int | None = None,
) -> Pass:
    """Instructions and data of pass `number` of a group, over codes (N, C, H, W), (M, C', R, S).

    Parameters
    ----------
    pause : None to deliver columns beside multiply-accumulates, as the hardware does; else they
        follow those of a slot, and after each kind of work come so many cycles of nothing.
    """
    bound = loops(config, layer, mapping)
    window = int(bound.kernel_width)
    rest = _nothing(pause or 0)
    parts = [_weights(mapping, bound), rest, _columns(mapping, bound, 0, window), rest]
    for column in range(mapping.f):
        parts += _slot(mapping, bound, column, pause)
    flushed = np.arange(mapping.p)
    parts.append({"drain": np.ones_like(flushed), "psum_address": flushed})
    full = [_together(part) for part in parts]
    # The conv group's own filters.
    size = layer.out_channels // layer.groups
    first = strip // (int(bound.strips) // layer.groups) * size
    own = weights[first : first + size]
    return Pass(
        fields={name: np.concatenate([part[name] for part in full]) for name in NAMES},
        weights=weight_codes(config, layer, mapping, own, filter_group, number),
        ifmaps=ifmap_codes(config, layer, mapping, ifmap, strip, tile, number, delivered=True),
    )


def _slot(mapping: Mapping, bound: Loops, column: int, pause: int | None) -> list[Part]:
    """An output column, and the columns of the map that the next one needs."""
    step, ahead = int(bound.column_step), int(bound.ahead_step)
    new = step if column + 1 < mapping.f else 0
    beside = min(new, ahead) if pause is None else 0
    start = int(bound.kernel_width) + column * step
    rest = _nothing(pause or 0)
    found = [
        _together(
            _macs(mapping, bound, column),
            _columns(mapping, bound, start, beside),
        ),
        *([rest, _columns(mapping, bound, start + beside, new - beside)] if new > beside else []),
    ]
    # A round over the filters must not follow another at once (see hardware/bank.py).
    short = mapping.p + 1 - sum(_length(part) for part in found)
    return [*found, _nothing(max(short, 0)), rest]


def _weights(mapping: Mapping, bound: Loops) -> Part:
    words = mapping.p * mapping.q * int(bound.kernel_width)
    word, target, group = _flat(words, mapping.t, int(bound.weight_groups))
    return {
        "load_weight": np.ones_like(word),
        "weight_target": target,
        "weight_group": group,
        "weight_write_address": word,
    }


def _columns(mapping: Mapping, bound: Loops, first: int, count: int) -> Part:
    """The pass's columns number `first` and on, written to their places in the ring."""
    column, target, channel, group = _flat(count, mapping.r, mapping.q, int(bound.ifmap_groups))
    return {
        "load_ifmap": np.ones_like(column),
        "ifmap_target": target,
        "ifmap_group": group,
        "ifmap_write_address": (first + column) % int(bound.ring_columns) * mapping.q + channel,
    }


def _macs(mapping: Mapping, bound: Loops, column: int) -> Part:
    oldest = column * int(bound.column_step) * mapping.q
    word, filter_ = _flat(mapping.q * int(bound.kernel_width), mapping.p)
    return {
        "mac": np.ones_like(word),
        "first": (word == 0).astype(np.int64),
        "drain": ((word == 0) & (column > 0)).astype(np.int64),
        "ifmap_read_address": (oldest + word) % (int(bound.ring_columns) * mapping.q),
        "weight_read_address": word * mapping.p + filter_,
        "psum_address": filter_,
    }


def _nothing(cycles: int) -> Part:
    return {"mac": np.zeros(cycles, dtype=np.int64)}


def _flat(*sizes: int) -> list[NDArray[np.int64]]:
    return [index[:, 0] for index in grid(*sizes)]


def _length(part: Part) -> int:
    return max(len(values) for values in part.values())


def _together(*parts: Part) -> Part:
    """Parts that begin in the same cycle, with every member, as long as the longest."""
    full = {name: np.zeros(max(map(_length, parts)), dtype=np.int64) for name in NAMES}
    for part in parts:
        for name, values in part.items():
            full[name][: len(values)] = values
    return full
