"""Units of an arithmetic: `mac_for`, `adder_for` and `output_for`.

The only place where hardware asks what kind of numbers it works on; all above it sees codes and
accumulator values as bits.
"""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import Arithmetic, FloatAccumulator, FloatFormat, PowerOfTwoFormat, arithmetic
from rtl_gen.hardware.accumulate import AccumulatorAdder
from rtl_gen.hardware.accumulate_float import FloatAdder
from rtl_gen.hardware.mac_float import FloatMultiplier
from rtl_gen.hardware.mac_integer import IntegerMultiplier
from rtl_gen.hardware.mac_power_of_two import PowerOfTwoMultiplier
from rtl_gen.hardware.output_float import FloatOutput
from rtl_gen.hardware.output_integer import IntegerOutput


class Mac(wiring.Component):
    """Multiply, keep the product for a cycle, add it to the addend.

    `total` in cycle t + L is the addend of cycle t + L plus the product of the operands of cycle
    t, L being `arithmetic.mac_latency`; one pair of operands every cycle. Bit-exact with
    `Arithmetic.multiply` and `.add`.

    Parameters
    ----------
    arithmetic : the formats.

    Members
    -------
    activation : In, activation bits, raw code.
    weight : In, weight bits, raw code.
    addend : In, accumulator bits.
    total : Out, accumulator bits.
    """

    activation: Signal
    weight: Signal
    addend: Signal
    total: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        super().__init__(
            {
                "activation": In(arithmetic.activation_bits),
                "weight": In(arithmetic.weight_bits),
                "addend": In(arithmetic.accumulator_bits),
                "total": Out(arithmetic.accumulator_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        arithmetic = self._arithmetic
        m.submodules.multiplier = multiplier = multiplier_for(arithmetic)
        m.submodules.adder = adder = adder_for(arithmetic, of_product=True)
        # No reset: a new product arrives with every edge.
        product = Signal.like(multiplier.product, name="product", reset_less=True)
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


def adder_for(arithmetic: Arithmetic, *, of_product: bool = False) -> Any:
    """Return the adder of an arithmetic's accumulator values, or of one and a product."""
    accumulator = arithmetic.accumulator
    if isinstance(accumulator, FloatAccumulator):
        return FloatAdder(accumulator.format)
    right = arithmetic.product_bits if of_product else accumulator.bits
    return AccumulatorAdder(accumulator, right_bits=right)


def output_for(arithmetic: Arithmetic) -> Any:
    """Return a lane of the arithmetic's output stage."""
    return FloatOutput(arithmetic) if arithmetic.is_float else IntegerOutput(arithmetic)


def multiplier_for(arithmetic: Arithmetic) -> Any:
    """Return the multiplier of an arithmetic; its latency is one less than the MAC's."""
    if arithmetic.is_float:
        return FloatMultiplier(arithmetic, _integer_of(arithmetic))
    if isinstance(arithmetic.weight, PowerOfTwoFormat):
        return PowerOfTwoMultiplier(arithmetic)
    return IntegerMultiplier(arithmetic)


def _integer_of(arith: Arithmetic) -> Any:
    """What makes a signed integer of a weight that is not floating-point: times one."""
    if isinstance(arith.weight, FloatFormat):
        return None
    return multiplier_for(arithmetic(f"uint1x{arith.weight.name}"))
