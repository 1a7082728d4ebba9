# amaranth: UnusedElaboratable=no
"""The RTL's own answers: a component simulated in Amaranth, one lane at a time."""

from __future__ import annotations

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
    component: wiring.Component, inputs: dict[str, Bits], lane: int
) -> dict[str, NDArray[np.uint8]]:
    """Every output in every cycle as bits, (cycles, width), under the inputs of one lane."""
    ports = list(component.signature.flatten(component))
    driven = [(port_name(path), value) for path, member, value in ports if member.flow == In]
    asked = {port_name(path): value for path, member, value in ports if member.flow != In}
    bits = np.concatenate([inputs["rst"], *(inputs[name] for name, _ in driven)], axis=1)
    m = Module()
    m.submodules.component = component
    return record(m, [value for _, value in driven], _integers(bits, lane), asked)


def record(
    m: Module, driven: list[Any], words: list[int], asked: dict[str, Any]
) -> dict[str, NDArray[np.uint8]]:
    """Run a module, a word a cycle: the reset in its lowest bit, then `driven` in order.

    Returns
    -------
    by name in `asked`, (cycles, width) bits, settled before the edge that ends each cycle.
    """
    # One wide signal each way: the simulator's time goes by the number of signals touched.
    everything = Signal(1 + sum(len(value) for value in driven))
    answer = Cat(*asked.values())
    m.domains.sync = sync = ClockDomain("sync")
    m.d.comb += Cat(sync.rst, *driven).eq(everything)
    m.d.sync += Signal(name="keeps_the_clock").eq(0)  # of a component that is combinational
    result = np.zeros((len(words), len(answer)), np.uint8)

    async def drive(context: SimulatorContext) -> None:
        for cycle, word in enumerate(words):
            context.set(everything, word)
            text = context.get(answer).to_bytes(-(-len(answer) // 8), "little")
            unpacked = np.unpackbits(np.frombuffer(text, np.uint8), bitorder="little")
            result[cycle] = unpacked[: len(answer)]
            await context.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    ends = np.cumsum([len(value) for value in asked.values()])
    return dict(zip(asked, np.split(result, ends[:-1], axis=1), strict=True))


def _integers(bits: Bits, lane: int) -> list[int]:
    """One lane of bit-sliced words, an integer a cycle."""
    ones = ((bits >> np.uint64(lane)) & np.uint64(1)).astype(np.uint8)
    packed = np.packbits(ones, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
