"""Scratchpad: a small word memory in flip-flops, one write and one read a cycle."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen.hardware.instruction import address_bits


class Scratchpad(wiring.Component):
    """`words` words of `bits` bits.

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

    def __init__(self, words: int, bits: int) -> None:
        self.words = words
        self.bits = bits
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
