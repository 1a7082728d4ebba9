"""Cells that scratchpads with gated clocks and latches are built of, for synthesis.

`rtl_gen.storage` writes such scratchpads on a module `clock_gate` and on latches inferred from
their Verilog. Here stands what a technology has in their place.
"""

from __future__ import annotations

from characterize.boolean import Expression, pins
from characterize.cells import Cell, Latch, Library
from characterize.technology import Technology
from rtl_gen.errors import UserError
from rtl_gen.storage import CLOCK_GATE_NAME, LATCH, STORAGES

_GATE = """\
module {name} (
    input wire clk,
    input wire enable,
    output wire gated
);
{body}
endmodule
"""

#: Where a library has no clock gate. A latch would give the enable more time than the half cycle
#: that a flip-flop leaves it, but would need its own check of when it closes.
_FALLING = """\
    reg open;
    always @(negedge clk)
        open <= enable;
    assign gated = clk & open;"""


def clock_gate_verilog(technology: Technology, library: Library) -> str:
    """The module `clock_gate` in cells of the technology: its integrated clock gate, or else a
    flip-flop of the falling edge and an and."""
    if technology.clock_gate is None:
        return _GATE.format(name=CLOCK_GATE_NAME, body=_FALLING)
    cell = library.cell(technology.clock_gate)
    if not cell.clock_gate or cell.latch is None or cell.unsupported:
        kind = cell.clock_gate or "no clock gate"
        raise UserError(
            "clock_gate must be a clock gate of kind latch_posedge or latch_posedge_precontrol, "
            f"not {cell.name} ({kind})"
        )
    clock, (enable, *tests) = _pins(cell.latch.enable), _ordered(cell.latch.data)
    wires = [f".{clock[0]}(clk)", f".{enable}(enable)", f".{_output(cell)}(gated)"]
    wires += [f".{test}(1'b0)" for test in tests]
    return _GATE.format(name=CLOCK_GATE_NAME, body=f"    {cell.name} cell_0 ({', '.join(wires)});")


def latch_map(technology: Technology, library: Library) -> str:
    """Yosys' techmap of latches onto the technology's, or "" where it has none."""
    if technology.latch is None:
        return ""
    cell = library.cell(technology.latch)
    store = cell.latch
    if store is None or cell.clock_gate or cell.unsupported or not _plain(store):
        raise UserError(f"latch must be a latch with one enable and one data pin, not {cell.name}")
    (enable,), (data,) = _pins(store.enable), _pins(store.data)
    inverted = store.enable.operator == "not"
    maps = []
    for polarity in "PN":
        level = "E" if (polarity == "N") == inverted else "~E"
        wires = f".{enable}({level}), .{data}(D), .{_output(cell)}(Q)"
        maps.append(
            f"module \\$_DLATCH_{polarity}_ (input E, input D, output Q);\n"
            f"    {cell.name} _TECHMAP_REPLACE_ ({wires});\nendmodule\n"
        )
    return "".join(maps)


def check_storage(technology: Technology, scratchpads: str) -> None:
    """Refuse what the technology has no cells for."""
    if scratchpads == LATCH and technology.latch is None:
        raise UserError(
            f"scratchpads must be one of {', '.join(one for one in STORAGES if one != LATCH)} in "
            f"{technology.name}, which names no latch, not {scratchpads!r}"
        )


def _plain(store: Latch) -> bool:
    simple = len(pins(store.enable)) == 1 and store.data.operator == "pin"
    return simple and store.clear is None and store.preset is None


def _pins(expression: Expression) -> list[str]:
    return sorted(pins(expression))


def _ordered(expression: Expression) -> list[str]:
    """The pins of a sum, from left to right."""
    if expression.operator == "pin":
        return [expression.name]
    return [name for operand in expression.operands for name in _ordered(operand)]


def _output(cell: Cell) -> str:
    """The output that shows what is stored as it is (a clock gate has only one)."""
    store = cell.latch
    outputs = [pin for pin in cell.pins.values() if pin.direction == "output" and pin.function]
    state = Expression("pin", name=store.state if store else "")
    plain = [pin.name for pin in outputs if pin.function == state]
    if not plain and not cell.clock_gate:
        raise UserError(f"latch must have an output that is not inverted, not {cell.name}")
    return (plain or [pin.name for pin in outputs])[0]
