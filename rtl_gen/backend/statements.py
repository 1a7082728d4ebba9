"""Processes as `always` blocks: those that ask the same are joined, as their source was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rtl_gen.backend.expressions import Expressions, constant
from rtl_gen.backend.rtlil import Assign, Bits, Cell, Statement, Switch, Value
from rtl_gen.backend.walk import statements, target_of

Cases = list[tuple[tuple[str, ...], list[Statement]]]


@dataclass(slots=True)
class Block:
    """One `always` block: what it drives, what it does, and what it does on reset."""

    targets: set[str]
    body: list[Statement]
    reset: list[Statement] = field(default_factory=list)


def registers(flip_flops: list[Cell], processes: list[list[Statement]], reset: str) -> list[Block]:
    """A block a register; the processes of `flip_flops` only, each drives one.

    Raises
    ------
    ValueError
        On a register that is not clocked by a rising edge.
    """
    bodies = {target_of(body): body for body in processes}
    blocks = []
    for cell in flip_flops:
        if cell.kind != "$dff" or not cell.number("CLK_POLARITY"):
            raise ValueError(f"a register must have a rising clock and no other, not {cell.kind}")
        (target,) = cell.ports["Q"]
        next_value = cell.ports["D"]
        body = bodies.get(next_value[0].text) if len(next_value) == 1 else None
        if body is None:
            blocks.append(Block({target.text}, [Assign((target,), next_value)]))
            continue
        for statement in statements(body):
            if isinstance(statement, Assign):
                statement.target = tuple(
                    Bits(target.text, bits.width, bits.low) for bits in statement.target
                )
        if isinstance(body[0], Assign) and body[0].value == (target,):
            body = body[1:]
        block = Block({target.text}, body)
        match body[-1] if body else None:
            case Switch(test=(Bits(text=name),), cases=[(("1",), resetting)]) if name == reset:
                block.body, block.reset = body[:-1], resetting
        blocks.append(block)
    return blocks


def joined(blocks: list[Block], apart: Callable[[Block, Block], bool]) -> list[Block]:
    """Join blocks that ask the same, or nothing, unless `apart` says that they can't be."""
    result: list[Block] = []
    for block in blocks:
        for other in result:
            alike = bool(other.reset) == bool(block.reset)
            if alike and _akin(other, block) and not apart(other, block):
                other.targets |= block.targets
                other.body = _merged(other.body, block.body)
                other.reset += block.reset
                break
        else:
            result.append(block)
    return result


def _akin(one: Block, other: Block) -> bool:
    tests = [_tests(block.body) for block in (one, other)]
    return bool(tests[0] & tests[1]) or not (tests[0] or tests[1])


def _tests(body: list[Statement]) -> set[Value]:
    return {
        statement.test for statement in body if isinstance(statement, Switch) and statement.test
    }


def _merged(one: list[Statement], other: list[Statement]) -> list[Statement]:
    """Statements of both; the two drive different wires, so only each's own order matters."""
    result = list(one)
    earliest = 0
    for statement in other:
        place = len(result)
        if isinstance(statement, Switch):
            for index in range(earliest, len(result)):
                if _same_cases(result[index], statement):
                    place = index
                    break
        elif not any(isinstance(late, Switch) for late in result[earliest:]):
            place = len(result)
        else:
            # Values if nothing else stand in front of the questions.
            place = next(i for i in range(earliest, len(result)) if isinstance(result[i], Switch))
            result.insert(place, statement)
            earliest = place + 1
            continue
        if place == len(result):
            result.append(statement)
        else:
            twin = result[place]
            assert isinstance(twin, Switch)
            assert isinstance(statement, Switch)
            cases = zip(twin.cases, statement.cases, strict=True)
            both = [(patterns, _merged(body, more)) for (patterns, body), (_, more) in cases]
            result[place] = Switch(twin.test, both)
        earliest = place + 1
    return result


def _same_cases(one: Statement, other: Switch) -> bool:
    return (
        isinstance(one, Switch)
        and one.test == other.test
        and [patterns for patterns, _ in one.cases] == [patterns for patterns, _ in other.cases]
    )


