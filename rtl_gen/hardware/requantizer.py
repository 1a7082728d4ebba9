"""Requantizer: the output stage's arithmetic, a few sums a cycle, and the packing of beats."""

from typing import Any

from amaranth import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.mac import output_for
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS, lanes, memories


class Requantizer(wiring.Component):
    """The output stage over neighbouring sums, a lane each (`mac.output_for`).

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
        m.submodules[f"lane_{lane}"] = one = output_for(self.config.arithmetic)
        m.d.comb += [one.sum.eq(taken), one.bias.eq(bias), one.multiplier.eq(multiplier)]
        m.d.comb += [one.shift.eq(shift), one.advance.eq(self.advance)]
        for name in ("zero_point", "low", "high"):
            m.d.comb += getattr(one, name).eq(getattr(self, name))
        return one.code

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
