"""Rounds of a sweep: measure a batch of every group, judge, go on with those that need more."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from characterize.expected_time import ExpectedTime
from characterize.groups import Plan, Stop, size
from characterize.sample import Failure, Sample, Task
from characterize.sweep import Outcome
from models.adaptive import BUDGET, Course
from quidam.terminal import console
from quidam.workbench import Workbench


class Budget:
    """Minutes from now, in which a sample must be expected to end, or it is not begun.

    Parameters
    ----------
    minutes : None for all the time there is.
    samples : to tell from how long others will take.
    more : the same for the rounds after the first (`Stop.minutes`).
    """

    def __init__(
        self, minutes: float | None, samples: Iterable[Sample] = (), *, more: float = math.inf
    ) -> None:
        start = time.monotonic()
        self._first = math.inf if minutes is None else start + 60 * minutes
        self._more = min(self._first, start + 60 * more)
        self._end = self._first
        self._expected = ExpectedTime(samples)
        self.refused: list[Task] = []

    def begin(self, number: int) -> None:
        """A round begins, the first being 1."""
        self._end = self._first if number == 1 else self._more

    @property
    def limited(self) -> bool:
        """Whether this round may be cut short."""
        return self._end < math.inf

    def admit(self, task: Task) -> bool:
        """Whether to begin it now."""
        if self.limited and time.monotonic() + self._expected.of(task) > self._end:
            self.refused.append(task)
            return False
        return True

    def watch(self, result: Sample | Failure) -> None:
        """Learn from a result."""
        if self._more < math.inf and isinstance(result, Sample):
            self._expected.learn(result)


def adapt(courses: Sequence[Course], plan: Plan, bench: Workbench, budget: Budget) -> Outcome:
    """Run rounds until every course has stopped; say on stderr how it goes, if the plan chooses."""
    total = skipped = measured = 0
    failures: list[Failure] = []
    ids: list[set[str]] = [set() for _ in courses]
    number = 0
    while going := [i for i, course in enumerate(courses) if not course.stopped]:
        number += 1
        budget.begin(number)
        batch = _batch(courses, going, breadth=budget.limited)
        tasks = [task for _, task in batch]
        outcome, found = bench.sweep(tasks, admit=budget.admit, watch=budget.watch)
        total += outcome.total
        skipped += outcome.skipped
        measured += outcome.measured
        failures += outcome.failures
        for (i, _), id in zip(batch, found, strict=True):
            ids[i].add(id)
        cut = {i for i, task in batch if task in budget.refused}
        samples = bench.store.samples()
        for i in going:
            courses[i].judge([one for one in samples if one.id in ids[i]], plan.samples, plan.stop)
            if i in cut:
                courses[i].stopped = BUDGET
        if plan.designs:
            title = f"round {number}: {outcome.measured} measured"
            show([courses[i] for i in going], plan.stop, title, stderr=True)
    return Outcome(
        total=total - len(budget.refused),
        skipped=skipped,
        measured=measured,
        failures=tuple(failures),
    )


def _batch(
    courses: Sequence[Course], going: Sequence[int], *, breadth: bool
) -> list[tuple[int, Task]]:
    """This round's tasks and whose they are: the longest first, so that no worker ends late.

    Where time may run out, `breadth`, the first of every course first, and of these the shortest:
    a model needs a sample of each.
    """
    found = [(n, i, task) for i in going for n, task in enumerate(courses[i].batch())]
    if breadth:
        found.sort(key=lambda one: (one[0], size(one[2])))
    else:
        found.sort(key=lambda one: size(one[2]), reverse=True)
    return [(i, task) for _, i, task in found]


def show(courses: Sequence[Course], stop: Stop, title: str, *, stderr: bool = False) -> None:
    """Print a table of where every course stands."""
    bars = f"bars {stop.area_percent:g} / {stop.energy_percent:g} / {stop.period_percent:g} %"
    table = Table(title=f"{title} ({bars})", title_justify="left", box=SIMPLE, pad_edge=False)
    table.add_column("samples of", no_wrap=True)
    for name in ("number", "area", "energy", "period"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("then", no_wrap=True)
    for course in courses:
        row = described(course)
        values = row["errors_percent"].values()
        errors = ["-" if value is None else f"{value:.1f}" for value in values]
        words = [row[key] for key in ("arithmetic", "component", "scratchpads", "recipe")]
        group = " ".join(word for word in words if word not in USUAL)
        then = row["stopped"] or f"{len(course.batch())} more"
        table.add_row(group, str(row["samples"]), *errors, then)
    console(stderr=stderr).print(table)


#: Ways to build that go without saying.
USUAL = ("flipflop", "fast")


def described(course: Course) -> dict[str, Any]:
    """Where a course stands, for machines."""
    task, last = course.group.tasks[0], course.rounds[-1]
    return {
        "arithmetic": task.arithmetic,
        "component": task.component,
        "scratchpads": task.scratchpads,
        "recipe": task.recipe,
        "samples": last.samples,
        "rounds": len(course.rounds),
        "errors_percent": {
            "area": last.errors.area,
            "energy": last.errors.energy,
            "period": last.errors.period,
        },
        "stopped": course.stopped,
    }
