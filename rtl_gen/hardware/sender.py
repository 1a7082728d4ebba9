"""Sender: reads finished sums from the banks, and puts them in beats of the output stream."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig, psum_sram_depth
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware.counter import Counter, flags, nested
from rtl_gen.hardware.instruction import address_bits
from rtl_gen.hardware.requantizer import Requantizer
from rtl_gen.memories import lanes, memories

LAYER = (
    *("sum_words", "filters", "column_taps", "column_sets", "tap_groups"),
    *("quantized", "zero_point", "low", "high"),
)


class Sender(wiring.Component):
    """A rigid pipeline: one step a cycle, halted as a whole while a beat waits to be taken.

    A step takes the sums of neighbouring columns of one set, as many as fit in a beat. Raw, they
    are a beat; quantized, several steps share one, which ends with the word.

    Members
    -------
    begin : from the next cycle on, send `words` words; final : the layer's last.
    done : nothing is left to be read after this cycle.
    last : the beat is the layer's last; finished : and it is being taken.
    read, odd, address : a word is to be read from every column's memories, now.
    odd_output : which of the memories was read; sums : what stands at the banks then.
    parameter_* : read port of the parameter memory. outputs : stream of beats.
    """

    begin: Signal
    words: Signal
    final: Signal
    done: Signal
    last: Signal
    finished: Signal
    layer: wiring.PureInterface
    read: Signal
    odd: Signal
    address: Signal
    odd_output: Signal
    sums: Signal
    parameter_enable: Signal
    parameter_address: Signal
    parameter_data: Signal
    outputs: stream.Interface

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.count = int(lanes(config.bus_bits, config.accumulator_bits))
        parameters = memories(config)["parameter_sram"]
        super().__init__(
            {
                "begin": In(1),
                "words": In(FIELDS["sum_words"][0]),
                "final": In(1),
                "done": Out(1),
                "last": Out(1),
                "finished": Out(1),
                "layer": In(wiring.Signature({name: Out(FIELDS[name][0]) for name in LAYER})),
                "read": Out(1),
                "odd": Out(1),
                "address": Out(address_bits(int(psum_sram_depth(config)))),
                "odd_output": Out(1),
                "sums": In(unsigned(config.columns * config.accumulator_bits)),
                "parameter_enable": Out(1),
                "parameter_address": Out(address_bits(int(parameters.depth))),
                "parameter_data": In(unsigned(int(parameters.width))),
                "outputs": Out(stream.Signature(unsigned(config.bus_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        out = self.outputs
        self.advance = Signal()
        m.d.comb += self.advance.eq(~out.valid | out.ready)
        step, base, closing, last = self._steps(m)
        # Stage 1: the words stand at the banks, the parameters at their memory.
        taken = Signal()
        at = Signal.like(base, name="stage_1_base")
        ends, finishes = flags("stage_1_closing", "stage_1_last")
        with m.If(self.advance):
            m.d.sync += [taken.eq(step), at.eq(base), ends.eq(closing), finishes.eq(last)]
        m.submodules.requantizer = quantizer = Requantizer(self.config)
        m.d.comb += [
            quantizer.advance.eq(self.advance),
            quantizer.valid.eq(taken),
            quantizer.closing.eq(ends),
            quantizer.final.eq(finishes),
            quantizer.sums.eq(self._kept(m, self._lanes(m, at))),
            quantizer.parameters.eq(self.parameter_data),
        ]
        for name in ("quantized", "zero_point", "low", "high"):
            m.d.comb += getattr(quantizer, name).eq(getattr(self.layer, name))
        m.d.comb += [
            out.valid.eq(quantizer.beat_valid),
            out.payload.eq(quantizer.beat),
            self.last.eq(quantizer.beat_final),
            self.finished.eq(self.last & out.valid & out.ready),
        ]
        return m

    def _steps(self, m: Module) -> tuple[Any, Any, Any, Any]:
        """Stage 0: which columns of which word; (step, first column, word ends, layer ends)."""
        layer = self.layer
        left = Signal.like(self.words, name="words_left")
        group, target = Counter("tap_group", 8), Counter("column_set", 8)
        filters = Counter("sent_filter", FIELDS["filters"][0])
        word = Signal(len(self.address) + 1)  # of the group
        base = Signal(range(2 * self.config.columns + self.count))
        set_base = Signal(8)
        set_parameters = Signal.like(self.parameter_address)
        step, closing, last, kept_final = flags("step", "closing", "last_step", "kept_final")
        m.d.comb += [
            step.eq((left != 0) & self.advance),
            self.read.eq(step & (group.value == 0) & (target.value == 0)),
            self.odd.eq(word[0]),
            self.address.eq(word[1:]),
            self.parameter_enable.eq(step & layer.quantized),
            self.parameter_address.eq(set_parameters + filters.value),
            last.eq(closing & (left == 1) & kept_final),
            self.done.eq((left == 0) | (closing & (left == 1))),
        ]
        with m.If(self.read):
            m.d.sync += self.odd_output.eq(word[0])
        with m.If(step):
            m.d.comb += closing.eq(
                nested(m, ((group, layer.tap_groups), (target, layer.column_sets)))
            )
            m.d.sync += base.eq(base + self.count)
            with m.If(group.last(layer.tap_groups)):
                m.d.sync += [
                    base.eq(set_base + layer.column_taps),
                    set_base.eq(set_base + layer.column_taps),
                    set_parameters.eq(set_parameters + layer.filters),
                ]
        with m.If(closing):
            filters.step(m, layer.filters)
            m.d.sync += [
                base.eq(0),
                set_base.eq(0),
                set_parameters.eq(0),
                left.eq(left - 1),
                word.eq(Mux(word + 1 == layer.sum_words, 0, word + 1)),
            ]
        with m.If(self.begin):
            m.d.sync += [left.eq(self.words), kept_final.eq(self.final)]
        return step, base, closing, last

    def _kept(self, m: Module, chosen: Any) -> Any:
        """The chosen sums, kept while the pipeline is halted: the banks may read on meanwhile."""
        kept = Signal(len(chosen), reset_less=True)
        halted = Signal()
        m.d.sync += halted.eq(~self.advance)
        with m.If(~halted):
            m.d.sync += kept.eq(chosen)
        return Mux(halted, kept, chosen)

    def _lanes(self, m: Module, base: Signal) -> Any:
        """The sums of the columns from `base` on, as many as a beat holds."""
        bits = self.config.accumulator_bits
        # Beyond the last column there is nothing: zeros.
        padded = Cat(self.sums, Cat(0).replicate(self.count * bits))
        return Cat(*(padded.word_select(base + lane, bits) for lane in range(self.count)))