@dataclass(slots=True)
class Writer:
    """Writes statements.

    Parameters
    ----------
    expressions : writes values. arrow : "<=" in clocked blocks, "=" in others.
    states : wire -> code -> its name, for state registers.
    """

    expressions: Expressions
    arrow: str
    states: dict[str, dict[int, str]]

    def lines(self, body: list[Statement], indent: str) -> list[str]:
        """The lines of some statements."""
        lines: list[str] = []
        for statement in body:
            if isinstance(statement, Assign):
                lines.append(f"{indent}{self._assign(statement)}")
            else:
                lines += self._switch(statement, indent)
        return lines

    def _assign(self, assign: Assign) -> str:
        target = self.expressions.text(assign.target)
        names = self.states.get(assign.target[0].text, {})
        value = assign.value
        if len(value) == 1 and value[0].constant and value[0].number in names:
            return f"{target} {self.arrow} {names[value[0].number]};"
        return f"{target} {self.arrow} {self.expressions.text(value)};"

    def _switch(self, switch: Switch, indent: str) -> list[str]:
        cases = [(patterns, body) for patterns, body in switch.cases]
        while cases and not cases[-1][1]:
            cases.pop()
        if not cases:
            return []
        width = sum(bits.width for bits in switch.test)
        sure = self.expressions.text(switch.test) == "1'b1" and cases[0][0] == ("1",)
        if sure or not switch.test:
            return self.lines(cases[0][1], indent)
        questions = _questions(switch.test, cases)
        if questions is not None:
            return self._if(questions, indent)
        return self._case(switch.test, cases, indent, width)

    def _if(self, questions: list[tuple[Value, list[Statement]]], indent: str) -> list[str]:
        """`if`, `else if`, ..., and an `else` where the last question is empty."""
        lines: list[str] = []
        for test, body in questions:
            asked = f"if ({self.expressions.text(test)}) begin" if test else "begin"
            head = f"end else {asked}" if lines else asked
            lines += [f"{indent}{head}", *self.lines(body, indent + "  ")]
        return [*lines, f"{indent}end"]

    def _case(
        self,
        test: Value,
        cases: Cases,
        indent: str,
        width: int,
    ) -> list[str]:
        wild = any("-" in pattern for patterns, _ in cases for pattern in patterns)
        names = self.states.get(test[0].text, {}) if len(test) == 1 else {}
        lines = [f"{indent}{'casez' if wild else 'case'} ({self.expressions.text(test)})"]
        for patterns, body in cases:
            labels = ", ".join(_label(pattern, width, names) for pattern in patterns) or "default"
            inner = self.lines(body, indent + "    ")
            if not inner:
                lines.append(f"{indent}  {labels}: ;")
            elif len(inner) == 1:
                lines.append(f"{indent}  {labels}: {inner[0].strip()}")
            else:
                lines += [f"{indent}  {labels}: begin", *inner, f"{indent}  end"]
        if cases[-1][0]:
            lines.append(f"{indent}  default: ;")
        return [*lines, f"{indent}endcase"]


def _questions(test: Value, cases: Cases) -> list[tuple[Value, list[Statement]]] | None:
    """Single bits to ask one after the other, where that is what a switch comes to."""
    bits = [Bits(b.text, 1, b.low + i, b.constant) for b in test for i in range(b.width)]
    questions: list[tuple[Value, list[Statement]]] = []
    for index, (patterns, body) in enumerate(cases):
        wanted = "-" * (len(bits) - index - 1) + "1" + "-" * index
        if patterns == (wanted,):
            questions.append(((bits[index],), body))
        elif questions and index == len(cases) - 1 and not patterns:
            questions.append(((), body))
        else:
            return None
    return questions


def _label(pattern: str, width: int, names: dict[int, str]) -> str:
    if "-" in pattern:
        return f"{width}'b{pattern.replace('-', '?')}"
    number = int(pattern, 2)
    return names.get(number, constant(number, width))


def depends(blocks: list[Block], causes: dict[str, set[str]]) -> Callable[[Block, Block], bool]:
    """Whether of two combinational blocks one needs the other's result."""
    reach: dict[str, set[str]] = {}

    def reached(name: str) -> set[str]:
        if name not in reach:
            seen: set[str] = set()
            new = set(causes.get(name, ()))
            while new:
                seen |= new
                new = set().union(*(causes.get(wire, set()) for wire in new)) - seen
            reach[name] = seen
        return reach[name]

    def needs(one: Block, other: Block) -> bool:
        return any(reached(target) & other.targets for target in one.targets)

    return lambda one, other: needs(one, other) or needs(other, one)
