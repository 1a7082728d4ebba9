"""What is missing or odd in a technology and its cells, before hours are spent on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from characterize.boolean import pins, truth_table
from characterize.cell_files import prepare
from characterize.cells import Cell, Library, Pin
from characterize.liberty import read_library
from characterize.technology import Technology
from rtl_gen.errors import UserError

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about a technology.

    Parameters
    ----------
    severity : "error": it can't be characterized; "warning": its numbers may be wrong; "note":
        good to know.
    cell : which cell, or "" for all of the technology.
    message : what, and what to do.
    """

    severity: Severity
    cell: str
    message: str


def examine(technology: Technology) -> list[Finding]:
    """All findings, errors first; an empty list is a clean technology."""
    findings = [
        Finding(severity="warning", cell="", message=text) for text in technology.warnings()
    ]
    try:
        technology.memories()
    except UserError as error:
        findings.append(_error(str(error)))
    try:
        with tempfile.TemporaryDirectory(prefix="quidam-") as folder:
            library = read_library(*prepare(technology, Path(folder)))
    except UserError as error:
        return [*findings, _error(str(error))]
    findings += _corner(technology, library)
    findings += _named_cells(technology, library)
    findings += _enough(library)
    for cell in library.cells.values():
        findings += _cell(cell)
    return sorted(
        findings, key=lambda finding: ("error", "warning", "note").index(finding.severity)
    )


def _error(message: str, cell: str = "") -> Finding:
    return Finding(severity="error", cell=cell, message=message)


def _corner(technology: Technology, library: Library) -> Iterator[Finding]:
    for name, unit, said, found in (
        ("voltage_v", "V", technology.voltage_v, library.voltage_v),
        ("temperature_c", "C", technology.temperature_c, library.temperature_c),
    ):
        if not np.isclose(said, found):
            yield _error(f"{name} must be the Liberty file's, {found:g} {unit}, not {said:g}")


def _named_cells(technology: Technology, library: Library) -> Iterator[Finding]:
    if technology.driving_cell not in library.cells:
        yield _error(f"driving_cell must be a cell of the library, not {technology.driving_cell!r}")
    for key, tie, value in (
        ("tie_high", technology.tie_high, True),
        ("tie_low", technology.tie_low, False),
    ):
        if tie is None:
            text = f"no {key}: a constant {int(value)} is taken as a net of the supply"
            yield Finding(severity="note", cell="", message=text)
            continue
        pin = library.cells[tie[0]].pins.get(tie[1]) if tie[0] in library.cells else None
        table = truth_table(pin.function, ()) if pin and _constant(pin) and pin.function else None
        if table is None or bool(table[0]) != value:
            yield _error(f"{key} must be a pin whose function is {int(value)}, not {'/'.join(tie)}")


def _constant(pin: Pin) -> bool:
    function = pin.function
    return function is not None and function.operator == "constant"


def _enough(library: Library) -> Iterator[Finding]:
    """Synthesis needs an inverter, a gate of two inputs and a flip-flop."""
    tables: set[tuple[bool, ...]] = set()
    for cell in library.cells.values():
        inputs = [pin.name for pin in cell.pins.values() if pin.direction == "input"]
        outputs = [pin for pin in cell.pins.values() if pin.direction == "output"]
        if cell.sequential or len(outputs) != 1 or len(inputs) > 2:
            continue
        function = outputs[0].function
        if function is not None and pins(function) <= set(inputs):
            tables.add(tuple(truth_table(function, inputs)))
    if (True, False) not in tables:
        yield _error("the library must have an inverter")
    if (True, True, True, False) not in tables and (True, False, False, False) not in tables:
        yield _error("the library must have a NAND or a NOR of two inputs")
    if not any(cell.flip_flop for cell in library.cells.values()):
        yield _error("the library must have a flip-flop")


def _cell(cell: Cell) -> Iterator[Finding]:
    outputs = [pin for pin in cell.pins.values() if pin.direction == "output"]
    warnings, notes = [], []
    if cell.unsupported:
        notes.append(f"is a {cell.unsupported.replace('_', ' ')} cell: not simulated; prune it")
    elif any(pin.function is None for pin in outputs):
        missing = ", ".join(pin.name for pin in outputs if pin.function is None)
        notes.append(f"has no function at {missing}: synthesis can't use it")
    known = {pin.name for pin in cell.pins.values()}
    for pin in outputs:
        if pin.function is not None and not cell.sequential and pins(pin.function) - known:
            notes.append(f"has a function of pins it lacks at {pin.name}: prune it")
    if cell.area_um2 <= 0 and outputs:
        warnings.append("has no area")
    if outputs and not any(pin.powers for pin in cell.pins.values()) and not _is_tie(cell):
        warnings.append("has no internal power")
    leaks = cell.leakage_mw > 0 or any(value > 0 for _, value in cell.leakages)
    if outputs and not leaks and not _is_tie(cell):
        warnings.append("has no leakage")
    bare = [p.name for p in cell.pins.values() if p.direction == "input" and p.capacitance_pf <= 0]
    if bare:
        warnings.append(f"has no capacitance at {', '.join(bare)}")
    for text in warnings:
        yield Finding(severity="warning", cell=cell.name, message=text)
    for text in notes:
        yield Finding(severity="note", cell=cell.name, message=text)


def _is_tie(cell: Cell) -> bool:
    return all(_constant(pin) for pin in cell.pins.values() if pin.direction == "output")
