# amaranth: UnusedElaboratable=no
# (components placed by name are elaborated where their module is emitted)
"""Core: controller, array, banks and collector, with their memories."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware import controller as control
from rtl_gen.hardware import sender
from rtl_gen.hardware.array import ProcessingArray
from rtl_gen.hardware.bank import Bank, bank_control
from rtl_gen.hardware.collector import Collector
from rtl_gen.hardware.controller import Controller
from rtl_gen.hardware.instruction import instruction
from rtl_gen.hardware.memory import SinglePortMemory, memory_name
from rtl_gen.hardware.place import copy, place
from rtl_gen.memories import memories


class Core(wiring.Component):
    """A whole row-stationary accelerator, but for its control registers.

    Members
    -------
    start : run the layer of the descriptor `layer`, which is to be held still while `busy`.
    busy : high for exactly the cycles that `rtl_gen.schedule` predicts, where no stream stalls.
    weights, ifmaps : streams in, beats in the order of `rtl_gen.streams`; outputs : stream out.
    last : the output beat is the layer's last.
    """

    start: Signal
    busy: Signal
    layer: wiring.PureInterface
    weights: stream.Interface
    ifmaps: stream.Interface
    outputs: stream.Interface
    last: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        bus = stream.Signature(unsigned(config.bus_bits))
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "layer": In(
                    wiring.Signature({name: Out(bits) for name, (bits, _) in FIELDS.items()})
                ),
                "weights": In(bus),
                "ifmaps": In(bus),
                "outputs": Out(bus),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        controller = place(m, Controller(config), "controller", "controller")
        array = place(m, ProcessingArray(config), "processing_array", "array")
        collector = place(m, Collector(config), "collector", "collector")
        copy(m, self.layer, controller.layer, control.LAYER)
        copy(m, self.layer, array, ("kernel_rows", "sets"))
        copy(m, self.layer, collector.layer, sender.LAYER)
        copy(m, controller.issue, array.issue, tuple(instruction(config).members))
        copy(m, controller, collector, ("send", "send_words", "final"))
        copy(m, collector, controller, ("send_done", "finished"))
        m.d.comb += [
            controller.start.eq(self.start),
            self.busy.eq(controller.busy),
            self.last.eq(collector.last),
            collector.drain.eq(array.late.drain),
            collector.fresh.eq(array.late.fresh),
        ]
        for name in ("weights", "ifmaps"):
            outside, inside = getattr(self, name), getattr(controller, name)
            copy(m, outside, inside, ("valid", "payload"))
            copy(m, inside, outside, ("ready",))
        copy(m, collector.outputs, self.outputs, ("valid", "payload"))
        copy(m, self.outputs, collector.outputs, ("ready",))
        self._input_buffer(m, controller)
        self._parameters(m, controller, collector)
        self._banks(m, array, collector)
        return m

    def _memory(self, m: Module, kind: str, name: str) -> Any:
        shape = memories(self.config)[kind]
        depth, width = int(shape.depth), int(shape.width)
        return place(m, SinglePortMemory(depth, width), memory_name(depth, width), name)

    def _input_buffer(self, m: Module, controller: Any) -> None:
        memory = self._memory(m, "ifmap_sram", "ifmap_sram")
        m.d.comb += [
            memory.enable.eq(controller.sram_enable),
            memory.write.eq(controller.sram_write),
            memory.address.eq(controller.sram_address),
            memory.write_data.eq(self.ifmaps.payload),
            controller.sram_data.eq(memory.read_data),
        ]

    def _parameters(self, m: Module, controller: Any, collector: Any) -> None:
        """Two memories: one is filled for a group of filters while the other's group is sent."""
        read = []
        for half in range(2):
            memory = self._memory(m, "parameter_sram", f"parameter_sram_{half}")
            write = controller.parameter_write & (controller.parameter_half == half)
            sent = collector.parameter_enable & (controller.send_half == half)
            m.d.comb += [
                memory.enable.eq(write | sent),
                memory.write.eq(write),
                memory.address.eq(
                    Mux(write, controller.parameter_address, collector.parameter_address)
                ),
                memory.write_data.eq(controller.parameter_data),
            ]
            read.append(memory.read_data)
        # Read a cycle ago, from the half of then.
        half_read = Signal()
        with m.If(collector.parameter_enable):
            m.d.sync += half_read.eq(controller.send_half)
        m.d.comb += collector.parameter_data.eq(Mux(half_read, read[1], read[0]))

    def _banks(self, m: Module, array: Any, collector: Any) -> None:
        """A bank and two memories a column, chained by their coordinates."""
        bits = self.config.accumulator_bits
        coordinates = ("set_index", "tap", "offset")
        before: Any = None
        banks = []
        for j in range(self.config.columns):
            bank = place(m, Bank(self.config), "bank", f"bank_{j}")
            copy(m, collector.control, bank.control, tuple(bank_control().members))
            copy(m, self.layer, bank, ("column_taps", "column_sets", "offset_step"))
            m.d.comb += bank.chain.eq(array.sums.word_select(j, bits))
            for name in coordinates:
                value = getattr(before, f"next_{name}") if before is not None else 0
                m.d.comb += getattr(bank, name).eq(value)
            for side in ("even", "odd"):
                memory = self._memory(m, "psum_sram", f"psum_sram_{side}_{j}")
                m.d.comb += [
                    memory.enable.eq(getattr(collector, f"{side}_enable") & bank.active),
                    memory.write.eq(getattr(collector, f"{side}_write")),
                    memory.address.eq(getattr(collector, f"{side}_address")),
                    memory.write_data.eq(getattr(bank, f"{side}_write")),
                    getattr(bank, f"{side}_read").eq(memory.read_data),
                ]
            m.d.comb += bank.odd_output.eq(collector.odd_output)
            banks.append(bank)
            before = bank
        m.d.comb += [
            collector.sums.eq(Cat(*(bank.word for bank in banks))),
            array.column_set.eq(Cat(*(bank.set_index for bank in banks))),
            array.column_offset.eq(Cat(*(bank.offset for bank in banks))),
            array.column_active.eq(Cat(*(bank.active for bank in banks))),
        ]
