"""Network row: passes instructions down the array, one row a cycle."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.beats import weight_beat_bits
from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.instruction import (
    COORDINATE,
    ifmap_part,
    instruction,
    late,
    mac_part,
    weight_part,
)


class NetworkRow(wiring.Component):
    """One register stage of the vertical network, and where its row stands in the mapping.

    Members
    -------
    above : the instruction of the row above; here : the same a cycle later, for this row.
    late : the part of `here` that acts when the product is there: after its operands have been
        read and multiplied.
    kernel_rows, sets : R and r of the layer.
    set_index, tap : this row's coordinates: row set and filter row, g * R + i being its number.
    next_set_index, next_tap : those of the row below (registered: they settle row by row).
    active : whether the row belongs to the mapping (registered, as that of a bank is).
    """

    above: wiring.PureInterface
    here: wiring.PureInterface
    late: wiring.PureInterface
    kernel_rows: Signal
    sets: Signal
    set_index: Signal
    tap: Signal
    next_set_index: Signal
    next_tap: Signal
    active: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        #: Bits of a beat of weights that are kept: no row reads a lane beyond the array's last one.
        self._weights = slice(int(weight_beat_bits(config)))
        super().__init__(
            {
                "above": In(instruction(config)),
                "here": Out(instruction(config)),
                "late": Out(late(config)),
                "kernel_rows": In(COORDINATE),
                "sets": In(COORDINATE),
                "set_index": In(COORDINATE),
                "tap": In(COORDINATE),
                "next_set_index": Out(COORDINATE),
                "next_tap": Out(COORDINATE),
                "active": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        above, here, out = self.above, self.here, self.late
        for name in ("load_weight", "load_ifmap", "mac", "drain"):
            m.d.sync += getattr(here, name).eq(getattr(above, name))
        # What no strobe gives a meaning holds still.
        for part, strobe in (
            (weight_part(self.config), above.load_weight),
            (ifmap_part(self.config), above.load_ifmap),
            (mac_part(self.config), above.mac | above.drain),
        ):
            with m.If(strobe):
                for name in part:
                    if name not in ("load_weight", "load_ifmap", "mac", "drain"):
                        kept = self._weights if name == "weight_data" else slice(None)
                        m.d.sync += getattr(here, name)[kept].eq(getattr(above, name)[kept])

        # A cycle to read the operands, then those of the MAC.
        stages = [
            *(
                late(self.config).create(path=(f"late_{i}",))
                for i in range(self.config.mac_latency)
            ),
            out,
        ]
        for name in late(self.config).members:
            before = getattr(here, "mac" if name == "accumulate" else name)
            for stage in stages:
                m.d.sync += getattr(stage, name).eq(before)
                before = getattr(stage, name)

        last = self.tap + 1 == self.kernel_rows
        m.d.sync += self.next_tap.eq(self.tap + 1)
        m.d.sync += self.next_set_index.eq(self.set_index)
        with m.If(last):
            m.d.sync += [self.next_tap.eq(0), self.next_set_index.eq(self.set_index + 1)]
        m.d.sync += self.active.eq(self.set_index < self.sets)
        return m
