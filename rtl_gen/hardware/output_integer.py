"""A lane of the output stage for integers."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import Arithmetic, IntegerFormat
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS

#: The multiplier is multiplied in two halves, to shorten the path.
HALF = MULTIPLIER_BITS // 2


def output_ports(arithmetic: Arithmetic) -> dict[str, object]:
    """Ports of a lane: see `IntegerOutput`."""
    return {
        "advance": In(1),
        "sum": In(arithmetic.accumulator_bits),
        "bias": In(arithmetic.accumulator_bits),
        "multiplier": In(MULTIPLIER_BITS),
        "shift": In(SHIFT_BITS),
        **{name: In(16) for name in ("zero_point", "low", "high")},
        "code": Out(arithmetic.activation_bits),
    }


class IntegerOutput(wiring.Component):
    """clamp(round_half_even((sum + bias) * multiplier / 2**shift) + zero_point, low, high).

    Of binary outputs, its sign.
    Bit-exact with `rtl_gen.output_stage.OutputStage.apply`. Latency from `sum` and `bias` to
    `code` 4 cycles, all of them only while `advance` is high.

    Members
    -------
    advance : all registers move; they hold still otherwise.
    sum, bias : accumulator codes. multiplier : of the sum a cycle ago; shift : three cycles ago.
    zero_point, low, high : fields of the layer's descriptor.
    code : the output, in the activation format.
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
        bits = self.arithmetic.accumulator_bits

        def register(name: str, width: int) -> Signal:
            return Signal(signed(width), name=name, reset_less=True)

        biased = register("biased", bits + 1)
        low = register("low_product", bits + 1 + HALF)
        high = register("high_product", bits + 1 + HALF)
        product = register("product", bits + 1 + MULTIPLIER_BITS)
        rounded = register("rounded", len(product) + 1)
        with m.If(self.advance):
            m.d.sync += [
                biased.eq(self.sum.as_signed() + self.bias.as_signed()),
                low.eq(biased * self.multiplier[:HALF]),
                high.eq(biased * self.multiplier[HALF:]),
                product.eq(low + (high << HALF)),
                rounded.eq(self._rounded(product)),
            ]
        shifted = Signal(signed(len(rounded) + 1))
        fmt = self.arithmetic.activation
        zero, least, most = (
            limit.as_signed() if fmt.minimum < 0 else limit
            for limit in (self.zero_point, self.low, self.high)
        )
        m.d.comb += shifted.eq(rounded + zero)
        if isinstance(fmt, IntegerFormat):
            clamped = Mux(shifted < least, least, Mux(shifted > most, most, shifted))
            m.d.comb += self.code.eq(clamped)
        else:  # a sign
            m.d.comb += self.code.eq(shifted < 0)
        return m

    def _rounded(self, product: Signal) -> object:
        """product / 2**shift to the nearest integer, halves to the even one."""
        # One bit below the point stays for the half; all others only matter as a whole.
        floor_and_half = Cat(0, product).as_signed() >> self.shift
        floor, half = floor_and_half >> 1, floor_and_half[0]
        below = Cat(*(self.shift > i + 1 for i in range(len(product))))
        sticky = (product & below).any()
        return floor + (half & (sticky | floor[0]))
