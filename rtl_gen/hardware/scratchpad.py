"""Scratchpad: a small word memory, one write and one read a cycle."""

from amaranth import ClockSignal, Instance, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen.hardware.instruction import address_bits
from rtl_gen.storage import FLIPFLOP, storage_name


class Scratchpad(wiring.Component):
    """`words` words of `bits` bits.

    Parameters
    ----------
    storage : how the words are kept: flipflop, gated or latch. All do the same; Amaranth can
        simulate flip-flops only, the others are Verilog modules of `storage.storage_modules`.

    Members
    -------
    write, write_address, write_data : store at the end of the cycle.
    read_address, read_data : the word's old value, in the same cycle (latency 0).
    """

    write: Signal
    write_address: Signal
    write_data: Signal
    read_address: Signal
    read_data: Signal

    def __init__(self, words: int, bits: int, storage: str = FLIPFLOP) -> None:
        self.words = words
        self.bits = bits
        self.storage = storage
        super().__init__(
            {
                "write": In(1),
                "write_address": In(address_bits(words)),
                "write_data": In(unsigned(bits)),
                "read_address": In(address_bits(words)),
                "read_data": Out(unsigned(bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.storage != FLIPFLOP:
            m.submodules.storage = Instance(
                storage_name(self.words, self.bits, self.storage),
                i_clk=ClockSignal(),
                i_write=self.write,
                i_write_address=self.write_address,
                i_write_data=self.write_data,
                i_read_address=self.read_address,
                o_read_data=self.read_data,
            )
            return m
        m.submodules.storage = storage = Memory(
            shape=unsigned(self.bits), depth=self.words, init=[]
        )
        write = storage.write_port()
        read = storage.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
        ]
        return m
