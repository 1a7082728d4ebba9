"""Gate-level activity: what every net of a mapped netlist does under a stimulus.

A levelized, bit-parallel simulation: one 64-bit word a net holds 64 independent lanes of stimulus.
A cycle has two phases, clock high and clock low, each settled before the next edge, so that gated
clocks, latches and flip-flops of either edge are simulated as what they are.
Zero delay, so only settled values are seen and glitches are not counted; multipliers glitch most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from characterize.cells import Library
from characterize.logic import Logic, compile_logic
from characterize.netlist import ONE, Netlist
from rtl_gen.errors import UserError

LANES = 64
_ALL = np.uint64(2**64 - 1)
_NO_NETS = np.zeros(0, np.int64)
Words = NDArray[np.uint64]
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    """numba.njit with a type; the machine code is kept beside this file."""
    return cast(F, numba.njit(cache=True)(function))


@dataclass(frozen=True, slots=True, kw_only=True)
class NetActivity:
    """What the nets do in the cycles of one mask, averaged over these and over the lanes.

    Parameters
    ----------
    cycles : how many cycles the mask selects.
    toggles : (nets,), changes per cycle: of settled values, from phase to phase. The first cycle
        of a simulation has none before it and is left out. 2 for the clock.
    duty : (nets,), the share of time at 1. 1/2 for the clock.
    states : for each instance the probability of every joint state of its inputs and of what it
        stores, in the order of `logic.state_names`; bit i of the state's number is the i-th of
        them. All instances behind one another.
    first_state : (instances + 1,), where each instance's states begin.
    """

    cycles: int
    toggles: NDArray[np.float64]
    duty: NDArray[np.float64]
    states: NDArray[np.float64]
    first_state: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The result of a simulation.

    Parameters
    ----------
    outputs : per output port (cycles, width) words: bit l of [t, b] is bit b of lane l, settled
        before the clock edge that ends cycle t.
    masks : the activity by mask.
    """

    outputs: Mapping[str, Words]
    masks: Mapping[str, NetActivity]


def simulate(
    netlist: Netlist,
    library: Library,
    inputs: Mapping[str, Words],
    masks: Mapping[str, NDArray[np.bool_]],
    *,
    lanes: int = LANES,
    clock_port: str = "clk",
    initial: Mapping[str, bool] | None = None,
) -> Activity:
    """Runs the netlist over all cycles of the stimulus.

    Parameters
    ----------
    inputs : per input port but the clock (cycles, width) words, the values during each cycle;
        bit l of a word belongs to lane l.
    masks : (cycles,) each: the cycles to average over, by name.
    lanes : how many lanes, from the lowest, count in the averages.
    initial : what flip-flops hold at first, by instance name, as the value their data input had;
        0 where nothing is said. A cell that stores the complement holds 1 then.

    Raises
    ------
    UserError : a port is missing or of another shape, a mask is empty or of another length, or the
        netlist cannot be simulated (see `logic.compile_logic`).
    """
    logic = compile_logic(netlist, library, clock_port)
    drives = {n: p.nets for n, p in netlist.ports.items() if p.direction == "input"}
    clock = drives.pop(clock_port, _NO_NETS)
    outs = {n: p.nets for n, p in netlist.ports.items() if p.direction == "output"}
    cycles = _check(drives, inputs, masks, lanes)
    values = np.zeros(logic.values, np.uint64)
    values[ONE] = _ALL
    values[logic.registers[:, 0]] = np.where(_held(netlist, logic, initial or {}), _ALL, 0)
    chosen = np.array([*masks.values()], np.bool_).reshape(len(masks), cycles)
    first_state = np.cumsum([0, *(1 << len(pins) for pins in logic.state_pins)])
    seen, toggles, ones, states = _run(
        values,
        logic.gates,
        logic.gates[logic.clocking],
        logic.registers,
        logic.kept,
        clock,
        logic.one_phase,
        np.concatenate([_NO_NETS, *drives.values()]),
        np.concatenate([np.zeros((cycles, 0), np.uint64), *(inputs[n] for n in drives)], axis=1),
        np.concatenate([_NO_NETS, *outs.values()]),
        chosen,
        _ALL >> np.uint64(LANES - lanes),
        netlist.nets,
        np.array([pin for pins in logic.state_pins for pin in pins], np.int64),
        np.cumsum([0, *(len(pins) for pins in logic.state_pins)]),
        first_state,
    )
    all_cycles = chosen.sum(axis=1, keepdims=True)
    not_first = np.maximum(chosen[:, 1:].sum(axis=1, keepdims=True), 1)
    phases = 2 * lanes * all_cycles
    rates, duties = toggles / (lanes * not_first), ones / phases
    rates[:, clock] = 2.0  # in the first cycle, too
    splits = np.cumsum([len(nets) for nets in outs.values()])[:-1]
    return Activity(
        outputs=dict(zip(outs, np.split(seen, splits, axis=1), strict=True)) if outs else {},
        masks={
            name: NetActivity(
                cycles=int(all_cycles[i, 0]),
                toggles=rates[i],
                duty=duties[i],
                states=states[i] / phases[i, 0],
                first_state=first_state,
            )
            for i, name in enumerate(masks)
        },
    )


