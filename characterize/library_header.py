"""What a Liberty file says above its cells: its name, its units, its operating condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from characterize.liberty_numbers import number, unit
from characterize.liberty_text import read_groups
from rtl_gen.errors import UserError

#: What a file measures in -> the attribute that says the unit, and the SI unit.
UNITS = {
    "time": ("time_unit", "s"),
    "capacitance": ("capacitive_load_unit", "f"),
    "voltage": ("voltage_unit", "v"),
    "leakage": ("leakage_power_unit", "w"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The head of one file.

    Parameters
    ----------
    corner : name of its operating condition, or "".
    unused : its one operating condition in words, where none is the default and this one differs
        from the nominal voltage or temperature, which count; else "".
    units : for each of `UNITS` how much of the SI unit its own is.
    """

    name: str
    corner: str
    unused: str
    units: Mapping[str, float]


def read_header(path: Path) -> Header:
    """Read a Liberty file without its cells.

    Raises
    ------
    UserError : the file is missing or damaged, or says no unit.
    """
    top = read_groups(path, skip=frozenset({"cell"}))
    conditions = list(top.named("operating_conditions"))
    default = top.text("default_operating_conditions")
    only = "".join(conditions[0].arguments[:1]) if len(conditions) == 1 else ""
    said = [
        (conditions[0].text(name), top.text(f"nom_{name}"))
        for name in ("voltage", "temperature")
        if only and not default
    ]
    differ = any(own and nominal and number(own) != number(nominal) for own, nominal in said)
    try:
        units = {
            quantity: unit("".join(top.words(name)), symbol)
            for quantity, (name, symbol) in UNITS.items()
        }
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    return Header(
        name=" ".join(top.arguments),
        corner=default or ("" if differ else only),
        unused=f"operating_conditions {only}" if differ else "",
        units=units,
    )
