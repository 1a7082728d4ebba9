"""Operators as Verilog expressions whose every part has the width it is used in.

Verilog widens operands by the context they stand in; here nothing is left to that. An expression
is written for a width, its operands are extended or cut to it where they stand, and so it means
the same wherever it is put, and a linter has nothing to say about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rtl_gen.backend.rtlil import CUTTABLE, Bits, Cell, Value, cut

BINARY = {
    **{"$add": "+", "$sub": "-", "$mul": "*", "$and": "&", "$or": "|", "$xor": "^"},
    **{"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="},
    **{"$shl": "<<", "$shr": ">>", "$sshr": ">>>", "$shift": ">>"},
}
UNARY = {
    **{"$not": "~", "$neg": "-"},
    **{"$reduce_bool": "|", "$reduce_or": "|", "$reduce_and": "&", "$reduce_xor": "^"},
}
COMPARISONS = ("$eq", "$ne", "$lt", "$le", "$gt", "$ge")
REDUCTIONS = ("$reduce_bool", "$reduce_or", "$reduce_and", "$reduce_xor")
SHIFTS_RIGHT = ("$shr", "$sshr", "$shift")
#: An expression of more operands than this is given a name of its own.
LONGEST = 6
#: An expression of more operands than this, too, when it is used more than once.
REPEATED = 1


@dataclass(slots=True)
class Use:
    """How a wire is read: how many of its bits at most and at least, how often, where from."""

    most: int = 0
    least: int = 1 << 16
    count: int = 0
    parts: bool = False


def uses(values: list[tuple[Value, bool]]) -> dict[str, Use]:
    """Wire -> how the values read it; those with True are extended by their sign."""
    found: dict[str, Use] = {}
    for value, signed in values:
        for bits in value:
            if not bits.constant:
                use = found.setdefault(bits.text, Use())
                use.most = max(use.most, bits.low + bits.width)
                use.least = min(use.least, bits.width)
                use.count += 1
                use.parts |= signed or bits.low > 0
    return found


@dataclass(slots=True)
class Expressions:
    """Writes values as Verilog.

    Parameters
    ----------
    names : wire -> its name in Verilog, for those that have one.
    widths : wire -> bits. cells : wire -> the operator that is written in its place.
    """

    names: Mapping[str, str]
    widths: Mapping[str, int]
    cells: dict[str, Cell] = field(default_factory=dict)

    def text(self, value: Value, width: int | None = None, *, signed: bool = False) -> str:
        """A value, extended or cut to `width` bits; stands alone or in brackets of its own."""
        return self._fit(value, width, signed)[0]

    def operand(self, value: Value, width: int, *, signed: bool = False) -> str:
        """The same, to stand beside an operator."""
        text, simple = self._fit(value, width, signed)
        return text if simple else f"({text})"

    def _fit(self, value: Value, width: int | None, signed: bool) -> tuple[str, bool]:
        """Also whether the text is safe beside any operator."""
        have = sum(bits.width for bits in value)
        want = have if width is None else width
        if want < have:
            value = cut(value, want)
        missing = want - sum(bits.width for bits in value)
        if all(bits.constant for bits in value):
            digits = "".join(bits.text for bits in reversed(value))
            fill = digits[0] if signed and digits else "0"
            return constant(int((fill * missing + digits) or "0", 2), want), True
        if missing == 0:
            return self._concatenated(value)
        if signed:
            top = value[-1]
            last = (Bits(top.text, 1, top.low + top.width - 1),)
            sign = f"1'b{top.text[0]}" if top.constant else self.text(last)
            signs = sign if missing == 1 else f"{{{missing}{{{sign}}}}}"
            return f"{{{signs}, {self._inner(value)}}}", True
        if len(value) == 1 and value[0].text in self.cells:
            wider = self._widened(self.cells[value[0].text], value[0], want)
            if wider is not None:
                return wider, False
        return f"{{{constant(0, missing)}, {self._inner(value)}}}", True

    def _widened(self, cell: Cell, bits: Bits, width: int) -> str | None:
        """The operator at a greater width, where that loses nothing and is easier to read."""
        if bits.width != self.widths[bits.text]:
            return None
        longest = [
            cell.number(f"{side}_WIDTH") for side in "AB" if f"{side}_WIDTH" in cell.parameters
        ]
        exact = cell.kind == "$add" and not cell.number("A_SIGNED") and bits.width > max(longest)
        return self.operator(cell, width) if exact else None

    def _inner(self, value: Value) -> str:
        """What stands between the braces of a concatenation."""
        parts: list[tuple[str, int]] = []
        for bits in reversed(value):
            text = self._bits(bits)[0]
            if parts and parts[-1][0] == text and bits.width == 1:
                parts[-1] = (text, parts[-1][1] + 1)
            else:
                parts.append((text, 1))
        return ", ".join(t if count == 1 else f"{{{count}{{{t}}}}}" for t, count in parts)

    def _concatenated(self, value: Value) -> tuple[str, bool]:
        if len(value) == 1:
            return self._bits(value[0])
        inner = self._inner(value)
        whole = inner.startswith("{") and inner.endswith("}") and inner.count("{") == 2
        return (inner if whole else f"{{{inner}}}"), True

    def _bits(self, bits: Bits) -> tuple[str, bool]:
        if bits.constant:
            return constant(bits.number, bits.width), True
        if bits.text in self.cells:
            text = self.operator(self.cells[bits.text], bits.width)
            return text, re.fullmatch(r"~?\w+(\[[\d:]+\])?|\{[^{}]*\}", text) is not None
        name = self.names[bits.text]
        if bits.width == self.widths[bits.text]:
            return name, True
        if bits.width == 1:
            return f"{name}[{bits.low}]", True
        return f"{name}[{bits.low + bits.width - 1}:{bits.low}]", True

    def operator(self, cell: Cell, width: int) -> str:
        """An operator's result in `width` bits, not more than it has unless it is a sum."""
        port = cell.ports
        if cell.kind == "$mux":
            yes, no = (self.operand(port[side], width) for side in "BA")
            return f"{self.operand(port['S'], 1)} ? {yes} : {no}"
        signed = bool(cell.number("A_SIGNED"))
        a = sum(bits.width for bits in port["A"])
        if cell.kind in UNARY:
            wide = a if cell.kind in REDUCTIONS else width
            return f"{UNARY[cell.kind]}{self.operand(port['A'], wide, signed=signed)}"
        symbol = BINARY[cell.kind]
        b = sum(bits.width for bits in port["B"])
        if cell.kind in COMPARISONS:
            return self._compared(cell, symbol, max(a, b, 1), signed)
        if cell.kind in (*SHIFTS_RIGHT, "$shl"):
            wide = width if cell.kind == "$shl" else max(a, width)
            left = self.operand(port["A"], wide, signed=signed)
            if signed and cell.kind != "$shl":
                left, symbol = f"$signed({left})", ">>>"
            return f"{left} {symbol} {self.operand(port['B'], max(b, 1))}"
        places = _power_of_two(cell)
        if places is not None:
            zeros = Bits("0" * places, places, constant=True)
            return self.text((zeros, *port["A"]), width)
        left, right = (self.operand(port[side], width, signed=signed) for side in "AB")
        if cell.kind == "$mul" and signed:
            # Unsigned it would be the same; this way synthesis sees the narrow factors.
            return f"$signed({left}) * $signed({right})"
        if (symbol, left) == ("&", "1'b1") or (symbol, right) == ("+", constant(0, width)):
            return right if symbol == "&" else left
        if symbol in "&|^":
            left, right = (self._chained(cell, s, t) for s, t in (("A", left), ("B", right)))
        return f"{left} {symbol} {right}"

    def _chained(self, cell: Cell, side: str, text: str) -> str:
        """An operand of the same operator goes without its brackets."""
        value = cell.ports[side]
        inner = self.cells.get(value[0].text) if len(value) == 1 else None
        same = inner is not None and inner.kind == cell.kind
        return text[1:-1] if same and text.startswith("(") else text

    def _compared(self, cell: Cell, symbol: str, width: int, signed: bool) -> str:
        left, right = (self.operand(cell.ports[side], width, signed=signed) for side in "AB")
        if width == 1 and symbol in ("==", "!=") and right in ("1'b0", "1'b1"):
            return left if (right == "1'b1") == (symbol == "==") else f"~{left}"
        if signed and symbol not in ("==", "!="):
            left, right = f"$signed({left})", f"$signed({right})"
        return f"{left} {symbol} {right}"


