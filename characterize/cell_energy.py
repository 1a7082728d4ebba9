"""Leakage and internal energy of all instances of one cell type, from the Liberty tables.

Energy is looked up at the slew of the pin that causes it and the load of the output, the mean of
rise and fall, group by group, each group weighted by how often it applies: by the probability of
its condition, and at an output also by how often the input it is related to toggles while the
output listens to it. A group without condition beside conditional ones means "otherwise".
Source: Liberty user guide, internal_power and leakage_power. OpenSTA 2.6 (power/Power.cc) has the
same weights, but takes nets as independent where the probabilities here are those of joint states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from characterize.activity import NetActivity
from characterize.boolean import Expression, evaluate, pins
from characterize.cells import Cell, InternalPower
from characterize.logic import state_names
from characterize.netlist import Netlist
from rtl_gen.errors import UserError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class CellEnergy:
    """All instances of one cell type; arrays run over these instances.

    Parameters
    ----------
    numbers : which of the netlist's instances.
    slews : rise and fall slew (ns) by "instance/pin".
    load_pf : (nets,), what every net carries.
    """

    def __init__(
        self,
        netlist: Netlist,
        cell: Cell,
        numbers: Sequence[int],
        activity: NetActivity,
        slews: Mapping[str, tuple[float, float]],
        load_pf: Floats,
    ) -> None:
        self.cell = cell
        instances = [netlist.instances[number] for number in numbers]
        self.size = len(instances)
        self.nets = {pin: np.array([i.pins[pin] for i in instances]) for pin in cell.pins}
        self.outputs = [pin.name for pin in cell.pins.values() if pin.direction == "output"]
        self.load_pf = {pin: load_pf[self.nets[pin]] for pin in self.outputs}
        self.toggles = {pin: activity.toggles[nets] for pin, nets in self.nets.items()}
        self.slews = {
            pin: _slews([f"{i.name}/{pin}" for i in instances], slews, self.toggles[pin])
            for pin in cell.pins
        }
        names = state_names(cell)
        first = activity.first_state[np.array(numbers)]
        self.states = activity.states[first[:, np.newaxis] + np.arange(1 << len(names))]
        self.values = _values(cell, names)

    def leakage_mw(self) -> Floats:
        """Leakage by the states the instances are in; (instances,)."""
        result = np.zeros(self.size)
        otherwise = self._everywhere()
        for condition, leakage_mw in self.cell.leakages:
            table = self._table(condition)
            otherwise &= ~table
            result += self.states @ table * leakage_mw
        return np.asarray(result + self.states @ otherwise * self.cell.leakage_mw)

    def energy_pj(self) -> Floats:
        """Internal energy per cycle; (instances,)."""
        return sum(self._energies(), np.zeros(self.size))

    def _energies(self) -> Iterator[Floats]:
        """Pin by pin, and rail by rail: what is drawn from several rails adds up."""
        for pin in self.cell.pins.values():
            for rail in dict.fromkeys(group.rail for group in pin.powers):
                groups = [group for group in pin.powers if group.rail == rail]
                tables = self._applies(groups)
                if pin.direction == "output":
                    yield self._output(pin.name, groups, tables)
                    continue
                for group, table in zip(groups, tables, strict=True):
                    energy = self._mean(group, pin.name, np.zeros(self.size), inverted=False)
                    yield self.states @ table * energy * self.toggles[pin.name]

    def _output(self, pin: str, groups: Sequence[InternalPower], tables: Sequence[Bools]) -> Floats:
        """Energy of an output's toggles, shared out among the groups that may have caused them."""
        shares, energies = [], []
        for group, table in zip(groups, tables, strict=True):
            listens, inverted = self._sensitivity(pin, group.related_pin)
            causes = self.toggles.get(group.related_pin, np.ones(self.size))
            shares.append(self.states @ (table & listens) * causes)
            energies.append(self._mean(group, group.related_pin, self.load_pf[pin], inverted))
        share = np.array(shares)
        total = share.sum(axis=0)
        # Several inputs at once can switch an output that listens to none of them alone.
        share = np.where(total > 0, share / np.where(total > 0, total, 1), 1 / len(groups))
        return np.asarray((share * np.array(energies)).sum(axis=0) * self.toggles[pin])

    def _applies(self, groups: Sequence[InternalPower]) -> list[Bools]:
        """The states in which each group applies."""
        tables = [self._everywhere() if g.when is None else self._table(g.when) for g in groups]
        for group, table in zip(groups, tables, strict=True):
            for other, theirs in zip(groups, tables, strict=True):
                if group.when is None and other.when and other.related_pin == group.related_pin:
                    table &= ~theirs
        return tables

    def _sensitivity(self, output: str, related: str) -> tuple[Bools, bool]:
        """The states in which the output follows the input, and whether it does so inverted.

        A flip-flop's output listens to its clock in every state; a latch's to its data while it
        is open.
        """
        function, latch = self.cell.pins[output].function, self.cell.latch
        if function is None or related not in pins(function):
            if latch and related in pins(latch.data):
                return self._table(latch.enable), False
            return self._everywhere(), False
        low, high = (self._table(function, {related: np.bool_(bit)}) for bit in (False, True))
        return low ^ high, not (high & ~low).any()

    def _mean(self, group: InternalPower, pin: str, load_pf: Floats, inverted: bool) -> Floats:
        """The mean energy of rise and fall at the slews of the pin that causes them."""
        rise, fall = self.slews.get(pin, (np.zeros(self.size), np.zeros(self.size)))
        rise, fall = (fall, rise) if inverted else (rise, fall)
        return (group.rise.at(rise, load_pf) + group.fall.at(fall, load_pf)) / 2

    def _everywhere(self) -> Bools:
        return np.ones(self.states.shape[1], np.bool_)

    def _table(self, condition: Expression, fixed: Mapping[str, np.bool_] | None = None) -> Bools:
        """The states in which the condition holds, with some pins fixed."""
        values = {**self.values, **(fixed or {})}
        return np.asarray(evaluate(condition, values) & self._everywhere())


def _values(cell: Cell, names: Sequence[str]) -> dict[str, Bools]:
    """Every pin and internal node in every joint state of `names`."""
    states = np.arange(1 << len(names))
    values = {name: (states >> i & 1).astype(np.bool_) for i, name in enumerate(names)}
    if (store := cell.flip_flop or cell.latch) and store.inverse:
        values[store.inverse] = ~values[store.state]
    for pin in cell.pins.values():
        if pin.function is not None:
            values[pin.name] = evaluate(pin.function, values)
    return values


def _slews(
    names: Sequence[str], slews: Mapping[str, tuple[float, float]], toggles: Floats
) -> tuple[Floats, Floats]:
    """Rise and fall slews of these pins; a pin that never toggles may have none."""
    found = np.array([slews.get(name, (np.inf, np.inf)) for name in names], np.float64)
    finite = np.isfinite(found).all(axis=1)
    if len(lost := np.nonzero(~finite & (toggles > 0))[0]):
        raise UserError(f"slews must have a finite rise and fall for {names[lost[0]]!r}")
    found[~finite] = 0.0
    return found[:, 0], found[:, 1]
