"""Floating-point multiplier, of any two formats, into the accumulator's."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import Arithmetic, FloatAccumulator, FloatFormat
from rtl_gen.hardware.float_parts import (
    Unpacked,
    leading_zeros,
    packed,
    rounded,
    signed_signal,
    unpack,
    unpack_integer,
)


class FloatMultiplier(wiring.Component):
    """Multiply an activation by a weight, rounded to the accumulator's format. Latency 1.

    The significands are multiplied exactly in the first cycle; in the second the product is
    normalized and rounded. What rounding, underflow and overflow need is there only where some
    product needs it: those of FP16 operands fit FP32 as they are.

    Parameters
    ----------
    arithmetic : of floats; the weight may have integers.
    integer : a component with port `weight`, signed `product`: the integer of a weight that is
        not floating-point (None where both are).

    Members
    -------
    activation, weight : In, codes.
    product : Out, a word of the accumulator's format, in the cycle after.
    """

    activation: Signal
    weight: Signal
    product: Signal

    def __init__(self, arithmetic: Arithmetic, integer: Any = None) -> None:
        assert isinstance(arithmetic.accumulator, FloatAccumulator)
        self.arithmetic = arithmetic
        self.format = arithmetic.accumulator.format
        self._integer = integer
        super().__init__(
            {
                "activation": In(arithmetic.activation_bits),
                "weight": In(arithmetic.weight_bits),
                "product": Out(arithmetic.accumulator_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self.arithmetic.activation
        assert isinstance(fmt, FloatFormat)
        one, other = unpack(m, fmt, self.activation, "activation"), self._weight(m)
        no_number = (
            one.nan
            | other.nan
            | (one.infinite & ~other.significand.any())
            | (other.infinite & ~one.significand.any())
        )
        width = len(one.significand) + len(other.significand)
        # No reset: new ones arrive with every edge.
        sign, infinite, nan = (
            Signal(name=name, reset_less=True) for name in ("sign", "infinite", "nan")
        )
        significand = Signal(width, reset_less=True)
        largest = one.largest_field + other.largest_field
        field = Signal(range(max(largest, 1) + 1), reset_less=True)
        m.d.sync += [
            sign.eq(one.sign ^ other.sign),
            significand.eq(one.significand * other.significand),
            field.eq(one.field + other.field),
            infinite.eq(one.infinite | other.infinite),
            nan.eq(no_number),
        ]
        product = Unpacked(
            sign=sign,
            significand=significand,
            field=field,
            offset=one.offset + other.offset,
            smallest_field=one.smallest_field + other.smallest_field,
            largest_field=largest,
            infinite=infinite,
            nan=nan,
        )
        m.d.comb += self.product.eq(converted(m, self.format, product))
        return m

    def _weight(self, m: Module) -> Unpacked:
        fmt = self.arithmetic.weight
        if isinstance(fmt, FloatFormat):
            return unpack(m, fmt, self.weight, "weight")
        m.submodules.weight_number = self._integer
        m.d.comb += [self._integer.activation.eq(1), self._integer.weight.eq(self.weight)]
        return unpack_integer(m, self._integer.product, "weight")


def converted(m: Module, fmt: FloatFormat, number: Unpacked) -> Value:
    """The word of the nearest number of `fmt`, ties to even."""
    significand, width = number.significand, len(number.significand)
    zeros = leading_zeros(m, significand, "zeros")
    # The exponent field less one that a number gets whose first bit is a one.
    top = number.offset + width - 1 + fmt.bias - 1
    low, high = number.smallest_field + top, number.largest_field + top
    exponent = signed_signal(m, number.field + top, low, high, "exponent")
    # Where it may be negative, a number may have to be shifted right: room below.
    room = fmt.mantissa_bits + 2 if low < 0 else max(fmt.mantissa_bits + 2 - width, 0)
    word, left = Cat(Const(0, room), significand), zeros
    normal: Any = zeros <= exponent
    if low < 0:
        # Right by `room` from the start, and then left by as much less.
        word = Cat(significand, Const(0, room))
        limit = signed_signal(m, exponent + room, low + room, high + room, "limit")
        left = Mux(normal, zeros + room, Mux(limit < 0, 0, limit))
    elif low < width:
        left = Mux(normal, zeros, exponent)
    else:
        normal = Const(1)
    # A shift by more than all of it is a shift of zero.
    places = Signal(range(width + room + 1), name="places")
    placed = Signal(width + room, name="placed")
    biased = Signal(range(max(high, 1) + 1), name="biased")
    m.d.comb += [
        places.eq(left),
        placed.eq(word << places),
        biased.eq(Mux(normal & significand.any(), exponent - zeros, 0)),
    ]
    magnitude = rounded(m, fmt, biased, placed, "magnitude")
    return packed(
        *(fmt, number.sign, magnitude, number.infinite, number.nan),
        overflows=high + 1 >= fmt.largest_word >> fmt.mantissa_bits,
    )
