"""What a design can be judged by: quantities, objectives over them, constraints on them."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explore.cost import Costs
from explore.designs import Designs
from rtl_gen.config import INTEGER_FIELDS
from rtl_gen.errors import UserError

Floats = NDArray[np.float64]


def _of_costs(name: str, scale: float = 1.0) -> Callable[[Designs, Costs], Any]:
    return lambda designs, costs: getattr(costs, name) * scale


def _of_designs(name: str) -> Callable[[Designs, Costs], Any]:
    return lambda designs, costs: getattr(designs, name)


#: Name, unit included -> its values for a table of designs and their costs.
QUANTITIES: Mapping[str, Callable[[Designs, Costs], Any]] = {
    "latency_s": _of_costs("latency_s"),
    "latency_ms": _of_costs("latency_s", 1e3),
    "latency_us": _of_costs("latency_s", 1e6),
    "energy_j": _of_costs("energy_j"),
    "energy_mj": _of_costs("energy_j", 1e3),
    "energy_uj": _of_costs("energy_j", 1e6),
    "area_mm2": _of_costs("area_um2", 1e-6),
    "area_um2": _of_costs("area_um2"),
    "power_w": _of_costs("power_w"),
    "power_mw": _of_costs("power_w", 1e3),
    "leakage_w": _of_costs("leakage_w"),
    "leakage_mw": _of_costs("leakage_w", 1e3),
    "perf": _of_costs("perf"),
    "perf_per_area": _of_costs("perf_per_area"),
    "edp_js": _of_costs("edp_js"),
    "clock_ns": _of_costs("clock_ns"),
    "cycles": _of_costs("cycles"),
    "utilization": lambda designs, costs: (
        costs.macs / (costs.cycles * designs.rows * designs.columns)
    ),
    "inside_range": _of_costs("inside_range"),
    "pes": lambda designs, costs: designs.rows * designs.columns,
    **{name: _of_designs(name) for name in INTEGER_FIELDS},
}


def values(quantity: str, designs: Designs, costs: Costs) -> Floats:
    """One quantity of every design, float64 of shape (n,)."""
    return np.asarray(QUANTITIES[quantity](designs, costs), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One direction of "better".

    Parameters
    ----------
    name : what the user writes.
    quantity : a key of `QUANTITIES`.
    sign : 1 where less is better, -1 where more is.
    label : for people, with its unit.
    """

    name: str
    quantity: str
    sign: int
    label: str


OBJECTIVES: Mapping[str, Objective] = {
    name: Objective(name=name, quantity=quantity, sign=sign, label=label)
    for name, quantity, sign, label in (
        ("latency", "latency_ms", 1, "latency (ms)"),
        ("energy", "energy_mj", 1, "energy per inference (mJ)"),
        ("area", "area_mm2", 1, "area (mm²)"),
        ("power", "power_mw", 1, "mean power (mW)"),
        ("edp", "edp_js", 1, "energy-delay product (J s)"),
        ("perf_per_area", "perf_per_area", -1, "performance per area (inferences/s/mm²)"),
    )
}
DEFAULT_OBJECTIVES = tuple(OBJECTIVES[name] for name in ("latency", "energy", "area"))


def objective(name: Any) -> Objective:
    """Return the objective of that name; raises `UserError` where there is none."""
    if not isinstance(name, str) or name not in OBJECTIVES:
        raise UserError(f"objective must be one of {', '.join(OBJECTIVES)}, not {name!r}")
    return OBJECTIVES[name]


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=|==|<|>)\s*([0-9.eE+-]+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A bound that every design of the front must keep, such as `area_mm2 < 2`."""

    quantity: str
    relation: str
    bound: float

    def __str__(self) -> str:
        return f"{self.quantity} {self.relation} {self.bound:g}"

    def holds(self, designs: Designs, costs: Costs) -> NDArray[np.bool_]:
        """Which designs keep it: bool array of shape (n,)."""
        kept = _OPERATORS[self.relation](values(self.quantity, designs, costs), self.bound)
        return np.asarray(kept, dtype=np.bool_)


def constraint(text: Any) -> Constraint:
    """Parse QUANTITY RELATION NUMBER, such as `latency_ms <= 5`; raises `UserError`."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise UserError(
            f"constraint must read like 'area_mm2 < 2' (relations {' '.join(_OPERATORS)}), "
            f"not {text!r}"
        )
    quantity, relation, number = match.groups()
    if quantity not in QUANTITIES:
        raise UserError(f"constraint must be on one of {', '.join(QUANTITIES)}, not {quantity!r}")
    try:
        bound = float(number)
    except ValueError as error:
        raise UserError(f"constraint must end in a number, not {number!r}") from error
    if not math.isfinite(bound):
        raise UserError(f"constraint must end in a finite number, not {number!r}")
    return Constraint(quantity=quantity, relation=relation, bound=bound)
