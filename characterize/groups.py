"""A plan: the groups of samples that models are fitted to, and the order to measure them in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from characterize.sample import RECIPES, Task
from characterize.space_filling import Axis, points
from characterize.stimulus import component_config
from characterize.storage_cells import check_storage
from characterize.technology import Technology
from rtl_gen.components import ANY_ARITHMETIC, KINDS, WITH_SCRATCHPADS
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.storage import FLIPFLOP

#: How components are built that no scratchpads are in.
OTHERS = ((FLIPFLOP, RECIPES[0]),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How many points of a design to measure in each group.

    Parameters
    ----------
    first : in the first round.
    batch : more of them in each round that follows.
    most : at most in all.
    """

    first: int = 8
    batch: int = 4
    most: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """When a group has enough samples.

    Parameters
    ----------
    area_percent, energy_percent, period_percent : the bar of each mean cross-validated error.
    improvement_percent : a batch must lower the error by as much for another one to follow.
    minutes : of the sweep, in which a sample beyond a group's first ones must be expected to end.
    """

    area_percent: float = 2.0
    energy_percent: float = 5.0
    period_percent: float = 5.0
    improvement_percent: float = 10.0
    minutes: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What one model is fitted to: a component in one arithmetic, built and synthesized one way.

    Parameters
    ----------
    first : how many of `tasks` to measure whatever comes out.
    tasks : in the order in which to measure them; the last ones perhaps never.
    endless : there would be more points than the plan allows.
    """

    first: int
    tasks: tuple[Task, ...]
    endless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a sweep measures.

    Parameters
    ----------
    arithmetics : names; every point is measured in each, but those of `ANY_ARITHMETIC` in the first
        alone.
    others : component of `ALIKE` or `ANY_ARITHMETIC` -> how many of its points, the first ones, are
        measured in all arithmetics but the first.
    clock_ns : None for the technology's.
    scratchpads, recipes : ways to build PEs, each of the one with each of the other; all other
        components are measured once, by the first recipe.
    builds : further ways, (scratchpads, recipe).
    points : component -> values of its fields, listed.
    designs : component -> its fields' axes, to be filled by a design (`space_filling`).
    seed : of the designs.
    """

    arithmetics: tuple[str, ...]
    clock_ns: float | None = None
    scratchpads: tuple[str, ...] = (FLIPFLOP,)
    recipes: tuple[str, ...] = RECIPES[:1]
    builds: tuple[tuple[str, str], ...] = ()
    points: Mapping[str, tuple[Mapping[str, int], ...]]
    designs: Mapping[str, Mapping[str, Axis]] = field(default_factory=dict)
    samples: Samples = Samples()
    stop: Stop = Stop()
    seed: int = 0
    others: Mapping[str, int] = field(default_factory=dict)

    def groups(self, technology: Technology) -> list[Group]:
        """All that may be measured.

        Raises
        ------
        UserError
            When a listed point is no legal design, a design has no legal point, or the technology
            can build the scratchpads in none of the ways.
        """
        built = self.buildable(technology)
        ways = [*itertools.product(built, self.recipes)]
        ways += [way for way in self.builds if way not in ways and _has_cells(technology, way[0])]
        return [
            self._group(kind, name, storage, recipe, technology)
            for kind in KINDS
            if kind in self.points or kind in self.designs
            for name in self._arithmetics_of(kind)
            for storage, recipe in (ways if kind in WITH_SCRATCHPADS else OTHERS)
        ]

    def _arithmetics_of(self, kind: str) -> tuple[str, ...]:
        one = kind in ANY_ARITHMETIC and kind not in self.others
        return self.arithmetics[:1] if one else self.arithmetics

    def buildable(self, technology: Technology) -> tuple[str, ...]:
        """Those of `scratchpads` that the technology has cells for.

        Raises
        ------
        UserError
            When there are none.
        """
        built = [one for one in self.scratchpads if _has_cells(technology, one)]
        if not built:
            check_storage(technology, self.scratchpads[0])
        return tuple(built)

    def tasks(self, technology: Technology) -> list[Task]:
        """All samples that may be measured; those that take longest come first."""
        return longest_first([task for group in self.groups(technology) for task in group.tasks])

    def _group(
        self, kind: str, name: str, storage: str, recipe: str, technology: Technology
    ) -> Group:
        def task(values: Mapping[str, int]) -> Task:
            return Task(
                component=kind,
                arithmetic=name,
                parameters=dict(values),
                technology=technology.name,
                clock_ns=self.clock_ns or technology.clock_ns,
                scratchpads=storage,
                recipe=recipe,
            )

        listed = [task(values) for values in self.points.get(kind, ())]
        for one in listed:
            if why := _illegal(one):
                raise UserError(f"plan: {one}: {why}")
        design = self._chosen(kind, listed, task)
        left = max(self.samples.most - len(listed), 0)
        chosen = list(itertools.islice(design, left))
        if not listed and not chosen:
            raise UserError(f"plan: {name} {kind} must have a legal point in its ranges, not none")
        if kind in self.others and name != self.arithmetics[0]:
            some = (*listed, *chosen)[: self.others[kind]]
            return Group(first=len(some), tasks=some, endless=False)
        return Group(
            first=max(len(listed), min(self.samples.first, len(listed) + len(chosen))),
            tasks=(*listed, *chosen),
            endless=next(design, None) is not None,
        )

    def _chosen(
        self, kind: str, listed: Iterable[Task], task: Callable[[Mapping[str, int]], Task]
    ) -> Iterator[Task]:
        """The legal points of the design, without those that are listed."""
        axes = self.designs.get(kind)
        if axes is None:
            return
        known = [one.parameters for one in listed]
        for values in points(tuple(axes.values()), self.seed):
            one = task(dict(zip(axes, values, strict=True)))
            if one.parameters not in known and _illegal(one) is None:
                yield one


def longest_first(tasks: Iterable[Task]) -> list[Task]:
    """Those whose synthesis takes longest first, so that no worker ends late with a big one."""
    return sorted(tasks, key=size, reverse=True)


def size(task: Task) -> tuple[int, int]:
    """What is larger takes longer to measure, roughly."""
    sizes = task.parameters
    match task.component:
        case "collector":  # an output stage a lane
            return 2, sizes["bus_bits"] * 8
        case "control":
            return 1, sizes["bus_bits"]
        case "pe":
            words = sum(sizes.values())
            return 2, words * arithmetic(task.arithmetic).weight_bits
        case _:
            return 0, sum(sizes.values())


def _illegal(task: Task) -> UserError | None:
    """Why a point is no legal design."""
    try:
        component_config(task.component, task.arithmetic, task.parameters, task.scratchpads)
    except UserError as error:
        return error
    return None


def _has_cells(technology: Technology, scratchpads: str) -> bool:
    try:
        check_storage(technology, scratchpads)
    except UserError:
        return False
    return True
