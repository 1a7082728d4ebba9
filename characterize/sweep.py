"""A sweep: many measurements in worker processes, each result kept at once, resumed at will.

What is in the store is not measured again. Tasks go to any `concurrent.futures` executor; a
worker that is killed costs a retry, not the sweep. What is wrong with the machine and not with a
task (`OSError`, `ToolError`) ends the sweep; the store keeps what it has.
"""

from __future__ import annotations

import ctypes
import errno
import multiprocessing
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

from characterize import tools
from characterize.sample import Failure, Sample, Task, failed, task_of
from characterize.store import Store
from rtl_gen.errors import ToolError

#: When this many tasks in a row each kill a worker all by themselves, it is not the tasks.
MOST_DEATHS = 3
#: With less room than this beside the store a measurement fails for no fault of its own, or, worse,
#: a tool's output is cut short: the files of an fp32 PE of 24/256/32 words take 87 MiB (osu018).
LEAST_FREE_BYTES = 128 * 2**20
#: How often a pool that can grow is asked for its size, in seconds.
LOOK_AGAIN_S = 5.0

Measure = Callable[[Task, str], Sample | Failure]
#: Called with (done, total, result or None at the start).
Progress = Callable[[int, int, Sample | Failure | None], None]


class WorkerLost(BrokenExecutor):
    """A future's exception: the worker of this one task is gone, the pool goes on without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a sweep ended.

    Parameters
    ----------
    total : tasks asked for.
    skipped : whose result was in the store.
    measured : new samples.
    failures : among all tasks, old and new.
    """

    total: int
    skipped: int
    measured: int
    failures: tuple[Failure, ...]


def sweep(
    tasks: Mapping[str, Task],
    store: Store,
    measure: Measure,
    *,
    open_pool: Callable[[], Executor],
    workers: int | Callable[[], int],
    retry: bool = False,
    progress: Progress = lambda done, total, result: None,
    admit: Callable[[Task], bool] = lambda task: True,
) -> Outcome:
    """Measure what the store does not have yet; to be called within `store.writing()`.

    Parameters
    ----------
    tasks : by id, in the order to begin them, but that two of one arithmetic are under way together
        only if no other is left: they have modules in common, which both would map. What the store
        has of the same task under another id, because the tools or the method have changed since,
        is removed when its successor is there.
    measure : turns a task and its id into a result; runs in the pool, so it must be picklable.
    open_pool : opens an executor; called again when its workers were killed, unless the futures
        of the lost ones said `WorkerLost`.
    workers : how many tasks to have under way; a function where that changes.
    retry : measure again what failed before.
    progress : told of every result.
    admit : asked right before a task is begun; one that is refused is left out.

    Raises
    ------
    ToolError
        When workers keep dying, whatever they work on, or one says that it is not fit to work.
    OSError
        When the disk is full, here or where a worker is.
    """
    samples, failures = store.samples(), store.failures()
    measured = {sample.id for sample in samples} & tasks.keys()
    tried = {failure.id for failure in failures} & tasks.keys()
    done = measured if retry else measured | tried
    old: dict[Task, list[str]] = {}
    results: list[Sample | Failure] = [*samples, *failures]
    for result in results:
        if result.id not in tasks:
            old.setdefault(task_of(result), []).append(result.id)
    progress(len(done), len(tasks), None)
    run = _Run(tasks, store, measure, open_pool, workers, progress, len(done), old, admit)
    run.work([key for key in tasks if key not in done])
    return Outcome(
        total=len(tasks),
        skipped=len(done),
        measured=len({sample.id for sample in store.samples()} & tasks.keys()) - len(measured),
        failures=tuple(failure for failure in store.failures() if failure.id in tasks),
    )


def process_pool(workers: int) -> ProcessPoolExecutor:
    """Worker processes that end with this one, however it ends."""
    return ProcessPoolExecutor(
        workers,
        # A fork would copy locks and threads in whatever state they are.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
        initargs=(os.getpid(),),
    )


def _begin_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, _end_worker)
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
    if os.getppid() != parent:
        _end_worker(signal.SIGTERM, None)


