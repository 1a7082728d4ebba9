"""A pool that several sweeps share."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from functools import partial

import pytest

from characterize.lasting_pool import lasting
from characterize.sweep import process_pool


def use(open_pool: Callable[[], Executor]) -> int:
    """What a sweep does with a pool: open it, work, shut it down; the worker's id."""
    pool = open_pool()
    worker = pool.submit(os.getpid).result()
    pool.shutdown(wait=True, cancel_futures=True)
    return worker


def test_the_workers_stay_until_the_end() -> None:
    with lasting(partial(process_pool, 1)) as open_pool:
        worker = use(open_pool)
        assert use(open_pool) == worker
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_broken_pool_is_opened_anew() -> None:
    with lasting(partial(process_pool, 1)) as open_pool:
        worker = use(open_pool)
        pool = open_pool()
        with pytest.raises(BrokenExecutor):
            pool.submit(os.kill, worker, signal.SIGKILL).result()
        pool.shutdown()
        assert use(open_pool) != worker


def test_an_exception_does_not_wait_for_what_is_under_way() -> None:
    before = set(multiprocessing.active_children())
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _interrupted()
    assert time.monotonic() - start < 30
    assert set(multiprocessing.active_children()) == before


def _interrupted() -> None:
    with lasting(partial(process_pool, 1)) as open_pool:
        pool = open_pool()
        pool.submit(os.getpid).result()
        pool.submit(time.sleep, 60)
        raise KeyboardInterrupt


def test_a_pool_that_was_never_opened_needs_no_closing() -> None:
    with lasting(partial(process_pool, 1)):
        pass
    assert multiprocessing.active_children() == []
