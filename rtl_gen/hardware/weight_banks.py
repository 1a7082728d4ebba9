"""Weight banks: a PE's weights in two single-port memories, a pass in each."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.instruction import address_bits
from rtl_gen.memories import weight_pass_words
from rtl_gen.storage import WEIGHT_MACROS


def memory_ports(config: AcceleratorConfig) -> dict[str, Member]:
    """What leads to the memories: those of `memory.SinglePortMemory`, behind `weight_sram_N_`."""
    return {
        f"weight_sram_{number}_{name}": port
        for number in range(config.weight_macros)
        for name, port in {
            "enable": Out(1),
            "write": Out(1),
            "address": Out(address_bits(int(weight_pass_words(config)))),
            "write_data": Out(unsigned(config.weight_bits)),
            "read_data": In(unsigned(config.weight_bits)),
        }.items()
    }


class WeightBanks(wiring.Component):
    """The pass in use is read from one memory while the next one is written to the other.

    The highest bit of an address tells the memory. Reading and writing the same one in one cycle
    is not asked for: a pass's weights lie in one of them (`instruction.other_weights`).

    Members
    -------
    write, write_address, write_data : store a word.
    read, read_address : read a word; read_data : the word, from the next cycle until the next read.
    weight_sram_* : to the memories (see `memory_ports`).
    """

    write: Signal
    write_address: Signal
    write_data: Signal
    read: Signal
    read_address: Signal
    read_data: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        address = address_bits(config.weight_words)
        super().__init__(
            {
                "write": In(1),
                "write_address": In(address),
                "write_data": In(unsigned(config.weight_bits)),
                "read": In(1),
                "read_address": In(address),
                "read_data": Out(unsigned(config.weight_bits)),
                **memory_ports(config),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number in range(WEIGHT_MACROS):
            reads = self.read & (self.read_address[-1] == number)
            writes = self.write & (self.write_address[-1] == number)
            for name, value in {
                "enable": reads | writes,
                "write": writes,
                "address": Mux(writes, self.write_address[:-1], self.read_address[:-1]),
                "write_data": self.write_data,
            }.items():
                m.d.comb += getattr(self, f"weight_sram_{number}_{name}").eq(value)
        last = Signal()
        with m.If(self.read):
            m.d.sync += last.eq(self.read_address[-1])
        words = [getattr(self, f"weight_sram_{i}_read_data") for i in range(WEIGHT_MACROS)]
        m.d.comb += self.read_data.eq(Mux(last, words[1], words[0]))
        return m
