"""What is missing or odd in a technology and its cells, before hours are spent on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from characterize.boolean import pins, truth_table
from characterize.cell_faults import faults
from characterize.cell_files import prepare
from characterize.cell_kinds import constant_pin
from characterize.cells import Library
from characterize.finding import Finding, error, note, prune_line
from characterize.inspect_library import clock_gate_cell, latch_cell, tie_cell
from characterize.liberty import read_cells
from characterize.library_header import UNITS, read_header
from characterize.storage_cells import clock_gate_verilog, latch_map
from characterize.technology import Technology
from rtl_gen.errors import UserError


def examine(technology: Technology) -> list[Finding]:
    """All findings, errors first; an empty list is a clean technology."""
    findings = [
        Finding(severity="warning", cell="", message=text) for text in technology.warnings()
    ]
    findings += _memory(technology)
    try:
        whole, _ = read_cells(*(file.path for file in technology.liberty))
        with tempfile.TemporaryDirectory(prefix="quidam-") as folder:
            library, refused = read_cells(*prepare(technology, Path(folder)))
    except UserError as broken:
        return [*findings, error(str(broken))]
    findings += _refused(refused)
    findings += _files(technology)
    findings += _corner(technology, library)
    findings += _driver(technology, library)
    findings += _ties(technology, whole)
    findings += _storage(technology, whole)
    findings += _enough(library)
    for cell in library.cells.values():
        if cell.name not in (technology.latch, technology.clock_gate):
            findings += faults(cell)
    return sorted(
        findings, key=lambda finding: ("error", "warning", "note").index(finding.severity)
    )


def _refused(refused: Mapping[str, UserError]) -> Iterator[Finding]:
    """Cells that synthesis may use, but that break a rule; lines are those without pruned cells."""
    for name, broken in refused.items():
        rule = str(broken).partition(": ")[2]
        yield Finding(
            severity="error",
            cell=name,
            message=f"can't be read: {rule}; prune it, or mend the file",
            proposal=prune_line(name),
        )


def _memory(technology: Technology) -> Iterator[Finding]:
    try:
        memories = technology.memories()
    except UserError as unknown:
        yield error(str(unknown))
        return
    if memories["scaled"]:
        yield note(f"memories are scaled, not measured: {memories['source']}")


def _files(technology: Technology) -> Iterator[Finding]:
    """What is particular about the files themselves."""
    files = [file.path for file in technology.liberty]
    packed = [path.name for path in files if path.suffix == ".gz"]
    if packed:
        yield note(f"compressed, and unpacked before use: {', '.join(packed)}")
    if len(files) == 1:
        return
    yield note(f"{len(files)} Liberty files make the library")
    headers = [read_header(path) for path in files]
    for quantity in UNITS:
        units = {header.units[quantity] for header in headers}
        if len(units) > 1:
            values = ", ".join(f"{value:g}" for value in sorted(units))
            yield note(f"units of {quantity} differ between files ({values}); each has its own")
    corners = dict.fromkeys(header.corner for header in headers)
    if len(corners) > 1:
        names = ", ".join(corner or "none" for corner in corners)
        yield note(f"operating conditions differ by name between files ({names}): one corner?")


def _corner(technology: Technology, library: Library) -> Iterator[Finding]:
    for name, unit, said, found in (
        ("voltage_v", "V", technology.voltage_v, library.voltage_v),
        ("temperature_c", "C", technology.temperature_c, library.temperature_c),
    ):
        if not np.isclose(said, found):
            message = f"{name} must be the Liberty file's, {found:g} {unit}, not {said:g}"
            yield error(message, f"{name}: {found:g}")
    header = read_header(technology.liberty[0].path)
    if header.unused:
        yield note(
            f"{header.unused} are not the library's default; its nominal "
            f"{library.voltage_v:g} V, {library.temperature_c:g} C are taken"
        )
    if technology.corner in technology.corners:
        return  # a name of the file's own choice
    named = header.corner
    if named and named != technology.corner:
        yield note(f"corner {technology.corner} is {named} in the Liberty file", f"corner: {named}")


def _driver(technology: Technology, library: Library) -> Iterator[Finding]:
    if technology.driving_cell not in library.cells:
        yield error(f"driving_cell must be a cell of the library, not {technology.driving_cell!r}")


def _ties(technology: Technology, whole: Library) -> Iterator[Finding]:
    """Cells for constants: those named must be such, and those that are there should be named."""
    for key, tie, value in (
        ("tie_high", technology.tie_high, True),
        ("tie_low", technology.tie_low, False),
    ):
        found = tie_cell(whole, value)
        proposal = f"{key}: {found}" if found else ""
        if tie is None:
            text = f"no {key}: a constant {int(value)} is taken as a net of the supply"
            yield note(text, proposal)
            continue
        cell = whole.cells.get(tie[0])
        if cell is None or tie[1] != constant_pin(cell, value):
            text = f"{key} must be a pin whose function is {int(value)}, not {'/'.join(tie)}"
            yield error(text, proposal or f"{key}: null")


def _storage(technology: Technology, whole: Library) -> Iterator[Finding]:
    """Cells for scratchpads: latch and clock gate."""
    for key, build, found, without in (
        ("latch", latch_map, latch_cell(whole), "scratchpads can't be of latches"),
        (
            *("clock_gate", clock_gate_verilog, clock_gate_cell(whole)),
            "gated clocks take a flip-flop and an and",
        ),
    ):
        proposal = f"{key}: {found}" if found else ""
        if getattr(technology, key) is None:
            least = "has one" if found else "has none that would do"
            yield note(f"no {key}: {without}; the library {least}", proposal)
            continue
        try:
            build(technology, whole)
        except UserError as unfit:
            yield error(str(unfit), proposal or f"{key}: null")


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
        yield error("the library must have an inverter")
    if (True, True, True, False) not in tables and (True, False, False, False) not in tables:
        yield error("the library must have a NAND or a NOR of two inputs")
    if not any(cell.flip_flop for cell in library.cells.values()):
        yield error("the library must have a flip-flop")
