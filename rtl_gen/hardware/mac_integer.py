"""Multiplier by an integer."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import Arithmetic, Format, IntegerFormat


class IntegerMultiplier(wiring.Component):
    """Multiply an integer or a sign by an integer, signed or not, exactly. Combinational.

    How the product of integers is formed (array, Booth, ...) is left to synthesis.

    Members
    -------
    activation, weight : In, raw codes.
    product : Out, signed, as wide as the widest product.
    """

    activation: Signal
    weight: Signal
    product: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        super().__init__(
            {
                "activation": In(arithmetic.activation_bits),
                "weight": In(arithmetic.weight_bits),
                "product": Out(signed(arithmetic.product_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        weight = number(self._arithmetic.weight, self.weight)
        if isinstance(self._arithmetic.activation, IntegerFormat):
            product = number(self._arithmetic.activation, self.activation) * weight
        else:
            product = Mux(self.activation, -weight, weight)
        m.d.comb += self.product.eq(product)
        return m


def number(fmt: Format, word: Value) -> Value:
    """The signed number that a code of an integer format, or of `bin`, stands for."""
    if not isinstance(fmt, IntegerFormat):
        return Mux(word, Const(-1, signed(2)), Const(1, signed(2)))
    return word.as_signed() if fmt.signed else Cat(word, 0).as_signed()
