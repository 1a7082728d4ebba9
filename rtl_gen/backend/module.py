"""One module as Verilog text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rtl_gen.backend.expressions import SHIFTS_RIGHT, Expressions, Use, constant, inlined, uses
from rtl_gen.backend.names import KEYWORDS, port_name
from rtl_gen.backend.rtlil import Assign, Bits, Cell, Module, Value
from rtl_gen.backend.statements import Block, Writer, depends, joined, registers
from rtl_gen.backend.walk import driven, reads_of, statements, target_of, wires_of

#: Wire -> code -> name of the state.
States = Mapping[str, Mapping[int, str]]
FLIP_FLOPS = ("$dff", "$adff")
MEMORY_PORTS = ("$memrd_v2", "$memwr_v2", "$meminit_v2")


@dataclass(slots=True)
class Names:
    """Verilog names, each given once."""

    taken: set[str] = field(default_factory=lambda: set(KEYWORDS))

    def give(self, wish: str) -> str:
        """`wish`, or where that is taken the first of wish_2, wish_3, ... that is not."""
        name, number = wish, 1
        while name in self.taken:
            number += 1
            name = f"{wish}_{number}"
        self.taken.add(name)
        return name


class ModuleText:
    """Writes a cleaned module.

    Parameters
    ----------
    module : what is left of it is used up. states : of its state registers.
    """

    def __init__(self, module: Module, states: States) -> None:
        self.module = module
        self.names = Names()
        self.wires: dict[str, str] = {}
        self.operators = {
            name: cell
            for cell in module.cells
            if cell.kind not in (*FLIP_FLOPS, *MEMORY_PORTS) and cell.operator
            for name in driven(cell)
        }
        self.flip_flops = [cell for cell in module.cells if cell.kind in FLIP_FLOPS]
        self.blocks, self.combinational = self._blocks()
        self.widths = {name: wire.width for name, wire in module.wires.items()}
        self.uses = self._uses()
        nameless = {n: c for n, c in self.operators.items() if n.startswith("$")}
        self.expressions = Expressions(self.wires, self.widths, inlined(nameless, self.uses))
        self._name()
        self.states = self._states(states)

    def _blocks(self) -> tuple[list[Block], list[Block]]:
        """Clocked and combinational blocks."""
        # What a process works out for a register, and for nothing else, has no name.
        next_values = {
            cell.ports["D"][0].text
            for cell in self.flip_flops
            if len(cell.ports["D"]) == 1 and cell.ports["D"][0].text.startswith("$")
        }
        processes = self.module.processes
        feeding = [body for body in processes if target_of(body) in next_values]
        others = [body for body in processes if target_of(body) not in next_values]
        clocked = joined(registers(self.flip_flops, feeding, "rst"), lambda one, other: False)
        causes: dict[str, set[str]] = {}
        for cell in self.module.cells:
            if cell.kind not in FLIP_FLOPS:
                for name in driven(cell):
                    sources = (wires_of(value) for value in cell.inputs.values())
                    causes.setdefault(name, set()).update(*sources)
        for body in others:
            causes[target_of(body)] = reads_of(body)
        blocks = [Block({target_of(body)}, body) for body in others]
        return clocked, joined(blocks, depends(blocks, causes))

    def _uses(self) -> dict[str, Use]:
        read: list[tuple[Value, bool]] = []
        for cell in self.module.cells:
            if cell.kind in FLIP_FLOPS:
                continue
            signed = bool(cell.parameters.get("A_SIGNED"))
            read += [(value, signed) for value in cell.inputs.values()]
        for block in (*self.blocks, *self.combinational):
            for statement in statements(block.body):
                value = statement.value if isinstance(statement, Assign) else statement.test
                read.append((value, False))
        read += [(assign.value, False) for assign in self.module.connections]
        return uses(read)

    def _name(self) -> None:
        """Ports keep their names, then come the wires that have one, then the others."""
        wires = self.module.wires
        for name, wire in wires.items():
            if wire.direction:
                self.wires[name] = self.names.give(port_name(name))
        pins = self._pins()
        for name in wires:
            if name not in self.wires and not name.startswith("$"):
                wish = pins.get(name, re.sub(r"\$\d+$", "", name))
                self.wires[name] = self.names.give(port_name(wish))
        self.memories = {m.name: self.names.give(port_name(m.name)) for m in self.module.memories}
        instances = [cell for cell in self.module.cells if not cell.operator]
        self.instances = {cell.name: self.names.give(port_name(cell.name)) for cell in instances}
        for cell in self.module.cells:
            for port in sorted(cell.outputs):
                for name in wires_of(cell.ports[port]):
                    if name not in self.wires and name not in self.expressions.cells:
                        self.wires[name] = self.names.give(self._wish(cell, port, name))
        for block in self.combinational:
            for name in block.targets - self.wires.keys():
                self.wires[name] = self.names.give("chosen")

    def _pins(self) -> dict[str, str]:
        """Wires that are called like the pin of an inner module, by instance and pin."""
        return {
            value[0].text: f"{cell.name}_{port}"
            for cell in self.module.cells
            if not cell.operator
            for port, value in cell.ports.items()
            if len(value) == 1 and re.sub(r"\$\d+$", "", value[0].text) == port
        }

    def _wish(self, cell: Cell, port: str, name: str) -> str:
        if not cell.operator:
            unread = "" if name in self.uses else "unused_"
            return f"{unread}{self.instances[cell.name]}_{port_name(port)}"
        # No more bits than are read. It is called by what it works on: `channel_index_add`.
        self.widths[name] = min(self.widths[name], self.uses[name].most)
        return "_".join([*self._leaves(cell)[:1], cell.kind[1:].removesuffix("_v2")])

    def _leaves(self, cell: Cell) -> list[str]:
        """Names of the wires that an expression is about, from the left."""
        leaves: list[str] = []
        for name in (bits.text for value in cell.inputs.values() for bits in value):
            if name in self.wires:
                leaves.append(self.wires[name])
            elif name in self.operators:
                leaves += self._leaves(self.operators[name])
        return leaves

    def _states(self, states: States) -> dict[str, dict[int, str]]:
        return {
            wire: {
                code: self.names.give(f"{self.wires[wire]}_{state}".upper())
                for code, state in codes.items()
            }
            for wire, codes in states.items()
            if wire in self.wires
        }

    def lines(self, module_name: str) -> list[str]:
        """The module's text."""
        sequential = {name for block in self.blocks for name in block.targets}
        sequential |= {name for block in self.combinational for name in block.targets}
        sequential |= {name for cell in self._reads(clocked=True) for name in driven(cell)}
        parts = [
            self._constants(),
            self._declarations(sequential),
            [line for name, cell in self.operators.items() for line in self._operator(name, cell)],
            [self._wiring(assign) for assign in self.module.connections],
            *(self._combinational(block) for block in self.combinational),
            *(self._instance(cell) for cell in self.module.cells if not cell.operator),
            *(self._clocked(block) for block in self.blocks),
            *(self._memory(cell) for cell in self.module.cells if cell.kind in MEMORY_PORTS),
        ]
        lines = [f"module {module_name} (", *self._ports(sequential), ");"]
        for part in parts:
            if part:
                lines += [f"  {line}" for line in part] + [""]
        return [*lines[:-1], "endmodule"] if lines[-1] == "" else [*lines, "endmodule"]

    def _reads(self, *, clocked: bool) -> list[Cell]:
        reads = [cell for cell in self.module.cells if cell.kind == "$memrd_v2"]
        return [cell for cell in reads if bool(cell.number("CLK_ENABLE")) == clocked]

    def _ports(self, sequential: set[str]) -> list[str]:
        lines = []
        for name, wire in self.module.wires.items():
            if wire.direction and wire.width:
                kind = "reg" if name in sequential else "wire"
                lines.append(
                    f"  {wire.direction:6} {kind:4} {_range(wire.width)}{self.wires[name]}"
                )
        return [*(f"{line}," for line in lines[:-1]), *lines[-1:]]

    def _constants(self) -> list[str]:
        return [
            f"localparam {_range(self.widths[wire])}{name} = {constant(code, self.widths[wire])};"
            for wire, codes in self.states.items()
            for code, name in codes.items()
        ]

    def _declarations(self, sequential: set[str]) -> list[str]:
        lines = [
            f"reg  {_range(m.width)}{self.memories[m.name]} [0:{m.depth - 1}];"
            for m in self.module.memories
        ]
        for name, wire in self.module.wires.items():
            if not wire.direction and name in self.wires and wire.width:
                kind = "reg " if name in sequential else "wire"
                lines.append(f"{kind} {_range(self.widths[name])}{self.wires[name]};")
        return lines

    def _operator(self, name: str, cell: Cell) -> list[str]:
        if name in self.expressions.cells:
            return []
        target, width = self.wires[name], self.widths[name]
        whole = width
        if cell.kind in SHIFTS_RIGHT:
            whole = max(width, sum(bits.width for bits in cell.ports["A"]))
        text = self.expressions.operator(cell, whole)
        if whole == width:
            return [f"assign {target} = {text};"]
        unread = self.names.give(f"unused_{target}")
        return [
            f"wire {_range(whole - width)}{unread};",
            f"assign {{{unread}, {target}}} = {text};",
        ]

    def _wiring(self, assign: Assign) -> str:
        target, value = (self.expressions.text(side) for side in (assign.target, assign.value))
        return f"assign {target} = {value};"

    def _combinational(self, block: Block) -> list[str]:
        body = Writer(self.expressions, "=", self.states).lines(block.body, "  ")
        return ["always @* begin", *body, "end"]

    def _clocked(self, block: Block) -> list[str]:
        writer = Writer(self.expressions, "<=", self.states)
        if not block.reset:
            return ["always @(posedge clk) begin", *writer.lines(block.body, "  "), "end"]
        resetting, body = writer.lines(block.reset, "    "), writer.lines(block.body, "  ")
        lines = ["always @(posedge clk) begin", "  if (rst) begin", *resetting]
        if body and body[0].startswith("  if ") and _closed_by_the_last(body):
            lines += [f"  end else {body[0].strip()}", *body[1:]]
        elif body:
            lines += ["  end else begin", *(f"  {line}" for line in body), "  end"]
        else:
            lines.append("  end")
        return [*lines, "end"]

    def _instance(self, cell: Cell) -> list[str]:
        pins = [
            f"  .{port_name(name)}({self.expressions.text(value)})"
            for name, value in cell.ports.items()
            if value
        ]
        head = f"{port_name(cell.kind)} {self.instances[cell.name]} ("
        return [head, *(f"{pin}," for pin in pins[:-1]), *pins[-1:], ");"]

    def _memory(self, cell: Cell) -> list[str]:
        word = f"{self.memories[str(cell.parameters['MEMID'])]}"
        place = f"{word}[{self.expressions.text(cell.ports['ADDR'] or _ZERO)}]"
        data = self.expressions.text(cell.ports["DATA"])
        if cell.kind == "$memrd_v2" and not cell.number("CLK_ENABLE"):
            return [f"assign {data} = {place};"]
        if cell.kind == "$memrd_v2":
            if cell.number("TRANSPARENCY_MASK"):
                raise ValueError("a memory must give the old word, not the one being written")
            return self._when(cell.ports["EN"], f"{data} <= {place};")
        (enable,) = set(cell.ports["EN"])
        return self._when((enable,), f"{place} <= {data};")

    def _when(self, enable: Value, statement: str) -> list[str]:
        asked = self.expressions.text(enable)
        guard = "" if asked == "1'b1" else f"if ({asked}) "
        return [f"always @(posedge clk) {guard}{statement}"]


_ZERO: Value = (Bits("0", 1, constant=True),)


def _range(width: int) -> str:
    return "" if width == 1 else f"[{width - 1}:0] "


def _closed_by_the_last(body: list[str]) -> bool:
    """Whether lines that begin with an `if` are that one statement and no more."""
    return all(line.startswith(("   ", "  end else ")) for line in body[1:-1])
