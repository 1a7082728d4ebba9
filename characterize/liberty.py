"""What a Liberty file says of its cells: area, leakage, pins, functions, storage, internal energy.

Everything is in one system of units, whatever the file's own: ns, pF, V, pJ, mW (so that
pJ per ns is mW); areas are as the file gives them, um2 by custom. Energy in a Liberty file is in
its capacitance unit times the square of its voltage unit (Liberty user guide, "internal_power").
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from characterize.boolean import Expression, parse
from characterize.cells import Cell, FlipFlop, InternalPower, Library, Pin, Table
from characterize.liberty_text import Group, read_groups
from rtl_gen.errors import UserError

__all__ = ["Cell", "FlipFlop", "InternalPower", "Library", "Pin", "Table", "read_library"]

T = TypeVar("T")

_PREFIX = {"": 1.0, "k": 1e3, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18}
_SLEW = ("input_net_transition", "input_transition_time")
_LOAD = ("total_output_net_capacitance",)
_EDGES = ("rise_power", "fall_power", "power")
#: What stands between the numbers of a table, for `str.translate`.
SEPARATORS = str.maketrans('",\\', "   ")
_ZERO = Table(axes=(), values=np.zeros(()))
_expression = functools.lru_cache(maxsize=None)(parse)


def read_library(*paths: Path, timing: bool = False) -> Library:
    """One library out of Liberty files, plain or .gz; the cells of all files together.

    Parameters
    ----------
    timing : keep the `timing` groups in `Cell.group` (they are most of a file and slow to read).

    Raises
    ------
    UserError : a file is missing, cut short or breaks a rule, or the files differ in voltage.
    """
    skip = frozenset() if timing else frozenset({"timing"})
    libraries = [_Builder(path, read_groups(path, skip=skip)).library() for path in paths]
    if len({library.voltage_v for library in libraries}) != 1:
        raise UserError(f"Liberty files must have one voltage, not {list(map(str, paths))!r}")
    cells = {name: cell for library in libraries for name, cell in library.cells.items()}
    return replace(libraries[0], cells=cells)


class _Builder:
    """Turns the groups of one file into cells; knows the file for its messages."""

    def __init__(self, path: Path, top: Group) -> None:
        self.path, self.top = path, top
        self.templates = {
            group.arguments[0]: group
            for group in top.named("lu_table_template", "power_lut_template")
            if group.arguments
        }
        load = top.words("capacitive_load_unit") or ("1", "pf")
        self.capacitance_pf = self._number(load[0], top) * self._unit(load[1], "f") * 1e12
        self.time_ns = self._unit(top.text("time_unit", "1ns"), "s") * 1e9
        volt = self._unit(top.text("voltage_unit", "1V"), "v")
        self.energy_pj = self.capacitance_pf * volt**2
        self.leakage_mw = self._unit(top.text("leakage_power_unit", "1nW"), "w") * 1e3
        self.scale = {"slew_ns": self.time_ns, "load_pf": self.capacitance_pf}
        self.volt = volt
        self.points: dict[tuple[str, str], NDArray[np.float64]] = {}

    def library(self) -> Library:
        """The library of the file."""
        corner = next(
            (
                group
                for group in self.top.named("operating_conditions")
                if group.arguments[:1] == (self.top.text("default_operating_conditions"),)
            ),
            None,
        )
        nominal = (("nom_voltage", "voltage"), ("nom_temperature", "temperature"))
        voltage, temperature = (
            corner.text(short) if corner else self.top.text(long) for long, short in nominal
        )
        return Library(
            name=" ".join(self.top.arguments),
            voltage_v=self._number(voltage, self.top) * self.volt,
            temperature_c=self._number(temperature or "25", self.top),
            time_ns=self.time_ns,
            capacitance_pf=self.capacitance_pf,
            leakage_mw=self.leakage_mw,
            energy_pj=self.energy_pj,
            cells={group.arguments[0]: self._cell(group) for group in self.top.named("cell")},
        )

    def _cell(self, group: Group) -> Cell:
        leakages: list[tuple[Expression, float]] = []
        always: list[float] = []
        for leak in group.named("leakage_power"):
            value = self._number(leak.text("value"), leak) * self.leakage_mw
            if when := self._boolean(leak, "when"):
                leakages.append((when, value))
            else:
                always.append(value)
        default = self.top.text("default_cell_leakage_power", "0")
        single = self._number(group.text("cell_leakage_power", default), group) * self.leakage_mw
        pins = {pin.name: pin for pin in self._pins(group, {})}
        flip_flop, unsupported = self._storage(group)
        if any(pin.attributes.get("three_state") for pin in group.named("pin")):
            unsupported = unsupported or "three_state"
        return Cell(
            name=group.arguments[0],
            area_um2=self._number(group.text("area", "0"), group),
            leakage_mw=sum(always) if always else single,
            leakages=tuple(leakages),
            pins=pins,
            flip_flop=flip_flop,
            unsupported=unsupported,
            group=group,
        )

    def _storage(self, group: Group) -> tuple[FlipFlop | None, str]:
        kinds = ("ff", "latch", "statetable", "ff_bank", "latch_bank", "memory")
        stores = list(group.named(*kinds))
        if not stores:
            return None, ""
        if len(stores) > 1 or stores[0].name != "ff":
            return None, stores[0].name if len(stores) == 1 else "several storage groups"
        store = stores[0]
        clocked_on, next_state = (self._boolean(store, n) for n in ("clocked_on", "next_state"))
        if clocked_on is None or next_state is None or len(store.arguments) != 2:
            raise self._error(store, "a flip-flop must have two nodes, clocked_on and next_state")
        return FlipFlop(
            state=store.arguments[0],
            inverse=store.arguments[1],
            clocked_on=clocked_on,
            next_state=next_state,
            clear=self._boolean(store, "clear"),
            preset=self._boolean(store, "preset"),
            both=store.text("clear_preset_var1") == "H",
        ), ""

    def _pins(self, group: Group, outer: Mapping[str, str]) -> Iterator[Pin]:
        """The pins of a cell; those of a bus or bundle inherit what it says of all of them."""
        for pin in group.named("pin", "bus", "bundle"):
            names = ("direction", "capacitance", "clock")
            said = {**outer, **{n: pin.text(n) for n in names if n in pin.attributes}}
            edges = [pin.text(f"{edge}_capacitance") for edge in ("rise", "fall")]
            capacitance = [said["capacitance"]] if "capacitance" in said else [*filter(None, edges)]
            values = [self._number(text, pin) for text in capacitance] or [0.0]
            powers = tuple(
                power for part in pin.named("internal_power") for power in self._powers(part)
            )
            for name in pin.arguments:
                yield Pin(
                    name=name,
                    direction=said.get("direction", ""),
                    capacitance_pf=float(np.mean(values)) * self.capacitance_pf,
                    clock=said.get("clock") == "true",
                    function=self._boolean(pin, "function"),
                    powers=powers,
                )
            yield from self._pins(pin, said)

    def _powers(self, group: Group) -> Iterator[InternalPower]:
        tables = {part.name: self._table(part) for part in group.named(*_EDGES)}
        both = tables.get("power", _ZERO)
        for related in group.text("related_pin").split() or [""]:
            yield InternalPower(
                related_pin=related,
                when=self._boolean(group, "when"),
                rail=group.text("related_pg_pin"),
                rise=tables.get("rise_power", both),
                fall=tables.get("fall_power", both),
            )

    def _table(self, group: Group) -> Table:
        """One power table, its axes from the table itself or else from its template."""
        template = self.templates.get(" ".join(group.arguments))
        values = self._numbers(group.text("values"), group) * self.energy_pj
        axes = []
        for number in range(1, 4):
            variable = template.text(f"variable_{number}") if template else ""
            if variable:
                axes.append(self._axis(group, template, number, variable))
        shape = [len(points) for _, points in axes]
        if values.size != np.prod(shape):
            raise self._error(group, f"a table must have {shape} values, not {values.size}")
        return Table(axes=tuple(axes), values=values.reshape(shape))

    def _axis(
        self, group: Group, template: Group | None, number: int, variable: str
    ) -> tuple[str, NDArray[np.float64]]:
        if variable not in _SLEW + _LOAD:
            raise self._error(group, f"a power table must be over slew and load, not {variable!r}")
        name = "slew_ns" if variable in _SLEW else "load_pf"
        index = f"index_{number}"
        text = group.text(index) or (template.text(index) if template else "")
        if (points := self.points.get((name, text))) is not None:
            return name, points  # a library repeats few axes thousands of times
        points = self._numbers(text, group) * self.scale[name]
        if not len(points) or (np.diff(points) <= 0).any():
            raise self._error(group, f"{index} must be increasing numbers, not {text!r}")
        self.points[name, text] = points
        return name, points

    def _boolean(self, group: Group, name: str) -> Expression | None:
        text = group.text(name)
        return self._checked(lambda: _expression(text), group) if text.strip() else None

    def _numbers(self, text: str, group: Group) -> NDArray[np.float64]:
        words = text.translate(SEPARATORS).split()
        return self._checked(lambda: np.array(words, dtype=np.float64), group)

    def _number(self, text: str, group: Group) -> float:
        return self._checked(lambda: float(text.strip(' "')), group)

    def _unit(self, text: str, symbol: str) -> float:
        match = re.fullmatch(rf"([\d.eE+-]*)\s*([kmunpfa]?){symbol}", text.strip(), re.IGNORECASE)
        if match is None:
            raise self._error(self.top, f"a unit must be like '1n{symbol}', not {text!r}")
        return float(match[1] or 1) * _PREFIX[match[2].lower()]

    def _checked(self, compute: Callable[[], T], group: Group) -> T:
        try:
            return compute()
        except ValueError as error:
            raise self._error(group, str(error)) from error

    def _error(self, group: Group, rule: str) -> UserError:
        return UserError(f"{self.path}:{group.line}: {group.name}: {rule}")
