"""Exhaustive search: every design of a space against workloads, the front and the best kept.

The space streams through in chunks, so memory holds a few numbers a design and the full costs
of the designs that may be on the front.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explore.cost import Costs, concatenate_costs, workload_costs
from explore.designs import Designs, concatenate_designs
from explore.pareto import front_mask
from explore.quantities import Constraint, Objective, values
from explore.space import Space
from explore.workload import Workload
from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic
from rtl_gen.mapper import check_layer

if TYPE_CHECKING:
    from models.ppa import PpaModel

#: Designs of one arithmetic beside their costs.
Rows = tuple[Designs, Costs]
#: Kept of every design that counts, for plots and spreads.
CLOUD = ("energy_mj", "perf_per_area", "latency_ms", "area_mm2")
#: What "best" means for an arithmetic: quantity -> 1 where less is better, -1 where more is.
BEST = {"perf_per_area": -1, "energy_mj": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the search found for one workload.

    Parameters
    ----------
    workload : the network.
    feasible : designs that run every layer and keep every constraint.
    cannot_run : designs that some layer does not fit.
    outside : feasible designs outside the range that the PPA model was fitted on.
    fronts : arithmetic name -> its own front: the designs that no other design of the same
        arithmetic dominates. Formats differ in accuracy, which is no objective here, so the
        front of a costlier format is of interest too.
    overall : arithmetic name -> which rows of `fronts` no design of any arithmetic dominates.
    best : arithmetic name -> quantity of `BEST` -> the one best design.
    cloud : arithmetic name -> float32 of shape (feasible designs, len(CLOUD)).
    """

    workload: Workload
    feasible: int
    cannot_run: int
    outside: int
    fronts: Mapping[str, Rows]
    overall: Mapping[str, NDArray[np.bool_]]
    best: Mapping[str, Mapping[str, Rows]]
    cloud: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """A finished search.

    Parameters
    ----------
    designs : designs evaluated, on every workload.
    dropped : combinations left out because they break a rule of `AcceleratorConfig`.
    seconds : from the first chunk to the last front.
    technology : name of the technology that the model was fitted in.
    scaled : memories whose figures were scaled from another technology.
    """

    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    clock_ns: float | None
    sample: int | None
    seed: int
    designs: int
    dropped: int
    seconds: float
    technology: str
    scaled: tuple[str, ...]
    findings: tuple[Findings, ...]

    @property
    def designs_per_second(self) -> float:
        """Designs evaluated a second, each on every workload."""
        return self.designs / self.seconds

    @property
    def reference(self) -> Arithmetic:
        """What others are compared with: int16, else the first of the space."""
        named = {one.name: one for one in self.space.arithmetics}
        return named.get("int16", self.space.arithmetics[0])


def search(
    model: PpaModel,
    space: Space,
    workloads: Sequence[Workload],
    *,
    objectives: Sequence[Objective] = (),
    constraints: Sequence[Constraint] = (),
    clock_ns: float | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda combinations: None,
) -> Exploration:
    """Evaluate every design of `space` (or a sample) on every workload.

    Parameters
    ----------
    objectives : in place of the space's own, where there are any.
    constraints : beside the space's own.
    clock_ns : see `explore.cost.evaluate`.
    progress : called with the number of combinations done since the last call.

    Raises
    ------
    UserError
        When no design can run a layer, the model lacks an arithmetic, or nothing is left.
    """
    for workload in workloads:
        for layer, _ in workload.unique():
            check_layer(layer)
    objectives = tuple(objectives) or space.objectives
    constraints = (*space.constraints, *constraints)
    started = time.perf_counter()
    gatherings = [_Gathering(workload, objectives, constraints) for workload in workloads]
    designs = dropped = 0
    technology, scaled = "", set[str]()
    for table, broken in space.chunks(sample, seed):
        designs, dropped = designs + len(table), dropped + broken
        if len(table):
            ppa = model.predict(table, table.arithmetic.name, table.one_build())
            technology = ppa.technology
            scaled.update(name for name, memory in ppa.memories.items() if memory["scaled"])
            for gathering in gatherings:
                gathering.add(table, workload_costs(ppa, table, gathering.workload, clock_ns))
        progress(len(table) + broken)
    findings = tuple(gathering.finish(designs) for gathering in gatherings)
    return Exploration(
        space=space,
        objectives=objectives,
        constraints=constraints,
        clock_ns=clock_ns,
        sample=sample,
        seed=seed,
        designs=designs,
        dropped=dropped,
        seconds=time.perf_counter() - started,
        technology=technology,
        scaled=tuple(sorted(scaled)),
        findings=findings,
    )


