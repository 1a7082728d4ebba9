"""Multiply-accumulate: `mac_for(arithmetic)` and `adder_for(arithmetic)`.

The only place where hardware asks what kind of numbers it works on; all above it sees codes and
accumulator values as bits.
"""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import Arithmetic, PowerOfTwoFormat
from rtl_gen.hardware.accumulate import AccumulatorAdder
from rtl_gen.hardware.mac_integer import IntegerMultiplier
from rtl_gen.hardware.mac_power_of_two import PowerOfTwoMultiplier


class Mac(wiring.Component):
    """Multiply, keep the product for a cycle, add it to the addend.

    `total` in cycle t+1 is the addend of cycle t+1 plus the product of the operands of cycle t:
    latency 1, one pair of operands every cycle. Bit-exact with `Arithmetic.multiply` and `.add`.

    Parameters
    ----------
    arithmetic : the formats.

    Members
    -------
    activation : In, activation bits, raw code.
    weight : In, weight bits, raw code.
    addend : In, signed accumulator bits.
    total : Out, signed accumulator bits.
    """

    activation: Signal
    weight: Signal
    addend: Signal
    total: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        accumulator = signed(arithmetic.accumulator_bits)
        super().__init__(
            {
                "activation": In(arithmetic.activation_bits),
                "weight": In(arithmetic.weight_bits),
                "addend": In(accumulator),
                "total": Out(accumulator),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        arithmetic = self._arithmetic
        m.submodules.multiplier = multiplier = _multiplier_for(arithmetic)
        m.submodules.adder = adder = AccumulatorAdder(
            arithmetic.accumulator, right_bits=arithmetic.product_bits
        )
        # No reset: a new product arrives with every edge.
        product = Signal(signed(arithmetic.product_bits), reset_less=True)
        m.d.sync += product.eq(multiplier.product)
        m.d.comb += [
            multiplier.activation.eq(self.activation),
            multiplier.weight.eq(self.weight),
            adder.left.eq(self.addend),
            adder.right.eq(product),
            self.total.eq(adder.total),
        ]
        return m


def mac_for(arithmetic: Arithmetic) -> Mac:
    """Return the multiply-accumulate unit of an arithmetic."""
    return Mac(arithmetic)


def adder_for(arithmetic: Arithmetic) -> AccumulatorAdder:
    """Return the adder of an arithmetic's accumulator values."""
    return AccumulatorAdder(arithmetic.accumulator)


def _multiplier_for(arithmetic: Arithmetic) -> IntegerMultiplier | PowerOfTwoMultiplier:
    if isinstance(arithmetic.weight, PowerOfTwoFormat):
        return PowerOfTwoMultiplier(arithmetic)
    return IntegerMultiplier(arithmetic)
