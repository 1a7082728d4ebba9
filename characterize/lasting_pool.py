"""One pool of workers for several sweeps: what a worker has imported and compiled stays."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any


@contextlib.contextmanager
def lasting(open_pool: Callable[[], Executor]) -> Iterator[Callable[[], Executor]]:
    """A way to open a pool that gives the same one again, unless it is broken.

    Workers end with the block; at once, if that ends by an exception.
    """
    before = set(multiprocessing.active_children())
    pool = _Lasting(open_pool)
    try:
        yield pool.opened
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.close()


class _Lasting(Executor):
    def __init__(self, open_pool: Callable[[], Executor]) -> None:
        self._open = open_pool
        self._pool: Executor | None = None

    def opened(self) -> Executor:
        try:
            if self._pool is not None:
                self._pool.submit(int).result()
        except BrokenExecutor:
            self.close()
        self._pool = self._pool or self._open()
        return self

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert self._pool is not None
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Not yet: see `close`."""

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
