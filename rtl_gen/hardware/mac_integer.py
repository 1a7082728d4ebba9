"""Multiplier of two's complement integers."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import Arithmetic


class IntegerMultiplier(wiring.Component):
    """Multiply two signed integers exactly. Combinational.

    How the product is formed (array, Booth, ...) is left to synthesis.

    Members
    -------
    activation, weight : In, raw codes.
    product : Out, signed, as wide as the widest product.
    """

    activation: Signal
    weight: Signal
    product: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        super().__init__(
            {
                "activation": In(arithmetic.activation_bits),
                "weight": In(arithmetic.weight_bits),
                "product": Out(signed(arithmetic.product_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.product.eq(self.activation.as_signed() * self.weight.as_signed())
        return m
