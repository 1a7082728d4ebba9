"""AXI4-Lite and AXI4-Stream under their standard names, and what turns one into the other.

Source: AMBA AXI and ACE Protocol Specification, ARM IHI 0022; AMBA AXI-Stream Protocol
Specification, ARM IHI 0051.
"""

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

#: Answers on the B and R channels.
OKAY, SLVERR = 0, 2


def axi_lite(address_bits: int) -> wiring.Signature:
    """AXI4-Lite of 32 data bits, seen from the manager; `awprot` and `arprot` tell nothing."""
    return wiring.Signature(
        {
            **{"awaddr": Out(address_bits), "awprot": Out(3), "awvalid": Out(1), "awready": In(1)},
            **{"wdata": Out(32), "wstrb": Out(4), "wvalid": Out(1), "wready": In(1)},
            **{"bresp": In(2), "bvalid": In(1), "bready": Out(1)},
            **{"araddr": Out(address_bits), "arprot": Out(3), "arvalid": Out(1), "arready": In(1)},
            **{"rdata": In(32), "rresp": In(2), "rvalid": In(1), "rready": Out(1)},
        }
    )


def axi_stream(bits: int, *, last: bool = False) -> wiring.Signature:
    """AXI4-Stream seen from the transmitter: every byte counts, so there is no `tkeep`."""
    end = {"tlast": Out(1)} if last else {}
    return wiring.Signature({"tdata": Out(bits), **end, "tvalid": Out(1), "tready": In(1)})


class RegisterPort(wiring.Component):
    """AXI4-Lite subordinate: at most one access to the registers a cycle.

    Address and data of a write are kept as they come, in either order; a transfer is answered
    before the next of its kind is accessed. All outputs to the bus come out of registers.

    Members
    -------
    axi : the bus.
    enable : accesses may take place, from the next cycle on.
    read, write : one takes place in this cycle, at the word `address` (bytes / 4); at a write
        `data`, of which byte i counts where `strobe` i is 1.
    answer, okay : in the same cycle, the word read, and whether the access is allowed.
    """

    axi: wiring.PureInterface
    enable: Signal
    read: Signal
    write: Signal
    address: Signal
    data: Signal
    strobe: Signal
    answer: Signal
    okay: Signal

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "axi": In(axi_lite(address_bits)),
                "enable": In(1),
                "read": Out(1),
                "write": Out(1),
                "address": Out(address_bits - 2),
                "data": Out(32),
                "strobe": Out(4),
                "answer": In(32),
                "okay": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi = self.axi
        write_address, read_address = (
            Signal.like(self.address, name=f"{kind}_address") for kind in ("write", "read")
        )
        addressed = _keep(m, axi, "aw", self.write, (write_address, axi.awaddr[2:]))
        given = _keep(m, axi, "w", self.write, (self.data, axi.wdata), (self.strobe, axi.wstrb))
        asked = _keep(m, axi, "ar", self.read, (read_address, axi.araddr[2:]))
        free = self.enable & ~self.write & ~self.read
        write = Signal(name="write_next")
        m.d.comb += write.eq(free & addressed & given & ~axi.bvalid)
        m.d.sync += [
            self.write.eq(write),
            # No write follows a write at once, so reads are never shut out.
            self.read.eq(free & asked & ~axi.rvalid & ~write),
            self.address.eq(Mux(write, write_address, read_address)),
        ]
        response = Mux(self.okay, OKAY, SLVERR)
        with m.If(self.write):
            m.d.sync += [axi.bvalid.eq(1), axi.bresp.eq(response)]
        with m.Elif(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(self.read):
            m.d.sync += [axi.rvalid.eq(1), axi.rresp.eq(response), axi.rdata.eq(self.answer)]
        with m.Elif(axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        return m


def _keep(m: Module, axi: Any, channel: str, done: Signal, *payload: tuple[Signal, Any]) -> Signal:
    """Take one transfer of a channel, and hold it until it is done with; returns whether held."""
    held = Signal(name=f"{channel}_held")
    valid, ready = getattr(axi, f"{channel}valid"), getattr(axi, f"{channel}ready")
    m.d.comb += ready.eq(~held)
    with m.If(~held & valid):
        m.d.sync += [held.eq(1), *(kept.eq(value) for kept, value in payload)]
    with m.Elif(done):
        m.d.sync += held.eq(0)
    return held


class FrameSource(wiring.Component):
    """Sends beats as AXI4-Stream frames that end, whatever becomes of their layer.

    A beat stays in a register until it is taken, so the rules hold also where the core is reset.
    Adds a cycle of latency, and no gap.

    Members
    -------
    beats, last : stream in, and whether its beat is the last of a layer.
    axis : AXI4-Stream out, a frame a layer.
    abort : the layer gives no more beats: a frame that has begun gets one more, with `tlast`.
    """

    beats: stream.Interface
    last: Signal
    axis: wiring.PureInterface
    abort: Signal

    def __init__(self, bits: int) -> None:
        super().__init__(
            {
                "beats": In(stream.Signature(unsigned(bits))),
                "last": In(1),
                "axis": Out(axi_stream(bits, last=True)),
                "abort": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats, axis = self.beats, self.axis
        begun = Signal()  # and the last beat has not come
        closing = Signal()  # one more beat is to follow the one on offer
        accepted = Signal()
        m.d.comb += [
            beats.ready.eq((axis.tready | ~axis.tvalid) & ~closing),
            accepted.eq(beats.valid & beats.ready),
        ]
        with m.If(accepted):
            m.d.sync += [axis.tdata.eq(beats.payload), axis.tlast.eq(self.last)]
            m.d.sync += [axis.tvalid.eq(1), begun.eq(~self.last)]
        with m.Elif(axis.tready | ~axis.tvalid):
            m.d.sync += [axis.tvalid.eq(closing), axis.tlast.eq(closing), closing.eq(0)]
        with m.If(self.abort & Mux(accepted, ~self.last, begun)):
            m.d.sync += [begun.eq(0), closing.eq(1)]
        return m
