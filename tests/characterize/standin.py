"""Measurements that measure nothing: what a sweep's worker processes run in the tests.

A worker finds them by importing this file; behaviour is chosen by a task's `psum_words`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from characterize.sample import Failure, Sample, Task, digest, failed
from characterize.store import Store
from characterize.sweep import Outcome, process_pool, sweep
from rtl_gen.components import KINDS

#: `psum_words` -> what happens: all others are measured.
FAILS, RAISES, DIES_ONCE, DIES = 101, 102, 103, 104


def task(number: int, psum_words: int = 8, clock_ns: float = 10.0) -> Task:
    """The PE task of a number."""
    return Task(
        component="pe",
        arithmetic="int8",
        parameters={"ifmap_words": number, "weight_words": 32, "psum_words": psum_words},
        technology="standin",
        clock_ns=clock_ns,
    )


def tasks(count: int, special: Mapping[int, int] | None = None) -> dict[str, Task]:
    """Tasks by id; those of `special` have the `psum_words` it says."""
    numbered = [task(i, (special or {}).get(i, 8)) for i in range(count)]
    return {digest([t.parameters, t.clock_ns]): t for t in numbered}


def sample(task: Task, id: str, seconds: float = 0.0) -> Sample:
    """A sample that depends on the task only, its manifest on the clock, too."""
    size = float(task.parameters["ifmap_words"])
    return Sample(
        id=id,
        component=task.component,
        arithmetic=task.arithmetic,
        parameters=dict(task.parameters),
        technology=task.technology,
        clock_ns=task.clock_ns,
        scratchpads=task.scratchpads,
        recipe=task.recipe,
        area_um2={"datapath": 10.0 + size, "scratchpad": 3.0 * size},
        leakage_mw={"datapath": 0.1, "scratchpad": 0.2},
        energy_pj={event: {"datapath": size, "clock": 1.0} for event in KINDS["pe"].events},
        min_period_ns=1.25,
        segments_ns={},
        cells=7,
        manifest={"seconds": {"synthesis": seconds}},
    )


def measure(task: Task, id: str, *, folder: Path, seconds: float = 0.0) -> Sample | Failure:
    """Measure, fail, raise or die, as the task says; leaves a mark in `folder` for each try."""
    start = time.time()
    marks = folder / f"{id}.tries"
    with marks.open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    tries = len(marks.read_text().split())
    time.sleep(seconds)
    match task.parameters["psum_words"]:
        case 101:
            return failed(task, id, "synthesis", "it must not be")
        case 102:
            raise ZeroDivisionError("in a worker")
        case 103 if tries == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        case 104:
            os.kill(os.getpid(), signal.SIGKILL)
    return sample(task, id, time.time() - start)


def main(store: Path, marks: Path, count: int, seconds: float) -> Outcome:
    """A sweep of `count` tasks over two processes."""
    kept = Store(store)
    with kept.writing():
        return sweep(
            tasks(count),
            kept,
            partial(measure, folder=marks, seconds=seconds),
            open_pool=partial(process_pool, 2),
            workers=2,
        )
