"""The longest path of an accelerator, from segments of its components.

A path begins at a registers' clock in one component, goes through others, and ends at registers;
what it takes in each is a segment (`rtl_gen.interfaces`). Needs numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.features import Array
from rtl_gen.interfaces import (
    CLOCK,
    CONNECTIONS,
    FALL,
    INTERFACES,
    MEMORIES,
    RESET,
    End,
    inputs_in_order,
    segment_name,
)

#: Kind of component -> segment -> ns.
Segments = Mapping[str, Mapping[str, Array]]

_ORDER = tuple(inputs_in_order())


def path_periods(segments: Segments, access_ns: Mapping[str, Array]) -> dict[str, Array]:
    """The clock period that paths need which end in each group of inputs.

    Parameters
    ----------
    segments : what is not there is no path.
    access_ns : memory (`rtl_gen.memories`) -> when its word is there after the clock's edge.

    Returns
    -------
    dict
        "KIND.GROUP" -> ns.
    """
    arrivals = arrivals_of(segments, access_ns)
    found = {}
    for (kind, group), arrival in arrivals.items():
        known = segments[kind]
        needs = []
        if (rest := known.get(segment_name(group, CLOCK))) is not None:
            needs.append(arrival + rest)
        if (rest := known.get(segment_name(group, FALL))) is not None:
            needs.append(2 * (arrival + rest))  # the clock falls after half of the period
        if needs:
            found[f"{kind}.{group}"] = np.maximum.reduce(needs)
    return found


def arrivals_of(segments: Segments, access_ns: Mapping[str, Array]) -> dict[End, Array]:
    """Group of inputs -> when the last of them is there after the clock's edge, in ns."""
    arrivals: dict[End, Array] = {
        end: np.asarray(access_ns[memory])
        for end, memory in MEMORIES.items()
        if memory in access_ns
    }
    for end in _ORDER:
        found = [
            launch
            for (kind, out), sinks in CONNECTIONS.items()
            if end in sinks
            for launch in _launches(segments[kind], kind, out, arrivals)
        ]
        if found:
            arrivals[end] = np.maximum.reduce(found)
    return arrivals


def _launches(
    known: Mapping[str, Array], kind: str, out: str, arrivals: Mapping[End, Array]
) -> list[Array]:
    """When an output is there, by registers of its component, and by each group of inputs."""
    found = []
    if (launch := known.get(segment_name(CLOCK, out))) is not None:
        found.append(launch)
    for entry, end in INTERFACES[kind].through:
        way = known.get(segment_name(entry, out))
        if end == out and way is not None and (kind, entry) in arrivals:
            found.append(arrivals[kind, entry] + way)
    return found


def needed(highest: Mapping[str, Mapping[str, float]], period_ns: float) -> dict[str, set[str]]:
    """Kind -> the segments that may lie on a path longer than a period, or behind a memory.

    Parameters
    ----------
    highest : kind -> segment -> its largest value in ns.
    period_ns : that no accelerator is faster than.
    """
    segments = {
        kind: {name: np.asarray(value) for name, value in known.items()}
        for kind, known in highest.items()
    }
    # A memory may answer as late as that, so what is behind one may always matter.
    late = {memory: np.asarray(period_ns) for memory in MEMORIES.values()}
    found: dict[str, set[str]] = {kind: set() for kind in INTERFACES}
    periods = path_periods(segments, late)
    waiting = [
        (kind, group)
        for kind, known in INTERFACES.items()
        for group in (*known.inputs, RESET)
        if periods.get(f"{kind}.{group}", 0.0) > period_ns
    ]
    for kind, group in waiting:
        found[kind] |= {segment_name(group, to) for to in (CLOCK, FALL)}
    seen = set(waiting)
    while waiting:
        sink = waiting.pop()
        for (kind, out), sinks in CONNECTIONS.items():
            if sink not in sinks:
                continue
            entries = [entry for entry, end in INTERFACES[kind].through if end == out]
            found[kind] |= {segment_name(start, out) for start in (CLOCK, *entries)}
            more = {(kind, entry) for entry in entries} - seen
            seen |= more
            waiting += more
    return {
        kind: {name for name in names if name in highest.get(kind, {})}
        for kind, names in found.items()
    }
