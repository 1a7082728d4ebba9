"""Sequencer: runs a layer's loop nest in slots, and issues the multiply-accumulates."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.cycles import BANK_TURNAROUND, settle_cycles
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware.counter import Counter, flags, nested
from rtl_gen.hardware.ifmap_loader import POSITION, upcoming
from rtl_gen.hardware.instruction import address_bits, mac_part, other_weights

LAYER = (
    *("strips", "tiles", "filter_groups", "column_folds", "row_folds"),
    *("channel_passes", "out_width"),
    *("filters", "window", "step", "ahead_window", "ahead_step", "window_words", "step_words"),
    *("ring_words", "weight_words", "double_weights", "quantized", "sum_words"),
    *("first_position", "tile_pitch", "fold_pitch"),
)


class Sequencer(wiring.Component):
    """SETUP, FILL, then slots; then FLUSH, SETTLE and SEND.

    A slot computes one output column while the loaders bring what the next one needs and the
    sender sends the group before; it ends when all are done, and the next begins in the next
    cycle. Loaders and sender are told their jobs by levels that are stable between restarts.

    Members
    -------
    start, busy : of the layer.
    out : the multiply-accumulate part of the instruction.
    begin : the layer begins in the next cycle.
    new_slot, new_pass : a slot, a pass begins in the next cycle (and with SETUP's end, FILL).
    columns, ahead, window, release, upcoming : the ifmap loader's job.
    parameters, weights, weights_allowed : the weight loader's. *_done : what they say.
    parameter_half, send_half : which parameter memory is written, and read.
    send, send_words : from the next cycle on, send so many words; final : the layer's last.
    send_done : the sender has read all it was told to. finished : the last beat is being taken.
    """

    start: Signal
    busy: Signal
    layer: wiring.PureInterface
    out: wiring.PureInterface
    begin: Signal
    new_slot: Signal
    new_pass: Signal
    columns: Signal
    ahead: Signal
    window: Signal
    release: Signal
    upcoming: wiring.PureInterface
    ifmaps_done: Signal
    parameters: Signal
    weights: Signal
    weights_allowed: Signal
    weights_done: Signal
    parameter_half: Signal
    send_half: Signal
    send: Signal
    send_words: Signal
    final: Signal
    send_done: Signal
    finished: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        columns, words = FIELDS["window"][0], FIELDS["sum_words"][0]
        outs = (
            *("busy", "begin", "new_slot", "new_pass", "window", "release", "parameters"),
            *("weights", "weights_allowed", "parameter_half", "send_half", "send", "final"),
        )
        super().__init__(
            {
                "start": In(1),
                **{name: Out(1) for name in outs},
                "layer": In(wiring.Signature({name: Out(FIELDS[name][0]) for name in LAYER})),
                "out": Out(wiring.Signature(mac_part(config))),
                "columns": Out(columns),
                "ahead": Out(columns),
                "upcoming": Out(upcoming()),
                "ifmaps_done": In(1),
                "weights_done": In(1),
                "send_words": Out(words),
                "send_done": In(1),
                "finished": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        self.column = Signal(FIELDS["out_width"][0], name="column_index")
        self.filter = Counter("filter", FIELDS["filters"][0])
        self.filling, self.running = flags("filling", "running")
        self.computed = Signal(init=1)  # the slot's multiply-accumulates have been issued
        self.drained_fresh, self.draining = flags("drained_fresh", "draining")
        # Of the column. A register: most of what decides when a slot ends follows from it.
        self.last_slot = Signal()
        self._passes(m)
        self._jobs(m)
        self._words_in_use(m)
        with m.If(self.new_slot):
            m.d.sync += self.computed.eq(0)
        m.d.comb += self.busy.eq(1)
        with m.If(self.begin):
            m.d.sync += self.last_slot.eq(layer.out_width == 1)
        with m.FSM(name="phase"):
            with m.State("IDLE"):
                m.d.comb += [self.busy.eq(0), self.begin.eq(self.start)]
                with m.If(self.start):
                    m.next = "SETUP"
            # The columns' coordinates settle.
            with m.State("SETUP"), m.If(self._waited(m, "setup", self.config.columns)):
                m.next = "FILL"
            with m.State("FILL"):
                m.d.comb += self.filling.eq(1)
                with m.If(self.weights_done & self.ifmaps_done):
                    m.d.comb += [self.new_slot.eq(1), self.new_pass.eq(1)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.running.eq(1)
                with m.If(self._slot(m) & self.last_slot & ~self.more):
                    m.next = "FLUSH"
            with m.State("FLUSH"), m.If(self._flush(m)):
                m.next = "SETTLE"
            with m.State("SETTLE"):  # the last sums reach the banks
                m.d.comb += self.final.eq(1)
                with m.If(self._waited(m, "settle", settle_cycles(self.config))):
                    m.d.comb += self.send.eq(1)
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.final.eq(1)
                with m.If(self.finished):
                    m.next = "IDLE"
        return m

    def _waited(self, m: Module, name: str, cycles: int) -> Any:
        """Whether a state of `cycles` cycles ends now."""
        waited = Counter(name, 8)
        waited.step(m, cycles)
        return waited.last(cycles)

    def _passes(self, m: Module) -> None:
        """The upcoming pass, which the loaders bring, and what is kept of the current one."""
        layer = self.layer
        channels = Counter("channel_pass", 16)
        row_fold, fold = Counter("row_fold", 16), Counter("column_fold", 16)
        group, tile, strip = Counter("filter_group", 16), Counter("tile", 16), Counter("strip", 24)
        first, last, ends_layer, started = flags("first", "last", "ends_layer", "started")
        part_ends = Signal()  # of the filter's width
        self.last_pass, self.first_pass = flags("last_pass", "first_pass")  # of the current group
        self.sends, self.more, self.odd_group = flags("sends", "more", "odd_group")
        m.d.comb += [
            first.eq((channels.value == 0) & (row_fold.value == 0) & (fold.value == 0)),
            part_ends.eq(channels.last(layer.channel_passes) & row_fold.last(layer.row_folds)),
            last.eq(part_ends & fold.last(layer.column_folds)),
            self.upcoming.first.eq(first),
            self.upcoming.first_group.eq(group.value == 0),
            self.upcoming.last_channels.eq(channels.last(layer.channel_passes)),
        ]
        self._position(m, part_ends, fold, group, tile)
        with m.If(self.begin):
            m.d.sync += [started.eq(0), self.odd_group.eq(1)]
        with m.If(self.new_pass):
            nest = (
                (channels, layer.channel_passes),
                (row_fold, layer.row_folds),
                (fold, layer.column_folds),
                (group, layer.filter_groups),
                (tile, layer.tiles),
                (strip, layer.strips),
            )
            m.d.comb += ends_layer.eq(nested(m, nest))
            m.d.sync += [
                started.eq(1),
                self.first_pass.eq(first),
                self.last_pass.eq(last),
                self.sends.eq(first & started),
                self.more.eq(~ends_layer),
                self.odd_group.eq(self.odd_group ^ first),
            ]

    def _position(
        self, m: Module, part_ends: Signal, fold: Counter, group: Counter, tile: Counter
    ) -> None:
        """Where the upcoming pass's first window begins in the map."""
        layer = self.layer
        position = Signal(POSITION)
        tile_position = Signal(POSITION)
        next_tile = Signal(POSITION)
        m.d.comb += [
            self.upcoming.position.eq(position),
            next_tile.eq(tile_position + layer.tile_pitch),
        ]
        with m.If(tile.last(layer.tiles)):
            m.d.comb += next_tile.eq(layer.first_position)
        with m.If(self.begin):
            m.d.sync += [
                position.eq(layer.first_position),
                tile_position.eq(layer.first_position),
            ]
        with m.Elif(self.new_pass & part_ends):
            m.d.sync += position.eq(position + layer.fold_pitch)
            with m.If(fold.last(layer.column_folds)):
                m.d.sync += position.eq(tile_position)
                with m.If(group.last(layer.filter_groups)):
                    m.d.sync += [position.eq(next_tile), tile_position.eq(next_tile)]

    def _jobs(self, m: Module) -> None:
        """What loaders and sender have to do in this slot."""
        layer = self.layer
        m.d.comb += [
            self.window.eq(self.filling | self.last_slot),
            self.ahead.eq(Mux(self.last_slot, layer.ahead_window, layer.ahead_step)),
            self.release.eq(self.computed),
            self.parameters.eq(self.running & self.last_pass & layer.quantized),
            self.weights.eq(self.filling | (self.running & self.more)),
            self.weights_allowed.eq(
                # Beats come in the order in which the last slot needs the words for the last time,
                # and never faster, so they can't overtake it.
                layer.double_weights | self.filling | self.last_slot
            ),
            self.parameter_half.eq(self.odd_group),
            self.send_half.eq(self.odd_group ^ ~self.final),
            self.send_words.eq(Mux(self.final, layer.sum_words, layer.filters)),
        ]
        with m.If(self.filling | (self.running & self.last_slot & self.more)):
            m.d.comb += self.columns.eq(layer.window)
        with m.Elif(self.running & ~self.last_slot):
            m.d.comb += self.columns.eq(layer.step)

    def _slot(self, m: Module) -> Any:
        """One slot; returns whether it ends now."""
        layer = self.layer
        age = Signal(range(BANK_TURNAROUND))  # of the slot, until old enough to be a pass's last
        end, finishing = flags("slot_end", "finishing")
        with m.If(~self.computed):
            m.d.comb += finishing.eq(self._multiply(m))
        m.d.comb += end.eq(
            (self.computed | finishing)
            # Sums of a slot must not follow those of the one before without a gap.
            & (self.computed | (layer.window_words != 1))
            & self.ifmaps_done
            & self._sent(m, end)
            & (~self.last_slot | (self.weights_done & (age == BANK_TURNAROUND - 1)))
        )
        with m.If(finishing & ~self.new_slot):
            m.d.sync += self.computed.eq(1)
        with m.If(age != BANK_TURNAROUND - 1):
            m.d.sync += age.eq(age + 1)
        with m.If(end):
            m.d.comb += [
                self.new_slot.eq(~self.last_slot | self.more),
                self.new_pass.eq(self.last_slot & self.more),
            ]
            m.d.sync += [
                age.eq(0),
                self.draining.eq(1),
                self.drained_fresh.eq(self.first_pass),
                self.column.eq(Mux(self.last_slot, 0, self.column + 1)),
                self.last_slot.eq(
                    Mux(self.last_slot, layer.out_width == 1, self.column + 2 == layer.out_width)
                ),
            ]
        return end

    def _multiply(self, m: Module) -> Any:
        """One multiply-accumulate a cycle: window words outside, filters inside."""
        layer, out = self.layer, self.out
        word = Counter("window_word", FIELDS["window_words"][0])
        weight = Counter("filter_weight", FIELDS["weight_words"][0])
        address = self.oldest + word.value
        m.d.comb += [
            out.mac.eq(1),
            out.first.eq(word.value == 0),
            # The first round over the filters frees the sums of the column before.
            out.drain.eq((word.value == 0) & self.draining),
            out.fresh.eq(self.drained_fresh),
            out.ifmap_read_address.eq(
                Mux(address < layer.ring_words, address, address - layer.ring_words)
            ),
            out.weight_read_address.eq(self.weight_half + weight.value),
            out.psum_address.eq(self.filter.value),
        ]
        weight.step(m, layer.weight_words)
        return nested(m, ((self.filter, layer.filters), (word, layer.window_words)))

    def _words_in_use(self, m: Module) -> None:
        """Where in the scratchpads the window's oldest column and the pass's weights begin."""
        layer, config = self.layer, self.config
        self.oldest = Signal(address_bits(config.ifmap_words))
        self.weight_half = Signal(address_bits(config.weight_words))
        used = self.oldest + Mux(self.last_slot, layer.window_words, layer.step_words)
        with m.If(self.begin):
            m.d.sync += self.oldest.eq(0)
        with m.Elif(self.new_slot & self.running):
            m.d.sync += self.oldest.eq(Mux(used < layer.ring_words, used, used - layer.ring_words))
        with m.If(self.new_pass):
            other = layer.double_weights & ~self.filling & (self.weight_half == 0)
            second = other_weights(config, layer.weight_words)
            m.d.sync += self.weight_half.eq(Mux(other, second, 0))

    def _sent(self, m: Module, end: Signal) -> Any:
        """Start the sender, in a group's first pass; returns whether it is done in this slot.

        The sums of the last column still leave in slot 0: it waits until they are in the banks.
        """
        latency = settle_cycles(self.config)
        waited = Signal(range(self.config.psum_words + latency + 1))
        begun = Signal(name="send_begun")
        with m.If(self.sends & ~begun):
            m.d.sync += waited.eq(waited + 1)
            with m.If(waited + 1 == self.layer.filters + latency):
                m.d.comb += self.send.eq(1)
                m.d.sync += begun.eq(1)
        with m.If(end):
            with m.If(self.last_slot):
                m.d.sync += [begun.eq(0), waited.eq(0)]
            with m.Elif(self.sends):
                m.d.comb += self.send.eq(1)
        return ~self.sends | (begun & self.send_done)

    def _flush(self, m: Module) -> Any:
        """Drain the last column's sums; returns whether this is the last of them."""
        m.d.comb += [
            self.out.drain.eq(1),
            self.out.fresh.eq(self.drained_fresh),
            self.out.psum_address.eq(self.filter.value),
        ]
        m.d.sync += self.draining.eq(0)
        return nested(m, ((self.filter, self.layer.filters),))
