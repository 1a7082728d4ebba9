"""Multiplier by a sum of signed powers of two: shifts and adds.

Source: Ding et al., "LightNN", arXiv 1802.02178; the LightPEs of QUIDAM, arXiv 2206.15463.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import Arithmetic, PowerOfTwoFormat
from rtl_gen.formats.power_of_two import Term
from rtl_gen.hardware.mac_integer import number


class PowerOfTwoMultiplier(wiring.Component):
    """Multiply an integer or a sign by the terms of a weight and add them, exactly. Combinational.

    The first term negates the activation before its shift, where that is narrow. Later ones with
    signs of their own invert theirs instead: what an inverse lacks of the negative, a one, is the
    carry into the addition. Measured on osu018, this is smaller and faster than one negation that
    all terms share, and than any negation after the shift; on nangate45 faster, not always smaller.

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
        weights = self._arithmetic.weight
        assert isinstance(weights, PowerOfTwoFormat)
        activation = number(self._arithmetic.activation, self.activation)
        negated = Signal(signed(len(activation) + 1))
        m.d.comb += negated.eq(-activation)
        terms: list[Value] = []
        carries: list[Value] = []
        low = 0
        for place, term in enumerate(weights.terms):
            index = self.weight[low : low + term.index_bits]
            minus = self.weight[low + term.bits - 1] if term.signed else self.weight[-1]
            low += term.bits
            power = Signal(self.product.shape(), name=f"term{place}")
            terms.append(power)
            if place and term.signed:
                inverted = activation ^ minus.replicate(len(activation)).as_signed()
                m.d.comb += power.eq(_power(term, index, inverted, minus))
                carries.append(minus & ~_is_zero(term, index) if None in term.exponents else minus)
            else:
                m.d.comb += power.eq(_power(term, index, Mux(minus, negated, activation)))
        m.d.comb += self.product.eq(sum([*terms[1:], *carries], start=terms[0]))
        return m


def _is_zero(term: Term, index: Value) -> Value:
    return index == term.exponents.index(None)


def _power(term: Term, index: Value, factor: Value, fill: Value | None = None) -> Value:
    """`factor` times the power of two that `index` stands for, with `fill` (or 0) shifted in."""
    powers = [power for power in term.exponents if power is not None]
    top = max(powers)
    # The index is the exponent itself, but for a last one that may stand for zero.
    if term.exponents[: top + 1] == tuple(range(top + 1)):
        product = factor
        if top and fill is None:
            product = factor << index
        elif top:
            product = (_shifted(factor, top, fill) << index)[top:].as_signed()
        return Mux(_is_zero(term, index), 0, product) if None in term.exponents else product
    product = Const(0)
    for place, power in enumerate(term.exponents):
        if power is not None:
            product = Mux(index == place, _shifted(factor, power, fill), product)
    return product


def _shifted(factor: Value, places: int, fill: Value | None) -> Value:
    return factor << places if fill is None else Cat(fill.replicate(places), factor).as_signed()
