"""Bank: the data path between a column's sums and its two partial-sum memories."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.instruction import COORDINATE
from rtl_gen.hardware.mac import adder_for


def bank_control() -> wiring.Signature:
    """What the collector tells every bank.

    capture : take the sum that arrives and the word that was read (`odd`: from which memory).
    fresh : one cycle later, the sum starts a new output and no word is added.
    store_even, store_odd : in that same cycle, keep the total for that memory.
    """
    return wiring.Signature(
        {
            "capture": Out(1),
            "odd": Out(1),
            "fresh": Out(1),
            "store_even": Out(1),
            "store_odd": Out(1),
        }
    )


class Bank(wiring.Component):
    """Adds a column's sums to those of earlier channel passes.

    Sums follow one another, so even and odd ones live in two single-port memories: while one
    is read the other is written. Latency from `capture` to the total in `*_write` 2 cycles;
    one sum a cycle.

    Members
    -------
    control : see `bank_control`.
    chain : the sum that leaves the column, beside `capture`.
    even_read, odd_read : words from the memories; even_write, odd_write : words to them.
    odd_output : which of the words read goes to `word`, for the output.
    column_taps, column_sets, offset_step : e, t and the ifmap rows between output rows.
    set_index, tap, offset : this column's coordinates; next_* : those of the next column
        (registered: they settle column by column).
    active : whether the column belongs to the mapping (registered: it stands still while a layer
        runs, and so begins no path that ends in a PE's adder).
    """

    control: wiring.PureInterface
    chain: Signal
    even_read: Signal
    odd_read: Signal
    even_write: Signal
    odd_write: Signal
    odd_output: Signal
    word: Signal
    column_taps: Signal
    column_sets: Signal
    offset_step: Signal
    set_index: Signal
    tap: Signal
    offset: Signal
    next_set_index: Signal
    next_tap: Signal
    next_offset: Signal
    active: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        bits = config.accumulator_bits
        coordinates = ("set_index", "tap", "offset")
        super().__init__(
            {
                "control": In(bank_control()),
                "chain": In(unsigned(bits)),
                "even_read": In(unsigned(bits)),
                "odd_read": In(unsigned(bits)),
                "even_write": Out(unsigned(bits)),
                "odd_write": Out(unsigned(bits)),
                "odd_output": In(1),
                "word": Out(unsigned(bits)),
                "column_taps": In(COORDINATE),
                "column_sets": In(COORDINATE),
                "offset_step": In(COORDINATE),
                **{name: In(COORDINATE) for name in coordinates},
                **{f"next_{name}": Out(COORDINATE) for name in coordinates},
                "active": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.adder = adder = adder_for(self.config.arithmetic)
        bits = self.config.accumulator_bits
        arrived = Signal(bits)
        kept = Signal(bits)
        with m.If(self.control.capture & self.active):
            m.d.sync += [
                arrived.eq(self.chain),
                kept.eq(Mux(self.control.odd, self.odd_read, self.even_read)),
            ]
        m.d.comb += [
            adder.left.eq(Mux(self.control.fresh, 0, kept)),
            adder.right.eq(arrived),
            self.word.eq(Mux(self.odd_output, self.odd_read, self.even_read)),
        ]
        with m.If(self.control.store_even & self.active):
            m.d.sync += self.even_write.eq(adder.total)
        with m.If(self.control.store_odd & self.active):
            m.d.sync += self.odd_write.eq(adder.total)

        m.d.sync += [
            self.active.eq(self.set_index < self.column_sets),
            self.next_set_index.eq(self.set_index),
            self.next_tap.eq(self.tap + 1),
            self.next_offset.eq(self.offset + self.offset_step),
        ]
        with m.If(self.tap + 1 == self.column_taps):
            m.d.sync += [
                self.next_set_index.eq(self.set_index + 1),
                self.next_tap.eq(0),
                self.next_offset.eq(0),
            ]
        return m
