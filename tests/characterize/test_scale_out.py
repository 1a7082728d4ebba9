"""A sweep on a Dask cluster: real worker processes, some of them killed."""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize import cluster as dask_pool
from characterize.cluster import Cluster
from characterize.identity import sample_id
from characterize.measure import measure
from characterize.portable import Portable, portable
from characterize.rerun import differences
from characterize.sample import Failure, Sample, Task
from characterize.store import Store
from characterize.sweep import Outcome, sweep
from characterize.technology import LibertyFile
from quidam.main import main
from rtl_gen.errors import ToolError
from tests.characterize import standin
from tests.characterize.osu018 import osu018
from tests.processes import ended

distributed = pytest.importorskip("distributed", reason="pip install 'quidam[cluster]'")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def house() -> Iterator[Any]:
    """A scheduler and three worker processes, each started again by its nanny when it dies."""
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL"
    ) as found:
        yield found


def run(folder: Path, tasks: dict[str, Task], pool: Any, *, progress: Any = None) -> Outcome:
    """Sweep into `folder`/store on a cluster."""
    store = Store(folder / "store")
    with store.writing():
        return sweep(
            tasks,
            store,
            partial(standin.measure, folder=folder, seconds=0.1),
            open_pool=pool.open,
            workers=pool.workers,
            progress=progress or (lambda done, total, result: None),
        )


def serial(folder: Path, tasks: dict[str, Task]) -> Path:
    """The store of an undisturbed sweep by one worker."""
    folder.mkdir()
    store = Store(folder / "store")
    with store.writing():
        work = partial(standin.measure, folder=folder)
        sweep(tasks, store, work, open_pool=partial(ThreadPoolExecutor, 1), workers=1)
    return store.path


def files(store: Path) -> dict[str, str]:
    """All files of a store, in their bytes but for the seconds that a step took."""
    return {
        str(path.relative_to(store)): re.sub(
            r'"synthesis": [-+.\de]+', '"synthesis": 0', path.read_text(encoding="utf-8")
        )
        for path in store.rglob("*")
        if path.is_file()
    }


def worked(folder: Path) -> set[int]:
    """The processes that have had a hand in a sweep's work."""
    return {int(pid) for path in folder.glob("*.tries") for pid in path.read_text().split()}


def test_two_workers_killed_in_mid_sweep_cost_nothing(house: Any, tmp_path: Path) -> None:
    tasks = standin.tasks(30, {7: standin.FAILS})
    told: list[int] = []
    killed: list[int] = []

    def progress(done: int, total: int, result: Sample | Failure | None) -> None:
        told.append(done)
        # Of those that have done some of it, whenever they did: on a busy machine one may be late.
        alive = {worker.pid for worker in house.workers.values()} - set(killed)
        busy = worked(tmp_path) & alive
        if len(killed) < 2 and done >= (5, 12)[len(killed)] and busy:
            killed.append(busy.pop())
            os.kill(killed[-1], signal.SIGKILL)

    outcome = run(tmp_path, tasks, Cluster(house.scheduler_address), progress=progress)
    assert len(killed) == 2
    assert ended(killed)
    assert (outcome.total, outcome.measured, len(outcome.failures)) == (30, 29, 1)
    assert told == list(range(31))
    assert files(tmp_path / "store") == files(serial(tmp_path / "serial", tasks))
    # Two that worked are gone, and somebody did the rest.
    assert len(worked(tmp_path)) >= 3


def test_a_task_that_kills_every_worker_is_blamed_alone(house: Any, tmp_path: Path) -> None:
    tasks = standin.tasks(6, {2: standin.DIES_ONCE, 4: standin.DIES})
    outcome = run(tmp_path, tasks, Cluster(house.scheduler_address))
    assert outcome.measured == 5
    (failure,) = outcome.failures
    assert failure.parameters["psum_words"] == standin.DIES
    assert "killed twice" in failure.message