def _end_worker(number: int, frame: FrameType | None) -> NoReturn:
    tools.kill_all()
    os._exit(128 + number)


@dataclass(slots=True)
class _Run:
    """The loop of one sweep: keeps `workers` tasks under way, and finds out whom to blame."""

    tasks: Mapping[str, Task]
    store: Store
    measure: Measure
    open_pool: Callable[[], Executor]
    workers: int | Callable[[], int]
    progress: Progress
    done: int
    old: Mapping[Task, list[str]]
    admit: Callable[[Task], bool]
    running: dict[Future[Sample | Failure], str] = field(default_factory=dict)
    suspects: list[str] = field(default_factory=list)
    suspected: set[str] = field(default_factory=set)
    deaths: int = 0

    def work(self, keys: Iterable[str]) -> None:
        """Measure all of `keys`."""
        pending = deque(keys)
        before = set(multiprocessing.active_children())
        pool: Executor | None = None
        try:
            while pending or self.suspects or self.running:
                pool = pool or self.open_pool()
                self._submit(pool, pending)
                finished, _ = wait(
                    self.running,
                    timeout=LOOK_AGAIN_S if callable(self.workers) else None,
                    return_when=FIRST_COMPLETED,
                )
                if self._finish(finished):
                    pool.shutdown(wait=True, cancel_futures=True)
                    pool = None
        except BaseException:
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise
        finally:
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, pool: Executor, pending: deque[str]) -> None:
        if self.running and (self.suspects or self.suspected & set(self.running.values())):
            return  # suspects run alone: if one dies again, it is to blame and nobody else
        if self.suspects:
            self._start(pool, self.suspects.pop())
            return
        most = self.workers() if callable(self.workers) else self.workers
        while pending and len(self.running) < most:
            key = self._next(pending)
            pending.remove(key)
            if self.admit(self.tasks[key]):
                self._start(pool, key)

    def _next(self, pending: deque[str]) -> str:
        busy = {self.tasks[key].arithmetic for key in self.running.values()}
        apart = (key for key in pending if self.tasks[key].arithmetic not in busy)
        return next(apart, pending[0])

    def _start(self, pool: Executor, key: str) -> None:
        self._check_disk()
        try:
            future = pool.submit(self.measure, self.tasks[key], key)
        except BrokenExecutor as error:  # a worker died since the last result
            future = Future()
            future.set_exception(error)
        self.running[future] = key

    def _finish(self, finished: Iterable[Future[Sample | Failure]]) -> bool:
        """Keep results, and blame for what was lost; whether the pool is broken."""
        lost, broken, fatal = [], False, None
        for future in finished:
            key = self.running.pop(future)
            error = future.exception()
            match error:
                case BrokenExecutor():
                    lost.append(key)
                    broken |= not isinstance(error, WorkerLost)
                case OSError() | ToolError():
                    fatal = error
                case _:
                    self.deaths = 0
                    self._keep(self._failure(key, repr(error)) if error else future.result())
        if fatal is not None:
            raise fatal
        if broken:  # and with it all that was under way
            lost += self.running.values()
            self.running.clear()
        self._lose(lost)
        return broken

    def _lose(self, keys: list[str]) -> None:
        for key in keys:
            if key not in self.suspected:
                self.suspected.add(key)
                self.suspects.append(key)
                continue
            self.deaths += 1
            if self.deaths == MOST_DEATHS:
                raise ToolError(f"{MOST_DEATHS} workers in a row were killed: out of memory?")
            self._keep(self._failure(key, "the worker was killed twice while it measured this"))

    def _check_disk(self) -> None:
        if shutil.disk_usage(self.store.path).free < LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.store.path))

    def _failure(self, key: str, message: str) -> Failure:
        return failed(self.tasks[key], key, "worker", message)

    def _keep(self, result: Sample | Failure) -> None:
        if isinstance(result, Failure):
            self._check_disk()
        self.store.put(result)
        for id in self.old.get(task_of(result), ()):
            self.store.remove(id)
        self.done += 1
        self.progress(self.done, len(self.tasks), result)
