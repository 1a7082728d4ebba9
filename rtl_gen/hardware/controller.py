"""Controller: sequencer and loaders together, and the stage before row 0."""

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware import ifmap_loader, sequencer, weight_loader
from rtl_gen.hardware.ifmap_loader import IfmapLoader
from rtl_gen.hardware.instruction import address_bits, instruction
from rtl_gen.hardware.place import copy
from rtl_gen.hardware.sequencer import Sequencer
from rtl_gen.hardware.weight_loader import WeightLoader
from rtl_gen.memories import memories

#: Fields of the descriptor that the controller reads.
LAYER = tuple(
    name for name in FIELDS if name in {*sequencer.LAYER, *ifmap_loader.LAYER, *weight_loader.LAYER}
)


class Controller(wiring.Component):
    """Issues one instruction a cycle: a multiply-accumulate, a beat of weights, one of inputs.

    Members
    -------
    start : begin, sampled while `busy` is low; busy : from the next cycle until the end.
    layer : the descriptor, to be held still while busy.
    weights, ifmaps : streams in. sram_* : the input buffer's port, `sram_data` read from it.
    issue : the instruction for row 0, two cycles after it was made.
    parameter_* : write port of the parameter memories. send_* , final : to the sender, and
        send_done, finished from it (see `Sequencer`).
    """

    start: Signal
    busy: Signal
    layer: wiring.PureInterface
    weights: stream.Interface
    ifmaps: stream.Interface
    sram_enable: Signal
    sram_write: Signal
    sram_address: Signal
    sram_data: Signal
    issue: wiring.PureInterface
    parameter_write: Signal
    parameter_half: Signal
    parameter_address: Signal
    parameter_data: Signal
    send: Signal
    send_words: Signal
    send_half: Signal
    final: Signal
    send_done: Signal
    finished: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        bus = stream.Signature(unsigned(config.bus_bits))
        shapes = memories(config)
        parameters = shapes["parameter_sram"]
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "layer": In(wiring.Signature({name: Out(FIELDS[name][0]) for name in LAYER})),
                "weights": In(bus),
                "ifmaps": In(bus),
                "sram_enable": Out(1),
                "sram_write": Out(1),
                "sram_address": Out(address_bits(int(shapes["ifmap_sram"].depth))),
                "sram_data": In(unsigned(config.bus_bits)),
                "issue": Out(instruction(config)),
                "parameter_write": Out(1),
                "parameter_half": Out(1),
                "parameter_address": Out(address_bits(int(parameters.depth))),
                "parameter_data": Out(unsigned(int(parameters.width))),
                "send": Out(1),
                "send_words": Out(FIELDS["sum_words"][0]),
                "send_half": Out(1),
                "final": Out(1),
                "send_done": In(1),
                "finished": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = run = Sequencer(self.config)
        m.submodules.weight_loader = weights = WeightLoader(self.config)
        m.submodules.ifmap_loader = ifmaps = IfmapLoader(self.config)
        for part, names in (
            (run, sequencer.LAYER),
            (weights, weight_loader.LAYER),
            (ifmaps, ifmap_loader.LAYER),
        ):
            copy(m, self.layer, part.layer, names)
        wiring.connect(m, weights.beats, wiring.flipped(self.weights))
        wiring.connect(m, ifmaps.beats, wiring.flipped(self.ifmaps))
        wiring.connect(m, run.upcoming, ifmaps.upcoming)
        copy(m, run, ifmaps, ("begin", "columns", "ahead", "window", "release"))
        copy(m, run, weights, ("begin", "parameters", "weights"))
        m.d.comb += [
            ifmaps.restart.eq(run.new_slot),
            weights.restart.eq(run.new_pass),
            weights.allowed.eq(run.weights_allowed),
            run.ifmaps_done.eq(ifmaps.done),
            run.weights_done.eq(weights.done),
        ]
        copy(m, self, run, ("start", "send_done", "finished"))
        copy(m, run, self, ("busy", "parameter_half", "send", "send_words", "send_half", "final"))
        copy(m, weights, self, ("parameter_write", "parameter_address", "parameter_data"))
        copy(m, ifmaps, self, ("sram_enable", "sram_write", "sram_address"))
        self._feed(m, (run.out, weights.out, ifmaps.out), ifmaps.from_sram)
        return m

    def _feed(self, m: Module, parts: tuple[Any, ...], from_sram: Signal) -> None:
        """The stage between the loaders and row 0, where the input buffer's data arrive."""
        fed = instruction(self.config).create(path=("fed",))
        buffered = Signal(name="fed_from_sram")
        m.d.sync += buffered.eq(from_sram)
        for part in parts:
            for name in part.signature.members:
                m.d.sync += getattr(fed, name).eq(getattr(part, name))
        names = (name for name in fed.signature.members if name != "ifmap_data")
        copy(m, fed, self.issue, tuple(names))
        m.d.comb += self.issue.ifmap_data.eq(Mux(buffered, self.sram_data, fed.ifmap_data))
