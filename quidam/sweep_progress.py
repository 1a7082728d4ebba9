"""Progress of a sweep on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from characterize.sample import Failure, Sample, task_of
from characterize.sweep import Progress as Report

#: Between two lines of progress where there is no terminal.
LINE_SECONDS = 10.0


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
            last = f"{task_of(result)}{' FAILED' if isinstance(result, Failure) else ''}"
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
                f"{done} of {total}, {rate}, {left:.1f} minutes left: {task_of(result)} {word}"
            )
            self.last = time.monotonic()

    def _print(self, text: str) -> None:
        print(f"characterize: {text}", file=sys.stderr, flush=True)
