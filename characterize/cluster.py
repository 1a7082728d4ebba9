"""A Dask cluster as the pool of a sweep: the one file that knows Dask."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from pathlib import Path
from typing import Any

from distributed import Client, KilledWorker, get_worker
from distributed.client import ClosedClientError

from characterize.scratch import is_plain
from characterize.sweep import WorkerLost
from rtl_gen.errors import ToolError

TIMEOUT_S = 20.0
LOST = "the connection to the Dask scheduler was lost"


class Cluster:
    """A cluster by the address of its scheduler; each `open` connects anew.

    Parameters
    ----------
    address : such as "tcp://host:8786".
    tell : told, once each time, that there are no workers: a job system may start them hours later,
        but it may also never do so.
    """

    def __init__(self, address: str, tell: Callable[[str], None] = lambda message: None) -> None:
        self.address = address
        self._tell = tell
        self._waiting = False
        self._client: Any = None

    def open(self) -> Executor:
        """Connect.

        Raises
        ------
        ToolError
            When no scheduler answers.
        """
        try:
            self._client = Client(self.address, timeout=TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ToolError(f"no Dask scheduler answers at {self.address}: {error}") from error
        return _Pool(self._client)

    def workers(self) -> int:
        """How many tasks it can work on now; 1 as long as it has no workers.

        No more than that are handed over: when a worker dies Dask blames all it was to do next.
        """
        with contextlib.suppress(OSError):  # if the connection is lost, the futures say so, too
            threads: dict[str, int] = self._client.nthreads()
            if not threads and not self._waiting:
                self._tell(f"no Dask worker at {self.address}: the sweep goes on when one joins")
            self._waiting = not threads
            return max(1, sum(threads.values()))
        return 1


class _Pool(Executor):
    def __init__(self, client: Any) -> None:
        self._client = client
        # pure=False: a task that is asked for again is to be done again.
        self._executor = client.get_executor(pure=False)
        self._carried: dict[int, tuple[Callable[..., Any], Any]] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn` on a worker.

        What `fn` holds, a cell library of megabytes, is the result of a task of its own: it
        travels once to each worker, and is computed again where the only one that has it dies.
        """
        try:
            if id(fn) not in self._carried:
                self._carried[id(fn)] = fn, self._client.submit(_itself, fn, pure=False)
            inner = self._executor.submit(_call, self._carried[id(fn)][1], *args, **kwargs)
        except (OSError, ClosedClientError) as error:
            raise BrokenExecutor(LOST) from error
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()
        inner.add_done_callback(lambda done: _pass_on(done, outer))
        return outer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster as it is; what is under way there is given up."""
        with contextlib.suppress(ClosedClientError):  # then there is nothing to give up
            self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()


def _itself(thing: Any) -> Any:
    return thing


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    folder = get_worker().local_directory
    if is_plain(Path(folder)):
        tempfile.tempdir = folder  # Dask clears it, even after a worker that was killed
    return function(*args, **kwargs)


def _pass_on(done: Future[Any], outer: Future[Any]) -> None:
    """The outcome, Dask's words for lost workers put into those of `concurrent.futures`."""
    try:
        outer.set_result(done.result())
    except CancelledError:
        outer.set_exception(BrokenExecutor(LOST))
    except KilledWorker as error:
        outer.set_exception(WorkerLost(str(error)))
    except ImportError as error:
        outer.set_exception(ToolError(f"a Dask worker must have quidam installed: {error}"))
    except Exception as error:
        outer.set_exception(error)
