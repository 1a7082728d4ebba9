"""Weight loader: takes beats of the weight stream to the PEs, and the output stage's numbers."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware.counter import Counter, flags, nested
from rtl_gen.hardware.instruction import address_bits, other_weights, weight_part
from rtl_gen.memories import MULTIPLIER_BITS, SHIFT_BITS, memories

LAYER = ("weight_words", "weight_groups", "column_sets", "filters", "double_weights")


class WeightLoader(wiring.Component):
    """One job a pass: parameters of a finished group of filters, then weights of the next pass.

    Weights: every weight for every set of columns and group of rows. Where the scratchpads hold
    two passes, they alternate between the halves.

    Members
    -------
    begin : a layer begins. restart : a job begins in the next cycle.
    parameters, weights : what this job has; levels, stable between restarts.
    allowed : the weights in use may be overwritten, in the order in which they are used.
    done : nothing is left of the job after this cycle.
    beats : stream in. out : the weight part of the instruction.
    half : where the weights being loaded begin. parameter_* : port of the parameter memories.
    """

    begin: Signal
    restart: Signal
    parameters: Signal
    weights: Signal
    allowed: Signal
    done: Signal
    layer: wiring.PureInterface
    beats: stream.Interface
    out: wiring.PureInterface
    half: Signal
    parameter_write: Signal
    parameter_address: Signal
    parameter_data: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        shape = memories(config)["parameter_sram"]
        self.parameter_bits = int(shape.width)
        super().__init__(
            {
                "begin": In(1),
                "restart": In(1),
                "parameters": In(1),
                "weights": In(1),
                "allowed": In(1),
                "done": Out(1),
                "layer": In(wiring.Signature({name: Out(FIELDS[name][0]) for name in LAYER})),
                "beats": In(stream.Signature(unsigned(config.bus_bits))),
                "out": Out(wiring.Signature(weight_part(config))),
                "half": Out(address_bits(config.weight_words)),
                "parameter_write": Out(1),
                "parameter_address": Out(address_bits(int(shape.depth))),
                "parameter_data": Out(unsigned(self.parameter_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.parameters_done, self.weights_done = flags("parameters_done", "weights_done")
        parameters_left, weights_left, finished = flags(
            "parameters_left", "weights_left", "finished"
        )
        m.d.comb += [
            parameters_left.eq(self.parameters & ~self.parameters_done),
            weights_left.eq(self.weights & ~self.weights_done),
            self.beats.ready.eq(self.allowed & (parameters_left | weights_left)),
            self.done.eq(~(parameters_left | weights_left) | finished),
        ]
        with m.If(self.beats.ready & self.beats.valid):
            with m.If(parameters_left):
                m.d.comb += finished.eq(self._take_parameter(m) & ~weights_left)
            with m.Else():
                m.d.comb += finished.eq(self._take_weight(m))
        with m.If(self.restart | self.begin):
            m.d.sync += [self.parameters_done.eq(0), self.weights_done.eq(0)]
        with m.If(self.begin):
            m.d.sync += self.half.eq(0)
        return m

    def _take_parameter(self, m: Module) -> Signal:
        """A bias, and then its multiplier and shift, in one word of the memory."""
        layer, bits = self.layer, self.config.accumulator_bits
        scale = Signal()  # the second beat
        bias = Signal(bits, reset_less=True)
        filters, sets = Counter("parameter", 9), Counter("parameter_set", 8)
        last = Signal(name="last_parameter")
        m.d.sync += scale.eq(~scale)
        with m.If(scale):
            m.d.comb += self.parameter_write.eq(1)
            m.d.sync += self.parameter_address.eq(self.parameter_address + 1)
            m.d.comb += last.eq(nested(m, ((filters, layer.filters), (sets, layer.column_sets))))
            with m.If(last):
                m.d.sync += [self.parameter_address.eq(0), self.parameters_done.eq(1)]
        with m.Else():
            m.d.sync += bias.eq(self.beats.payload[:bits])
        m.d.comb += [
            self.parameter_data[:bits].eq(bias),
            self.parameter_data[bits:].eq(self.beats.payload[: MULTIPLIER_BITS + SHIFT_BITS]),
        ]
        return last

    def _take_weight(self, m: Module) -> Signal:
        layer, out = self.layer, self.out
        group, target = Counter("weight_group", 8), Counter("weight_target", 8)
        word = Counter("weight", FIELDS["weight_words"][0])
        last = Signal(name="last_weight")
        second = other_weights(self.config, layer.weight_words)
        m.d.comb += [
            out.load_weight.eq(1),
            out.weight_data.eq(self.beats.payload),
            out.weight_target.eq(target.value),
            out.weight_group.eq(group.value),
            out.weight_write_address.eq(self.half + word.value),
            last.eq(
                nested(
                    m,
                    (
                        (group, layer.weight_groups),
                        (target, layer.column_sets),
                        (word, layer.weight_words),
                    ),
                )
            ),
        ]
        with m.If(last):
            m.d.sync += [
                self.weights_done.eq(1),
                self.half.eq(Mux(layer.double_weights & (self.half == 0), second, 0)),
            ]
        return last
