"""Collector: orders the banks' accesses, and sends finished sums off chip."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig, psum_sram_depth
from rtl_gen.hardware.bank import bank_control
from rtl_gen.hardware.instruction import COORDINATE, address_bits
from rtl_gen.schedule import lanes


class Collector(wiring.Component):
    """Runs all banks in step: one sum of every column a cycle.

    Accumulating: read in the cycle of `drain`, capture in the next, add in the one after that,
    then write as soon as the memory is not being read. Sums alternate between the memories, so
    a write never waits more than one cycle. Output: words are read in the order of `sum_words`
    and leave in beats of neighbouring columns, sum j in the bits from j * accumulator bits.

    Members
    -------
    drain, fresh : the last row's late instruction.
    sum_words, output_groups : of the layer's descriptor.
    output : level, send all sums; finished : the last beat of them is being taken.
    even_*, odd_* : enable, write and address of the two memories of every bank.
    control : to the banks. odd_output : which memory the words for the output come from.
    sums : words of all columns, column 0 in the low bits.
    outputs : stream of beats.
    """

    drain: Signal
    fresh: Signal
    sum_words: Signal
    output_groups: Signal
    output: Signal
    finished: Signal
    even_enable: Signal
    even_write: Signal
    even_address: Signal
    odd_enable: Signal
    odd_write: Signal
    odd_address: Signal
    control: wiring.PureInterface
    odd_output: Signal
    sums: Signal
    outputs: stream.Interface

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.depth = int(psum_sram_depth(config))
        address = address_bits(self.depth)
        memory = {"enable": 1, "write": 1, "address": address}
        super().__init__(
            {
                "drain": In(1),
                "fresh": In(1),
                "sum_words": In(24),
                "output_groups": In(COORDINATE),
                "output": In(1),
                "finished": Out(1),
                **{f"even_{name}": Out(bits) for name, bits in memory.items()},
                **{f"odd_{name}": Out(bits) for name, bits in memory.items()},
                "control": Out(bank_control()),
                "odd_output": Out(1),
                "sums": In(unsigned(config.columns * config.accumulator_bits)),
                "outputs": Out(stream.Signature(unsigned(config.bus_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word_bits = address_bits(self.depth) + 1
        read_word = Signal(word_bits)  # of the output
        read_output = Signal()
        drain_word = self._accumulate(m, word_bits)
        self._send(m, read_output, read_word)
        waiting = {}
        for odd, side in enumerate(("even", "odd")):
            store = getattr(self.control, f"store_{side}")
            waiting[side] = Signal(name=f"{side}_waiting")
            address = Signal(word_bits - 1, name=f"{side}_waiting_address")
            reading = Signal(name=f"{side}_reading")
            m.d.comb += reading.eq(
                (self.drain & ~self.fresh & (drain_word[0] == odd))
                | (read_output & (read_word[0] == odd))
            )
            with m.If(store):
                m.d.sync += [waiting[side].eq(1), address.eq(self.stored_address)]
            with m.Elif(~reading):
                m.d.sync += waiting[side].eq(0)
            m.d.comb += [
                getattr(self, f"{side}_enable").eq(reading | waiting[side]),
                getattr(self, f"{side}_write").eq(~reading),
                getattr(self, f"{side}_address").eq(
                    Mux(reading, Mux(read_output, read_word[1:], drain_word[1:]), address)
                ),
            ]
        return m

    def _accumulate(self, m: Module, word_bits: int) -> Signal:
        """The pipeline of a drained sum; returns the word it belongs to, in `drain`'s cycle."""
        word = Signal(word_bits, name="drain_word")
        with m.If(self.drain):
            m.d.sync += word.eq(word + 1)
            with m.If(word + 1 == self.sum_words):
                m.d.sync += word.eq(0)
        captured = Signal(word_bits)
        added = Signal(word_bits)
        fresh = Signal()
        adding = Signal()
        m.d.sync += [
            self.control.capture.eq(self.drain),
            captured.eq(word),
            fresh.eq(self.fresh),
            adding.eq(self.control.capture),
            added.eq(captured),
            self.control.fresh.eq(fresh),
        ]
        m.d.comb += [
            self.control.odd.eq(captured[0]),
            self.control.store_even.eq(adding & ~added[0]),
            self.control.store_odd.eq(adding & added[0]),
        ]
        self.stored_address = added[1:]
        return word

    def _send(self, m: Module, read: Signal, word: Signal) -> None:
        """Read words while `output` is high, and send each in `output_groups` beats."""
        out = self.outputs
        all_read = Signal()
        held = Signal()  # the memories' outputs hold a word still to be sent
        group = Signal(COORDINATE)
        advance = Signal()
        last = Signal()
        m.d.comb += [
            advance.eq(held & (~out.valid | out.ready)),
            last.eq(advance & (group + 1 == self.output_groups)),
            read.eq(self.output & ~all_read & (~held | last)),
            self.finished.eq(out.valid & out.ready & all_read & ~held),
        ]
        with m.If(read):
            m.d.sync += [held.eq(1), self.odd_output.eq(word[0]), word.eq(word + 1)]
            with m.If(word + 1 == self.sum_words):
                m.d.sync += [word.eq(0), all_read.eq(1)]
        with m.Elif(last):
            m.d.sync += held.eq(0)
        with m.If(self.finished):
            m.d.sync += all_read.eq(0)
        with m.If(advance):
            m.d.sync += [
                out.valid.eq(1),
                out.payload.eq(self._beats().word_select(group, self.config.bus_bits)),
                group.eq(Mux(last, 0, group + 1)),
            ]
        with m.Elif(out.ready):
            m.d.sync += out.valid.eq(0)

    def _beats(self) -> Cat:
        """All sums, laid out in beats: zeros fill what a beat has left."""
        config = self.config
        bits = config.accumulator_bits
        count = int(lanes(config.bus_bits, bits))
        beats = []
        for start in range(0, config.columns, count):
            words = self.sums[start * bits : min(start + count, config.columns) * bits]
            beats += [words, Cat(0).replicate(config.bus_bits - len(words))]
        return Cat(*beats)
