"""Network node: takes from the passing beats what its PE is meant to get."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.instruction import COORDINATE
from rtl_gen.memories import lanes


class NetworkNode(wiring.Component):
    """Multicast by coordinates, combinational (latency 0).

    Weights: every row of the array has its own lane, so the node only compares. Inputs run
    along diagonals: the PE of tap i of its row set and of output row j takes the ifmap row
    i + j * stride, lane and group being the low and high bits of that sum.

    Members
    -------
    ifmap_data, load_*, *_target, *_group : the passing instruction's.
    row_set, row_tap, row_active, row_group : where the row stands.
    column_set, column_offset, column_active : where the column stands; offset is j * stride.
    activation, ifmap_write, weight_write, active : to the PE.
    """

    ifmap_data: Signal
    load_weight: Signal
    weight_target: Signal
    weight_group: Signal
    load_ifmap: Signal
    ifmap_target: Signal
    ifmap_group: Signal
    row_set: Signal
    row_tap: Signal
    row_active: Signal
    row_group: Signal
    column_set: Signal
    column_offset: Signal
    column_active: Signal
    activation: Signal
    ifmap_write: Signal
    weight_write: Signal
    active: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "ifmap_data": In(unsigned(config.bus_bits)),
                "load_weight": In(1),
                "weight_target": In(COORDINATE),
                "weight_group": In(COORDINATE),
                "load_ifmap": In(1),
                "ifmap_target": In(COORDINATE),
                "ifmap_group": In(COORDINATE),
                "row_set": In(COORDINATE),
                "row_tap": In(COORDINATE),
                "row_active": In(1),
                "row_group": In(COORDINATE),
                "column_set": In(COORDINATE),
                "column_offset": In(COORDINATE),
                "column_active": In(1),
                "activation": Out(unsigned(config.activation_bits)),
                "ifmap_write": Out(1),
                "weight_write": Out(1),
                "active": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.config.activation_bits
        count = lanes(self.config.bus_bits, bits)
        lane_bits = count.bit_length() - 1
        tag = Signal(COORDINATE)
        m.d.comb += [
            tag.eq(self.row_tap + self.column_offset),
            self.active.eq(self.row_active & self.column_active),
            self.ifmap_write.eq(
                self.load_ifmap
                & self.active
                & (self.ifmap_target == self.row_set)
                & (self.ifmap_group == tag[lane_bits:])
            ),
            self.weight_write.eq(
                self.load_weight
                & self.active
                & (self.weight_target == self.column_set)
                & (self.weight_group == self.row_group)
            ),
            self.activation.eq(self.ifmap_data[: count * bits].word_select(tag[:lane_bits], bits)),
        ]
        return m
