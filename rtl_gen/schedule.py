"""The schedule of a layer on a design: mapping, cycles, events and words, all in closed form.

Source: Eyeriss (Chen et al., ISCA 2016, section V; JSSC 2017), for the row-stationary loop nest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rtl_gen.components import KINDS, Design
from rtl_gen.cycles import counts, sent_steps, slot_macs, total_cycles
from rtl_gen.layer import Layer
from rtl_gen.mapper import best_mapping, check_layer
from rtl_gen.mapping import Loops, Mapping, legal_mapping, loops
from rtl_gen.traffic import words_moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What a layer costs on a design.

    Parameters
    ----------
    mapping, loops : the mapping and its loop bounds.
    cycles : from the first busy cycle to the last, streams never stalling; 0 where not legal.
    macs : multiply-accumulates of the layer.
    legal : whether the design can run the layer.
    bounds : "compute", "weights", "ifmap", "output" -> cycles that this alone would take: those
        in which PEs multiply, and the beats of each stream. Their largest is the mapping's ideal.
    events : kind of component -> event -> component-cycles with that event. Events may coincide
        (a PE multiplies while it is loaded); "cycle" counts all component-cycles.
    words : level of the memory hierarchy -> traffic -> words moved.
    """

    mapping: Mapping
    loops: Loops
    cycles: Any
    macs: int
    legal: Any
    bounds: dict[str, Any]
    events: dict[str, dict[str, Any]]
    words: dict[str, dict[str, Any]]

    @property
    def ideal(self) -> Any:
        """Cycles that the mapping's scarcest resource is needed."""
        largest: Any = 0
        for cycles in self.bounds.values():
            largest = np.maximum(largest, cycles)
        return largest

    @property
    def bound(self) -> str:
        """Which of `bounds` is the largest (of a single design)."""
        return max(self.bounds, key=lambda name: int(self.bounds[name]))


def schedule(
    design: Design, layer: Layer, mapping: Mapping | None = None, objective: str = "cycles"
) -> Schedule:
    """Cycles, events and words of `layer` on `design`, under the best mapping or the given.

    Parameters
    ----------
    design : an `AcceleratorConfig`, or a table of designs: an object with its integer fields
        and `activation_bits`, `weight_bits`, `accumulator_bits`, `mac_latency`, `has_zero`,
        `weight_macros` as arrays of one shape.
    mapping : None for the best that `mapper.best_mapping` finds for the objective.

    Raises
    ------
    UserError
        When no design could run the layer (`check_layer`). A design that can't is not an
        error but `legal == False`; ask `mapper.check` for the reason.
    """
    check_layer(layer)
    if mapping is None:
        mapping = best_mapping(design, layer, objective)
    bound = loops(design, layer, mapping)
    legal = legal_mapping(design, layer, mapping)
    cycles = np.where(legal, total_cycles(design, layer, mapping, bound), 0)
    words = words_moved(design, layer, mapping, bound, legal)
    groups, passes = counts(bound)
    macs = np.where(legal, passes * mapping.f * slot_macs(mapping, bound), 0)
    sent = np.where(legal, groups * mapping.f * sent_steps(mapping, bound), 0)
    return Schedule(
        mapping=mapping,
        loops=bound,
        cycles=cycles[()],
        macs=layer.macs,
        legal=np.asarray(legal)[()],
        bounds={
            "compute": macs[()],
            "weights": words["dram"]["weight_beats"],
            "ifmap": words["network"]["ifmap_beats"],
            "output": sent[()],
        },
        events=_events(design, mapping, bound, words, macs, cycles),
        words=words,
    )


def _events(
    design: Design,
    mapping: Mapping,
    bound: Loops,
    words: dict[str, dict[str, Any]],
    macs: Any,
    cycles: Any,
) -> dict[str, dict[str, Any]]:
    """Component-cycles with each event."""
    pad, network = words["scratchpad"], words["network"]
    nodes = design.rows * design.columns
    passes = np.where(cycles > 0, counts(bound)[1], 0)
    groups = np.where(cycles > 0, counts(bound)[0], 0)
    sums = mapping.p * mapping.f
    active = mapping.t * mapping.e
    events = {
        "pe": {
            "mac": pad["ifmap_reads"],
            "ifmap_write": pad["ifmap_writes"],
            "weight_write": pad["weight_writes"],
        },
        "node": {
            "ifmap_beat": network["ifmap_beats"] * nodes,
            "weight_beat": network["weight_beats"] * nodes,
        },
        "row": {
            "ifmap_beat": network["ifmap_beats"] * design.rows,
            "weight_beat": network["weight_beats"] * design.rows,
            "mac": macs * design.rows,
        },
        "bank": {"accumulate": passes * sums * active, "output": groups * sums * active},
        "collector": {"accumulate": passes * sums, "output": groups * sums * bound.output_groups},
        "controller": {"run": cycles},
        "control": {"run": cycles},
    }
    for kind, of_kind in events.items():
        of_kind["cycle"] = KINDS[kind].count(design) * cycles
    return {
        kind: {event: np.asarray(count)[()] for event, count in of_kind.items()}
        for kind, of_kind in events.items()
    }
