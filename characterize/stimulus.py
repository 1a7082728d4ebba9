# amaranth: UnusedElaboratable=no
"""Stimulus: what a component sees, cycle by cycle, while it runs a real quantized layer.

64 contexts (images, channel passes, rows, columns) run side by side, one a lane. What the RTL
answers is found by simulating the very component in Amaranth, for the lanes of `CHECKED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from amaranth import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator, SimulatorContext
from numpy.typing import NDArray

from characterize import traces
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.hardware.bank import Bank
from rtl_gen.hardware.collector import Collector
from rtl_gen.hardware.controller import Controller
from rtl_gen.hardware.node import NetworkNode
from rtl_gen.hardware.pe import ProcessingElement
from rtl_gen.hardware.place import port_name
from rtl_gen.hardware.row import NetworkRow

Bits = NDArray[np.uint64]

#: Lanes whose outputs the RTL simulation gives: all three rows, several images and columns.
CHECKED = (21, 22, 37, 59)

#: The config of a component leaves open what its hardware does not depend on: Eyeriss's values.
REPRESENTATIVE = {
    "rows": 12,
    "columns": 14,
    "ifmap_words": 12,
    "weight_words": 224,
    "psum_words": 24,
    "buffer_kib": 108,
    "bus_bits": 64,
}

_COMPONENTS = {
    "pe": ProcessingElement,
    "node": NetworkNode,
    "row": NetworkRow,
    "bank": Bank,
    "collector": Collector,
    "controller": Controller,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """Inputs and expected outputs of a component, bit-sliced.

    Parameters
    ----------
    inputs : port -> uint64 (cycles, width); bit l of [t, b] is bit b of the port in lane l.
        Values stand during cycle t and are sampled by the clock edge that ends it.
    outputs : the same of every output, as the RTL gives it; only the bits of `checked` count.
    checked : mask of the lanes whose outputs are known.
    events : event -> bool (cycles,), the cycles spent in it by every lane.
    """

    inputs: dict[str, Bits]
    outputs: dict[str, Bits]
    checked: np.uint64
    events: dict[str, NDArray[np.bool_]]


def component_config(
    component: str, arithmetic: str, parameters: Mapping[str, int]
) -> AcceleratorConfig:
    """The config whose `component` has `parameters` (the fields that `KINDS` names).

    Raises
    ------
    UserError
        When the component is unknown, or the parameters are not exactly its fields.
    """
    if component not in KINDS:
        raise UserError(f"component must be one of {', '.join(KINDS)}, not {component!r}")
    if set(parameters) != set(KINDS[component].fields):
        raise UserError(
            f"parameters of {component} must be {', '.join(KINDS[component].fields)}, "
            f"not {', '.join(parameters)}"
        )
    return AcceleratorConfig.from_mapping(
        {"arithmetic": arithmetic, **REPRESENTATIVE, **parameters}
    )


def hardware_for(component: str, config: AcceleratorConfig) -> wiring.Component:
    """The Amaranth component of one kind."""
    return _COMPONENTS[component](config)


def stimulus_for(component: str, config: AcceleratorConfig) -> Stimulus:
    """Real stimulus for one component, with the RTL's answers.

    Raises
    ------
    UserError
        When the config can't run the layer the stimulus is taken from.
    """
    trace = traces.trace(component, config)
    return Stimulus(
        inputs=trace.inputs,
        outputs=_rtl_outputs(hardware_for(component, config), trace.inputs),
        checked=np.uint64(sum(1 << lane for lane in CHECKED)),
        events=trace.events,
    )


def _rtl_outputs(component: wiring.Component, inputs: dict[str, Bits]) -> dict[str, Bits]:
    """Simulate the component for the lanes of `CHECKED`."""
    cycles = len(inputs["rst"])
    widths = {
        port_name(path): len(value)
        for path, member, value in component.signature.flatten(component)
        if member.flow != In
    }
    answers = {name: np.zeros((cycles, width), np.uint64) for name, width in widths.items()}
    for lane in CHECKED:
        words = _simulate(component, inputs, lane)
        start = 0
        for name, width in widths.items():
            bits = words[:, start : start + width]
            answers[name] |= bits.astype(np.uint64) << np.uint64(lane)
            start += width
    return answers


def _simulate(component: wiring.Component, inputs: dict[str, Bits], lane: int) -> NDArray[np.uint8]:
    """All outputs of one lane, (cycles, bits), settled before the edge that ends each cycle."""
    ports = list(component.signature.flatten(component))
    driven = [(port_name(path), value) for path, member, value in ports if member.flow == In]
    answers = Cat(*(value for _, member, value in ports if member.flow != In))
    # One wide signal each way: the simulator's time goes by the number of signals touched.
    everything = Signal(1 + sum(len(value) for _, value in driven))
    m = Module()
    m.domains.sync = sync = ClockDomain("sync")
    m.submodules.component = component
    m.d.comb += Cat(sync.rst, *(value for _, value in driven)).eq(everything)
    m.d.sync += Signal(name="keeps_the_clock").eq(0)  # of a component that is combinational
    bits = np.concatenate([inputs["rst"], *(inputs[name] for name, _ in driven)], axis=1)
    words = _integers(bits, lane)
    result = np.zeros((len(words), len(answers)), np.uint8)

    async def drive(context: SimulatorContext) -> None:
        for cycle, word in enumerate(words):
            context.set(everything, word)
            answer = context.get(answers)
            text = answer.to_bytes(-(-len(answers) // 8), "little")
            unpacked = np.unpackbits(np.frombuffer(text, np.uint8), bitorder="little")
            result[cycle] = unpacked[: len(answers)]
            await context.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return result


def _integers(bits: Bits, lane: int) -> list[int]:
    """One lane of bit-sliced words, an integer a cycle."""
    ones = ((bits >> np.uint64(lane)) & np.uint64(1)).astype(np.uint8)
    packed = np.packbits(ones, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