def _power_of_two(cell: Cell) -> int | None:
    """n, of a multiplication by 2**n."""
    factor = cell.ports["B"]
    if cell.kind != "$mul" or cell.number("A_SIGNED") or not all(b.constant for b in factor):
        return None
    number = int("".join(bits.text for bits in reversed(factor)) or "0", 2)
    return number.bit_length() - 1 if number.bit_count() == 1 and number > 1 else None


def constant(number: int, width: int) -> str:
    """A number of a given width: decimal where that is short, else hexadecimal."""
    if width == 1:
        return f"1'b{number}"
    return f"{width}'d{number}" if number < 1 << 16 else f"{width}'h{number:x}"


def inlined(cells: Mapping[str, Cell], use: Mapping[str, Use]) -> dict[str, Cell]:
    """Of the operators behind nameless wires, those that are written where they are used."""
    sizes: dict[str, int] = {}
    chosen: dict[str, Cell] = {}

    def size(wire: str) -> int:
        if wire not in sizes:
            sizes[wire] = 1  # for a loop, which there is none of in a legal design
            values = cells[wire].inputs.values()
            parts = [bits for value in values for bits in value if not bits.constant]
            sizes[wire] = sum(_size(bits.text) for bits in parts)
        return sizes[wire]

    def _size(wire: str) -> int:
        return size(wire) if wire in cells and fits(wire) else 1

    def fits(wire: str) -> bool:
        cell, reading = cells[wire], use[wire]
        if reading.parts or cell.kind in ("$sshr", "$shift"):
            return False
        whole = sum(bits.width for bits in cell.ports["Y"])
        if reading.least < whole and cell.kind not in CUTTABLE:
            return False
        return size(wire) <= (LONGEST if reading.count == 1 else REPEATED)

    for wire, cell in cells.items():
        if wire in use and fits(wire):
            chosen[wire] = cell
    return chosen
