"""Processing element: three scratchpads around a MAC."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.instruction import address_bits
from rtl_gen.hardware.mac import adder_for, mac_for
from rtl_gen.hardware.place import copy
from rtl_gen.hardware.scratchpad import Scratchpad
from rtl_gen.hardware.weight_banks import WeightBanks, memory_ports
from rtl_gen.storage import word_storage


class ProcessingElement(wiring.Component):
    """One-dimensional convolution: rows of p filters over q channels of a sliding window.

    Pipeline of one MAC: scratchpads are read in the cycle of `mac`, the product is formed in the
    L next (L being the config's `mac_latency`), and in the one after them `accumulate` adds
    it to a partial sum. One MAC a cycle. Of weights in macros the first of the L sees the word.

    Parameters
    ----------
    storage : how scratchpads that are no macros keep their words, where that is not to be as the
        config says: Amaranth can simulate flip-flops only.

    Members
    -------
    active : whether this PE belongs to the layer's mapping; if not, it adds nothing.
    activation, ifmap_write, ifmap_write_address : a word for the ring of input columns.
    weight, weight_write, weight_write_address : a word of the filter rows.
    mac : read both operands, at ifmap_read_address and weight_read_address.
    accumulate, first, psum_address : L + 1 cycles later; `first` starts the sum from the product.
    drain : psum_out becomes psum_in plus the sum's old value, at the end of the cycle.
    weight_sram_* : to the memories that hold the weights, if macros do (`weight_banks`).
    """

    active: Signal
    activation: Signal
    ifmap_write: Signal
    ifmap_write_address: Signal
    weight: Signal
    weight_write: Signal
    weight_write_address: Signal
    mac: Signal
    ifmap_read_address: Signal
    weight_read_address: Signal
    accumulate: Signal
    first: Signal
    drain: Signal
    psum_address: Signal
    psum_in: Signal
    psum_out: Signal

    def __init__(self, config: AcceleratorConfig, storage: str | None = None) -> None:
        self.config = config
        self.storage = storage or word_storage(config.scratchpads)
        super().__init__(
            {
                "active": In(1),
                "activation": In(unsigned(config.activation_bits)),
                "ifmap_write": In(1),
                "ifmap_write_address": In(address_bits(config.ifmap_words)),
                "weight": In(unsigned(config.weight_bits)),
                "weight_write": In(1),
                "weight_write_address": In(address_bits(config.weight_words)),
                "mac": In(1),
                "ifmap_read_address": In(address_bits(config.ifmap_words)),
                "weight_read_address": In(address_bits(config.weight_words)),
                "accumulate": In(1),
                "first": In(1),
                "drain": In(1),
                "psum_address": In(address_bits(config.psum_words)),
                "psum_in": In(unsigned(config.accumulator_bits)),
                "psum_out": Out(unsigned(config.accumulator_bits)),
                **memory_ports(config),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.ifmap_scratchpad = ifmap = Scratchpad(
            config.ifmap_words, config.activation_bits, self.storage
        )
        m.submodules.weight_scratchpad = weight = (
            WeightBanks(config)
            if config.weight_macros
            else Scratchpad(config.weight_words, config.weight_bits, self.storage)
        )
        m.submodules.psum_scratchpad = psum = Scratchpad(
            config.psum_words, config.accumulator_bits, self.storage
        )
        m.submodules.mac_unit = mac = mac_for(config.arithmetic)
        m.submodules.column_adder = adder = adder_for(config.arithmetic)

        m.d.comb += [
            ifmap.write.eq(self.ifmap_write),
            ifmap.write_address.eq(self.ifmap_write_address),
            ifmap.read_address.eq(self.ifmap_read_address),
            # What passes by for other PEs must not switch the inputs of all words.
            ifmap.write_data.eq(Mux(self.ifmap_write, self.activation, 0)),
            weight.write.eq(self.weight_write),
            weight.write_address.eq(self.weight_write_address),
            weight.read_address.eq(self.weight_read_address),
            weight.write_data.eq(Mux(self.weight_write, self.weight, 0)),
        ]
        activation, weight_operand = self._operands(m, ifmap, weight)
        m.d.comb += [mac.activation.eq(activation), mac.weight.eq(weight_operand)]

        stored = psum.read_data
        m.d.comb += [
            psum.write_address.eq(self.psum_address),
            psum.read_address.eq(self.psum_address),
            psum.write.eq(self.accumulate & self.active),
            psum.write_data.eq(mac.total),
            mac.addend.eq(Mux(self.first, 0, stored)),
            adder.left.eq(self.psum_in),
            # Sums pass by in every MAC; only a drain adds one.
            adder.right.eq(Mux(self.active & self.drain, stored, 0)),
        ]
        with m.If(self.drain):
            m.d.sync += self.psum_out.eq(adder.total)
        return m

    def _operands(
        self, m: Module, ifmap: Scratchpad, weight: Scratchpad | WeightBanks
    ) -> tuple[Signal, Signal]:
        """The words that the MAC multiplies; they hold still when there is none, so that an idle
        datapath does not switch."""
        config = self.config
        activation = Signal(config.activation_bits)
        weight_operand = Signal(config.weight_bits)
        take, word = self.mac & self.active, ifmap.read_data
        if isinstance(weight, WeightBanks):
            ports = memory_ports(config)
            copy(m, weight, self, tuple(name for name in ports if ports[name].flow == Out))
            copy(m, self, weight, tuple(name for name in ports if ports[name].flow == In))
            m.d.comb += weight.read.eq(take)
            # The weight is there a cycle later; the activation waits for it.
            waiting = Signal(config.activation_bits)
            took = Signal()
            m.d.sync += took.eq(take)
            with m.If(take):
                m.d.sync += waiting.eq(ifmap.read_data)
            take, word = took, waiting
        with m.If(take):
            m.d.sync += [activation.eq(word), weight_operand.eq(weight.read_data)]
        return activation, weight_operand
