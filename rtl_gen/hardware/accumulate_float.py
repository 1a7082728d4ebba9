"""Floating-point adder, correctly rounded.

Source: Muller et al., "Handbook of Floating-Point Arithmetic", 2nd edition, section 8.4.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import FloatFormat
from rtl_gen.hardware.counter import flags
from rtl_gen.hardware.float_parts import leading_zeros, packed, rounded, shift_right_sticky, unpack

#: Bits below the mantissa that rounding needs: guard, round, sticky.
EXTRA = 3


class FloatAdder(wiring.Component):
    """Add two numbers of a format, rounded to nearest, ties to even. Combinational.

    IEEE 754: subnormals, signed zeros (x - x is +0), infinities; every NaN is the format's one.

    Members
    -------
    left, right, total : words of the format.
    """

    left: Signal
    right: Signal
    total: Signal

    def __init__(self, fmt: FloatFormat) -> None:
        self.format = fmt
        word = fmt.bits
        super().__init__({"left": In(word), "right": In(word), "total": Out(word)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self.format
        left, right = unpack(m, fmt, self.left, "left"), unpack(m, fmt, self.right, "right")
        # Both differences are formed while the magnitudes are compared: words of one sign are
        # ordered like their numbers.
        swap, subtract = flags("swap", "subtract")
        ahead = Signal(signed(fmt.exponent_bits + 1))
        behind = Signal(fmt.exponent_bits)
        m.d.comb += [
            swap.eq(self.left[:-1] < self.right[:-1]),
            subtract.eq(left.sign ^ right.sign),
            ahead.eq(left.field - right.field),
            behind.eq(right.field - left.field),
        ]
        distance = Signal(fmt.exponent_bits)
        field = Signal(fmt.exponent_bits)
        larger = Signal(fmt.mantissa_bits + 1)
        smaller = Signal(fmt.mantissa_bits + 1)
        larger_sign = Signal()
        m.d.comb += [
            distance.eq(Mux(ahead < 0, behind, ahead)),
            field.eq(Mux(ahead < 0, right.field, left.field)),
            larger.eq(Mux(swap, right.significand, left.significand)),
            smaller.eq(Mux(swap, left.significand, right.significand)),
            larger_sign.eq(Mux(swap, right.sign, left.sign)),
        ]
        aligned = shift_right_sticky(m, Cat(Const(0, EXTRA), smaller), distance, "aligned")
        # One bit above for the carry.
        exact = Signal(fmt.mantissa_bits + 2 + EXTRA)
        addend = Mux(subtract, ~Cat(aligned, 0), aligned)
        m.d.comb += exact.eq(Cat(Const(0, EXTRA), larger) + addend + subtract)
        magnitude = self._normalized(m, field, exact)
        infinite, nan, sign = flags("infinite", "nan", "sign")
        m.d.comb += [
            infinite.eq(left.infinite | right.infinite),
            nan.eq(left.nan | right.nan | (left.infinite & right.infinite & subtract)),
            # Only equal magnitudes cancel; minus zero comes from two of them.
            sign.eq(Mux(exact.any() | infinite, larger_sign, left.sign & right.sign)),
            self.total.eq(packed(fmt, sign, magnitude, infinite, nan)),
        ]
        return m

    def _normalized(self, m: Module, field: Value, exact: Signal) -> Signal:
        """The sum shifted until its first one is the hidden bit, or it is subnormal; rounded."""
        fmt = self.format
        zeros = leading_zeros(m, exact, "zeros")
        limited = Signal()
        shift = Signal.like(zeros, name="shift")
        # A carry counts as one place to the left of the hidden bit: field + 1 - zeros.
        m.d.comb += [
            limited.eq(zeros > field),
            shift.eq(Mux(limited, field, zeros)),
        ]
        placed = Signal.like(exact, name="placed")
        exponent = Signal(fmt.exponent_bits + 1)
        m.d.comb += [
            placed.eq(exact << shift),
            exponent.eq(Mux(limited | ~exact.any(), 0, field - zeros)),
        ]
        return rounded(m, fmt, exponent, placed, "magnitude")
