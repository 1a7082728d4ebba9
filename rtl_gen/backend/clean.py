"""Leaves out of a module what nothing reads, and gives what is left names for people."""

from __future__ import annotations

import re

from rtl_gen.backend.narrow import narrow
from rtl_gen.backend.rtlil import Bits, Cell, Module, Switch, Value, Wire
from rtl_gen.backend.walk import driven, reads_of, statements, target_of, wires_of


def clean(modules: list[Module]) -> None:
    """Leave out what nothing reads: wires, cells, and inputs of modules but the first.

    What is computed twice is computed once, and a wire that only repeats another goes.
    """
    for module in modules:
        _rename(module, _repeated(module))
        while twins := _twins(module):
            _rename(module, twins)
    # Inner modules stand after outer ones: when an outer one's turn comes, theirs is over.
    inputs: dict[str, set[str]] = {}
    for module in reversed(modules):
        for cell in module.cells:
            if cell.kind in inputs:
                kept = inputs[cell.kind] | cell.outputs
                cell.ports = {name: value for name, value in cell.ports.items() if name in kept}
        read = _sweep(module)
        narrow(module)
        if module is not modules[0]:
            module.wires = {
                name: wire
                for name, wire in module.wires.items()
                if wire.direction != "input" or name in read
            }
        inputs[module.name] = {n for n, w in module.wires.items() if w.direction == "input"}


def _twins(module: Module) -> dict[str, str]:
    """Nameless results that another cell computes, too; the twins among the cells go."""
    first: dict[object, str] = {}
    twins: dict[str, str] = {}
    kept = []
    for cell in module.cells:
        result = cell.ports["Y"][0].text if "Y" in cell.ports and cell.operator else ""
        if result.startswith("$"):
            key = (cell.kind, *cell.parameters.items(), *cell.inputs.items())
            if key in first:
                twins[result] = first[key]
                continue
            first[key] = result
        kept.append(cell)
    module.cells = kept
    return twins


def _repeated(module: Module) -> dict[str, str]:
    """Wires that are known by the name of an output, or by a better one; sole repetitions go."""
    wires = module.wires
    named: dict[str, str] = {}
    kept = []
    for connection in module.connections:
        if not connection.target:  # of no bits, such as the address of a single word
            continue
        target = wires[connection.target[0].text]
        source = connection.value[0] if len(connection.value) == 1 else None
        if target.direction != "output":
            # Of several names of a wire, take one that Amaranth has not numbered.
            poor = source and not source.constant and _numbered(source.text, source.width, wires)
            if source and poor and not _numbered(target.name, target.width, wires):
                named.setdefault(source.text, target.name)
            continue
        if (
            source is None
            or source.constant
            or source.text in named
            or wires[source.text].direction
            or source.width != wires[source.text].width
        ):
            kept.append(connection)
        else:
            named[source.text] = target.name
    module.connections = kept
    return named


def _rename(module: Module, named: dict[str, str]) -> None:
    """Call wires by other names, throughout."""
    for old in named:
        del module.wires[old]

    def renamed(value: Value) -> Value:
        return tuple(
            Bits(named.get(bits.text, bits.text), bits.width, bits.low, bits.constant)
            for bits in value
        )

    for cell in module.cells:
        cell.ports = {name: renamed(value) for name, value in cell.ports.items()}
    for assign in module.connections:
        assign.value = renamed(assign.value)
    for body in module.processes:
        for statement in statements(body):
            if isinstance(statement, Switch):
                statement.test = renamed(statement.test)
            else:
                statement.target = renamed(statement.target)
                statement.value = renamed(statement.value)


def _numbered(name: str, width: int, wires: dict[str, Wire]) -> bool:
    return re.search(r"\w\$\d+$", name) is not None and width == wires[name].width


def _sweep(module: Module) -> set[str]:
    """Keep what an output or an instance depends on; returns the wires that are read."""
    causes: dict[str, set[str]] = {}
    live: set[str] = set()
    for cell in module.cells:
        sources = set().union(*(wires_of(value) for value in cell.inputs.values()))
        if not cell.operator:
            live |= sources
            continue
        memory = f"memory {cell.parameters.get('MEMID')}"
        if cell.kind == "$memwr_v2":
            causes.setdefault(memory, set()).update(sources)
            continue
        if cell.kind == "$memrd_v2":
            sources.add(memory)
        for name in driven(cell):
            causes.setdefault(name, set()).update(sources)
    for body in module.processes:
        causes[target_of(body)] = reads_of(body)
    for assign in module.connections:
        live |= wires_of(assign.value)
    outputs = {name for name, wire in module.wires.items() if wire.direction == "output"}
    read, new = set(live), live | outputs
    while new:
        reached = set().union(*(causes.get(name, set()) for name in new))
        new = reached - read
        read |= reached
    instance_wires = {name for c in module.cells if not c.operator for name in driven(c)}
    kept = read | outputs | instance_wires
    module.wires = {n: w for n, w in module.wires.items() if w.direction or n in kept}
    module.memories = [memory for memory in module.memories if f"memory {memory.name}" in read]
    memories = {memory.name for memory in module.memories}
    module.cells = [c for c in module.cells if _needed(c, kept, memories)]
    module.processes = [body for body in module.processes if target_of(body) in kept]
    return read


def _needed(cell: Cell, kept: set[str], memories: set[str]) -> bool:
    if cell.kind == "$memwr_v2":
        return cell.parameters["MEMID"] in memories
    return not cell.operator or bool(driven(cell) & kept)
