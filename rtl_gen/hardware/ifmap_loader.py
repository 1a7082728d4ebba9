"""Ifmap loader: delivers columns of the input map to the PEs, from the stream or the buffer."""

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware.counter import Counter, flags, nested
from rtl_gen.hardware.instruction import address_bits, ifmap_part
from rtl_gen.memories import lanes, memories

LAYER = (
    *("ifmap_groups", "set_channels", "sets", "ring_words", "pass_beats", "last_pass_beats"),
    *("column_pitch", "column_jump", "map_width", "padding_code", "filter_groups"),
)
#: Bits of a position in the map: twice the largest padded map, and a sign.
POSITION = 17


def upcoming() -> wiring.Signature:
    """What the loader must know of the pass whose window it delivers next.

    position : of the window's first column in the map, modulo 2**17. first : of its filter group;
    first_group : of its strip and tile; last_channels : the last channel pass.
    """
    return wiring.Signature(
        {
            "position": Out(POSITION),
            "first": Out(1),
            "first_group": Out(1),
            "last_channels": Out(1),
        }
    )


class IfmapLoader(wiring.Component):
    """One job a slot: the columns that the next slot's window needs anew.

    A column is `pass_beats` beats, one a cycle: row sets, channels in a set, groups of lanes. A
    column outside of the map is the padding code, an absent channel zero. Real beats are
    numbered in a group of filters; the first group takes them from the stream and keeps in
    the buffer those that fit, the others find them there.

    Members
    -------
    begin : a layer begins: the ring is empty. restart : a job begins in the next cycle.
    columns, ahead : how many columns, and how many of them may come while the slot computes.
    release : the slot's compute is done, so that its oldest columns may be overwritten.
    window : the job is the first window of the pass `upcoming`.
    done : nothing is left of the job after this cycle.
    beats : stream in. sram_* : the buffer's port.
    out : the ifmap part of the instruction. from_sram : its data come from the buffer, next cycle.
    """

    begin: Signal
    restart: Signal
    columns: Signal
    ahead: Signal
    release: Signal
    window: Signal
    upcoming: wiring.PureInterface
    done: Signal
    layer: wiring.PureInterface
    beats: stream.Interface
    sram_enable: Signal
    sram_write: Signal
    sram_address: Signal
    out: wiring.PureInterface
    from_sram: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.depth = int(memories(config)["ifmap_sram"].depth)
        columns = FIELDS["window"][0]
        super().__init__(
            {
                "begin": In(1),
                "restart": In(1),
                "columns": In(columns),
                "ahead": In(columns),
                "release": In(1),
                "window": In(1),
                "upcoming": In(upcoming()),
                "done": Out(1),
                "layer": In(wiring.Signature({name: Out(FIELDS[name][0]) for name in LAYER})),
                "beats": In(stream.Signature(unsigned(config.bus_bits))),
                "sram_enable": Out(1),
                "sram_write": Out(1),
                "sram_address": Out(address_bits(self.depth)),
                "out": Out(wiring.Signature(ifmap_part(config))),
                "from_sram": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer, out = self.layer, self.out
        group, target = Counter("ifmap_group", 8), Counter("row_set", 8)
        channel = Counter("channel", 9)
        delivered = Signal.like(self.columns, name="delivered")  # columns of this job
        beat = Signal(16)  # of this column
        newest = Signal(address_bits(self.config.ifmap_words))  # where the column's words begin
        active, moved, column_done, last = flags("active", "moved", "column_done", "last_column")
        nest = ((group, layer.ifmap_groups), (channel, layer.set_channels), (target, layer.sets))
        fresh = Signal()  # the first beat of the pass `upcoming`
        m.d.comb += fresh.eq(self.window & (delivered == 0) & (beat == 0))
        self._locate(m, fresh)
        self._fetch(m, active, beat, fresh)
        m.d.comb += [
            active.eq((delivered != self.columns) & ((delivered < self.ahead) | self.release)),
            moved.eq(active & (~self.beats.ready | self.beats.valid)),
            last.eq(delivered + 1 == self.columns),
            self.done.eq((delivered == self.columns) | (column_done & last)),
            out.load_ifmap.eq(moved),
            out.ifmap_target.eq(target.value),
            out.ifmap_group.eq(group.value),
            out.ifmap_write_address.eq(newest + channel.value),
        ]
        with m.If(moved):
            m.d.sync += beat.eq(beat + 1)
            m.d.comb += column_done.eq(nested(m, nest))
            with m.If(self.real):
                m.d.sync += self.pointer.eq(self.pointer_now + 1)
        with m.If(column_done):
            end = newest + layer.set_channels
            m.d.sync += [
                beat.eq(0),
                delivered.eq(delivered + 1),
                newest.eq(Mux(end == layer.ring_words, 0, end)),
                self.position.eq(
                    self.position_now + layer.column_pitch + Mux(last, layer.column_jump, 0)
                ),
            ]
        with m.If(self.restart | self.begin):
            m.d.sync += delivered.eq(0)
        with m.If(self.begin):
            m.d.sync += newest.eq(0)
        return m

    def _locate(self, m: Module, fresh: Signal) -> None:
        """Where the pass stands: what `upcoming` says at its first beat, else what was kept."""
        self.position, self.position_now = (
            Signal(POSITION, name="position"),
            Signal(POSITION, name="position_now"),
        )
        # The number of the next real beat.
        self.pointer, self.pointer_now = Signal(24, name="pointer"), Signal(24, name="pointer_now")
        first_group, self.first_group = flags("kept_first_group", "first_group")
        last_channels, self.last_channels = flags("kept_last_channels", "last_channels")
        m.d.comb += [
            self.position_now.eq(self.position),
            self.pointer_now.eq(self.pointer),
            self.first_group.eq(first_group),
            self.last_channels.eq(last_channels),
        ]
        with m.If(fresh):
            m.d.comb += [
                self.position_now.eq(self.upcoming.position),
                self.first_group.eq(self.upcoming.first_group),
                self.last_channels.eq(self.upcoming.last_channels),
            ]
            with m.If(self.upcoming.first):
                m.d.comb += self.pointer_now.eq(0)
            m.d.sync += [
                self.position.eq(self.position_now),
                self.pointer.eq(self.pointer_now),
                first_group.eq(self.first_group),
                last_channels.eq(self.last_channels),
            ]

    def _fetch(self, m: Module, active: Signal, beat: Signal, fresh: Signal) -> None:
        """This cycle's beat: from the stream, from the buffer, or made here.

        Compared is what registers hold, both of what is kept and of what is upcoming, and chosen
        is what came of it: the longest path goes through here.
        """
        layer, bits = self.layer, self.config.activation_bits
        present, inside, room = flags("present", "inside", "room")
        self.real, from_stream = flags("real_beat", "from_stream")
        count = int(lanes(self.config.bus_bits, bits))
        m.d.comb += [
            present.eq(
                Mux(self.last_channels, beat < layer.last_pass_beats, beat < layer.pass_beats)
            ),
            inside.eq(
                Mux(
                    fresh,
                    self.upcoming.position < layer.map_width,
                    self.position < layer.map_width,
                )
            ),
            room.eq((fresh & self.upcoming.first) | (self.pointer < self.depth)),
            self.real.eq(present & inside),
            from_stream.eq(self.real & (self.first_group | ~room)),
            self.beats.ready.eq(active & from_stream),
            self.from_sram.eq(self.real & ~from_stream),
            self.sram_write.eq(from_stream),
            self.sram_address.eq(self.pointer_now),
        ]
        with m.If(active & self.real & room):
            keep = self.beats.valid & (layer.filter_groups != 1)
            m.d.comb += self.sram_enable.eq(Mux(from_stream, keep, 1))
        with m.If(from_stream):
            m.d.comb += self.out.ifmap_data.eq(self.beats.payload)
        with m.Elif(present):
            # Of a code of more bits than the field, the upper ones.
            below = max(bits - len(layer.padding_code), 0)
            code = Cat(Const(0, below), layer.padding_code)[:bits]
            m.d.comb += self.out.ifmap_data.eq(code.replicate(count))
