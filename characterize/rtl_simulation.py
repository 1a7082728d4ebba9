# amaranth: UnusedElaboratable=no
"""The RTL's own answers: a component simulated in Amaranth, one lane after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from amaranth import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator, SimulatorContext
from numpy.typing import NDArray

from characterize.bitslice import Bits
from rtl_gen.hardware.place import port_name


def answers(
    component: wiring.Component, inputs: Mapping[str, Bits], lanes: Sequence[int]
) -> dict[str, Bits]:
    """Every output in every cycle, bit-sliced (cycles, width), under the inputs of some lanes; the
    bits of the others are 0."""
    ports = list(component.signature.flatten(component))
    driven = [(port_name(path), value) for path, member, value in ports if member.flow == In]
    asked = {port_name(path): value for path, member, value in ports if member.flow != In}
    bits = np.concatenate([inputs["rst"], *(inputs[name] for name, _ in driven)], axis=1)
    m = Module()
    m.submodules.component = component
    seen = record(m, [value for _, value in driven], [_integers(bits, n) for n in lanes], asked)
    shifts = np.array(lanes, np.uint64)[:, None, None]
    return {
        name: np.bitwise_or.reduce(values.astype(np.uint64) << shifts)
        for name, values in seen.items()
    }


def record(
    m: Module, driven: list[Any], runs: Sequence[list[int]], asked: Mapping[str, Any]
) -> dict[str, NDArray[np.uint8]]:
    """Run a module, a word a cycle: the reset in its lowest bit, then `driven` in order.

    Returns
    -------
    by name in `asked`, (runs, cycles, width) bits, settled before the edge that ends each cycle.
    """
    # One wide signal each way: the simulator's time goes by the number of signals touched.
    everything = Signal(1 + sum(len(value) for value in driven))
    answer = Signal(sum(len(value) for value in asked.values()))
    m.domains.sync = sync = ClockDomain("sync")
    m.d.comb += [Cat(sync.rst, *driven).eq(everything), answer.eq(Cat(*asked.values()))]
    m.d.sync += Signal(name="keeps_the_clock").eq(0)  # of a component that is combinational
    left = list(runs)
    seen: list[list[bytes]] = []

    async def drive(context: SimulatorContext) -> None:
        taken: list[bytes] = []
        for word in left.pop(0):
            context.set(everything, word)
            taken.append(context.get(answer).to_bytes(-(-len(answer) // 8), "little"))
            await context.tick()
        seen.append(taken)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    while left:
        simulator.reset()
        simulator.run()
    packed = np.array([[np.frombuffer(text, np.uint8) for text in taken] for taken in seen])
    result = np.unpackbits(packed, axis=2, count=len(answer), bitorder="little")
    ends = np.cumsum([len(value) for value in asked.values()])
    return dict(zip(asked, np.split(result, ends[:-1], axis=2), strict=True))


def _integers(bits: Bits, lane: int) -> list[int]:
    """One lane of bit-sliced words, an integer a cycle."""
    ones = ((bits >> np.uint64(lane)) & np.uint64(1)).astype(np.uint8)
    packed = np.packbits(ones, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
