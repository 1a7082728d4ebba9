"""Amaranth's netlist as values: a reader of the RTLIL that Amaranth writes, and of no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

#: Operators whose low bits depend on the low bits of their operands only.
CUTTABLE = ("$add", "$sub", "$mul", "$and", "$or", "$xor", "$not", "$neg", "$mux", "$shl")


@dataclass(frozen=True, slots=True)
class Bits:
    """A constant, or `width` bits of a wire from bit `low`; `text` is the wire or the digits."""

    text: str
    width: int
    low: int = 0
    constant: bool = False

    @property
    def number(self) -> int:
        """Value of a constant."""
        return int(self.text, 2) if self.text else 0


#: Bits side by side, the low ones first.
Value = tuple[Bits, ...]


def cut(value: Value, width: int) -> Value:
    """The low bits of a value."""
    kept: list[Bits] = []
    for bits in value:
        part = min(bits.width, width)
        width -= part
        if part:
            text = bits.text[len(bits.text) - part :] if bits.constant else bits.text
            kept.append(Bits(text, part, bits.low, bits.constant))
    return tuple(kept)


@dataclass(slots=True)
class Wire:
    """A named bundle of bits; `direction` is "input", "output" or "" inside of the module."""

    name: str
    width: int
    direction: str = ""


@dataclass(slots=True)
class Cell:
    """An operator (`$add`), a register (`$dff`), a port of a memory, or an instance."""

    kind: str
    name: str
    parameters: dict[str, int | str] = field(default_factory=dict)
    ports: dict[str, Value] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)

    @property
    def operator(self) -> bool:
        """Whether the cell is one of RTLIL's own, and not an instance of a module."""
        return self.kind.startswith("$")

    @property
    def inputs(self) -> dict[str, Value]:
        """The ports that read."""
        return {name: value for name, value in self.ports.items() if name not in self.outputs}

    def number(self, parameter: str) -> int:
        """A parameter that is a number."""
        return int(self.parameters[parameter])


@dataclass(slots=True)
class Assign:
    """`target` takes `value`, unless a later statement says otherwise."""

    target: Value
    value: Value


@dataclass(slots=True)
class Switch:
    """The first case with a pattern that fits `test`; no pattern fits everything."""

    test: Value
    cases: list[tuple[tuple[str, ...], list[Statement]]]


Statement = Assign | Switch


@dataclass(slots=True)
class Memory:
    """`depth` words of `width` bits."""

    name: str
    width: int
    depth: int


@dataclass(slots=True)
class Module:
    """One module, in the order of the text."""

    name: str
    wires: dict[str, Wire] = field(default_factory=dict)
    memories: list[Memory] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    processes: list[list[Statement]] = field(default_factory=list)
    connections: list[Assign] = field(default_factory=list)


def parse(text: str) -> list[Module]:
    """Read the modules of an RTLIL text.

    Raises
    ------
    ValueError
        On anything that Amaranth is not known to write.
    """
    split = (line.split() for line in text.splitlines())
    lines = iter([line for line in split if line and line[0] != "attribute"])
    modules = []
    for line in lines:
        if line[0] != "module":
            raise _unknown(line)
        modules.append(_module(Module(_name(line[1])), lines))
    known = {module.name: module for module in modules}
    for cell in [cell for module in modules for cell in module.cells if cell.kind in known]:
        wires = known[cell.kind].wires
        cell.outputs = {name for name in cell.ports if wires[name].direction == "output"}
    return modules


def _unknown(line: list[str]) -> ValueError:
    return ValueError(f"RTLIL must be as Amaranth writes it, not {' '.join(line)!r}")


def _name(word: str) -> str:
    """Names that Amaranth has made up itself keep their `$` in front, those of signals don't."""
    return re.sub(r"^\\(\$?)", lambda match: "_" if match[1] else "", word)