def _check(
    ports: Mapping[str, NDArray[np.int64]],
    inputs: Mapping[str, Words],
    masks: Mapping[str, NDArray[np.bool_]],
    lanes: int,
) -> int:
    """The number of cycles, when all shapes fit."""
    if not 1 <= lanes <= LANES:
        raise UserError(f"lanes must be 1 to {LANES}, not {lanes!r}")
    if inputs.keys() != ports.keys():
        raise UserError(f"inputs must be {sorted(ports)}, not {sorted(inputs)}")
    lengths = {len(words) for words in inputs.values()} | {len(mask) for mask in masks.values()}
    if len(lengths) != 1:
        raise UserError(f"inputs and masks must have one number of cycles, not {sorted(lengths)}")
    for name, nets in ports.items():
        if inputs[name].shape[1:] != nets.shape or inputs[name].dtype != np.uint64:
            raise UserError(
                f"input {name} must be uint64 of shape (cycles, {len(nets)}), not "
                f"{inputs[name].dtype} of shape {inputs[name].shape}"
            )
    for name, mask in masks.items():
        if not mask.any():
            raise UserError(f"mask {name!r} must select at least one cycle")
    return int(lengths.pop())


def _held(netlist: Netlist, logic: Logic, initial: Mapping[str, bool]) -> NDArray[np.bool_]:
    """What each register holds before the first cycle."""
    names = [netlist.instances[owner].name for owner in logic.owners]
    if unknown := sorted(initial.keys() - set(names)):
        raise UserError(f"initial must name flip-flops, not {unknown!r}")
    return logic.reset ^ np.array([initial.get(name, False) for name in names], np.bool_)


