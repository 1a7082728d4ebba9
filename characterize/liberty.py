"""What a Liberty file says of its cells: area, leakage, pins, functions, storage, internal energy.

Everything is in one system of units, whatever the file's own: ns, pF, V, pJ, mW (so that
pJ per ns is mW); areas are as the file gives them, um2 by custom. Energy in a Liberty file is in
its capacitance unit times the square of its voltage unit (Liberty user guide, "internal_power").
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from characterize.boolean import Expression, parse
from characterize.cells import Cell, FlipFlop, InternalPower, Latch, Library, Pin, Table
from characterize.liberty_numbers import number, numbers, unit
from characterize.liberty_text import Group, read_groups
from rtl_gen.errors import UserError

__all__ = [
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

T = TypeVar("T")

_SLEW = ("input_net_transition", "input_transition_time")
_LOAD = ("total_output_net_capacitance",)
_EDGES = ("rise_power", "fall_power", "power")
#: Tables of `timing` groups: most of a file, and slow to read.
DELAYS = frozenset(
    f"{edge}_{what}" for edge in ("rise", "fall") for what in ("constraint", "transition")
) | {"cell_rise", "cell_fall"}
#: Integrated clock gates that are understood: a latch that is open while the clock is low, and an
#: and; a test pin, where there is one, comes before the latch.
CLOCK_GATES = ("latch_posedge", "latch_posedge_precontrol")
_ZERO = Table(axes=(), values=np.zeros(()))
_expression = functools.lru_cache(maxsize=None)(parse)


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
    builders = [_Builder(path, read_groups(path, skip=skip)) for path in paths]
    refused: dict[str, UserError] = {}
    libraries = [builder.library(refused) for builder in builders]
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


class _Builder:
    """Turns the groups of one file into cells; knows the file for its messages."""

    def __init__(self, path: Path, top: Group) -> None:
        self.path, self.top = path, top
        self.templates = {
            group.arguments[0]: group
            for group in top.named("lu_table_template", "power_lut_template")
            if group.arguments
        }
        load = " ".join(top.words("capacitive_load_unit"))
        self.capacitance_pf = self._checked(lambda: unit(load, "f"), top) * 1e12
        self.time_ns = self._unit("time_unit", "s") * 1e9
        volt = self._unit("voltage_unit", "v")
        self.energy_pj = self.capacitance_pf * volt**2
        self.leakage_mw = self._unit("leakage_power_unit", "w") * 1e3
        self.scale = {"slew_ns": self.time_ns, "load_pf": self.capacitance_pf}
        self.volt = volt
        self.points: dict[tuple[str, str], NDArray[np.float64]] = {}

    def library(self, refused: dict[str, UserError]) -> Library:
        """The library of the file; cells that can't be read go to `refused`."""
        corner = next(
            (
                group
                for group in self.top.named("operating_conditions")
                if group.arguments[:1] == (self.top.text("default_operating_conditions"),)
            ),
            None,
        )
        if corner is None and (name := self.top.text("default_operating_conditions")):
            raise self._error(self.top, f"must have the operating_conditions {name!r}")
        nominal = (("nom_voltage", "voltage"), ("nom_temperature", "temperature"))
        voltage, temperature = (
            corner.text(short) if corner else self.top.text(long) for long, short in nominal
        )
        voltage_v = self._number(voltage, self.top, low=0) * self.volt
        if not voltage_v:
            raise self._error(self.top, f"must have a voltage of more than 0, not {voltage!r}")
        cells: dict[str, Cell] = {}
        for group in self.top.named("cell"):
            name = self._name(group)
            try:
                if name in cells:
                    raise self._error(group, f"must have a name of its own, not {name!r} again")
                cells[name] = self._cell(group)
            except UserError as broken:
                refused.setdefault(name, broken)
                cells.pop(name, None)
        return Library(
            name=" ".join(self.top.arguments),
            voltage_v=voltage_v,
            temperature_c=self._number(temperature or "25", self.top),
            time_ns=self.time_ns,
            capacitance_pf=self.capacitance_pf,
            leakage_mw=self.leakage_mw,
            energy_pj=self.energy_pj,
            cells=cells,
        )

    def _cell(self, group: Group) -> Cell:
        leakages: list[tuple[Expression, float]] = []
        always: list[float] = []
        for leak in group.named("leakage_power"):
            value = self._number(leak.text("value"), leak, low=0) * self.leakage_mw
            if when := self._boolean(leak, "when"):
                leakages.append((when, value))
            else:
                always.append(value)
        default = self.top.text("default_cell_leakage_power", "0")
        single = self._number(group.text("cell_leakage_power", default), group, low=0)
        pins: dict[str, Pin] = {}
        for pin in self._pins(group, {}):
            if pin.name in pins:
                rule = f"must have pins of different names, not {pin.name!r} twice"
                raise self._error(group, rule)
            pins[pin.name] = pin
        kind = group.text("clock_gating_integrated_cell")
        store: FlipFlop | Latch | None
        if kind in CLOCK_GATES:
            store, unsupported = self._clock_gate(group, pins), ""
            for part in group.named("pin"):
                if function := self._boolean(part, "state_function"):
                    name = self._name(part)
                    pins[name] = replace(pins[name], function=function)
        else:
            store, unsupported = self._storage(group)
        if any(pin.attributes.get("three_state") for pin in group.named("pin")):
            unsupported = unsupported or "three_state"
        return Cell(
            name=group.arguments[0],
            area_um2=self._number(group.text("area", "0"), group, low=0),
            leakage_mw=sum(always) if always else single * self.leakage_mw,
            leakages=tuple(leakages),
            pins=pins,
            flip_flop=store if isinstance(store, FlipFlop) else None,
            latch=store if isinstance(store, Latch) else None,
            clock_gate=kind,
            unsupported=unsupported,
            group=group,
        )

    def _storage(self, group: Group) -> tuple[FlipFlop | Latch | None, str]:
        """What the cell stores, and why it can't be simulated."""
        kinds = ("ff", "latch", "statetable", "ff_bank", "latch_bank", "memory")
        stores = list(group.named(*kinds))
        if not stores:
            return None, ""
        store = stores[0]
        if len(stores) > 1:
            return None, "several storage groups"
        if store.name not in ("ff", "latch"):
            return None, store.name
        names = {"ff": ("clocked_on", "next_state"), "latch": ("enable", "data_in")}[store.name]
        when, value = (self._boolean(store, name) for name in names)
        if when is None or value is None or len(store.arguments) != 2:
            kind = {"ff": "flip-flop", "latch": "latch"}[store.name]
            raise self._error(store, f"a {kind} must have two nodes, {' and '.join(names)}")
        forced: dict[str, Any] = {
            "state": store.arguments[0],
            "inverse": store.arguments[1],
            "clear": self._boolean(store, "clear"),
            "preset": self._boolean(store, "preset"),
            "both": store.text("clear_preset_var1") == "H",
        }
        if store.name == "ff":
            return FlipFlop(clocked_on=when, next_state=value, **forced), ""
        return Latch(enable=when, data=value, **forced), ""

    def _clock_gate(self, group: Group, pins: Mapping[str, Pin]) -> Latch:
        """The latch of an integrated clock gate: it listens to its enables while the clock is low.

        Its output is the clock and what is stored (the pin's `state_function`).
        """
        roles = {
            role: [
                self._name(pin)
                for pin in group.named("pin")
                if pin.text(f"clock_gate_{role}_pin") == "true"
            ]
            for role in ("clock", "enable", "test", "out")
        }
        tables = [table for table in group.named("statetable") if len(table.arguments) == 2]
        if not all(len(roles[role]) == 1 for role in ("clock", "enable", "out")) or not tables:
            raise self._error(group, "a clock gate must say its clock, enable and output pins")
        if not list(group.named("pin")) or roles["out"][0] not in pins:
            raise self._error(group, "a clock gate must have an output pin")
        data = Expression("pin", name=roles["enable"][0])
        for test in roles["test"]:
            data = Expression("or", (data, Expression("pin", name=test)))
        return Latch(
            state=tables[0].arguments[1],
            inverse="",
            enable=Expression("not", (Expression("pin", name=roles["clock"][0]),)),
            data=data,
            clear=None,
            preset=None,
            both=False,
        )

    def _pins(self, group: Group, outer: Mapping[str, str]) -> Iterator[Pin]:
        """The pins of a cell; those of a bus or bundle inherit what it says of all of them."""
        for pin in group.named("pin", "bus", "bundle"):
            names = ("direction", "capacitance", "clock")
            said = {**outer, **{n: pin.text(n) for n in names if n in pin.attributes}}
            edges = [pin.text(f"{edge}_capacitance") for edge in ("rise", "fall")]
            capacitance = [said["capacitance"]] if "capacitance" in said else [*filter(None, edges)]
            values = [self._number(text, pin, low=0) for text in capacitance] or [0.0]
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
        for place in range(1, 4):
            variable = template.text(f"variable_{place}") if template else ""
            if variable:
                axes.append(self._axis(group, template, f"index_{place}", variable))
        shape = [len(points) for _, points in axes]
        if values.size != np.prod(shape):
            raise self._error(group, f"a table must have {shape} values, not {values.size}")
        return Table(axes=tuple(axes), values=values.reshape(shape))

    def _axis(
        self, group: Group, template: Group | None, index: str, variable: str
    ) -> tuple[str, NDArray[np.float64]]:
        if variable not in _SLEW + _LOAD:
            raise self._error(group, f"a power table must be over slew and load, not {variable!r}")
        name = "slew_ns" if variable in _SLEW else "load_pf"
        text = group.text(index) or (template.text(index) if template else "")
        if (points := self.points.get((name, text))) is not None:
            return name, points  # a library repeats few axes thousands of times
        points = self._numbers(text, group) * self.scale[name]
        if not len(points) or points[0] < 0 or (np.diff(points) <= 0).any():
            raise self._error(group, f"{index} must be increasing numbers, not {text!r}")
        self.points[name, text] = points
        return name, points

    def _boolean(self, group: Group, name: str) -> Expression | None:
        text = group.text(name)
        return self._checked(lambda: _expression(text), group) if text.strip() else None

    def _numbers(self, text: str, group: Group) -> NDArray[np.float64]:
        return self._checked(lambda: numbers(text), group)

    def _number(self, text: str, group: Group, *, low: float = -np.inf) -> float:
        return self._checked(lambda: number(text, low=low), group)

    def _unit(self, name: str, symbol: str) -> float:
        """A unit of the file: without it a number could mean anything."""
        if name not in self.top.attributes:
            raise self._error(self.top, f"must say its {name}")
        return self._checked(lambda: unit(self.top.text(name), symbol), self.top)

    def _name(self, group: Group) -> str:
        if len(group.arguments) != 1:
            raise self._error(group, f"must have one name, not {group.arguments!r:.80}")
        return group.arguments[0]

    def _checked(self, compute: Callable[[], T], group: Group) -> T:
        try:
            return compute()
        except ValueError as error:
            raise self._error(group, str(error)) from error

    def _error(self, group: Group, rule: str) -> UserError:
        return UserError(f"{self.path}:{group.line}: {group.name}: {rule}")
