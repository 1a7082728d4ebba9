"""Multiplier by a sum of signed powers of two: shifts and adds.

Source: Ding et al., "LightNN", arXiv 1802.02178; the LightPEs of QUIDAM, arXiv 2206.15463.
"""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import Arithmetic
from rtl_gen.formats.power_of_two import SIGN_BIT, TERM_BITS


class PowerOfTwoMultiplier(wiring.Component):
    """Multiply a signed integer by the terms of a weight and add them, exactly. Combinational.

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
        activation = self.activation.as_signed()
        # Negating before the shift keeps the negation narrow, and all terms share it.
        negated = Signal(signed(len(self.activation) + 1))
        m.d.comb += negated.eq(-activation)
        shifted = []
        for first_bit in range(0, len(self.weight), TERM_BITS):
            term = self.weight[first_bit : first_bit + TERM_BITS]
            signed_activation = Mux(term[SIGN_BIT], negated, activation)
            shifted.append(signed_activation << term[:SIGN_BIT])
        m.d.comb += self.product.eq(sum(shifted[1:], start=shifted[0]))
        return m