@dataclass(slots=True, kw_only=False)
class _Gathering:
    """What is kept of the chunks seen so far, for one workload."""

    workload: Workload
    objectives: Sequence[Objective]
    constraints: Sequence[Constraint]
    feasible: int = 0
    cannot_run: int = 0
    outside: int = 0
    kept_by: dict[str, int] = field(default_factory=dict)
    fronts: dict[str, list[Rows]] = field(default_factory=dict)
    best: dict[str, dict[str, Rows]] = field(default_factory=dict)
    cloud: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict)

    def add(self, designs: Designs, costs: Costs) -> None:
        """Take one chunk in."""
        runs = costs.legal
        self.cannot_run += int(np.count_nonzero(~runs))
        designs, costs = designs.take(runs), costs.take(runs)
        keep = np.ones(len(designs), dtype=np.bool_)
        for bound in self.constraints:
            holds = bound.holds(designs, costs)
            self.kept_by[str(bound)] = self.kept_by.get(str(bound), 0) + int(holds.sum())
            keep &= holds
        designs, costs = designs.take(keep), costs.take(keep)
        if not len(designs):
            return
        self.feasible += len(designs)
        self.outside += int(np.count_nonzero(~costs.inside_range))
        name = designs.arithmetic.name
        points = np.stack([values(quantity, designs, costs) for quantity in CLOUD], axis=1)
        self.cloud.setdefault(name, []).append(points.astype(np.float32))
        chunk_front = _front((designs, costs), self.objectives)
        self.fronts.setdefault(name, []).append(chunk_front)
        for quantity in BEST:
            self._keep_best(name, quantity, designs, costs)

    def _keep_best(self, name: str, quantity: str, designs: Designs, costs: Costs) -> None:
        worth = BEST[quantity] * values(quantity, designs, costs)
        index = np.array([np.argmin(worth)])
        known = self.best.setdefault(name, {})
        if quantity in known:
            incumbent = BEST[quantity] * values(quantity, *known[quantity])
            if incumbent[0] <= worth[index[0]]:
                return
        known[quantity] = (designs.take(index), costs.take(index))

    def finish(self, designs: int) -> Findings:
        """The front over all chunks: the front of their fronts."""
        if not self.feasible:
            reasons = [f"{designs - self.cannot_run} run every layer"]
            reasons += [f"{kept} of those keep {text}" for text, kept in self.kept_by.items()]
            raise UserError(
                f"space and constraints must leave a design for {self.workload.name}, not none: "
                f"of {designs} designs {', '.join(reasons)}"
            )
        fronts = {name: _front(join(rows), self.objectives) for name, rows in self.fronts.items()}
        sizes = [len(designs) for designs, _ in fronts.values()]
        matrix = np.concatenate([_matrix(rows, self.objectives) for rows in fronts.values()])
        masks = np.split(front_mask(matrix), np.cumsum(sizes)[:-1])
        return Findings(
            workload=self.workload,
            feasible=self.feasible,
            cannot_run=self.cannot_run,
            outside=self.outside,
            fronts=fronts,
            overall=dict(zip(fronts, masks, strict=True)),
            best=self.best,
            cloud={name: np.concatenate(points) for name, points in self.cloud.items()},
        )


def join(tables: Sequence[Rows]) -> Rows:
    """Rows of one arithmetic and workload, one table after another."""
    designs, costs = zip(*tables, strict=True)
    return concatenate_designs(designs), concatenate_costs(costs)


def _front(rows: Rows, objectives: Sequence[Objective]) -> Rows:
    mask = front_mask(_matrix(rows, objectives))
    return rows[0].take(mask), rows[1].take(mask)


def _matrix(rows: Rows, objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Objectives as columns, less being better: shape (n, len(objectives))."""
    return np.stack([one.sign * values(one.quantity, *rows) for one in objectives], axis=1)
