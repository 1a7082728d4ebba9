"""Collector: orders the banks' accesses, and has the sender send finished sums off chip."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig, psum_sram_depth
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware import sender
from rtl_gen.hardware.bank import bank_control
from rtl_gen.hardware.instruction import address_bits
from rtl_gen.hardware.place import copy
from rtl_gen.hardware.sender import Sender
from rtl_gen.memories import memories


class Collector(wiring.Component):
    """Runs all banks in step: one sum of every column a cycle.

    Accumulating: read in the cycle of `drain`, capture in the next, add in the one after that,
    then write as soon as the memory is not being read. Sums alternate between the memories, and
    so do the words that the sender reads, so a write never waits more than one cycle.

    Members
    -------
    drain, fresh : the last row's late instruction.
    layer : what the sender needs of the descriptor.
    send, send_words, final, send_done, finished : the sender's orders (see `Sender`).
    even_*, odd_* : enable, write and address of the two memories of every bank.
    control : to the banks. odd_output : which memory the words for the output come from.
    sums : words of all columns, column 0 in the low bits.
    parameter_* : read port of the parameter memory.
    outputs : stream of beats; last : the beat is the layer's last.
    """

    drain: Signal
    fresh: Signal
    layer: wiring.PureInterface
    send: Signal
    send_words: Signal
    final: Signal
    send_done: Signal
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
    parameter_enable: Signal
    parameter_address: Signal
    parameter_data: Signal
    outputs: stream.Interface
    last: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.depth = int(psum_sram_depth(config))
        parameters = memories(config)["parameter_sram"]
        memory = {"enable": 1, "write": 1, "address": address_bits(self.depth)}
        super().__init__(
            {
                "drain": In(1),
                "fresh": In(1),
                "layer": In(
                    wiring.Signature({name: Out(FIELDS[name][0]) for name in sender.LAYER})
                ),
                "send": In(1),
                "send_words": In(FIELDS["sum_words"][0]),
                "final": In(1),
                "send_done": Out(1),
                "finished": Out(1),
                **{f"even_{name}": Out(bits) for name, bits in memory.items()},
                **{f"odd_{name}": Out(bits) for name, bits in memory.items()},
                "control": Out(bank_control()),
                "odd_output": Out(1),
                "sums": In(unsigned(config.columns * config.accumulator_bits)),
                "parameter_enable": Out(1),
                "parameter_address": Out(address_bits(int(parameters.depth))),
                "parameter_data": In(unsigned(int(parameters.width))),
                "outputs": Out(stream.Signature(unsigned(config.bus_bits))),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sender = send = Sender(self.config)
        copy(m, self.layer, send.layer, sender.LAYER)
        copy(m, self, send, ("final", "sums", "parameter_data"))
        copy(
            m,
            send,
            self,
            ("finished", "last", "odd_output", "parameter_enable", "parameter_address"),
        )
        wiring.connect(m, send.outputs, wiring.flipped(self.outputs))
        m.d.comb += [
            send.begin.eq(self.send),
            send.words.eq(self.send_words),
            self.send_done.eq(send.done),
        ]
        word_bits = address_bits(self.depth) + 1
        drain_word = self._accumulate(m, word_bits)
        for odd, side in enumerate(("even", "odd")):
            store = getattr(self.control, f"store_{side}")
            waiting = Signal(name=f"{side}_waiting")
            address = Signal(word_bits - 1, name=f"{side}_waiting_address")
            draining, sending = Signal(name=f"{side}_draining"), Signal(name=f"{side}_sending")
            m.d.comb += [
                draining.eq(self.drain & ~self.fresh & (drain_word[0] == odd)),
                sending.eq(send.read & (send.odd == odd)),
            ]
            reading = draining | sending
            with m.If(store):
                m.d.sync += [waiting.eq(1), address.eq(self.stored_address)]
            with m.Elif(~reading):
                m.d.sync += waiting.eq(0)
            m.d.comb += [
                getattr(self, f"{side}_enable").eq(reading | waiting),
                getattr(self, f"{side}_write").eq(~reading),
                getattr(self, f"{side}_address").eq(
                    Mux(sending, send.address, Mux(draining, drain_word[1:], address))
                ),
            ]
        return m

    def _accumulate(self, m: Module, word_bits: int) -> Signal:
        """The pipeline of a drained sum; returns the word it belongs to, in `drain`'s cycle."""
        word = Signal(word_bits, name="drain_word")
        with m.If(self.drain):
            m.d.sync += word.eq(word + 1)
            with m.If(word + 1 == self.layer.sum_words):
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
