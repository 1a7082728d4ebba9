"""What parts of a module read and drive."""

from __future__ import annotations

from collections.abc import Iterator

from rtl_gen.backend.rtlil import Assign, Cell, Statement, Switch, Value


def statements(body: list[Statement]) -> Iterator[Statement]:
    """All statements of a process, those within switches included."""
    for statement in body:
        yield statement
        if isinstance(statement, Switch):
            for _, inner in statement.cases:
                yield from statements(inner)


def target_of(body: list[Statement]) -> str:
    """The one wire that a process drives: its first statement is the value if nothing else."""
    first = body[0]
    assert isinstance(first, Assign)
    return first.target[0].text


def wires_of(value: Value) -> set[str]:
    """Names of the wires in a value."""
    return {bits.text for bits in value if not bits.constant}


def reads_of(body: list[Statement]) -> set[str]:
    """Names of the wires that a process reads."""
    found: set[str] = set()
    for statement in statements(body):
        found |= wires_of(statement.test if isinstance(statement, Switch) else statement.value)
    return found


def driven(cell: Cell) -> set[str]:
    """Names of the wires that a cell drives."""
    return set().union(*(wires_of(cell.ports[name]) for name in cell.outputs if name in cell.ports))
