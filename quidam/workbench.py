"""A workbench: workers and cell library at hand, to sweep as often as wanted."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from characterize.cell_files import prepare
from characterize.identity import sample_id
from characterize.lasting_pool import lasting
from characterize.measure import measure
from characterize.portable import portable
from characterize.sample import Failure, Sample, Task
from characterize.store import Store
from characterize.sweep import Measure, Outcome, process_pool, sweep
from characterize.technology import Technology
from quidam.sweep_progress import progress

#: Fewer tasks have their ids before worker processes have begun.
MANY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What all sweeps of one run share: the arguments of `characterize.sweep.sweep`."""

    technology: Technology
    store: Store
    measure: Measure
    open_pool: Callable[[], Executor]
    workers: int | Callable[[], int]
    retry: bool

    def sweep(
        self,
        tasks: Sequence[Task],
        *,
        admit: Callable[[Task], bool] = lambda task: True,
        watch: Callable[[Sample | Failure], None] = lambda result: None,
    ) -> tuple[Outcome, list[str]]:
        """Measure what the store has not, with progress on stderr; the outcome, and the tasks' ids
        in their order.

        Parameters
        ----------
        admit : see `sweep`.
        watch : told of every new result.
        """
        own = self.workers if isinstance(self.workers, int) else os.cpu_count() or 1
        ids = identify(tasks, self.technology, own)
        with progress() as report:

            def told(done: int, total: int, result: Sample | Failure | None) -> None:
                if result is not None:
                    watch(result)
                report(done, total, result)

            outcome = sweep(
                dict(zip(ids, tasks, strict=True)),
                self.store,
                self.measure,
                open_pool=self.open_pool,
                workers=self.workers,
                retry=self.retry,
                progress=told,
                admit=admit,
            )
        return outcome, ids


def identify(tasks: Sequence[Task], technology: Technology, workers: int) -> list[str]:
    """The ids of samples, found by so many processes: of three hundred tasks they take a minute of
    one, since every component is written out as RTL."""
    identity = functools.partial(sample_id, technology=technology)
    if len(tasks) < MANY or workers == 1:
        return [identity(task) for task in tasks]
    with process_pool(workers) as pool:
        return list(pool.map(identity, tasks, chunksize=4))


def _tell(message: str) -> None:
    print(f"quidam: {message}", file=sys.stderr)


@contextlib.contextmanager
def workbench(
    technology: Technology,
    store: Store,
    workers: int,
    *,
    retry: bool,
    scheduler: str | None = None,
) -> Iterator[Workbench]:
    """Hold the store, and have workers.

    Parameters
    ----------
    workers : processes of this machine.
    scheduler : address of a Dask cluster to work instead of them.
    """
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(store.writing())
        liberty = prepare(technology, scratch)
        ready = functools.partial(Workbench, technology=technology, store=store, retry=retry)
        if scheduler is not None:
            from characterize.cluster import Cluster  # Dask is needed here only

            cluster = Cluster(scheduler, tell=_tell)
            yield ready(
                measure=portable(technology), open_pool=cluster.open, workers=cluster.workers
            )
        else:
            work = functools.partial(
                measure, technology=technology, liberty=liberty, scratch=scratch
            )
            pool = stack.enter_context(lasting(functools.partial(process_pool, workers)))
            yield ready(measure=work, open_pool=pool, workers=workers)
