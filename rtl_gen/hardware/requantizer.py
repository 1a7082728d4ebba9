"""Requantizer: the output stage's arithmetic, a few sums a cycle, and the packing of beats."""

from typing import Any

from amaranth import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS, lanes, memories

#: The multiplier is multiplied in two halves, to shorten the path.
HALF = MULTIPLIER_BITS // 2


class Requantizer(wiring.Component):
    """clamp(round_half_even((sum + bias) * multiplier / 2**shift) + zero_point, low, high).

    Bit-exact with `rtl_gen.output_stage.OutputStage.apply`. Latency from `sums` to `beat`: 2
    cycles raw, 6 quantized (all of them only while `advance` is high).

    Members
    -------
    advance : all registers move; they hold still otherwise.
    valid, closing, final : a step enters; it ends its beat; it is the layer's last.
    sums : of one step, lane 0 in the low bits. parameters : bias, multiplier, shift.
    quantized, zero_point, low, high : of the layer's descriptor.
    beat, beat_valid, beat_final : what leaves, held until the next `advance`.
    """

    advance: Signal
    valid: Signal
    closing: Signal
    final: Signal
    sums: Signal
    parameters: Signal
    quantized: Signal
    zero_point: Signal
    low: Signal
    high: Signal
    beat: Signal
    beat_valid: Signal
    beat_final: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.count = int(lanes(config.bus_bits, config.accumulator_bits))
        super().__init__(
            {
                **{name: In(1) for name in ("advance", "valid", "closing", "final", "quantized")},
                "sums": In(unsigned(self.count * config.accumulator_bits)),
                "parameters": In(unsigned(int(memories(config)["parameter_sram"].width))),
                **{name: In(16) for name in ("zero_point", "low", "high")},
                "beat": Out(unsigned(config.bus_bits)),
                "beat_valid": Out(1),
                "beat_final": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.config.accumulator_bits
        taken = Signal.like(self.sums, reset_less=True)
        numbers = Signal.like(self.parameters, reset_less=True)
        stages = [Cat(self.valid, self.closing, self.final)]
        with m.If(self.advance):
            m.d.sync += [taken.eq(self.sums), numbers.eq(self.parameters)]
            for number in range(2, 7):
                flags = Signal(3, name=f"flags_{number}")
                # Raw sums have left as beats by now, and must not come again as codes.
                m.d.sync += flags.eq(
                    stages[-1] if number == 2 else Mux(self.quantized, stages[-1], 0)
                )
                stages.append(flags)
        multiplier = Signal(MULTIPLIER_BITS, reset_less=True)
        shift = [Signal(SHIFT_BITS, name=f"shift_{i}", reset_less=True) for i in range(3)]
        with m.If(self.advance):
            m.d.sync += [
                multiplier.eq(numbers[bits : bits + MULTIPLIER_BITS]),
                shift[0].eq(numbers[bits + MULTIPLIER_BITS :]),
                shift[1].eq(shift[0]),
                shift[2].eq(shift[1]),
            ]
        codes = [
            self._lane(m, lane, taken.word_select(lane, bits), numbers[:bits], multiplier, shift[2])
            for lane in range(self.count)
        ]
        with m.If(self.advance):
            with m.If(self.quantized):
                self._pack(m, Cat(*codes), stages[5])
            with m.Else():
                m.d.sync += [
                    self.beat.eq(taken),
                    self.beat_valid.eq(stages[1][0]),
                    self.beat_final.eq(stages[1][2]),
                ]
        return m

    def _lane(
        self, m: Module, lane: int, taken: Any, bias: Any, multiplier: Signal, shift: Signal
    ) -> Any:
        """One sum through the pipeline; returns the output code, still to be registered."""
        bits = self.config.accumulator_bits

        def register(name: str, width: int) -> Signal:
            return Signal(signed(width), name=f"{name}_{lane}", reset_less=True)

        biased = register("biased", bits + 1)
        low, high = (
            register("low_product", bits + 1 + HALF),
            register("high_product", bits + 1 + HALF),
        )
        product = register("product", bits + 1 + MULTIPLIER_BITS)
        rounded = register("rounded", len(product) + 1)
        with m.If(self.advance):
            m.d.sync += [
                biased.eq(taken.as_signed() + bias.as_signed()),
                low.eq(biased * multiplier[:HALF]),
                high.eq(biased * multiplier[HALF:]),
                product.eq(low + (high << HALF)),
                rounded.eq(self._rounded(m, product, shift)),
            ]
        code = Signal(signed(len(rounded) + 1), name=f"code_{lane}")
        least, most = self.low.as_signed(), self.high.as_signed()
        m.d.comb += code.eq(rounded + self.zero_point.as_signed())
        clamped = Mux(code < least, least, Mux(code > most, most, code))
        return clamped[: self.config.activation_bits]

    def _rounded(self, m: Module, product: Signal, shift: Signal) -> Any:
        """product / 2**shift to the nearest integer, halves to the even one."""
        # One bit below the point stays for the half; all others only matter as a whole.
        floor_and_half = Cat(0, product).as_signed() >> shift
        floor, half = floor_and_half >> 1, floor_and_half[0]
        below = Cat(*(shift > i + 1 for i in range(len(product))))
        sticky = (product & below).any()
        return floor + (half & (sticky | floor[0]))

    def _pack(self, m: Module, codes: Any, flags: Signal) -> None:
        """Lay a step's codes beside those of the steps before, until the beat is full or ends."""
        ways = int(lanes(self.config.bus_bits, self.config.activation_bits)) // self.count
        valid, closing, final = flags
        place = Signal(range(max(ways, 2)))
        full = closing | (place == ways - 1)
        m.d.sync += [self.beat_valid.eq(valid & full), self.beat_final.eq(final & valid)]
        with m.If(valid):
            fresh = Mux(place == 0, 0, self.beat)
            width = len(codes)
            m.d.sync += [
                place.eq(Mux(full, 0, place + 1)),
                self.beat.eq(
                    Array(
                        Cat(fresh[: way * width], codes)[: self.config.bus_bits]
                        for way in range(ways)
                    )[place]
                ),
            ]
