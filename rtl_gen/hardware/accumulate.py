"""The adder of an accumulator: plain, or saturating."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import IntegerAccumulator


class AccumulatorAdder(wiring.Component):
    """Add two accumulator values, as `Arithmetic.add` does. Combinational.

    Parameters
    ----------
    accumulator : width, and whether the sum clips to it; otherwise it wraps.
    right_bits : width of the right operand where that is narrower, such as a product.

    Members
    -------
    left : In, signed accumulator bits.
    right : In, signed right_bits (accumulator bits unless given).
    total : Out, signed accumulator bits.
    """

    left: Signal
    right: Signal
    total: Signal

    def __init__(self, accumulator: IntegerAccumulator, right_bits: int | None = None) -> None:
        self._accumulator = accumulator
        shape = signed(accumulator.bits)
        right_shape = signed(right_bits or accumulator.bits)
        super().__init__({"left": In(shape), "right": In(right_shape), "total": Out(shape)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if not self._accumulator.saturating:
            m.d.comb += self.total.eq(self.left + self.right)
            return m
        bits = self._accumulator.bits
        exact = Signal(signed(bits + 1))
        # The sum fits unless its carry out disagrees with the sign of what would be kept.
        overflow = exact[bits] != exact[bits - 1]
        # The limit on the side of the true sign.
        limit = Mux(exact[bits], self._accumulator.minimum, self._accumulator.maximum)
        m.d.comb += [
            exact.eq(self.left + self.right),
            self.total.eq(Mux(overflow, limit, exact[:bits])),
        ]
        return m
