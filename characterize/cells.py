"""What a cell library is: cells with their area, leakage, pins, functions, storage and energy.

Everything is in ns, pF, V, pJ, mW and um2, so that pJ per ns is mW. `liberty.py` reads it from
Liberty files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from characterize.boolean import Expression
from characterize.liberty_text import Group
from rtl_gen.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A quantity over input slew and output load; a scalar has no axes.

    Parameters
    ----------
    axes : "slew_ns" or "load_pf" and the increasing points, per dimension of `values`.
    """

    axes: tuple[tuple[str, NDArray[np.float64]], ...]
    values: NDArray[np.float64]

    def at(self, slew_ns: ArrayLike, load_pf: ArrayLike) -> NDArray[np.float64]:
        """The value by linear interpolation, beyond the table by linear extrapolation; (n,)."""
        where = {"slew_ns": np.asarray(slew_ns, float), "load_pf": np.asarray(load_pf, float)}
        shape = np.broadcast_shapes(*(points.shape for points in where.values()))
        corners: list[tuple[Any, tuple[Any, ...]]] = [(np.ones(shape), ())]
        for name, axis in self.axes:
            x = where[name]
            low = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, max(len(axis) - 2, 0))
            high = np.minimum(low + 1, len(axis) - 1)
            step = axis[high] - axis[low]
            part = (x - axis[low]) / np.where(step > 0, step, np.inf)
            corners = [
                (weight * side, (*index, at))
                for weight, index in corners
                for side, at in ((1 - part, low), (part, high))
            ]
        return np.asarray(sum(weight * self.values[index] for weight, index in corners))


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalPower:
    """Energy (pJ) inside the cell when its pin rises or falls, under a condition or always."""

    related_pin: str
    when: Expression | None
    rail: str
    rise: Table
    fall: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A pin: `capacitance_pf` is the mean of rise and fall where the file says no single one."""

    name: str
    direction: str
    capacitance_pf: float
    clock: bool
    function: Expression | None
    powers: tuple[InternalPower, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipFlop:
    """An `ff` group: `state` and `inverse` name its two internal nodes.

    `both` is the state while clear and preset are active together.
    """

    state: str
    inverse: str
    clocked_on: Expression
    next_state: Expression
    clear: Expression | None
    preset: Expression | None
    both: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """A `latch` group, or the latch inside an integrated clock gate: names as of `FlipFlop`.

    While `enable` holds, what is stored follows `data`.
    """

    state: str
    inverse: str
    enable: Expression
    data: Expression
    clear: Expression | None
    preset: Expression | None
    both: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of the library.

    Parameters
    ----------
    leakage_mw : what holds where no conditional leakage does.
    leakages : condition and leakage (mW); those of several rails add up.
    flip_flop, latch : what it stores; both None for a combinational cell.
    clock_gate : the kind of integrated clock gate it is ("latch_posedge", ...), or "".
    unsupported : why it cannot be simulated ("statetable", "three_state", ...), or "".
    group : the cell as the file has it, for what is not lifted out of it here.
    """

    name: str
    area_um2: float
    leakage_mw: float
    leakages: tuple[tuple[Expression, float], ...]
    pins: Mapping[str, Pin]
    flip_flop: FlipFlop | None
    latch: Latch | None
    clock_gate: str
    unsupported: str
    group: Group = field(repr=False, compare=False)

    @property
    def sequential(self) -> bool:
        stores = self.flip_flop or self.latch
        return stores is not None or self.unsupported in ("latch", "statetable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The cells of one technology at one corner, in ns, pF, V, pJ and mW.

    The four units are how much one of the file's own is worth: `time_ns`, `capacitance_pf`,
    `leakage_mw`, `energy_pj`.
    """

    name: str
    voltage_v: float
    temperature_c: float
    time_ns: float
    capacitance_pf: float
    leakage_mw: float
    energy_pj: float
    cells: Mapping[str, Cell]

    def cell(self, name: str) -> Cell:
        """The cell of this name; a UserError names it when the library has none."""
        if name not in self.cells:
            raise UserError(f"cell must be one of library {self.name}, not {name!r}")
        return self.cells[name]
