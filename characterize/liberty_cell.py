"""One cell of a Liberty file: its leakage, pins, functions, storage and internal energy.

Energy in a Liberty file is in its capacitance unit times the square of its voltage unit (Liberty
user guide, "internal_power").
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
from characterize.cells import Cell, FlipFlop, InternalPower, Latch, Pin, Table
from characterize.liberty_numbers import number, numbers, unit
from characterize.liberty_text import Group
from rtl_gen.errors import UserError

T = TypeVar("T")

_SLEW = ("input_net_transition", "input_transition_time")
_LOAD = ("total_output_net_capacitance",)
_EDGES = ("rise_power", "fall_power", "power")
#: Integrated clock gates that are understood: a latch that is open while the clock is low, and an
#: and; a test pin, where there is one, comes before the latch.
CLOCK_GATES = ("latch_posedge", "latch_posedge_precontrol")
_ZERO = Table(axes=(), values=np.zeros(()))
_expression = functools.lru_cache(maxsize=None)(parse)


class CellReader:
    """Turns the groups of one file into cells; knows its units, and the file for its messages.

    Raises
    ------
    UserError : the file doesn't say one of its units, or not as Liberty has it.
    """

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

    def cell(self, group: Group) -> Cell:
        """The cell of a `cell` group; a UserError says what it breaks."""
        leakages: list[tuple[Expression, float]] = []
        always: list[float] = []
        for leak in group.named("leakage_power"):
            value = self.number(leak.text("value"), leak, low=0) * self.leakage_mw
            if when := self._boolean(leak, "when"):
                leakages.append((when, value))
            else:
                always.append(value)
        default = self.top.text("default_cell_leakage_power", "0")
        single = self.number(group.text("cell_leakage_power", default), group, low=0)
        pins: dict[str, Pin] = {}
        for pin in self._pins(group, {}):
            if pin.name in pins:
                rule = f"must have pins of different names, not {pin.name!r} twice"
                raise self.error(group, rule)
            pins[pin.name] = pin
        kind = group.text("clock_gating_integrated_cell")
        store: FlipFlop | Latch | None
        if kind in CLOCK_GATES:
            store, unsupported = self._clock_gate(group, pins), ""
            for part in group.named("pin"):
                if function := self._boolean(part, "state_function"):
                    name = self.name(part)
                    pins[name] = replace(pins[name], function=function)
        else:
            store, unsupported = self._storage(group)
        if any(pin.attributes.get("three_state") for pin in group.named("pin")):
            unsupported = unsupported or "three_state"
        return Cell(
            name=group.arguments[0],
            area_um2=self.number(group.text("area", "0"), group, low=0),
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
            raise self.error(store, f"a {kind} must have two nodes, {' and '.join(names)}")
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
                self.name(pin)
                for pin in group.named("pin")
                if pin.text(f"clock_gate_{role}_pin") == "true"
            ]
            for role in ("clock", "enable", "test", "out")
        }
        tables = [table for table in group.named("statetable") if len(table.arguments) == 2]
        if not all(len(roles[role]) == 1 for role in ("clock", "enable", "out")) or not tables:
            raise self.error(group, "a clock gate must say its clock, enable and output pins")
        if not list(group.named("pin")) or roles["out"][0] not in pins:
            raise self.error(group, "a clock gate must have an output pin")
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
            values = [self.number(text, pin, low=0) for text in capacitance] or [0.0]
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
            raise self.error(group, f"a table must have {shape} values, not {values.size}")
        return Table(axes=tuple(axes), values=values.reshape(shape))

    def _axis(
        self, group: Group, template: Group | None, index: str, variable: str
    ) -> tuple[str, NDArray[np.float64]]:
        if variable not in _SLEW + _LOAD:
            raise self.error(group, f"a power table must be over slew and load, not {variable!r}")
        name = "slew_ns" if variable in _SLEW else "load_pf"
        text = group.text(index) or (template.text(index) if template else "")
        if (points := self.points.get((name, text))) is not None:
            return name, points  # a library repeats few axes thousands of times
        points = self._numbers(text, group) * self.scale[name]
        if not len(points) or points[0] < 0 or (np.diff(points) <= 0).any():
            raise self.error(group, f"{index} must be increasing numbers, not {text!r}")
        self.points[name, text] = points
        return name, points

    def _boolean(self, group: Group, name: str) -> Expression | None:
        text = group.text(name)
        return self._checked(lambda: _expression(text), group) if text.strip() else None

    def _numbers(self, text: str, group: Group) -> NDArray[np.float64]:
        return self._checked(lambda: numbers(text), group)

    def number(self, text: str, group: Group, *, low: float = -np.inf) -> float:
        """A number of the group, at least `low`."""
        return self._checked(lambda: number(text, low=low), group)

    def _unit(self, name: str, symbol: str) -> float:
        """A unit of the file: without it a number could mean anything."""
        if name not in self.top.attributes:
            raise self.error(self.top, f"must say its {name}")
        return self._checked(lambda: unit(self.top.text(name), symbol), self.top)

    def name(self, group: Group) -> str:
        """The one name of the group."""
        if len(group.arguments) != 1:
            raise self.error(group, f"must have one name, not {group.arguments!r:.80}")
        return group.arguments[0]

    def _checked(self, compute: Callable[[], T], group: Group) -> T:
        try:
            return compute()
        except ValueError as error:
            raise self.error(group, str(error)) from error

    def error(self, group: Group, rule: str) -> UserError:
        """The rule that the group breaks, and where in the file it is."""
        return UserError(f"{self.path}:{group.line}: {group.name}: {rule}")
