# amaranth: UnusedElaboratable=no
"""Traces of what runs a layer: the controller, and the control registers before it.

Both see a small layer of two groups of filters from its first busy cycle to its last, with
streams that never stall. What they ask for, and when, is found by simulating controller and
sender together; it is the same in all lanes, which differ in the beats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from amaranth import Module, Signal
from numpy.typing import NDArray

from characterize.bitslice import LANES
from characterize.rtl_simulation import answers, record
from characterize.stimulus_layer import LAYER, Contexts, output_stage, quantized_layer
from characterize.trace import RESET_CYCLES, Trace, new_trace
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, VERSION, descriptor
from rtl_gen.hardware import controller as controller_hardware
from rtl_gen.hardware import sender as sender_hardware
from rtl_gen.hardware.control import Control
from rtl_gen.hardware.controller import Controller
from rtl_gen.hardware.place import copy
from rtl_gen.hardware.sender import Sender
from rtl_gen.memories import memories
from rtl_gen.reference import golden_layer
from rtl_gen.registers import ADDRESS_BITS, REGISTERS
from rtl_gen.schedule import schedule
from rtl_gen.streams import Beats, ifmap_beats, weight_beats

#: Cycles from one write of a register to the next.
WRITE_CYCLES = 6
#: Cycles from the last write to the start of the layer, at most: the descriptor is checked.
CHECK_CYCLES = 80
#: Output columns of the layer, at most.
COLUMNS = 4
#: The input buffer's port, but data.
SRAM = ("enable", "write", "address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A layer that runs: what is common to all lanes, and the beats of each.

    Parameters
    ----------
    layer : its descriptor.
    seen : signal -> its value in every cycle, from that of `start` on, (cycles,).
    weights, ifmaps : beats of the streams by lane.
    """

    layer: dict[str, int]
    seen: dict[str, NDArray[np.int64]]
    weights: list[Beats]
    ifmaps: list[Beats]

    @property
    def cycles(self) -> int:
        """Those of `seen`."""
        return len(self.seen["busy"])

    def taken(self, stream: str) -> NDArray[np.int64]:
        """The number of the beat on offer in every cycle; the last stays."""
        ready, beats = self.seen[f"{stream}_ready"], getattr(self, stream)[0]
        return np.asarray(np.minimum(np.cumsum(ready) - ready, len(beats) - 1))

    def read_from_sram(self) -> NDArray[np.int64]:
        """The number of the input beat that the buffer puts out, -1 before the first."""
        kept: dict[int, int] = {}
        number, found = -1, []
        enable, write, address = (self.seen[f"sram_{name}"] for name in SRAM)
        for cycle, beat in enumerate(self.taken("ifmaps")):
            found.append(number)
            if enable[cycle] and write[cycle]:
                kept[int(address[cycle])] = int(beat)
            elif enable[cycle]:
                number = kept[int(address[cycle])]
        return np.array(found)


def layer_run(context: Contexts) -> Run:
    """Run some of the layer's filters, channels and columns: two groups of filters, of one pass."""
    config, mapping = context.config, context.mapping
    room = 2 * int(memories(config)["psum_sram"].depth) // mapping.p
    mapping = replace(mapping, f=max(min(COLUMNS, room), 1))
    layer = replace(
        LAYER,
        in_channels=mapping.q,
        in_height=mapping.e,
        in_width=mapping.f,
        out_channels=2 * mapping.p,
        output="quantized",
    )
    images, filters = quantized_layer(config)
    weights, ifmaps = [], []
    for lane in range(LANES):
        channels = (3 * lane + np.arange(mapping.q)) % LAYER.in_channels
        chosen = (5 * lane + np.arange(layer.out_channels)) % LAYER.out_channels
        image = images[lane % len(images)][None, channels, : mapping.e, : mapping.f]
        own = filters[chosen][:, channels]
        sums = golden_layer(config.arithmetic, layer, image, own, mapping)[0]
        stage = output_stage(config, sums)
        weights.append(weight_beats(config, layer, mapping, own, stage))
        ifmaps.append(ifmap_beats(config, layer, mapping, image))
    values = descriptor(config, layer, mapping, stage)
    cycles = 2 + int(schedule(config, layer, mapping).cycles)
    return Run(layer=values, seen=_seen(config, values, cycles), weights=weights, ifmaps=ifmaps)


def _seen(
    config: AcceleratorConfig, layer: dict[str, int], cycles: int
) -> dict[str, NDArray[np.int64]]:
    """Controller and sender together, their streams never stalling."""
    m = Module()
    m.submodules.controller = controller = Controller(config)
    m.submodules.sender = sender = Sender(config)
    for part, names in (
        (controller, controller_hardware.LAYER),
        (sender, sender_hardware.LAYER),
    ):
        m.d.comb += [getattr(part.layer, name).eq(layer[name]) for name in names]
    copy(m, sender, controller, ("finished",))
    copy(m, controller, sender, ("final",))
    m.d.comb += [
        controller.weights.valid.eq(1),
        controller.ifmaps.valid.eq(1),
        controller.send_done.eq(sender.done),
        sender.begin.eq(controller.send),
        sender.words.eq(controller.send_words),
        sender.outputs.ready.eq(1),
    ]
    start = Signal()
    m.d.comb += controller.start.eq(start)
    asked = {
        **{name: getattr(controller, name) for name in ("busy", "send_done", "finished")},
        **{f"sram_{name}": getattr(controller, f"sram_{name}") for name in SRAM},
        "weights_ready": controller.weights.ready,
        "ifmaps_ready": controller.ifmaps.ready,
        "outputs_valid": sender.outputs.valid,
        "last": sender.last,
    }
    reset = [1] * RESET_CYCLES
    bits = record(m, [start], [[*reset, 2, *([0] * (cycles - 1))]], asked)
    return {
        name: value[0, RESET_CYCLES:].astype(np.int64) @ (1 << np.arange(value.shape[2]))
        for name, value in bits.items()
    }


