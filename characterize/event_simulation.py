"""Event-driven simulation of a mapped netlist with a delay for every arc: what zero delay misses.

Delays are inertial: an output whose change is still on its way when its inputs take the cause back
does not change, so that a pulse shorter than the gate's delay dies in it. A cycle begins with the
clock's edge, at which flip-flops take their values and the inputs change, and ends when nothing
moves any more: how long that takes is known, and the next cycle begins after it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from characterize.event_netlist import (
    CLOCK,
    DELAYS,
    FS_PER_NS,
    INPUTS,
    OUTPUT,
    PINS,
    TABLE,
    EventNetlist,
)

Integers = NDArray[np.int64]
Bits = NDArray[np.uint8]
Queue = list[Any]  # of (key, net), as heapq keeps it
F = TypeVar("F", bound=Callable[..., Any])

#: An event's key is its time in fs, then its order among those of that time: the first scheduled
#: is the first to happen. 24 of 63 bits leave half a millisecond to a cycle.
_ORDER_BITS = 24
_NONE = -1


def _compiled(function: F) -> F:
    """numba.njit with a type; the machine code is kept beside this file."""
    return cast(F, numba.njit(cache=True)(function))


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What came out for one lane.

    Parameters
    ----------
    toggles : mask -> (nets,), changes in the cycles of the mask, glitches included.
    settled : (cycles, nets), the value of every net at the end of every cycle.
    filtered : (nets,), pulses that died in a gate, over all cycles.
    settle_ns : when the last change of any cycle came, after the clock's edge.
    """

    toggles: Mapping[str, Integers]
    settled: Bits
    filtered: Integers
    settle_ns: float


def simulate_events(
    netlist: EventNetlist,
    start: Bits,
    inputs: Bits,
    masks: Mapping[str, NDArray[np.bool_]],
) -> Events:
    """Runs one lane from a settled cycle on.

    Parameters
    ----------
    start : (nets,), the settled values of cycle 0.
    inputs : (cycles, inputs), the values of `netlist.inputs` in every cycle; those of cycle 0
        must be those of `start`.
    masks : (cycles,) each, the cycles to count in; nothing is counted in cycle 0.
    """
    chosen = np.array([*masks.values()], np.bool_).reshape(len(masks), len(inputs))
    toggles, settled, filtered, last = _run(
        netlist, start.astype(np.uint8), np.ascontiguousarray(inputs, np.uint8), chosen
    )
    return Events(
        toggles=dict(zip(masks, toggles, strict=True)),
        settled=settled,
        filtered=filtered,
        settle_ns=last / FS_PER_NS,
    )


@_compiled
def _evaluate(net: EventNetlist, values: Bits, gate: int) -> tuple[int, int]:
    """The joint state of a gate's inputs, and the output that it leads to."""
    state = 0
    for i in range(net.gates[gate, INPUTS]):
        state |= int(values[net.pins[net.gates[gate, PINS] + i]]) << i
    return state, int(net.tables[net.gates[gate, TABLE] + state])


@_compiled
def _delay(net: EventNetlist, gate: int, pin: int, state: int, edge: int) -> int:
    """From a change of the pin that led to this state to the output's edge, in fs."""
    at = (((pin << net.gates[gate, INPUTS]) | state) << 1) | edge
    return int(net.delays[net.gates[gate, DELAYS] + at])


@_compiled
def _schedule(queue: Queue, pending: Integers, output: int, at_fs: int, order: int) -> int:
    """Puts a change on its way to a net; the order of the next one."""
    pending[output] = (at_fs << _ORDER_BITS) | order
    heapq.heappush(queue, (pending[output], output))
    return order + 1


@_compiled
def _edge(net: EventNetlist, values: Bits, inputs: Bits, pending: Integers, queue: Queue) -> int:
    """The clock rises: flip-flops take what stands at them, and the inputs begin to change."""
    order = 0
    for gate in range(net.registers):
        state, taken = _evaluate(net, values, gate)
        output = net.gates[gate, OUTPUT]
        if taken != values[output]:
            wait = _delay(net, gate, net.gates[gate, CLOCK], state, taken)
            order = _schedule(queue, pending, output, wait, order)
    for i in range(len(net.inputs)):
        if inputs[i] != values[net.inputs[i]]:
            wait = net.input_delays[i, inputs[i]]
            order = _schedule(queue, pending, net.inputs[i], wait, order)
    return order


@_compiled
def _settle(
    net: EventNetlist,
    values: Bits,
    pending: Integers,
    queue: Queue,
    order: int,
    changes: Integers,
    filtered: Integers,
) -> int:
    """Event by event until nothing moves; the time of the last change in fs."""
    last = 0
    while len(queue):
        key, changed = heapq.heappop(queue)
        if pending[changed] != key:
            continue  # it was taken back
        pending[changed] = _NONE
        values[changed] ^= 1
        changes[changed] += 1
        last = key >> _ORDER_BITS
        for i in range(net.first_reader[changed], net.first_reader[changed + 1]):
            gate = net.readers[i, 0]
            state, becomes = _evaluate(net, values, gate)
            output = net.gates[gate, OUTPUT]
            if pending[output] != _NONE:
                if becomes == values[output]:
                    pending[output] = _NONE
                    filtered[output] += 1
            elif becomes != values[output]:
                at_fs = last + _delay(net, gate, net.readers[i, 1], state, becomes)
                order = _schedule(queue, pending, output, at_fs, order)
    return last


@_compiled
def _run(
    net: EventNetlist, values: Bits, inputs: Bits, masks: NDArray[np.bool_]
) -> tuple[Integers, Bits, Integers, int]:
    """All cycles: toggles by mask, settled values, filtered pulses, time of the last change."""
    toggles = np.zeros((len(masks), len(values)), np.int64)
    settled = np.zeros((len(inputs), len(values)), np.uint8)
    settled[0] = values
    filtered = np.zeros(len(values), np.int64)
    changes = np.zeros(len(values), np.int64)
    pending = np.full(len(values), _NONE)  # the key of the change that is on its way to a net
    last = 0
    for t in range(1, len(inputs)):
        queue = [(np.int64(0), np.int64(0)) for _ in range(0)]
        changes[:] = 0
        for clock in net.clock:
            values[clock] = 1
        order = _edge(net, values, inputs[t], pending, queue)
        last = max(last, _settle(net, values, pending, queue, order, changes, filtered))
        for clock in net.clock:
            values[clock] = 0
        settled[t] = values
        for m in range(len(masks)):
            if masks[m, t]:
                toggles[m] += changes
    return toggles, settled, filtered, last
