"""A core that only moves beats, to stand behind Control; its model; and both in a bench."""

import random
from typing import Any

from amaranth import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, VERSION
from rtl_gen.hardware.control import Control
from rtl_gen.registers import bounds

#: Every field of the config is another number.
CONFIG = AcceleratorConfig.from_mapping(
    {
        "arithmetic": "int4a11",
        **{"rows": 6, "columns": 5, "ifmap_words": 9, "weight_words": 40, "psum_words": 7},
        **{"buffer_kib": 2, "bus_bits": 64},
    }
)
BYTES = CONFIG.bus_bits // 8
#: What the core below takes from the descriptor.
WEIGHTS, IFMAPS, OUTPUTS, TAIL = "weight_words", "pass_beats", "out_width", "kernel_rows"


class BeatMover(wiring.Component):
    """Stands for the core: takes beats, gives beats that tell what it took, waits, is done.

    Output beat k is the k-th field of the descriptor, exclusive-or all beats taken, each
    stream's rotated by one bit a beat.
    """

    start: Signal
    busy: Signal
    layer: wiring.PureInterface
    reset: Signal
    weights: stream.Interface
    ifmaps: stream.Interface
    outputs: stream.Interface
    last: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        bus = stream.Signature(unsigned(config.bus_bits))
        layer = wiring.Signature({name: Out(bits) for name, (bits, _) in FIELDS.items()})
        super().__init__(
            {
                **{"start": In(1), "busy": Out(1), "layer": In(layer), "reset": In(1)},
                **{"weights": In(bus), "ifmaps": In(bus), "outputs": Out(bus), "last": Out(1)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer: dict[str, Any] = {name: getattr(self.layer, name) for name in FIELDS}
        taken = []
        all_there = []
        for name, limit in (("weights", layer[WEIGHTS]), ("ifmaps", layer[IFMAPS])):
            beats = getattr(self, name)
            count, total = Signal(24, name=f"{name}_count"), Signal.like(beats.payload)
            m.d.comb += beats.ready.eq(self.busy & (count != limit))
            with m.If(beats.ready & beats.valid):
                m.d.sync += [count.eq(count + 1), total.eq(total.rotate_left(1) ^ beats.payload)]
            with m.If(self.start & ~self.busy):
                m.d.sync += [count.eq(0), total.eq(0)]
            taken.append(total)
            all_there.append(count == limit)
        sent, waited, told = Signal(24), Signal(8), Signal(range(len(FIELDS)))
        sending = self.busy & all_there[0] & all_there[1] & (sent != layer[OUTPUTS])
        m.d.comb += [
            self.outputs.valid.eq(sending),
            self.last.eq(sent + 1 == layer[OUTPUTS]),
            self.outputs.payload.eq(Array(layer.values())[told] ^ taken[0] ^ taken[1]),
        ]
        with m.If(sending & self.outputs.ready):
            m.d.sync += [sent.eq(sent + 1), told.eq(Mux(told == len(FIELDS) - 1, 0, told + 1))]
        with m.If(sent == layer[OUTPUTS]):
            m.d.sync += waited.eq(waited + 1)
            with m.If(waited == layer[TAIL]):
                m.d.sync += self.busy.eq(0)
        with m.If(self.start & ~self.busy):
            m.d.sync += [self.busy.eq(1), sent.eq(0), told.eq(0), waited.eq(0)]
        with m.If(self.reset):
            m.d.sync += self.busy.eq(0)
        return m


class ControlBench(wiring.Component):
    """Control and its core; `moved` stays 1 once the descriptor has changed in a busy cycle."""

    busy: Signal
    moved: Signal
    core_reset: Signal
    irq: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.control = Control(config)
        self.core = BeatMover(config)
        outside = self.control.signature.members
        names = ("s_axi_control", "s_axis_weights", "s_axis_ifmaps", "m_axis_outputs", "irq")
        observed = {"busy": Out(1), "moved": Out(1), "core_reset": Out(1)}
        super().__init__({**{name: outside[name] for name in names}, **observed})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.control, m.submodules.core = control, core = self.control, self.core
        for name in ("s_axi_control", "s_axis_weights", "s_axis_ifmaps", "m_axis_outputs"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(control, name))
        for name in ("weights", "ifmaps", "outputs", "layer"):
            wiring.connect(m, getattr(control, name), getattr(core, name))
        m.d.comb += [
            core.start.eq(control.start),
            core.reset.eq(control.core_reset),
            control.busy.eq(core.busy),
            control.last.eq(core.last),
            self.busy.eq(core.busy),
            self.irq.eq(control.irq),
            self.core_reset.eq(control.core_reset),
        ]
        now = Cat(*(getattr(control.layer, name) for name in FIELDS))
        before = Signal.like(now)
        m.d.sync += [before.eq(now), self.moved.eq(self.moved | (core.busy & (before != now)))]
        return m


class Moved:
    """What `BeatMover` makes of a descriptor: beats to send, at random, and the frame to come.

    Without `fields`, these are random and legal.
    """

    def __init__(self, fields: dict[str, int] | None = None) -> None:
        self.fields = fields or _fields()
        counts = {"WEIGHT": self.fields[WEIGHTS], "IFMAP": self.fields[IFMAPS]}
        self.beats = {name: random.randbytes(BYTES * count) for name, count in counts.items()}
        taken = self._taken("WEIGHT") ^ self._taken("IFMAP")
        values = [self.fields[name] for name in FIELDS]
        words = [values[k % len(values)] ^ taken for k in range(self.fields[OUTPUTS])]
        self.frame = [word.to_bytes(BYTES, "little") for word in words]

    def _taken(self, name: str) -> int:
        total, bits = 0, CONFIG.bus_bits
        for start in range(0, len(self.beats[name]), BYTES):
            total = (total << 1 | total >> (bits - 1)) & ((1 << bits) - 1)
            total ^= int.from_bytes(self.beats[name][start : start + BYTES], "little")
        return total


def _fields() -> dict[str, int]:
    fields = {"version": VERSION}
    for number, name in enumerate(FIELDS):
        fields[name] = random.randint(*bounds(CONFIG)[number])
    for name, most in ((WEIGHTS, 40), (IFMAPS, 40), (OUTPUTS, 60), (TAIL, 6)):
        fields[name] = random.randint(1, most)
    return fields