def controller_trace(context: Contexts) -> Trace:
    """A controller that runs the layer."""
    run = layer_run(context)
    trace, bus = new_trace(run.cycles), context.config.bus_bits
    trace.put("start", np.ones(1, dtype=np.int64), 1, RESET_CYCLES)
    trace.event("run", run.seen["busy"], RESET_CYCLES)
    for name in controller_hardware.LAYER:
        trace.constant(f"layer_{name}", run.layer[name], FIELDS[name][0])
    done = np.ones(trace.cycles, dtype=np.int64)  # with nothing to send, too
    done[RESET_CYCLES : RESET_CYCLES + run.cycles] = run.seen["send_done"]
    trace.put("send_done", done, 1)
    trace.put("finished", run.seen["finished"], 1, RESET_CYCLES)
    for name, beats in (("weights", run.weights), ("ifmaps", run.ifmaps)):
        trace.constant(f"{name}_valid", 1, 1)
        trace.put(f"{name}_payload", _payload(beats, run.taken(name)), bus, RESET_CYCLES)
    trace.put("sram_data", _payload(run.ifmaps, run.read_from_sram()), bus, RESET_CYCLES)
    return trace


def control_trace(context: Contexts) -> Trace:
    """Registers that are written one after another; then the layer runs, and beats pass."""
    config, run = context.config, layer_run(context)
    writes = _writes(run.layer)
    writing = len(writes) * WRITE_CYCLES + CHECK_CYCLES
    trace = new_trace(writing + run.cycles)
    for name in ("awvalid", "wvalid"):
        strobe = np.tile(np.arange(WRITE_CYCLES) == 0, len(writes))
        trace.put(f"s_axi_control_{name}", strobe, 1, RESET_CYCLES)
    for name, place, width in (("awaddr", 0, ADDRESS_BITS), ("wdata", 1, 32)):
        words = np.repeat([write[place] for write in writes], WRITE_CYCLES)
        trace.put(f"s_axi_control_{name}", words, width, RESET_CYCLES)
    for name, value, width in (
        *(("wstrb", 15, 4), ("awprot", 0, 3), ("arprot", 0, 3), ("bready", 1, 1)),
        *(("rready", 1, 1), ("arvalid", 0, 1), ("araddr", 0, ADDRESS_BITS)),
    ):
        trace.constant(f"s_axi_control_{name}", value, width)
    for name in ("s_axis_weights_tvalid", "s_axis_ifmaps_tvalid", "m_axis_outputs_tready"):
        trace.constant(name, 1, 1)
    _core(trace, config, run)
    return trace


def _core(trace: Trace, config: AcceleratorConfig, run: Run) -> None:
    """The core's ends, from the cycle of `start` on; it is found by simulating without a core."""
    beats = {"weights": run.weights, "ifmaps": run.ifmaps}
    signals = ("busy", "weights_ready", "ifmaps_ready", "outputs_valid", "last")
    data = (*(f"s_axis_{name}_tdata" for name in beats), "outputs_payload")
    for name in signals:
        trace.constant(name, 0, 1)
    for name in data:
        trace.constant(name, 0, config.bus_bits)
    started = answers(Control(config), trace.inputs, [0])["start"][:, 0]
    start = int(np.flatnonzero(started).item())
    for name in signals:
        trace.put(name, run.seen[name], 1, start)
    for name, of_lanes in beats.items():
        payload = _payload(of_lanes, run.taken(name))
        trace.put(f"s_axis_{name}_tdata", payload, config.bus_bits, start)
    # Outputs of a layer look like the inputs of the next: codes of a map.
    sent = np.cumsum(run.seen["outputs_valid"]) % len(run.ifmaps[0])
    trace.put("outputs_payload", _payload(run.ifmaps, sent), config.bus_bits, start)
    trace.event("run", run.seen["busy"], start)


def _writes(layer: dict[str, int]) -> list[tuple[int, int]]:
    """(address, word) of every write that it takes to run a layer."""
    words = {"LAYER_VERSION": VERSION}
    words |= {f"LAYER_{name.upper()}": value for name, value in layer.items()}
    words |= {"INTERRUPT_ENABLE": 1, "CONTROL": 1}
    return [(REGISTERS[name].offset, word) for name, word in words.items()]


def _payload(beats: list[Beats], number: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Beat `number` of every lane as bits, (cycles, lanes, bus_bits); zeros where it is -1."""
    bits = np.unpackbits(np.stack(beats, axis=1), axis=2, bitorder="little")
    found = bits[np.maximum(number, 0)]
    found[number < 0] = 0
    return np.asarray(found, dtype=np.uint8)
