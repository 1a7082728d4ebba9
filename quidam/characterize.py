"""`quidam characterize`: measure components in a technology, into a store."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from characterize import tools
from characterize.groups import Plan
from characterize.plan import DEFAULT, load_plan
from characterize.sample import Task, task_of
from characterize.store import Store
from characterize.sweep import Outcome
from characterize.technology import Technology, load_technology
from models.adaptive import Course
from quidam.adapt import Budget, adapt, described, show
from quidam.terminal import warn
from quidam.workbench import workbench
from rtl_gen.errors import UserError

DESCRIPTION = """\
Measure the components of accelerators in a technology: synthesis (Yosys), timing (OpenSTA) and
gate-level power under the stimulus of a real quantized layer. Every result is kept in the store
at once; run the same command again, after whatever ended the last one, and it goes on.
"""

EPILOG = """\
example:
  quidam characterize --tech osu018 --store build/osu018
  quidam fit build/osu018 -o build/osu018.json

The exit status is 1 when a component could not be measured; DIR/failures says why.
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "characterize",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--tech", metavar="NAME|FILE", required=True, help="a technology (`quidam tech list`)"
    )
    parser.add_argument("--store", metavar="DIR", required=True, help="folder for the results")
    parser.add_argument(
        "--plan", metavar="PLAN.yaml", default=str(DEFAULT), help="what to measure (all PE types)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", metavar="N", type=int, help="processes at work (as many as there are cores)"
    )
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="measure on the Dask cluster there (tcp://HOST:PORT)"
    )
    parser.add_argument(
        "--budget", metavar="MINUTES", type=float, help="begin no sample that would not end in time"
    )
    parser.add_argument("--retry", action="store_true", help="measure again what failed before")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(args: argparse.Namespace) -> int:
    """Sweep, and say how it went; 1 when something could not be measured."""
    workers = args.workers if args.workers is not None else len(os.sched_getaffinity(0))
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers!r}")
    if args.budget is not None and not 0 < args.budget < math.inf:
        raise UserError(f"--budget must be a positive number of minutes, not {args.budget!r}")
    plan = load_plan(args.plan)
    technology = load_technology(args.tech)
    need_tools()
    store = Store(args.store)
    for warning in (*technology.warnings(), *damage(store), *left_out(plan, technology)):
        warn(warning)
    start = time.monotonic()
    budget = Budget(args.budget, store.samples(), more=plan.stop.minutes)
    courses = [Course(group=group) for group in plan.groups(technology)]
    with workbench(technology, store, workers, retry=args.retry, scheduler=args.scheduler) as bench:
        outcome = adapt(courses, plan, bench, budget)
    seconds = time.monotonic() - start
    if args.json:
        print(as_json(outcome, courses, technology.name, seconds))
        return 1 if outcome.failures else 0
    if plan.designs or budget.refused:
        show(courses, plan.stop, "cross-validated errors, and why no more samples")
    print(summary(outcome, seconds))
    return 1 if outcome.failures else 0


def left_out(plan: Plan, technology: Technology) -> Iterator[str]:
    """A warning for each kind of scratchpad that the technology can't build."""
    for storage in plan.scratchpads:
        if storage not in plan.buildable(technology):
            yield f"scratchpads {storage} are left out: {technology.name} has no cells for them"


def need_tools() -> None:
    """A missing tool is one message now, not a failure of every sample."""
    tools.find("sta")
    tools.yosys_command("")


def measured(
    tasks: Sequence[Task], technology: Technology, store: Store, workers: int, *, retry: bool
) -> tuple[Outcome, set[str]]:
    """Measure what the store has not, with progress on stderr; the outcome, and the tasks' ids."""
    with workbench(technology, store, workers, retry=retry) as bench:
        outcome, ids = bench.sweep(tasks)
    return outcome, set(ids)


def damage(store: Store) -> Iterator[str]:
    """A warning for each file that can't be read."""
    for path in store.damaged():
        yield f"{path} {store.why(path)}; it is set aside, in {store.path / 'unreadable'}"


def as_json(outcome: Outcome, courses: Sequence[Course], technology: str, seconds: float) -> str:
    """The outcome for machines."""
    return json.dumps(
        {
            "schema": "quidam-characterize/1",
            "technology": technology,
            "samples": outcome.total - len(outcome.failures),
            "measured": outcome.measured,
            "seconds": round(seconds, 3),
            "groups": [described(course) for course in courses],
            "failures": [asdict(failure) for failure in outcome.failures],
        }
    )


def summary(outcome: Outcome, seconds: float) -> str:
    """The outcome for people."""
    good = outcome.total - len(outcome.failures)
    rate = 60 * outcome.measured / max(seconds, 1e-9)
    lines = [
        f"{good} samples: {outcome.measured} measured in {seconds:.0f} s ({rate:.1f} a minute), "
        f"{good - outcome.measured} were in the store"
        if outcome.measured
        else f"{good} samples, all in the store"
    ]
    for failure in outcome.failures:
        lines.append(f"failed: {task_of(failure)}: {failure.step}: {failure.message}")
    return "\n".join(lines)
