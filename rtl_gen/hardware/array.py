# amaranth: UnusedElaboratable=no
# (components placed by name are elaborated where their module is emitted)
"""Array: rows x columns PEs, the network over them, partial sums down the columns."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.instruction import COORDINATE, instruction, late
from rtl_gen.hardware.memory import SinglePortMemory, memory_name
from rtl_gen.hardware.node import NetworkNode
from rtl_gen.hardware.pe import ProcessingElement
from rtl_gen.hardware.place import copy, place
from rtl_gen.hardware.row import NetworkRow
from rtl_gen.memories import WEIGHT_SRAM, lanes, memories


class ProcessingArray(wiring.Component):
    """Row-stationary array: weights along rows, inputs along diagonals, sums down columns.

    Members
    -------
    issue : the instruction for row 0; row i obeys it 1 + i cycles later.
    late : the last row's late instruction; its sums stand in `sums` in the cycle after.
    sums : what leaves the columns, column 0 in the low bits.
    kernel_rows, sets : R and r. column_set, column_offset, column_active : of every column,
        column 0 in the low bits, from the banks.
    """

    issue: wiring.PureInterface
    late: wiring.PureInterface
    kernel_rows: Signal
    sets: Signal
    column_set: Signal
    column_offset: Signal
    column_active: Signal
    sums: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "issue": In(instruction(config)),
                "late": Out(late(config)),
                "kernel_rows": In(COORDINATE),
                "sets": In(COORDINATE),
                "column_set": In(COORDINATE * config.columns),
                "column_offset": In(COORDINATE * config.columns),
                "column_active": In(config.columns),
                "sums": Out(config.columns * config.accumulator_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        above, set_index, tap = self.issue, 0, 0
        sums = [0] * self.config.columns
        for i in range(self.config.rows):
            row = place(m, NetworkRow(self.config), "network_row", f"row_{i}")
            copy(m, above, row.above, tuple(instruction(self.config).members))
            copy(m, self, row, ("kernel_rows", "sets"))
            m.d.comb += [row.set_index.eq(set_index), row.tap.eq(tap)]
            sums = [self._pe(m, row, i, j, sums[j]) for j in range(self.config.columns)]
            above, set_index, tap = row.here, row.next_set_index, row.next_tap
        copy(m, row.late, self.late, tuple(late(self.config).members))
        m.d.comb += self.sums.eq(Cat(*sums))
        return m

    def _pe(self, m: Module, row: wiring.PureInterface, i: int, j: int, psum: Signal) -> Signal:
        """Place PE (i, j) and its node; returns the sum it passes down."""
        config = self.config
        node = place(m, NetworkNode(config), "network_node", f"node_{i}_{j}", clocked=False)
        pe = place(m, ProcessingElement(config), "pe", f"pe_{i}_{j}")
        copy(
            m,
            row.here,
            node,
            (
                *("load_weight", "weight_target", "weight_group"),
                *("load_ifmap", "ifmap_data", "ifmap_target", "ifmap_group"),
            ),
        )
        weight_lanes = int(lanes(config.bus_bits, config.weight_bits))
        m.d.comb += [
            node.row_set.eq(row.set_index),
            node.row_tap.eq(row.tap),
            node.row_active.eq(row.active),
            node.row_group.eq(i // weight_lanes),
            node.column_set.eq(self.column_set.word_select(j, COORDINATE)),
            node.column_offset.eq(self.column_offset.word_select(j, COORDINATE)),
            node.column_active.eq(self.column_active[j]),
            pe.weight.eq(row.here.weight_data.word_select(i % weight_lanes, config.weight_bits)),
            pe.psum_in.eq(psum),
        ]
        copy(m, node, pe, ("activation", "ifmap_write", "weight_write", "active"))
        copy(
            m,
            row.here,
            pe,
            (
                *("ifmap_write_address", "weight_write_address"),
                *("mac", "ifmap_read_address", "weight_read_address"),
            ),
        )
        copy(m, row.late, pe, ("accumulate", "first", "drain", "psum_address"))
        for number in range(config.weight_macros):
            self._weight_sram(m, pe, number, f"weight_sram_{i}_{j}_{number}")
        return pe.psum_out

    def _weight_sram(self, m: Module, pe: wiring.PureInterface, number: int, name: str) -> None:
        """Place one of the memories that hold a PE's weights."""
        shape = memories(self.config)[WEIGHT_SRAM]
        depth, width = int(shape.depth), int(shape.width)
        memory = place(m, SinglePortMemory(depth, width), memory_name(depth, width), name)
        for port in ("enable", "write", "address", "write_data"):
            m.d.comb += getattr(memory, port).eq(getattr(pe, f"weight_sram_{number}_{port}"))
        m.d.comb += getattr(pe, f"weight_sram_{number}_read_data").eq(memory.read_data)
