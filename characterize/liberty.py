"""What a Liberty file says of its cells: area, leakage, pins, functions, storage, internal energy.

Everything is in one system of units, whatever the file's own: ns, pF, V, pJ, mW (so that
pJ per ns is mW); areas are as the file gives them, um2 by custom. How a single cell is read,
liberty_cell.py knows.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from characterize.cells import Cell, FlipFlop, InternalPower, Latch, Library, Pin, Table
from characterize.liberty_cell import CLOCK_GATES, CellReader
from characterize.liberty_text import read_groups
from rtl_gen.errors import UserError

__all__ = [
    "CLOCK_GATES",
    "Cell",
    "FlipFlop",
    "InternalPower",
    "Latch",
    "Library",
    "Pin",
    "Table",
    "read_cells",
    "read_library",
]

#: Tables of `timing` groups: most of a file, and slow to read.
DELAYS = frozenset(
    f"{edge}_{what}" for edge in ("rise", "fall") for what in ("constraint", "transition")
) | {"cell_rise", "cell_fall"}


def read_library(*paths: Path, timing: bool = False) -> Library:
    """One library out of Liberty files, plain or .gz; the cells of all files together.

    Parameters
    ----------
    timing : keep the `timing` groups in `Cell.group` (they are most of a file and slow to read).

    Raises
    ------
    UserError : a file is missing, cut short or breaks a rule, or the files differ in voltage or
        temperature.
    """
    library, refused = read_cells(*paths, skip=frozenset() if timing else frozenset({"timing"}))
    for broken in refused.values():
        raise broken
    return library


def read_cells(*paths: Path, skip: frozenset[str] = DELAYS) -> tuple[Library, dict[str, UserError]]:
    """The same of the cells that can be read, and why each of the others can't, by name.

    Parameters
    ----------
    skip : names of groups to leave out of `Cell.group`.

    Raises
    ------
    UserError : as `read_library`, of all but what single cells break.
    """
    readers = [CellReader(path, read_groups(path, skip=skip)) for path in paths]
    refused: dict[str, UserError] = {}
    libraries = [_library(reader, refused) for reader in readers]
    for name, unit_name in (("voltage_v", "V"), ("temperature_c", "C")):
        values = [getattr(library, name) for library in libraries]
        if len(set(values)) != 1:
            said = (
                f"{value:g} {unit_name} ({path})" for value, path in zip(values, paths, strict=True)
            )
            rule = name.partition("_")[0]
            raise UserError(f"Liberty files must have one {rule}, not {', '.join(said)}")
    cells: dict[str, Cell] = {}
    for library, path in zip(libraries, paths, strict=True):
        if twice := sorted(cells.keys() & library.cells.keys()):
            raise UserError(
                f"Liberty files must hold different cells, not {', '.join(twice):.80} of {path} "
                "again"
            )
        cells |= library.cells
    return replace(libraries[0], cells=cells), refused


def _library(reader: CellReader, refused: dict[str, UserError]) -> Library:
    """The library of the file; cells that can't be read go to `refused`."""
    corner = next(
        (
            group
            for group in reader.top.named("operating_conditions")
            if group.arguments[:1] == (reader.top.text("default_operating_conditions"),)
        ),
        None,
    )
    if corner is None and (name := reader.top.text("default_operating_conditions")):
        raise reader.error(reader.top, f"must have the operating_conditions {name!r}")
    nominal = (("nom_voltage", "voltage"), ("nom_temperature", "temperature"))
    voltage, temperature = (
        corner.text(short) if corner else reader.top.text(long) for long, short in nominal
    )
    voltage_v = reader.number(voltage, reader.top, low=0) * reader.volt
    if not voltage_v:
        raise reader.error(reader.top, f"must have a voltage of more than 0, not {voltage!r}")
    cells: dict[str, Cell] = {}
    for group in reader.top.named("cell"):
        name = reader.name(group)
        try:
            if name in cells:
                raise reader.error(group, f"must have a name of its own, not {name!r} again")
            cells[name] = reader.cell(group)
        except UserError as broken:
            refused.setdefault(name, broken)
            cells.pop(name, None)
    return Library(
        name=" ".join(reader.top.arguments),
        voltage_v=voltage_v,
        temperature_c=reader.number(temperature or "25", reader.top),
        time_ns=reader.time_ns,
        capacitance_pf=reader.capacitance_pf,
        leakage_mw=reader.leakage_mw,
        energy_pj=reader.energy_pj,
        cells=cells,
    )
