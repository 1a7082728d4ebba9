"""Controller: runs a layer's loop nest and issues one instruction a cycle."""

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware.instruction import address_bits, instruction
from rtl_gen.schedule import SETTLE, memories


class Controller(wiring.Component):
    """The loop nest of `rtl_gen.schedule`, one phase after another.

    For every strip and filter group: for every channel pass, load the input (once a strip where
    it is resident), fill the filters, then for every output column deliver what is new of the
    window and compute; last, flush the sums. After the passes, settle and send the sums off.

    Members
    -------
    start : begin, sampled while `busy` is low; busy : from the next cycle until the end.
    layer : the descriptor, to be held still while busy.
    weights, ifmaps : streams in. sram_* : the input buffer's port, `sram_data` read from it.
    issue : the instruction for row 0, two cycles after its phase's cycle.
    output, finished : to and from the collector.
    """

    start: Signal
    busy: Signal
    layer: wiring.PureInterface
    weights: stream.Interface
    ifmaps: stream.Interface
    sram_enable: Signal
    sram_write: Signal
    sram_address: Signal
    sram_data: Signal
    issue: wiring.PureInterface
    output: Signal
    finished: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        bus = stream.Signature(unsigned(config.bus_bits))
        depth = int(memories(config)["ifmap_sram"].depth)
        self.address_bits = max((depth - 1).bit_length(), 1)
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "layer": In(
                    wiring.Signature({name: Out(bits) for name, (bits, _) in FIELDS.items()})
                ),
                "weights": In(bus),
                "ifmaps": In(bus),
                "sram_enable": Out(1),
                "sram_write": Out(1),
                "sram_address": Out(self.address_bits),
                "sram_data": In(unsigned(config.bus_bits)),
                "issue": Out(instruction(config)),
                "output": Out(1),
                "finished": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.strip = Counter(m, "strip", 16)
        self.filter_group = Counter(m, "filter_group", 16)
        self.channel_pass = Counter(m, "channel_pass", 16)
        self.out_column = Counter(m, "out_column", 16)
        self.pass_start = Signal(24)  # where the pass begins within a column of the buffer
        self.column = Signal(16)  # the delivered column
        self.column_start = Signal(self.address_bits)
        self.pointer = Signal(self.address_bits)
        self.present = Signal(24)  # beats of this column still to be read; the rest is zeros
        self.slot = Signal(address_bits(self.config.ifmap_words))  # the oldest column's words
        self.now = self._feed(m)
        m.d.comb += self.busy.eq(1)
        with m.FSM(name="phase"):
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.start):
                    m.next = "SETUP"
            with m.State("SETUP"):
                self._setup(m)
            with m.State("LOAD"):
                self._load(m)
            with m.State("WEIGHTS"):
                self._weights(m)
            with m.State("DELIVER"):
                self._deliver(m)
            with m.State("COMPUTE"):
                self._compute(m)
            with m.State("FLUSH"):
                self._flush(m)
            with m.State("SETTLE"):
                self._settle(m)
            with m.State("OUTPUT"):
                self._output(m)
        return m

    def _feed(self, m: Module) -> Any:
        """The stage between the phases and row 0, where the input buffer's data arrive."""
        now = instruction(self.config).create(path=("now",))
        fed = instruction(self.config).create(path=("fed",))
        self.from_sram = Signal()
        from_sram = Signal.like(self.from_sram, name="fed_from_sram")
        for name in instruction(self.config).members:
            if name != "data":
                m.d.sync += getattr(fed, name).eq(getattr(now, name))
                m.d.comb += getattr(self.issue, name).eq(getattr(fed, name))
        m.d.sync += from_sram.eq(self.from_sram)
        # Padding and absent channels are zeros, which no beat carries.
        with m.If(now.load_weight | now.load_ifmap):
            m.d.sync += fed.data.eq(now.data)
        m.d.comb += self.issue.data.eq(Mux(from_sram, self.sram_data, fed.data))
        return now

    def _setup(self, m: Module) -> None:
        """Wait until the columns' coordinates have settled."""
        waited = Counter(m, "setup", 8)
        waited.step(m, self.config.columns)
        m.d.sync += self.pass_start.eq(0)
        with m.If(waited.last(self.config.columns)):
            m.next = "LOAD"

    def _load(self, m: Module) -> None:
        """Fill the input buffer, a beat a cycle."""
        layer = self.layer
        loaded = Counter(m, "load", 24)
        words = Mux(self._last_pass, layer.last_load_words, layer.load_words)
        m.d.comb += [
            self.ifmaps.ready.eq(1),
            self.sram_enable.eq(self.ifmaps.valid),
            self.sram_write.eq(1),
            self.sram_address.eq(loaded.value),
        ]
        with m.If(self.ifmaps.valid):
            loaded.step(m, words)
            with m.If(loaded.last(words)):
                m.next = "WEIGHTS"

    def _weights(self, m: Module) -> None:
        """Fill the filters: every weight for every column set and group of rows."""
        layer = self.layer
        word = Counter(m, "weight", len(self.now.weight_address))
        target = Counter(m, "weight_target", 8)
        group = Counter(m, "weight_group", 8)
        m.d.comb += [
            self.weights.ready.eq(1),
            self.now.load_weight.eq(self.weights.valid),
            self.now.data.eq(self.weights.payload),
            self.now.target.eq(target.value),
            self.now.group.eq(group.value),
            self.now.weight_address.eq(word.value),
        ]
        with m.If(self.weights.valid):
            group.step(m, layer.weight_groups)
            with m.If(group.last(layer.weight_groups)):
                target.step(m, layer.column_sets)
                with m.If(target.last(layer.column_sets)):
                    word.step(m, layer.weight_words)
                    with m.If(word.last(layer.weight_words)):
                        self._begin_columns(m)
                        m.next = "DELIVER"

    def _begin_columns(self, m: Module) -> None:
        start = Mux(self.layer.resident, self.pass_start, 0)
        m.d.sync += [
            self.column_start.eq(start),
            self.pointer.eq(start),
            self.column.eq(0),
            self.slot.eq(0),
            self.present.eq(self._pass_words),
        ]

    def _deliver(self, m: Module) -> None:
        """Multicast the columns that are new in the window, a beat a cycle."""
        layer, now = self.layer, self.now
        group = Counter(m, "ifmap_group", 8)
        channel = Counter(m, "channel", 9)
        target = Counter(m, "row_set", 8)
        columns = Counter(m, "window_column", 9)
        wanted = Mux(self.out_column.value == 0, layer.window, layer.step)
        in_map = (self.column >= layer.first_column) & (self.column < layer.last_column)
        real = Signal(name="real_beat")
        m.d.comb += [
            real.eq(in_map & (self.present != 0)),
            now.load_ifmap.eq(1),
            now.target.eq(target.value),
            now.group.eq(group.value),
            now.ifmap_address.eq(self.slot + channel.value),
            self.from_sram.eq(real),
            self.sram_enable.eq(real),
            self.sram_address.eq(self.pointer),
        ]
        with m.If(real):
            m.d.sync += [self.pointer.eq(self.pointer + 1), self.present.eq(self.present - 1)]
        group.step(m, layer.ifmap_groups)
        with m.If(group.last(layer.ifmap_groups)):
            channel.step(m, layer.set_channels)
            with m.If(channel.last(layer.set_channels)):
                target.step(m, layer.sets)
                with m.If(target.last(layer.sets)):
                    self._next_column(m, in_map)
                    columns.step(m, wanted)
                    with m.If(columns.last(wanted)):
                        m.next = "COMPUTE"

    def _next_column(self, m: Module, in_map: Any) -> None:
        layer = self.layer
        stride = Mux(layer.resident, layer.column_words, self._pass_words)
        slot = self.slot + layer.set_channels
        m.d.sync += [
            self.column.eq(self.column + 1),
            self.slot.eq(Mux(slot == layer.window_words, 0, slot)),
            self.present.eq(self._pass_words),
        ]
        with m.If(in_map):
            m.d.sync += [
                self.column_start.eq(self.column_start + stride),
                self.pointer.eq(self.column_start + stride),
            ]

    def _compute(self, m: Module) -> None:
        """One MAC a cycle in every PE: window words outside, filters inside."""
        layer, now = self.layer, self.now
        filters = Counter(m, "filter", 9)
        word = Counter(m, "window_word", 9)
        weight = Counter(m, "filter_weight", len(now.weight_address))
        address = self.slot + word.value
        m.d.comb += [
            now.mac.eq(1),
            now.first.eq(word.value == 0),
            # The first round over the filters frees the sums of the column before.
            now.drain.eq((word.value == 0) & (self.out_column.value != 0)),
            now.fresh.eq(self.channel_pass.value == 0),
            now.ifmap_address.eq(
                Mux(address < layer.window_words, address, address - layer.window_words)
            ),
            now.weight_address.eq(weight.value),
            now.psum_address.eq(filters.value),
        ]
        weight.step(m, layer.weight_words)
        filters.step(m, layer.filters)
        with m.If(filters.last(layer.filters)):
            word.step(m, layer.window_words)
            with m.If(word.last(layer.window_words)):
                self.out_column.step(m, layer.out_width)
                m.next = "DELIVER"
                with m.If(self.out_column.last(layer.out_width)):
                    m.next = "FLUSH"

    def _flush(self, m: Module) -> None:
        """Drain the last column's sums, then on to the next pass."""
        layer, now = self.layer, self.now
        filters = Counter(m, "flushed", 9)
        m.d.comb += [
            now.drain.eq(1),
            now.fresh.eq(self.channel_pass.value == 0),
            now.psum_address.eq(filters.value),
        ]
        filters.step(m, layer.filters)
        with m.If(filters.last(layer.filters)):
            m.d.sync += self.pass_start.eq(self.pass_start + layer.pass_words)
            self.channel_pass.step(m, layer.channel_passes)
            m.next = "LOAD"
            with m.If(layer.resident):
                m.next = "WEIGHTS"
            with m.If(self._last_pass):
                m.d.sync += self.pass_start.eq(0)
                m.next = "SETTLE"

    def _settle(self, m: Module) -> None:
        """Wait until the last sums are in the banks."""
        waited = Counter(m, "settle", 8)
        waited.step(m, self.config.rows + SETTLE)
        with m.If(waited.last(self.config.rows + SETTLE)):
            m.next = "OUTPUT"

    def _output(self, m: Module) -> None:
        """The collector sends; then on to the next filter group or strip."""
        layer = self.layer
        m.d.comb += self.output.eq(1)
        with m.If(self.finished):
            self.filter_group.step(m, layer.filter_groups)
            m.next = "LOAD"
            with m.If(layer.resident & ~self.filter_group.last(layer.filter_groups)):
                m.next = "WEIGHTS"
            with m.If(self.filter_group.last(layer.filter_groups)):
                self.strip.step(m, layer.strips)
                with m.If(self.strip.last(layer.strips)):
                    m.next = "IDLE"

    @property
    def _last_pass(self) -> Any:
        return self.channel_pass.last(self.layer.channel_passes)

    @property
    def _pass_words(self) -> Any:
        return Mux(self._last_pass, self.layer.last_pass_words, self.layer.pass_words)


class Counter:
    """A loop counter: counts 0 .. limit - 1 and starts again."""

    def __init__(self, m: Module, name: str, bits: int) -> None:
        self.value = Signal(bits, name=f"{name}_index")

    def last(self, limit: Any) -> Any:
        """Whether this is the loop's last round."""
        return self.value + 1 == limit

    def step(self, m: Module, limit: Any) -> None:
        """Next round at the end of the cycle, under the conditions of the place."""
        m.d.sync += self.value.eq(Mux(self.last(limit), 0, self.value + 1))