def _module(module: Module, lines: Iterator[list[str]]) -> Module:
    wires = module.wires
    for line in lines:
        match line:
            case ["end"]:
                return module
            case ["wire", "width", width, *options, name]:
                way = [word for word in options if word in ("input", "output")]
                wires[_name(name)] = Wire(_name(name), int(width), *way)
            case ["memory", "width", width, "size", depth, name]:
                module.memories.append(Memory(_name(name), int(width), int(depth)))
            case ["cell", kind, name]:
                module.cells.append(_cell(Cell(_name(kind), _name(name)), wires, lines))
            case ["process", _]:
                module.processes.append(_body(wires, lines)[0])
            case ["connect", *words]:
                module.connections.append(_assign(words, wires))
            case _:
                break
    raise _unknown(line)


def _cell(cell: Cell, wires: dict[str, Wire], lines: Iterator[list[str]]) -> Cell:
    for line in lines:
        match line:
            case ["end"]:
                return cell
            case ["parameter", *_, name, value]:
                cell.parameters[_name(name)] = _parameter(value)
            case ["connect", name, *words]:
                cell.ports[_name(name)] = _values(words, wires)[0]
                if _drives(cell, _name(name), words):
                    cell.outputs.add(_name(name))
            case _:
                break
    raise _unknown(line)


def _drives(cell: Cell, port: str, words: list[str]) -> bool:
    """Whether a port is an output; for an instance of an unknown module the range tells."""
    if cell.operator:
        return port in ("Y", "Q") or (port == "DATA" and cell.kind == "$memrd_v2")
    # Amaranth gives a range to everything that an instance reads, and to nothing that it drives.
    return len(words) == 1 and "'" not in words[0]


def _parameter(word: str) -> int | str:
    if word.startswith('"'):
        return word.strip('"').replace("\\\\", "")
    if "'" in word:
        digits = word.split("'")[1]
        return digits if "x" in digits else int(digits or "0", 2)
    return int(word)


def _body(wires: dict[str, Wire], lines: Iterator[list[str]]) -> tuple[list[Statement], list[str]]:
    """Statements of a process or a case; also the line after them."""
    body: list[Statement] = []
    for line in lines:
        match line:
            case ["assign", *words]:
                body.append(_assign(words, wires))
            case ["switch", *words]:
                body.append(_switch(Switch(_values(words, wires)[0], []), wires, lines))
            case _:
                return body, line
    raise ValueError("RTLIL must end what it begins")


def _switch(switch: Switch, wires: dict[str, Wire], lines: Iterator[list[str]]) -> Switch:
    line = next(lines)
    while line[0] == "case":
        patterns = tuple(word.rstrip(",").split("'")[1] for word in line[1:])
        body, line = _body(wires, lines)
        switch.cases.append((patterns, body))
    return switch


def _assign(words: list[str], wires: dict[str, Wire]) -> Assign:
    target, value = _values(words, wires)
    return Assign(target, value)


def _values(words: list[str], wires: dict[str, Wire]) -> list[Value]:
    """The values that stand in a row: `\\a [3:0] { 2'00 \\b }` are two."""
    values: list[Value] = []
    inside: list[Bits] | None = None
    for word in words:
        chunks = inside if inside is not None else []
        if word == "{":
            inside = []
        elif word == "}":
            # RTLIL writes the high bits first.
            values.append(tuple(reversed(chunks)))
            inside = None
        elif word.startswith("[") and word.endswith("]"):
            high, _, low = word[1:-1].rpartition(":")
            chunk = inside.pop() if inside is not None else values.pop()[0]
            part = Bits(chunk.text, int(high or low) - int(low) + 1, int(low))
            if inside is not None:
                inside.append(part)
            else:
                values.append((part,))
        else:
            part = _whole(word, wires)
            if inside is not None:
                inside.append(part)
            else:
                values.append((part,) if part.width else ())
    return values


def _whole(word: str, wires: dict[str, Wire]) -> Bits:
    if word[0].isdigit():
        width, digits = word.split("'")
        return Bits(digits, int(width), constant=True)
    return Bits(_name(word), wires[_name(word)].width)
