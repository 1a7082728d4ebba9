"""Control: what the outside talks to. Registers, the check of a descriptor, the queue, counters.

The registers are those of `rtl_gen.registers`.
"""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware.axi import FrameSource, RegisterPort, axi_lite, axi_stream
from rtl_gen.hardware.counter import flags
from rtl_gen.registers import (
    ADDRESS_BITS,
    COUNTERS,
    DESCRIPTOR_OFFSET,
    DESCRIPTOR_WORDS,
    QUEUE_FULL,
    QUEUE_PLACES,
    REGISTERS,
    TOO_WIDE_BIT,
    VERSION_WORD,
    bounds,
    constants,
)


class Control(wiring.Component):
    """Takes layers over AXI4-Lite, runs them one after the other, and watches the streams.

    A descriptor is written word by word, checked a word a cycle, and then queued as a whole;
    while the check runs no register is accessed, so a read of ERROR that follows an enqueue
    tells its outcome. Between two layers `busy` is low for three cycles.

    The state is mostly descriptors: one being written, `QUEUE_PLACES` in a memory (written and
    read in the same cycle at most once each), one at work in the memory's output register.

    Members
    -------
    s_axi_control : AXI4-Lite. irq : level, an enabled interrupt is pending.
    s_axis_weights, s_axis_ifmaps, m_axis_outputs : AXI4-Stream; the outputs of a layer are one
        frame, and input frames do not count, so these have no `tlast`.
    start, busy, layer : to and from the core; `layer` stands still while `busy`.
    weights, ifmaps, outputs : the core's ends of the streams; last : of the layer's outputs.
    core_reset : high for a cycle, the layer at work is aborted.
    """

    s_axi_control: wiring.PureInterface
    s_axis_weights: wiring.PureInterface
    s_axis_ifmaps: wiring.PureInterface
    m_axis_outputs: wiring.PureInterface
    irq: Signal
    core_reset: Signal
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
        axis = axi_stream(config.bus_bits)
        super().__init__(
            {
                "s_axi_control": In(axi_lite(ADDRESS_BITS)),
                "s_axis_weights": In(axis),
                "s_axis_ifmaps": In(axis),
                "m_axis_outputs": Out(axi_stream(config.bus_bits, last=True)),
                "irq": Out(1),
                "core_reset": Out(1),
                "start": Out(1),
                "busy": In(1),
                "layer": Out(
                    wiring.Signature({name: Out(bits) for name, (bits, _) in FIELDS.items()})
                ),
                "weights": Out(bus),
                "ifmaps": Out(bus),
                "outputs": In(bus),
                "last": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.port = m.submodules.port = RegisterPort(ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.s_axi_control), self.port.axi)
        self.checking = Signal()
        self.word = Signal(32)  # of the register accessed, or of the field checked
        self.pushed = Signal()
        self.refused = Signal()
        self.done = Signal()
        self.free = Signal(range(QUEUE_PLACES + 1), init=QUEUE_PLACES)
        m.d.comb += self.port.enable.eq(~self.checking)
        m.d.sync += self.core_reset.eq(self._commanded("reset"))
        number, error = self._check(m)
        words = {name: Const(value, 32) for name, value in constants(self.config).items()}
        words |= {"CONTROL": Const(0), "ERROR": error}
        words |= self._fields(m)
        words |= self._queue(m, Cat(*(self.fields[name] for name in FIELDS)))
        words |= self._interrupts(m)
        words |= self._counters(m)
        self._streams(m)
        self._answer(m, number, words)
        return m

    def _written(self, name: str) -> Any:
        """Whether a write to a register takes place."""
        return self.port.write & (self.port.address == REGISTERS[name].offset // 4)

    def _commanded(self, name: str) -> Any:
        """Whether a bit of CONTROL is being written with 1."""
        bit = next(part.low for part in REGISTERS["CONTROL"].parts if part.name == name)
        return self._written("CONTROL") & self.port.strobe[bit // 8] & self.port.data[bit]

    def _keep(self, m: Module, target: Signal) -> None:
        """Write the strobed bytes of the bus to a register, under the conditions of the place."""
        for byte in range(-(-len(target) // 8)):
            part = slice(8 * byte, min(8 * byte + 8, len(target)))
            with m.If(self.port.strobe[byte]):
                m.d.sync += target[part].eq(self.port.data[part])

    def _fields(self, m: Module) -> dict[str, Any]:
        """The descriptor that is being written; a bit that has no room marks its field."""
        self.fields = {}
        words = {}
        mask = Cat(*(enable.replicate(8) for enable in self.port.strobe))
        for name in ("version", *FIELDS):
            register = f"LAYER_{name.upper()}"
            bits = REGISTERS[register].parts[0].width
            value = self.fields[name] = Signal(bits, name=f"next_{name}")
            too_wide = Signal(name=f"next_{name}_too_wide")
            with m.If(self._written(register)):
                self._keep(m, value)
                beyond = (self.port.data[bits:] & mask[bits:]).any()
                m.d.sync += too_wide.eq(beyond | (too_wide & ~self.port.strobe.all()))
            words[register] = Cat(value, Const(0, TOO_WIDE_BIT - bits), too_wide)
        return words

    def _check(self, m: Module) -> tuple[Signal, Signal]:
        """Look up the words one a cycle, judge each in the cycle after, and then decide.

        Returns the number of the word that is looked up, and the error code. A bit too wide is
        above all bounds.
        """
        number = Signal(range(DESCRIPTOR_WORDS), init=VERSION_WORD)  # the fields follow it
        judged, seen = Signal.like(number, name="judged"), Signal.like(self.word, name="seen")
        low, high = Signal(32, name="low"), Signal(32, name="high")
        m.d.comb += high.eq(2**32 - 1)
        with m.Switch(judged):
            for word, (smallest, largest) in bounds(self.config).items():
                with m.Case(word):
                    m.d.comb += [low.eq(smallest), high.eq(largest)]
        looking, judging, deciding = flags("looking", "judging", "deciding")
        error = Signal(8)
        m.d.sync += [
            judging.eq(looking),
            judged.eq(number),
            seen.eq(self.word),
            deciding.eq(looking & (number == len(FIELDS))),
        ]
        m.d.comb += [
            self.checking.eq(looking | deciding),
            self.pushed.eq(deciding & (error == 0)),
            self.refused.eq(deciding & (error != 0)),
        ]
        with m.If(judging & (error == 0) & ((seen < low) | (seen > high))):
            m.d.sync += error.eq(judged + 1)
        with m.If(looking):
            m.d.sync += number.eq(number + 1)
            with m.If(number == len(FIELDS)):
                m.d.sync += [looking.eq(0), number.eq(VERSION_WORD)]
        with m.If(self._commanded("enqueue") & ~self._commanded("reset")):
            full = self.free == 0
            m.d.sync += [error.eq(Mux(full, QUEUE_FULL, 0)), looking.eq(~full), deciding.eq(full)]
        return number, error

    def _queue(self, m: Module, descriptor: Any) -> dict[str, Any]:
        """Queue a descriptor where it passed; run the oldest when the core is free."""
        memory = Memory(shape=unsigned(len(descriptor)), depth=QUEUE_PLACES, init=[])
        m.submodules.queue = memory
        write, read = memory.write_port(), memory.read_port()
        running = Signal()
        waiting = self.free != QUEUE_PLACES
        m.d.comb += [
            write.en.eq(self.pushed),
            write.data.eq(descriptor),
            read.en.eq(waiting & ~self.start & ~running),
            Cat(*(getattr(self.layer, name) for name in FIELDS)).eq(read.data),
            self.done.eq(running & ~self.busy),
        ]
        m.d.sync += [
            write.addr.eq(write.addr + self.pushed),
            read.addr.eq(read.addr + read.en),
            self.free.eq(self.free + read.en - self.pushed),
            self.start.eq(read.en),
            running.eq(self.start | (running & self.busy)),
        ]
        with m.If(self.core_reset):
            m.d.sync += [
                read.addr.eq(write.addr),
                self.free.eq(QUEUE_PLACES),
                self.start.eq(0),
                running.eq(0),
            ]
        layers_done = Signal(32)
        m.d.sync += layers_done.eq(layers_done + self.done)
        with m.If(self._commanded("clear")):
            m.d.sync += layers_done.eq(0)
        busy = waiting | self.start | running
        return {"STATUS": Cat(busy, Const(0, 7), self.free), "LAYERS_DONE": layers_done}

    def _interrupts(self, m: Module) -> dict[str, Any]:
        pending = Signal(2)
        enabled = Signal(2)
        events = Cat(self.done, self.refused)
        m.d.comb += self.irq.eq((pending & enabled).any())
        m.d.sync += pending.eq(pending | events)
        with m.If(self._written("INTERRUPT") & self.port.strobe[0]):
            m.d.sync += pending.eq((pending & ~self.port.data[:2]) | events)
        with m.If(self._written("INTERRUPT_ENABLE")):
            self._keep(m, enabled)
        return {"INTERRUPT": pending, "INTERRUPT_ENABLE": enabled}

    def _counters(self, m: Module) -> dict[str, Any]:
        """Counters of 64 bits; a read of the low half keeps the high half for its own read."""
        events = {"LAYER_CYCLES": self.busy, "CYCLES": self.busy}
        for stream_name, axis, waits in (
            ("WEIGHT", self.s_axis_weights, ("tready", "tvalid")),
            ("IFMAP", self.s_axis_ifmaps, ("tready", "tvalid")),
            ("OUTPUT", self.m_axis_outputs, ("tvalid", "tready")),
        ):
            ours, theirs = (getattr(axis, name) for name in waits)
            events[f"{stream_name}_BEATS"] = ours & theirs
            events[f"{stream_name}_STALLS"] = ours & ~theirs
        kept = Signal(32, name="counter_high")
        words: dict[str, Any] = {}
        for name in COUNTERS:
            count = Signal(64, name=f"count_{name.lower()}")
            with m.If(events[name]):
                m.d.sync += count.eq(count + 1)
            restart = self.start if name == "LAYER_CYCLES" else 0
            with m.If(self._commanded("clear") | restart):
                m.d.sync += count.eq(0)
            with m.If(self.port.read & (self.port.address == REGISTERS[name].offset // 4)):
                m.d.sync += kept.eq(count[32:])
            words |= {name: count[:32], f"{name}_HIGH": kept}
        return words

    def _streams(self, m: Module) -> None:
        for axis, inside in (
            (self.s_axis_weights, self.weights),
            (self.s_axis_ifmaps, self.ifmaps),
        ):
            m.d.comb += [
                inside.payload.eq(axis.tdata),
                inside.valid.eq(axis.tvalid),
                axis.tready.eq(inside.ready),
            ]
        m.submodules.frame = frame = FrameSource(self.config.bus_bits)
        wiring.connect(m, wiring.flipped(self.outputs), frame.beats)
        wiring.connect(m, frame.axis, wiring.flipped(self.m_axis_outputs))
        m.d.comb += [frame.last.eq(self.last), frame.abort.eq(self.core_reset)]

    def _answer(self, m: Module, number: Signal, words: dict[str, Any]) -> None:
        """Choose a register's word, for the bus or for the check."""
        address = Signal.like(self.port.address, name="chosen_address")
        checked = Cat(number, Const(DESCRIPTOR_OFFSET // 4 // DESCRIPTOR_WORDS, 4))
        m.d.comb += [
            address.eq(Mux(self.checking, checked, self.port.address)),
            self.port.answer.eq(self.word),
        ]
        with m.Switch(address):
            for name, register in REGISTERS.items():
                with m.Case(register.offset // 4):
                    m.d.comb += self.word.eq(words[name])
                    m.d.comb += self.port.okay.eq(1 if register.writable else ~self.port.write)