class Fails:
    """A measurement that raises what it is told to."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, task: Task, id: str) -> Sample | Failure:
        raise self.error


@pytest.mark.parametrize(
    ("error", "seen", "message"),
    [
        (ModuleNotFoundError("No module named 'characterize'"), ToolError, "have quidam installed"),
        (ToolError("yosys is 0.69 there"), ToolError, "yosys is 0.69 there"),
        (OSError(28, "No space left on device"), OSError, "No space left"),
    ],
)
def test_a_worker_that_is_not_fit_ends_the_sweep(
    house: Any, tmp_path: Path, error: Exception, seen: type[Exception], message: str
) -> None:
    store = Store(tmp_path)
    pool = Cluster(house.scheduler_address)
    with store.writing(), pytest.raises(seen, match=message):
        sweep(standin.tasks(4), store, Fails(error), open_pool=pool.open, workers=pool.workers)
    assert store.ids() == set()


def test_a_scheduler_that_is_lost_ends_the_sweep_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_pool, "TIMEOUT_S", 1.0)
    code = (
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    house = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)\n"
        "    print(house.scheduler_address, flush=True)\n"
        "    input()\n"
    )
    program = tmp_path / "program.py"
    program.write_text(code)
    house = subprocess.Popen(
        [sys.executable, program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert house.stdout is not None

    def progress(done: int, total: int, result: Sample | Failure | None) -> None:
        if done == 3:
            house.kill()

    with (
        dask_config({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ToolError, match="no Dask scheduler answers at tcp://"),
    ):
        run(
            tmp_path, standin.tasks(12), Cluster(house.stdout.readline().strip()), progress=progress
        )
    house.wait()
    kept = len(Store(tmp_path / "store").samples())
    assert 3 <= kept < 12


def test_workers_that_come_late_join_in_as_the_how_to_has_them(tmp_path: Path) -> None:
    """A cluster without workers, told to keep two: as jobs of SLURM begin some time later."""
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL"
    ) as found:
        told: list[str] = []

        def tell(message: str) -> None:
            told.append(message)
            found.adapt(minimum=2, maximum=2, interval="100ms")

        outcome = run(tmp_path, standin.tasks(8), Cluster(found.scheduler_address, tell=tell))
        assert len(found.scheduler.workers) == 2
        (waits,) = told
        assert waits.startswith(f"no Dask worker at {found.scheduler_address}:")
    assert len(Store(tmp_path / "store").samples()) == 8
    assert not outcome.failures


def dask_config(values: dict[str, str]) -> Any:
    """Settings of Dask for a while."""
    import dask

    return dask.config.set(values)


def elsewhere(folder: Path) -> tuple[Portable, Task, str, Sample]:
    """A measurement as another machine gets it, and what is measured here."""
    technology, liberty = osu018(folder)
    parameters = {"bus_bits": 32}
    task = Task(
        component="node",
        arithmetic="int8",
        parameters=parameters,
        technology="osu018",
        clock_ns=technology.clock_ns,
    )
    id = sample_id(task, technology)
    here = measure(task, id, technology=technology, liberty=liberty)
    assert isinstance(here, Sample)
    travels = portable(technology)
    nowhere = LibertyFile(path=Path("/nowhere/cells.lib"), expected_sha256="")
    away = dataclasses.replace(technology, liberty=(nowhere,))
    return dataclasses.replace(travels, technology=away), task, id, here


@pytest.mark.eda
def test_workers_need_no_file_of_this_machine(house: Any, tmp_path: Path) -> None:
    travels, task, id, here = elsewhere(tmp_path)
    pool = Cluster(house.scheduler_address)
    store = Store(tmp_path / "store")
    with store.writing():
        sweep({id: task}, store, travels, open_pool=pool.open, workers=pool.workers)
    (there,) = store.samples()
    assert there.manifest["technology"] == here.manifest["technology"]
    assert dataclasses.replace(there, manifest={}) == dataclasses.replace(here, manifest={})


@pytest.mark.eda
def test_the_command_on_a_cluster_fills_the_store_that_processes_here_fill(
    house: Any, tmp_path: Path
) -> None:
    osu018(tmp_path)
    plan = tmp_path / "plan.yaml"
    points = {"node": [{"bus_bits": [32, 64]}], "bank": [{}]}
    plan.write_text(yaml.safe_dump({"arithmetics": ["int8"], "components": points}))
    begin = ["characterize", "--tech", "osu018", "--plan", str(plan)]
    cluster, alone = (tmp_path / name for name in ("cluster", "alone"))
    address = house.scheduler_address
    assert main([*begin, "--store", str(cluster), "--scheduler", address]) == 0
    assert main([*begin, "--store", str(alone), "--workers", "1"]) == 0
    there, here = Store(cluster).samples(), Store(alone).samples()
    assert len(there) == 3
    for one, other in zip(there, here, strict=True):
        assert differences(one, other) == {}


@pytest.mark.eda
def test_a_worker_of_another_version_is_refused(tmp_path: Path) -> None:
    travels, task, id, _ = elsewhere(tmp_path)
    for change in ({"method": "0" * 64}, {"tools": {**travels.tools, "yosys": "0.1"}}):
        copy = pickle.loads(pickle.dumps(dataclasses.replace(travels, **change)))  # noqa: S301
        with pytest.raises(ToolError, match=r"worker \S+ must have the versions of the machine"):
            copy(task, id)


def test_no_scheduler_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_pool, "TIMEOUT_S", 0.2)
    with pytest.raises(ToolError, match="no Dask scheduler answers at tcp://127"):
        Cluster("tcp://127.0.0.1:9").open()
    with pytest.raises(ToolError, match="no Dask scheduler answers at nonsense"):
        Cluster("nonsense://x").open()


def test_dask_is_loaded_only_where_it_is_asked_for() -> None:
    code = (
        "import sys, quidam.characterize, characterize.sweep; print('distributed' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
