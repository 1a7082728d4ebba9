"""A netlist as the event-driven simulator takes it: truth tables, readers by net, delays in fs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from characterize.boolean import Expression, evaluate
from characterize.cells import Cell, FlipFlop, Library
from characterize.delays import Arc, Delays
from characterize.netlist import ONE, ZERO, Instance, Netlist
from rtl_gen.errors import UserError

Integers = NDArray[np.int64]
#: Of a gate: the net it drives, how many inputs it has, where its pins, truth table and delays
#: begin, and the pin that clocks it, or -1.
OUTPUT, INPUTS, PINS, TABLE, DELAYS, CLOCK = range(6)
FS_PER_NS = 1e6
_NEVER = -1


class EventNetlist(NamedTuple):
    """One gate for every output of every instance; those of flip-flops come first.

    A named tuple, which compiled code takes as it is.

    Parameters
    ----------
    gates : (gates, 6), columns as named above. registers : how many of them are clocked.
    pins : the nets of the gates' inputs, behind one another.
    tables : the output by the state of the inputs (of a register: what it takes), lowest pin first.
    delays : in fs, at ((pin << inputs | state) << 1 | edge) of every gate: for the pin that caused
        the change, the state it led to, and the edge at the output, 1 for a rise.
    first_reader, readers : (nets + 1,) and (readers, 2): the gates, and which pin of theirs, that
        a net drives.
    inputs : (inputs,) nets of the input ports but the clock. input_delays : (inputs, 2) in fs,
        fall and rise: what their drivers take after the clock's edge.
    clock : its nets.
    """

    gates: Integers
    registers: int
    pins: Integers
    tables: NDArray[np.uint8]
    delays: Integers
    first_reader: Integers
    readers: Integers
    inputs: Integers
    input_delays: Integers
    clock: Integers


def event_netlist(
    netlist: Netlist, library: Library, delays: Delays, *, clock_port: str = "clk"
) -> EventNetlist:
    """The netlist with its delays.

    The inputs change when a flip-flop's output would: the median clock-to-output delay of the
    netlist's own ones after the edge, if it has any, and what their driving cell takes.

    Raises
    ------
    UserError : a latch, a clock gate, a flip-flop that is set or cleared without its clock, whose
        clock is not the clock's port, or an output without any delay.
    """
    clock = netlist.ports[clock_port].nets if clock_port in netlist.ports else np.zeros(0, np.int64)
    clocks, tied = set(clock.tolist()), _tied(netlist, library)
    found: list[_Gate] = []
    for instance in netlist.instances:
        found += _gates(instance, library.cell(instance.type), delays, clocks, tied)
    found.sort(key=lambda gate: gate.clock < 0)
    registers = sum(gate.clock >= 0 for gate in found)
    sizes = np.array([len(gate.nets) for gate in found], np.int64)
    gates = np.array(
        [[gate.output, len(gate.nets), 0, 0, 0, gate.clock] for gate in found], np.int64
    ).reshape(-1, 6)
    for column, lengths in (
        (PINS, sizes),
        (TABLE, 1 << sizes),
        (DELAYS, (sizes << sizes) * 2),
    ):
        gates[:, column] = np.cumsum(lengths) - lengths
    readers = [
        (net, number, pin)
        for number, gate in enumerate(found)
        if gate.clock < 0
        for pin, net in enumerate(gate.nets)
    ]
    by_net = np.array(sorted(readers), np.int64).reshape(-1, 3)
    launch = np.median([gate.delays[gate.clock].max() for gate in found[:registers]] or [0])
    names = _input_names(netlist, clock_port)
    return EventNetlist(
        gates=gates,
        registers=registers,
        pins=np.concatenate([np.zeros(0, np.int64), *(np.array(g.nets, np.int64) for g in found)]),
        tables=np.concatenate([np.zeros(0, np.uint8), *(gate.table for gate in found)]),
        delays=np.concatenate([np.zeros(0, np.int64), *(gate.delays.ravel() for gate in found)]),
        first_reader=np.searchsorted(by_net[:, 0], np.arange(netlist.nets + 1)),
        readers=by_net[:, 1:],
        inputs=np.array([net for _, net in names], np.int64),
        input_delays=np.array(
            [[launch + _fs(ns) for ns in delays.inputs.get(n, (0.0, 0.0))[::-1]] for n, _ in names],
            np.int64,
        ).reshape(-1, 2),
        clock=clock,
    )


def _tied(netlist: Netlist, library: Library) -> dict[int, bool]:
    """The nets that never move, and their values: constants, and what tie cells drive."""
    tied = {ZERO: False, ONE: True}
    for instance in netlist.instances:
        pins = library.cell(instance.type).pins.values()
        if all(pin.direction == "output" for pin in pins):
            for pin in pins:
                if pin.function is not None:
                    tied[instance.pins[pin.name]] = bool(evaluate(pin.function, {}))
    return tied


def _input_names(netlist: Netlist, clock_port: str) -> list[tuple[str, int]]:
    """The bits of the input ports but the clock, as SDF names them, and their nets."""
    return [
        (name if len(port.nets) == 1 else f"{name}[{bit}]", net)
        for name, port in netlist.ports.items()
        if port.direction == "input" and name != clock_port
        for bit, net in enumerate(port.nets.tolist())
    ]


@dataclass(frozen=True, slots=True)
class _Gate:
    """One output: `delays` are (inputs, states, edges)."""

    output: int
    nets: tuple[int, ...]
    table: NDArray[np.uint8]
    delays: Integers
    clock: int


def _gates(
    instance: Instance, cell: Cell, delays: Delays, clocks: set[int], tied: Mapping[int, bool]
) -> list[_Gate]:
    """The gates of one instance, an output each."""
    if cell.latch or cell.unsupported:
        raise UserError(f"cells must be gates and flip-flops to look for glitches, not {cell.name}")
    pins = [pin.name for pin in cell.pins.values() if pin.direction == "input"]
    nets = tuple(instance.pins[pin] for pin in pins)
    clock = -1
    if cell.flip_flop:
        clock = _clock_pin(instance, cell.flip_flop, pins, clocks, tied)
    elif clocks & set(nets):
        raise UserError(f"the clock must go to flip-flops only, not to {instance.name}")
    arcs = delays.arcs.get(instance.name, ())
    states = np.arange(1 << len(pins))
    values = {pin: (states >> i & 1).astype(np.bool_) for i, pin in enumerate(pins)}
    if store := cell.flip_flop:
        values[store.state] = evaluate(store.next_state, values) & np.ones(len(states), np.bool_)
        values[store.inverse] = ~values[store.state]
    result = []
    for pin in cell.pins.values():
        if pin.direction != "output" or pin.function is None:
            continue
        table = evaluate(pin.function, values) & np.ones(len(states), np.bool_)
        own = [arc for arc in arcs if arc.output == pin.name]
        waits = _table(own, pins, states)
        if set(nets) - tied.keys() and (waits == _NEVER).all():
            raise UserError(f"OpenSTA must give delays to {instance.name}/{pin.name}, it has none")
        waits[waits == _NEVER] = waits.max(initial=0)  # of what can't happen, or is tied
        result.append(_Gate(instance.pins[pin.name], nets, table.astype(np.uint8), waits, clock))
    return result


def _clock_pin(
    instance: Instance,
    store: FlipFlop,
    pins: Sequence[str],
    clocks: set[int],
    tied: Mapping[int, bool],
) -> int:
    """Which pin clocks the flip-flop, when nothing but the rising clock changes it."""
    on = store.clocked_on
    if on.operator != "pin" or instance.pins[on.name] not in clocks:
        raise UserError(f"flip-flops must take at the clock's rising edge, not as {instance.name}")
    fixed = {pin: tied[net] for pin, net in instance.pins.items() if net in tied}
    for force in (store.clear, store.preset):
        if force is not None and not _is_off(force, fixed):
            raise UserError(f"flip-flops must have no set or reset, {instance.name} has one")
    return pins.index(on.name)


def _is_off(force: Expression, fixed: Mapping[str, bool]) -> bool:
    """Whether tied pins keep an asynchronous input from doing anything."""
    try:
        return not evaluate(force, {pin: np.bool_(value) for pin, value in fixed.items()})
    except KeyError:
        return False


def _table(arcs: Sequence[Arc], pins: Sequence[str], states: Integers) -> Integers:
    """Delays in fs by pin, state and edge; arcs under a condition overrule those without."""
    found = np.full((len(pins), len(states), 2), _NEVER, np.int64)
    for arc in sorted(arcs, key=lambda arc: (len(arc.when), arc.rise_ns or 0)):
        if not {arc.pin, *arc.when} <= set(pins):
            continue  # of or under an internal node
        holds = np.ones(len(states), np.bool_)
        for pin, value in arc.when.items():
            holds &= (states >> pins.index(pin) & 1) == value
        for edge, ns in enumerate((arc.fall_ns, arc.rise_ns)):
            if ns is not None:
                found[pins.index(arc.pin), holds, edge] = _fs(ns)
    for number in range(len(pins)):
        known = found[number][found[number] != _NEVER]
        if len(known):  # states that no condition names
            found[number][found[number] == _NEVER] = int(known.mean())
    return found


def _fs(ns: float) -> int:
    return max(round(ns * FS_PER_NS), 0)