@_compiled
def _ones(word: np.uint64) -> int:
    """The number of ones in the word (Hacker's Delight, figure 5-2)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))  # type: ignore[return-value]


@_compiled
def _settle(values: Words, gates: NDArray[np.int64], flips: Words) -> None:
    """Evaluates every gate once, in order."""
    for i in range(len(gates)):
        a, b = values[gates[i, 0]], values[gates[i, 1]]
        both, odd = (a ^ flips[i, 0]) & (b ^ flips[i, 1]), a ^ b
        values[gates[i, 2]] = (both ^ ((both ^ odd) & flips[i, 3])) ^ flips[i, 2]


@_compiled
def _clock(
    values: Words,
    clock: NDArray[np.int64],
    word: np.uint64,
    clocking: NDArray[np.int64],
    flips: Words,
    registers: NDArray[np.int64],
    taken: Words,
    before: Words,
) -> None:
    """One edge of the clock: registers whose own clock rises take their values, all at once."""
    for i in range(len(registers)):
        taken[i] = values[registers[i, 1]]
        before[i] = values[registers[i, 2]]
    for i in range(len(clock)):
        values[clock[i]] = word
    _settle(values, clocking, flips)
    for i in range(len(registers)):
        rises = values[registers[i, 2]] & ~before[i]
        held = values[registers[i, 0]]
        values[registers[i, 0]] = held ^ ((held ^ taken[i]) & rises)


@_compiled
def _keep(values: Words, kept: NDArray[np.int64]) -> None:
    """Storage that follows its inputs at once holds what it shows."""
    for i in range(len(kept)):
        values[kept[i, 0]] = values[kept[i, 1]]


@_compiled
def _flips(gates: NDArray[np.int64]) -> Words:
    """The inversions of gates as words."""
    return np.where(gates[:, 3:] != 0, ~np.uint64(0), np.uint64(0))


@_compiled
def _count_states(
    values: Words,
    lanes: np.uint64,
    pins: NDArray[np.int64],
    first_pin: NDArray[np.int64],
    first_state: NDArray[np.int64],
    counts: NDArray[np.int64],
    words: Words,
) -> None:
    """Adds up, for every instance, how many lanes are in each joint state of its pins."""
    for i in range(len(first_pin) - 1):
        words[0] = lanes
        size = 1
        for at in range(first_pin[i], first_pin[i + 1]):
            value = values[pins[at]]
            for j in range(size):
                words[size + j] = words[j] & value
                words[j] &= ~value
            size *= 2
        for j in range(size):
            counts[first_state[i] + j] += _ones(words[j])


@_compiled
def _run(
    values: Words,
    gates: NDArray[np.int64],
    clocking: NDArray[np.int64],
    registers: NDArray[np.int64],
    kept: NDArray[np.int64],
    clock: NDArray[np.int64],
    one_phase: bool,
    input_nets: NDArray[np.int64],
    inputs: Words,
    output_nets: NDArray[np.int64],
    masks: NDArray[np.bool_],
    lanes: np.uint64,
    nets: int,
    pins: NDArray[np.int64],
    first_pin: NDArray[np.int64],
    first_state: NDArray[np.int64],
) -> tuple[Words, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """All cycles: outputs seen, and per mask toggles and ones per net and counts per state."""
    seen = np.zeros((len(inputs), len(output_nets)), np.uint64)
    toggles = np.zeros((len(masks), nets), np.int64)
    ones = np.zeros((len(masks), nets), np.int64)
    states = np.zeros((len(masks), first_state[-1]), np.int64)
    words = np.zeros(np.max(np.diff(first_state)), np.uint64)
    flips, clock_flips = _flips(gates), _flips(clocking)
    taken = np.zeros(len(registers), np.uint64)
    clocks = np.zeros(len(registers), np.uint64)
    before = np.zeros(nets, np.uint64)
    high, low = ~np.uint64(0), np.uint64(0)
    for t in range(len(inputs)):
        for phase in range(2):
            edge = low if phase else high
            if t or phase:
                _clock(values, clock, edge, clocking, clock_flips, registers, taken, clocks)
            else:
                for i in range(len(clock)):
                    values[clock[i]] = edge
            if phase == 0:
                for i in range(len(input_nets)):
                    values[input_nets[i]] = inputs[t, i]
            if phase == 0 or not one_phase:
                _settle(values, gates, flips)
                _keep(values, kept)
            for m in range(len(masks)):
                if masks[m, t]:
                    for net in range(nets):
                        ones[m, net] += _ones(values[net] & lanes)
                        if t:
                            toggles[m, net] += _ones((values[net] ^ before[net]) & lanes)
                    _count_states(values, lanes, pins, first_pin, first_state, states[m], words)
            before[:] = values[:nets]
        for i in range(len(output_nets)):
            seen[t, i] = values[output_nets[i]]
    return seen, toggles, ones, states
