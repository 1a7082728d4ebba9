"""Single-port memory: what a memory compiler's macro would be, behaviourally."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen.hardware.instruction import address_bits


def memory_name(depth: int, width: int) -> str:
    """Name of the memory's Verilog module, by which a designer swaps a macro in."""
    return f"sram_{depth}x{width}"


class SinglePortMemory(wiring.Component):
    """`depth` words of `width` bits, one access a cycle.

    Members
    -------
    enable : an access in this cycle; `write` says which kind.
    read_data : the word read, from the next cycle until the next read.
    """

    enable: Signal
    write: Signal
    address: Signal
    write_data: Signal
    read_data: Signal

    def __init__(self, depth: int, width: int) -> None:
        self.depth = depth
        self.width = width
        super().__init__(
            {
                "enable": In(1),
                "write": In(1),
                "address": In(address_bits(depth)),
                "write_data": In(unsigned(width)),
                "read_data": Out(unsigned(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.storage = storage = Memory(
            shape=unsigned(self.width), depth=self.depth, init=[]
        )
        write = storage.write_port()
        read = storage.read_port()
        m.d.comb += [
            write.en.eq(self.enable & self.write),
            write.addr.eq(self.address),
            write.data.eq(self.write_data),
            read.en.eq(self.enable & ~self.write),
            read.addr.eq(self.address),
            self.read_data.eq(read.data),
        ]
        return m
