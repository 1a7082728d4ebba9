"""A lane of the output stage for floating-point sums."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring

from rtl_gen.formats import Arithmetic, FloatAccumulator, FloatFormat
from rtl_gen.hardware.accumulate_float import FloatAdder
from rtl_gen.hardware.float_parts import Unpacked, unpack
from rtl_gen.hardware.mac_float import converted
from rtl_gen.hardware.output_integer import HALF, output_ports
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS


class FloatOutput(wiring.Component):
    """clamp(round((sum + bias) * multiplier / 2**shift), low, high), ties to even.

    The sum is rounded to the accumulator's format, its product once more, to the activation's.
    Bit-exact with `rtl_gen.output_stage.OutputStage.apply`; ports and latency are those of
    `IntegerOutput`. low and high hold the upper bits of codes; zero_point means nothing.
    """

    advance: Signal
    sum: Signal
    bias: Signal
    multiplier: Signal
    shift: Signal
    zero_point: Signal
    low: Signal
    high: Signal
    code: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        super().__init__(output_ports(arithmetic))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wide, narrow = self.arithmetic.accumulator, self.arithmetic.activation
        assert isinstance(wide, FloatAccumulator)
        assert isinstance(narrow, FloatFormat)
        m.submodules.adder = adder = FloatAdder(wide.format)
        biased = Signal(wide.bits, reset_less=True)
        rounded = Signal(narrow.bits, reset_less=True)
        product = self._product(m, unpack(m, wide.format, biased, "biased"))
        m.d.comb += [adder.left.eq(self.sum), adder.right.eq(self.bias)]
        with m.If(self.advance):
            m.d.sync += [biased.eq(adder.total), rounded.eq(converted(m, narrow, product))]
        m.d.comb += self.code.eq(self._clamped(narrow, rounded))
        return m

    def _product(self, m: Module, number: Unpacked) -> Unpacked:
        """Times the multiplier, in two halves and two cycles, and over 2**shift."""
        width = len(number.significand)
        low = Signal(width + HALF, name="low_product", reset_less=True)
        high = Signal(width + HALF, name="high_product", reset_less=True)
        product = Signal(width + MULTIPLIER_BITS, reset_less=True)
        rest = Cat(number.sign, number.infinite, number.nan, number.field)
        kept = [Signal(len(rest), name=f"kept_{i}", reset_less=True) for i in range(2)]
        none = Signal(name="multiplied_by_none")
        with m.If(self.advance):
            m.d.sync += [
                low.eq(number.significand * self.multiplier[:HALF]),
                high.eq(number.significand * self.multiplier[HALF:]),
                product.eq(low + (high << HALF)),
                kept[0].eq(rest),
                kept[1].eq(kept[0]),
            ]
        sign, infinite, nan, field = kept[1][0], kept[1][1], kept[1][2], kept[1][3:]
        # Infinity times zero.
        m.d.comb += none.eq(infinite & ~product.any())
        lost = (1 << SHIFT_BITS) - 1
        scaled = Signal(range(number.largest_field + lost + 1), name="scaled_field")
        m.d.comb += scaled.eq(field + (lost - self.shift))
        return Unpacked(
            sign=sign,
            significand=product,
            field=scaled,
            offset=number.offset - lost,
            smallest_field=number.smallest_field,
            largest_field=number.largest_field + lost,
            infinite=infinite,
            nan=nan | none,
        )

    def _clamped(self, fmt: FloatFormat, word: Signal) -> Value:
        """The word, or the limit it is past; a NaN stays what it is."""
        low, high = (_widened(fmt, limit) for limit in (self.low, self.high))
        inside = Mux(_order(word) < _order(low), low, Mux(_order(word) > _order(high), high, word))
        return inside if fmt.nan_word is None else Mux(word == fmt.nan_word, word, inside)


def _widened(fmt: FloatFormat, field: Signal) -> Value:
    """A code from the field of the descriptor that has its upper bits."""
    return (
        Cat(Const(0, fmt.bits - len(field)), field) if fmt.bits > len(field) else field[: fmt.bits]
    )


def _order(word: Value) -> Value:
    """A number that is the larger the larger the word's; minus zero is less than zero."""
    sign = word[-1]
    return Cat(Mux(sign, ~word[:-1], word[:-1]), ~sign)
