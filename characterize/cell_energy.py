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
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Cause:
    """One group of a pin's internal power.

    Parameters
    ----------
    table : the states in which it counts: its condition holds and, at an output, that listens.
    pin : whose toggles it is counted by; None at an output without a related pin.
    energy_pj : of a toggle, (instances,).
    """

    table: Bools
    pin: str | None
    energy_pj: Floats


class CellEnergy:
    """All instances of one cell type; arrays run over these instances.

    Parameters
    ----------
    numbers : which of the netlist's instances.
    slews : rise and fall slew (ns) of every net, (nets, 2); not finite where none is known.
    load_pf : (nets,), what every net carries.
    """

    def __init__(
        self,
        netlist: Netlist,
        cell: Cell,
        numbers: Sequence[int],
        slews: Floats,
        load_pf: Floats,
    ) -> None:
        self.cell = cell
        instances = [netlist.instances[number] for number in numbers]
        self.size = len(instances)
        self.names = [instance.name for instance in instances]
        self.nets = {pin: np.array([i.pins[pin] for i in instances]) for pin in cell.pins}
        self.outputs = [pin.name for pin in cell.pins.values() if pin.direction == "output"]
        found = {pin: slews[nets] for pin, nets in self.nets.items()}
        self._known = {pin: np.isfinite(pair).all(axis=1) for pin, pair in found.items()}
        self._slews = {
            pin: np.where(self._known[pin][:, np.newaxis], pair, 0.0) for pin, pair in found.items()
        }
        names = state_names(cell)
        self._first = np.array(numbers)
        self._count = 1 << len(names)
        self._values = _values(cell, names)
        self._leakages = list(self._leaks())
        self._causes = list(self._groups(load_pf))

    def leakage_mw(self, activity: NetActivity) -> Floats:
        """Leakage by the states the instances are in; (instances,)."""
        states = self._states(activity)
        return sum((states @ table * mw for table, mw in self._leakages), np.zeros(self.size))

    def energy_pj(self, activity: NetActivity) -> Floats:
        """Internal energy per cycle; (instances,).

        Raises
        ------
        UserError : a toggling pin has no finite slew.
        """
        toggles = {pin: activity.toggles[nets] for pin, nets in self.nets.items()}
        for pin, known in self._known.items():
            if len(lost := np.nonzero(~known & (toggles[pin] > 0))[0]):
                name = f"{self.names[lost[0]]}/{pin}"
                raise UserError(f"slews must have a finite rise and fall for {name!r}")
        states = self._states(activity)
        result = np.zeros(self.size)
        for pin, causes in self._causes:
            if pin in self.outputs:
                result += self._shared(causes, states, toggles) * toggles[pin]
                continue
            for cause in causes:
                result += states @ cause.table * cause.energy_pj * toggles[pin]
        return result

    def _states(self, activity: NetActivity) -> Floats:
        """Probability of every joint state, (instances, states)."""
        first = activity.first_state[self._first]
        return np.asarray(activity.states[first[:, np.newaxis] + np.arange(self._count)])

    def _shared(
        self, causes: Sequence[Cause], states: Floats, toggles: Mapping[str, Floats]
    ) -> Floats:
        """Energy of an output's toggle, shared out among the groups that may have caused it."""
        ones = np.ones(self.size)
        share = np.array(
            [states @ one.table * (toggles[one.pin] if one.pin else ones) for one in causes]
        )
        total = share.sum(axis=0)
        # Several inputs at once can switch an output that listens to none of them alone.
        share = np.where(total > 0, share / np.where(total > 0, total, 1), 1 / len(causes))
        return np.asarray((share * np.array([one.energy_pj for one in causes])).sum(axis=0))

    def _leaks(self) -> Iterator[tuple[Bools, float]]:
        """Where each leakage applies, that of the cell where no other does."""
        otherwise = self._everywhere()
        for condition, leakage_mw in self.cell.leakages:
            table = self._table(condition)
            otherwise &= ~table
            yield table, leakage_mw
        yield otherwise, self.cell.leakage_mw

    def _groups(self, load_pf: Floats) -> Iterator[tuple[str, list[Cause]]]:
        """Pin by pin, and rail by rail: what is drawn from several rails adds up."""
        none = np.zeros(self.size)
        for pin in self.cell.pins.values():
            for rail in dict.fromkeys(group.rail for group in pin.powers):
                groups = [group for group in pin.powers if group.rail == rail]
                causes = []
                for group, table in zip(groups, self._applies(groups), strict=True):
                    if pin.direction == "output":
                        related = group.related_pin
                        listens, inverted = self._sensitivity(pin.name, related)
                        load = load_pf[self.nets[pin.name]]
                        energy = self._mean(group, related, load, inverted)
                        known = related if related in self.nets else None
                        causes.append(Cause(table & listens, known, energy))
                    else:
                        energy = self._mean(group, pin.name, none, inverted=False)
                        causes.append(Cause(table, pin.name, energy))
                yield pin.name, causes

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
        rise, fall = self._slews.get(pin, np.zeros((self.size, 2))).T
        rise, fall = (fall, rise) if inverted else (rise, fall)
        return (group.rise.at(rise, load_pf) + group.fall.at(fall, load_pf)) / 2

    def _everywhere(self) -> Bools:
        return np.ones(self._count, np.bool_)

    def _table(self, condition: Expression, fixed: Mapping[str, np.bool_] | None = None) -> Bools:
        """The states in which the condition holds, with some pins fixed."""
        values = {**self._values, **(fixed or {})}
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
