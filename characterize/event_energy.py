"""Energy of events: what a component takes in the cycles of each, by part.

An event's energy is an idle cycle's and all that the event's work takes above idling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from characterize.netlist import Netlist
from characterize.power import PowerReport
from characterize.stimulus import Stimulus

#: Cycles that an event's work goes on in pipelines and registers after it, at most, while nothing
#: else begins: no component is deeper. Work that takes less adds nothing in the rest of them.
TAIL = 8

IDLE = "idle"
SCRATCHPAD = "scratchpad"
DATAPATH = "datapath"
#: Mask of all cycles after reset, beside those of the events.
ALL = "all cycles"


def event_spans(stimulus: Stimulus, events: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Event -> the cycles in which its work goes on: its own, and up to `TAIL` after them in which
    no event is; (cycles,) each."""
    free = ~np.logical_or.reduce(list(stimulus.events.values()))
    spans = {}
    for name in events:
        spans[name] = stimulus.events[name].copy()
        for _ in range(TAIL if name != IDLE else 0):
            spans[name][1:] |= spans[name][:-1] & free[1:]
    return spans


def event_energies(
    reports: Mapping[str, PowerReport],
    parts: Mapping[str, NDArray[np.bool_]],
    clock_ns: float,
    stimulus: Stimulus,
    spans: Mapping[str, NDArray[np.bool_]],
) -> dict[str, dict[str, float]]:
    """Event -> part -> energy of a cycle with it: an idle one's, and all that the event's span
    takes above idling, shared out among its own cycles."""
    found = {name: energies(reports[name], parts, clock_ns) for name in spans}
    result = {}
    for name, span in spans.items():
        more = float(span.sum() / stimulus.events[name].sum())
        result[name] = {
            part: found[IDLE][part] + more * (energy - found[IDLE][part])
            for part, energy in found[name].items()
        }
    return result


def parts_of(netlist: Netlist) -> dict[str, NDArray[np.bool_]]:
    """Part -> which instances belong to it: what lies in a scratchpad, and all the rest."""
    inside = np.array(
        [SCRATCHPAD in instance.name.rpartition(".")[0] for instance in netlist.instances], np.bool_
    )
    return {DATAPATH: ~inside, SCRATCHPAD: inside} if inside.any() else {DATAPATH: ~inside}


def energies(
    report: PowerReport, parts: Mapping[str, NDArray[np.bool_]], clock_ns: float
) -> dict[str, float]:
    """Dynamic energy of a cycle in pJ by part; mW times ns is pJ.

    What the nets of the inputs take counts as datapath: their pins are this component's.
    """
    found = {name: report.of(mask) for name, mask in parts.items()}
    result = {
        name: (part.internal_mw + part.switching_mw) * clock_ns for name, part in found.items()
    }
    result[DATAPATH] += report.inputs_mw * clock_ns
    result["clock"] = report.clock_mw * clock_ns
    return result
