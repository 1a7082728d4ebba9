"""What an accelerator is made of: the components that are characterized apart and composed.

Every other folder reads this one table: `hardware/` builds the components, `characterize/`
measures them one by one, `models/` fits and sums them, `explore/` weighs their events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: An accelerator configuration, or a table of designs with one array per field (same names).
Design = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of component.

    Parameters
    ----------
    fields : the fields of `AcceleratorConfig` that its hardware depends on, arithmetic aside (and
        aside of what only moves constants, or the width of an address or two).
    events : what one instance can do in a cycle, `idle` being nothing. Events may coincide: a PE
        multiplies in cycles in which it is loaded, and then each costs what it costs above idle.
    count : how many instances a design has, for one design (int) or a table of them (arrays).
    """

    fields: tuple[str, ...]
    events: tuple[str, ...]
    count: Callable[[Design], Any]


KINDS: dict[str, Kind] = {
    "pe": Kind(
        fields=("ifmap_words", "weight_words", "psum_words"),
        events=("mac", "ifmap_write", "weight_write", "idle"),
        count=lambda design: design.rows * design.columns,
    ),
    "node": Kind(
        fields=("bus_bits",),
        events=("ifmap_beat", "weight_beat", "idle"),
        count=lambda design: design.rows * design.columns,
    ),
    "row": Kind(
        fields=("rows", "bus_bits", "ifmap_words", "weight_words", "psum_words"),
        events=("ifmap_beat", "weight_beat", "mac", "idle"),
        count=lambda design: design.rows,
    ),
    "bank": Kind(
        fields=(),
        events=("accumulate", "output", "idle"),
        count=lambda design: design.columns,
    ),
    "collector": Kind(
        fields=("columns", "bus_bits", "buffer_kib"),
        events=("accumulate", "output", "idle"),
        count=lambda design: design.rows**0,
    ),
    "controller": Kind(
        fields=("bus_bits", "ifmap_words", "weight_words", "psum_words", "buffer_kib"),
        events=("run", "idle"),
        count=lambda design: design.rows**0,
    ),
    "control": Kind(
        fields=("bus_bits",),
        events=("run", "idle"),
        count=lambda design: design.rows**0,
    ),
}

#: The kinds whose hardware differs between arithmetics in constants, and the width of an address or
#: two: those that are measured, in one or in several, stand for all.
ANY_ARITHMETIC = ("controller", "control")

#: The kinds whose hardware has one shape in all arithmetics, its words wider or narrower: measured
#: at all sizes in one, and at a few in another, they are a multiple of the one.
ALIKE = ("collector",)

#: The kinds that scratchpads are in.
WITH_SCRATCHPADS = ("pe",)

#: All that can be measured: beside the components of a design, the multiply-accumulate unit of its
#: PEs alone, so that number formats can be compared without their scratchpads. Its hardware depends
#: on the arithmetic only; how much of what it sees fills up a layer depends on the PE's sizes.
MEASURED: dict[str, Kind] = {
    **KINDS,
    "mac": Kind(
        fields=KINDS["pe"].fields, events=("mac", "idle"), count=lambda design: 0 * design.rows
    ),
}
