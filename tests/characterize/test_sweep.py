"""The sweep: resumes, survives its workers, and says who failed."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from characterize.sample import Failure, Sample, Task
from characterize.store import Store
from characterize.sweep import LEAST_FREE_BYTES, Outcome, process_pool, sweep
from rtl_gen.errors import ToolError
from tests.characterize import standin
from tests.processes import ended

ROOT = Path(__file__).parents[2]


def threads() -> Executor:
    """Any executor will do."""
    return ThreadPoolExecutor(2)


def run(
    folder: Path,
    tasks: dict[str, Task],
    *,
    open_pool: Callable[[], Executor] = threads,
    workers: int = 2,
    retry: bool = False,
    told: list[tuple[int, int, Sample | Failure | None]] | None = None,
) -> Outcome:
    """Sweep into `folder`/store; the tries are marked in `folder`."""
    store = Store(folder / "store")
    with store.writing():
        return sweep(
            tasks,
            store,
            partial(standin.measure, folder=folder),
            open_pool=open_pool,
            workers=workers,
            retry=retry,
            progress=lambda *words: told.append(words) if told is not None else None,
        )


def tries(folder: Path) -> int:
    """How often anything was measured."""
    return sum(len(path.read_text().split()) for path in folder.glob("*.tries"))


def test_a_second_sweep_measures_nothing(tmp_path: Path) -> None:
    tasks = standin.tasks(7)
    told: list[tuple[int, int, Sample | Failure | None]] = []
    first = run(tmp_path, tasks, told=told)
    assert (first.total, first.skipped, first.measured, first.failures) == (7, 0, 7, ())
    assert [(done, total) for done, total, _ in told] == [(i, 7) for i in range(8)]
    assert {sample.id for sample in Store(tmp_path / "store").samples()} == set(tasks)
    second = run(tmp_path, tasks)
    assert (second.skipped, second.measured) == (7, 0)
    assert tries(tmp_path) == 7
    assert run(tmp_path, standin.tasks(9)).measured == 2


def test_failures_are_kept_and_tried_again_only_when_asked(tmp_path: Path) -> None:
    tasks = standin.tasks(4, {1: standin.FAILS, 2: standin.RAISES})
    outcome = run(tmp_path, tasks)
    assert outcome.measured == 2
    assert sorted((f.step, f.message) for f in outcome.failures) == [
        ("synthesis", "it must not be"),
        ("worker", "ZeroDivisionError('in a worker')"),
    ]
    assert run(tmp_path, tasks).failures == outcome.failures
    assert tries(tmp_path) == 4
    run(tmp_path, tasks, retry=True)
    assert tries(tmp_path) == 6


def test_a_damaged_sample_is_measured_again(tmp_path: Path) -> None:
    tasks = standin.tasks(3)
    run(tmp_path, tasks)
    path = next((tmp_path / "store" / "samples").iterdir())
    path.write_text(path.read_text()[:-10])
    assert run(tmp_path, tasks).measured == 1
    assert Store(tmp_path / "store").damaged() == []


def test_a_new_id_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    # The same task under another id: a tool has changed. Tasks of other plans stay.
    run(tmp_path, standin.tasks(3))
    (old, first), *_ = standin.tasks(1).items()
    renewed = {"0" * 64: first}
    assert run(tmp_path, renewed).measured == 1
    ids = Store(tmp_path / "store").ids()
    assert old not in ids
    assert len(ids) == 3


def test_a_killed_worker_costs_a_retry_and_a_deadly_task_only_itself(tmp_path: Path) -> None:
    tasks = standin.tasks(8, {2: standin.DIES_ONCE, 5: standin.DIES})
    outcome = run(tmp_path, tasks, open_pool=partial(process_pool, 2))
    assert outcome.measured == 7
    (failure,) = outcome.failures
    assert failure.parameters["psum_words"] == standin.DIES
    assert (failure.step, failure.message) == (
        "worker",
        "the worker was killed twice while it measured this",
    )
    assert multiprocessing.active_children() == []


def test_tasks_of_one_arithmetic_are_begun_apart_as_long_as_there_are_others(
    tmp_path: Path,
) -> None:
    names = ("fp32", "fp32", "int8", "int8", "int8", "int8")
    tasks = {
        f"{number:064x}": replace(standin.task(number), arithmetic=name)
        for number, name in enumerate(names)
    }
    begun: list[str] = []

    class Recorder(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
            begun.append(args[0].arithmetic)
            return super().submit(fn, *args, **kwargs)

    run(tmp_path, tasks, open_pool=partial(Recorder, 1), workers=2)
    # One is done when the next is begun, beside the other: always in the order of beginning.
    assert begun == ["fp32", "int8", "fp32", "int8", "int8", "int8"]
    assert len(Store(tmp_path / "store").samples()) == len(names)


def test_workers_that_always_die_end_the_sweep(tmp_path: Path) -> None:
    tasks = standin.tasks(9, dict.fromkeys(range(9), standin.DIES))
    with pytest.raises(ToolError, match="3 workers in a row were killed"):
        run(tmp_path, tasks, open_pool=partial(process_pool, 1), workers=1)
    assert len(Store(tmp_path / "store").failures()) == 2


def start(folder: Path, count: int, seconds: float) -> subprocess.Popen[bytes]:
    """A sweep in a process of its own, two workers at work on `count` tasks."""
    # Whoever starts this suite in the background of a shell leaves it deaf to Ctrl-C.
    code = (
        "import signal\n"
        "from pathlib import Path\n"
        "from tests.characterize import standin\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"    standin.main(Path({str(folder / 'store')!r}), Path({str(folder)!r}), "
        f"{count}, {seconds})\n"
    )
    program = folder / "program.py"
    program.write_text(code)
    # Not a pipe: workers that outlive the sweep would hold it open.
    with (folder / "errors").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, program], env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=errors
        )


def wait_for_samples(folder: Path, count: int) -> None:
    """Wait until the store has so many."""
    for _ in range(600):
        if len(list((folder / "store" / "samples").glob("[0-9a-f]*.json"))) >= count:
            return
        time.sleep(0.05)
    raise AssertionError("the sweep does not get on")


def none_left(folder: Path) -> bool:
    """Whether all that worked on the sweep end soon."""
    return ended(
        {int(word) for path in folder.glob("*.tries") for word in path.read_text().split()}
    )


def without_times(store: Path) -> list[Sample]:
    """The samples, with nothing in them that depends on the clock on the wall."""
    samples = Store(store).samples()
    for sample in samples:
        seconds = sample.manifest["seconds"]
        assert isinstance(seconds, dict)
        seconds.clear()
    return samples


def test_a_sweep_killed_anywhere_is_resumed(tmp_path: Path) -> None:
    process = start(tmp_path, 12, 0.2)
    wait_for_samples(tmp_path, 3)
    process.kill()
    process.wait()
    assert none_left(tmp_path)
    kept = len(Store(tmp_path / "store").samples())
    assert 3 <= kept < 12
    outcome = run(tmp_path, standin.tasks(12))
    assert (outcome.skipped, outcome.measured) == (kept, 12 - kept)
    (tmp_path / "undisturbed").mkdir()
    run(tmp_path / "undisturbed", standin.tasks(12))
    assert without_times(tmp_path / "store") == without_times(tmp_path / "undisturbed" / "store")
    names = {path.name for path in (tmp_path / "store").rglob("*") if path.is_file()}
    assert names == {".lock", *(f"{id}.json" for id in standin.tasks(12))}


def test_a_sweep_killed_at_random_moments_loses_and_repeats_nothing(tmp_path: Path) -> None:
    rng = random.Random(5)
    kept: set[str] = set()
    store = Store(tmp_path / "store")
    for number in range(6):
        process = start(tmp_path, 40, 0.02)
        wait_for_samples(tmp_path, 6 * number + 1)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.wait()
        assert none_left(tmp_path)
        assert store.damaged() == []
        assert kept <= store.ids()  # nothing is lost again
        kept = store.ids()
    outcome = run(tmp_path, standin.tasks(40))
    assert (outcome.skipped, outcome.measured) == (len(kept), 40 - len(kept))
    (tmp_path / "undisturbed").mkdir()
    run(tmp_path / "undisturbed", standin.tasks(40))
    assert without_times(tmp_path / "store") == without_times(tmp_path / "undisturbed" / "store")
    names = sorted(path.name for path in store.path.rglob("*") if path.is_file())
    assert names == sorted([".lock", *(f"{id}.json" for id in standin.tasks(40))])


def test_a_full_disk_ends_the_sweep_and_it_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = standin.tasks(6, {4: standin.FAILS})
    synced: list[int] = []
    sync = os.fsync

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 4:  # a file and its folder each
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*\.json"):
        run(tmp_path, tasks, workers=1)
    monkeypatch.undo()
    store = Store(tmp_path / "store")
    assert (len(store.samples()), store.failures(), store.damaged()) == (2, [], [])
    assert len(list((store.path / "samples").iterdir())) == 2  # what was half written is gone
    assert run(tmp_path, tasks).measured == 3


def test_failures_on_a_full_disk_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What fails there would fail for no fault of its own, and never be tried again.
    room = iter([LEAST_FREE_BYTES, LEAST_FREE_BYTES - 1])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=next(room)))
    with pytest.raises(OSError, match="No space left on device"):
        run(tmp_path, standin.tasks(1, {0: standin.FAILS}), workers=1)
    monkeypatch.undo()
    assert Store(tmp_path / "store").ids() == set()


def test_a_disk_that_really_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a tmpfs")
    try:
        with pytest.raises(OSError, match="No space left on device"):
            run(disk, standin.tasks(30))
        assert Store(disk / "store").ids() == set()
        monkeypatch.setattr("characterize.sweep.LEAST_FREE_BYTES", 0)
        with pytest.raises(OSError, match="No space left on device"):
            run(disk, standin.tasks(30))
        store = Store(disk / "store")
        kept = store.ids()
        assert 0 < len(kept) < 30
        assert store.damaged() == []
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        outcome = run(disk, standin.tasks(30))
        assert (outcome.skipped, outcome.measured) == (len(kept), 30 - len(kept))
        assert len(store.ids()) == 30
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_ctrl_c_ends_the_sweep_and_its_workers_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, 4, 60.0)
    for _ in range(2400):
        if len(list(tmp_path.glob("*.tries"))) == 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    # At once: long before any of the measurements would be done.
    process.wait(timeout=30)
    assert "KeyboardInterrupt" in (tmp_path / "errors").read_text()
    assert none_left(tmp_path)
    assert Store(tmp_path / "store").ids() == set()
