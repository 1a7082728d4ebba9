"""The instructions of one channel pass, cycle by cycle, as the controller issues them.

What the hardware does in a pass, in numpy: the benches of PE and array, and the stimulus of
gate-level power, are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.schedule import Mapping, lanes, loops
from rtl_gen.streams import Codes, grid, skip, taken, weight_codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One channel pass: T cycles of weights, then columns delivered and computed, then a flush.

    Parameters
    ----------
    fields : member of `hardware.instruction` (but data and fresh) -> int64 array (T,).
    weights : lane codes of the weight beats, (weight beats, weight lanes).
    ifmaps : lane codes of the input beats, (ifmap beats, activation lanes), padding as 0.
    """

    fields: dict[str, NDArray[np.int64]]
    weights: Codes
    ifmaps: Codes

    @property
    def cycles(self) -> int:
        """T."""
        return len(self.fields["mac"])


NAMES = (
    *("load_weight", "load_ifmap", "target", "group", "mac", "first", "drain"),
    *("ifmap_address", "weight_address", "psum_address"),
)


def pass_instructions(
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    ifmap: Codes,
    weights: Codes,
    *,
    strip: int = 0,
    filter_group: int = 0,
    channel_pass: int = 0,
) -> Pass:
    """Instructions and data of one pass over codes (1, C, H, W) and (M, C, R, S)."""
    bound = loops(config, layer, mapping)
    parts = [_weight_part(layer, mapping, int(bound.weight_groups))]
    slot = 0
    for column in range(layer.out_width):
        new = layer.kernel_width if column == 0 else int(bound.column_step)
        deliver, slot = _deliver_part(layer, mapping, int(bound.ifmap_groups), new, slot)
        parts += [deliver, _compute_part(layer, mapping, slot, column)]
    flushed = np.arange(mapping.p)
    parts.append({"drain": np.ones_like(flushed), "psum_address": flushed})
    zeros = dict.fromkeys(NAMES, 0)
    full = []
    for part in parts:
        length = max(len(value) for value in part.values())
        full.append({name: np.broadcast_to(part.get(name, zeros[name]), length) for name in NAMES})
    return Pass(
        fields={name: np.concatenate([part[name] for part in full]) for name in NAMES},
        weights=weight_codes(config, layer, mapping, weights, filter_group, channel_pass),
        ifmaps=_ifmap_codes(config, layer, mapping, ifmap, strip, channel_pass),
    )


Part = dict[str, NDArray[np.int64]]


def _flat(*sizes: int) -> list[NDArray[np.int64]]:
    return [index[:, 0] for index in grid(*sizes)]


def _weight_part(layer: Layer, mapping: Mapping, groups: int) -> Part:
    words = mapping.p * mapping.q * layer.kernel_width
    word, target, group = _flat(words, mapping.t, groups)
    return {
        "load_weight": np.ones_like(word),
        "target": target,
        "group": group,
        "weight_address": word,
    }


def _deliver_part(
    layer: Layer, mapping: Mapping, groups: int, columns: int, slot: int
) -> tuple[Part, int]:
    """`columns` columns written from word `slot` on, and the word after the last."""
    window = mapping.q * layer.kernel_width
    column, target, channel, group = _flat(columns, mapping.r, mapping.q, groups)
    return {
        "load_ifmap": np.ones_like(column),
        "target": target,
        "group": group,
        "ifmap_address": (slot + column * mapping.q) % window + channel,
    }, (slot + columns * mapping.q) % window


def _compute_part(layer: Layer, mapping: Mapping, slot: int, column: int) -> Part:
    window = mapping.q * layer.kernel_width
    word, filter_ = _flat(window, mapping.p)
    return {
        "mac": np.ones_like(word),
        "first": (word == 0).astype(np.int64),
        "drain": ((word == 0) & (column > 0)).astype(np.int64),
        "ifmap_address": (slot + word) % window,
        "weight_address": word * mapping.p + filter_,
        "psum_address": filter_,
    }


def _ifmap_codes(
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    ifmap: Codes,
    strip: int,
    channel_pass: int,
) -> Codes:
    bound = loops(config, layer, mapping)
    count = int(lanes(config.bus_bits, config.activation_bits))
    column, row_set, channel, group = grid(
        bound.delivered_columns, mapping.r, mapping.q, bound.ifmap_groups
    )
    tag = group * count + np.arange(count)
    row = strip * mapping.e * bound.row_step + tag
    row = row * skip(layer, layer.kernel_height) - layer.padding
    row = np.where(tag < (mapping.e - 1) * bound.row_step + layer.kernel_height, row, -1)
    column = column * skip(layer, layer.kernel_width) - layer.padding
    channel = (channel_pass * mapping.r + row_set) * mapping.q + channel
    return taken(ifmap[0], (channel, row, column))
