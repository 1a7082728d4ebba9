"""`quidam characterize`: measure components in a technology, into a store."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from characterize import tools
from characterize.cell_files import prepare
from characterize.measure import measure, sample_id
from characterize.plan import DEFAULT, load_plan
from characterize.sample import Failure, Sample, Task
from characterize.store import Store
from characterize.sweep import Outcome, process_pool, sweep
from characterize.sweep import Progress as Report
from characterize.technology import Technology, load_technology
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

#: Between two lines of progress where there is no terminal.
LINE_SECONDS = 10.0


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
        "--plan", metavar="PLAN.yaml", default=str(DEFAULT), help="what to measure (a small sweep)"
    )
    parser.add_argument(
        "--workers", metavar="N", type=int, help="processes at work (as many as there are cores)"
    )
    parser.add_argument("--retry", action="store_true", help="measure again what failed before")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(args: argparse.Namespace) -> int:
    """Sweep, and say how it went; 1 when something could not be measured."""
    workers = args.workers if args.workers is not None else len(os.sched_getaffinity(0))
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers!r}")
    plan = load_plan(args.plan)
    technology = load_technology(args.tech)
    need_tools()
    store = Store(args.store)
    for warning in (*technology.warnings(), *damage(store)):
        print(f"quidam: warning: {warning}", file=sys.stderr)
    start = time.monotonic()
    tasks = plan.tasks(technology)
    outcome, _ = measured(tasks, technology, store, workers, retry=args.retry)
    seconds = time.monotonic() - start
    print(as_json(outcome, technology.name, seconds) if args.json else summary(outcome, seconds))
    return 1 if outcome.failures else 0


def need_tools() -> None:
    """A missing tool is one message now, not a failure of every sample."""
    tools.find("sta")
    tools.yosys_command("")


def measured(
    tasks: Iterable[Task], technology: Technology, store: Store, workers: int, *, retry: bool
) -> tuple[Outcome, set[str]]:
    """Measure what the store has not, with progress on stderr; the outcome, and the tasks' ids."""
    by_id = {sample_id(task, technology): task for task in tasks}
    with store.writing() as scratch, progress() as report:
        liberty = prepare(technology, scratch)
        outcome = sweep(
            by_id,
            store,
            functools.partial(measure, technology=technology, liberty=liberty, scratch=scratch),
            open_pool=functools.partial(process_pool, workers),
            workers=workers,
            retry=retry,
            progress=report,
        )
    return outcome, set(by_id)


def damage(store: Store) -> Iterator[str]:
    """A warning for each file that will be measured again."""
    for path in store.damaged():
        yield f"{path} is damaged and is measured again"


def as_json(outcome: Outcome, technology: str, seconds: float) -> str:
    """The outcome for machines."""
    return json.dumps(
        {
            "schema": "quidam-characterize/1",
            "technology": technology,
            "samples": outcome.total - len(outcome.failures),
            "measured": outcome.measured,
            "seconds": round(seconds, 3),
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
        lines.append(f"failed: {describe(failure)}: {failure.step}: {failure.message}")
    return "\n".join(lines)


def describe(result: Sample | Failure) -> str:
    """The result's component, in a few words."""
    values = "/".join(str(value) for value in result.parameters.values())
    return f"{result.arithmetic} {result.component} {values}".rstrip()


@contextlib.contextmanager
def progress() -> Iterator[Report]:
    """Show progress on stderr: a bar on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    with Progress(
        TextColumn("characterize"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[last]}"),
        console=console,
        transient=True,
        # A sample takes seconds: look far back for the rate.
        speed_estimate_period=600,
    ) as bar:
        task = bar.add_task("", total=None, rate="", last="")
        meter = Meter()

        def report(done: int, total: int, result: Sample | Failure | None) -> None:
            if result is None:
                bar.update(task, total=total, completed=done)
                bar.reset(task, total=total, completed=done, rate="", last="")
                return
            last = f"{describe(result)}{' FAILED' if isinstance(result, Failure) else ''}"
            bar.update(task, completed=done, rate=meter.rate(), last=last)

        yield report


class Meter:
    """Results per minute."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.results = 0

    def rate(self) -> str:
        """Count one more result, and say how many come in a minute."""
        self.results += 1
        return f"{self.per_minute():.1f} a minute"

    def per_minute(self) -> float:
        """Since the start."""
        return 60 * self.results / max(time.monotonic() - self.start, 1e-9)


class Lines:
    """Progress as plain lines: the first, the last, failures, and one every few seconds."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.last = 0.0

    def __call__(self, done: int, total: int, result: Sample | Failure | None) -> None:
        if result is None:
            self._print(f"{done} of {total} in the store")
            return
        rate = self.meter.rate()
        failed = isinstance(result, Failure)
        if failed or done == total or time.monotonic() - self.last >= LINE_SECONDS:
            left = (total - done) / self.meter.per_minute()
            word = "FAILED" if failed else "done"
            self._print(
                f"{done} of {total}, {rate}, {left:.1f} minutes left: {describe(result)} {word}"
            )
            self.last = time.monotonic()

    def _print(self, text: str) -> None:
        print(f"characterize: {text}", file=sys.stderr, flush=True)
