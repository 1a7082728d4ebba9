"""Rounds of a sweep: over samples of a known law, and a few real ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from characterize.groups import Plan, Samples, Stop
from characterize.sample import Failure, Sample, Task, failed
from characterize.space_filling import Axis
from characterize.store import Store
from characterize.technology import TECHNOLOGIES, read_technology
from models.adaptive import BAR_MET, BUDGET, MOST, NO_BETTER, NONE, Course, Round
from quidam import adapt as module
from quidam.adapt import Budget, adapt
from quidam.main import main
from quidam.workbench import Workbench
from tests.models import synthetic

TECHNOLOGY = read_technology(TECHNOLOGIES / "osu018.yaml")
PLAN = Plan(
    arithmetics=("int8", "lightpe1"),
    points={"node": ({"bus_bits": 64}, {"bus_bits": 128})},
    designs={
        "pe": {
            "ifmap_words": Axis(values=range(4, 25)),
            "weight_words": Axis(values=range(16, 257), log=True),
            "psum_words": Axis(values=range(4, 33)),
        }
    },
    samples=Samples(first=6, batch=3, most=12),
)

Law = Callable[[Task, str], Sample | Failure]
#: The rounds of a group, and why they ended.
Decided = tuple[list[Round], str]


def measured(task: Task, id: str, noise: dict[str, float], seconds: float = 1.0) -> Sample:
    """A sample of the law, noisier in some arithmetics, the same at each try."""
    random = np.random.default_rng(sum(task.parameters.values()))
    sizes = dict(task.parameters)
    found = synthetic.sample(
        task.component, task.arithmetic, sizes, noise=noise[task.arithmetic], random=random
    )
    manifest = {"seconds": {"synthesis": seconds}}
    place = {"technology": task.technology, "clock_ns": task.clock_ns}
    return replace(found, id=id, manifest=manifest, **place)


def bench(store: Store, law: Law) -> Workbench:
    return Workbench(
        technology=TECHNOLOGY,
        store=store,
        measure=law,
        open_pool=partial(ThreadPoolExecutor, 2),
        workers=2,
        retry=False,
    )


def run(
    folder: Path, law: Law, *, plan: Plan = PLAN, minutes: float | None = None
) -> dict[str, Course]:
    """Adapt; the courses by arithmetic and component."""
    store = Store(folder / "store")
    store.path.mkdir(exist_ok=True)
    courses = [Course(group=group) for group in plan.groups(TECHNOLOGY)]
    budget = Budget(minutes, store.samples(), more=plan.stop.minutes)
    adapt(courses, plan, bench(store, law), budget)
    return {f"{c.group.tasks[0].arithmetic} {c.group.tasks[0].component}": c for c in courses}


QUIET = {"int8": 0.0, "lightpe1": 0.0}
NOISY = {"int8": 0.0, "lightpe1": 0.4}


def test_only_groups_that_need_more_samples_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(tmp_path, partial(measured, noise=NOISY))
    assert found["int8 pe"].stopped == BAR_MET
    assert found["lightpe1 pe"].stopped in (NO_BETTER, MOST)
    counts = {name: course.rounds[-1].samples for name, course in found.items()}
    assert counts["lightpe1 pe"] > counts["int8 pe"] == 6
    assert counts["int8 node"] == counts["lightpe1 node"] == 2
    assert len(Store(tmp_path / "store").samples()) == sum(counts.values())
    said = capsys.readouterr().err
    assert "round 1: 16 measured (bars 2 / 5 / 5 %)" in said
    assert re.search(r"lightpe1 pe +6 .* 3 more", said)
    assert re.search(rf"int8 pe +6 .* {BAR_MET}", said)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Decided], set[str]]:
    """What a run decides that nothing ends early, and its samples' ids."""
    folder = tmp_path_factory.mktemp("whole")
    found = run(folder, partial(measured, noise=NOISY))
    return decisions(found), Store(folder / "store").ids()


def decisions(courses: dict[str, Course]) -> dict[str, Decided]:
    return {name: (course.rounds, course.stopped) for name, course in courses.items()}


@pytest.mark.parametrize("after", [pytest.param(3, marks=pytest.mark.regress), 17])
def test_a_killed_run_goes_on_and_decides_the_same(
    tmp_path: Path, after: int, whole: tuple[dict[str, Decided], set[str]]
) -> None:
    tries: list[str] = []

    def law(task: Task, id: str) -> Sample:
        tries.append(id)
        if len(tries) == after:
            raise OSError("the machine is gone")
        return measured(task, id, NOISY)

    with pytest.raises(OSError, match="the machine is gone"):
        run(tmp_path, law)
    resumed = run(tmp_path, law)
    assert (decisions(resumed), Store(tmp_path / "store").ids()) == whole
    tries.clear()
    run(tmp_path, law)
    assert tries == []


def test_a_longer_plan_takes_over_all_samples_of_a_shorter_one(tmp_path: Path) -> None:
    never = Stop(area_percent=1e-9, improvement_percent=1e-9)
    short = replace(PLAN, samples=Samples(first=6, batch=3, most=9), stop=never)
    run(tmp_path, partial(measured, noise=NOISY), plan=short)
    few = Store(tmp_path / "store").ids()
    run(tmp_path, partial(measured, noise=NOISY), plan=replace(PLAN, stop=never))
    assert few < Store(tmp_path / "store").ids()


def test_failures_are_left_out_and_a_group_of_nothing_else_ends(tmp_path: Path) -> None:
    def law(task: Task, id: str) -> Sample | Failure:
        if task.arithmetic == "int8" or task.parameters.get("ifmap_words") == 24:
            return failed(task, id, "synthesis", "no")
        return measured(task, id, QUIET)

    found = run(tmp_path, law)
    assert found["int8 pe"].stopped == found["int8 node"].stopped == NONE
    assert found["lightpe1 pe"].rounds[0].samples == 5  # without the one corner that fails


class Clock:
    """A clock that the measurements move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def timed(clock: Clock, task: Task, id: str) -> Sample:
    """Takes 30 s for a PE of 100 words, and more or less for others."""
    seconds = 0.3 * sum(task.parameters.values()) if task.component == "pe" else 2.0
    clock.now += seconds
    return measured(task, id, NOISY, seconds)


@pytest.mark.parametrize("minutes", [0.5, 6.0])
def test_within_a_budget_no_sample_begins_that_would_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    found = run(tmp_path, partial(timed, clock), minutes=minutes)
    # Thread workers take turns on one clock; what was expected may be wrong by a sample.
    assert clock.now < 60 * minutes + 100
    assert BUDGET in {course.stopped for course in found.values()}
    # A model can be fitted: there is something of every group.
    assert all(course.rounds[0].samples >= 1 for course in found.values())
    done = len(Store(tmp_path / "store").samples())
    monkeypatch.undo()
    unbound = run(tmp_path, partial(measured, noise=NOISY))
    assert len(Store(tmp_path / "store").samples()) > done
    assert BUDGET not in {course.stopped for course in unbound.values()}


def test_minutes_of_a_plan_leave_the_first_round_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    first = run(tmp_path, partial(timed, clock), plan=replace(PLAN, stop=Stop(minutes=0.5)))
    assert clock.now > 30
    assert sorted(course.rounds[0].samples for course in first.values()) == [2, 2, 6, 6]
    assert first["lightpe1 pe"].stopped == BUDGET
    assert first["lightpe1 pe"].rounds[-1].samples == 6
    # The clock begins anew with the next sweep: now there is time for another round, and no more.
    done = clock.now
    plan = replace(PLAN, stop=Stop(minutes=2))
    second = run(tmp_path, partial(timed, clock), plan=plan)
    assert second["lightpe1 pe"].rounds[-1].samples > 6
    assert clock.now - done < 2 * 60 + 100


def test_after_a_budget_the_decisions_are_those_without_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: tuple[dict[str, Decided], set[str]],
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    run(tmp_path, partial(timed, clock), minutes=3)
    monkeypatch.undo()
    resumed = run(tmp_path, partial(measured, noise=NOISY))
    assert decisions(resumed) == whole[0]


@pytest.mark.eda
def test_a_real_sweep_chooses_its_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = {
        "arithmetics": ["int4"],
        "samples": {"first": 4, "batch": 2, "most": 6},
        "components": {
            "pe": [
                {
                    "ifmap_words": {"from": 3, "to": 6},
                    "weight_words": {"from": 3, "to": 16, "scale": "log"},
                    "psum_words": 2,
                }
            ],
            "bank": [{}],
        },
    }
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(plan))
    where = ["--plan", str(path), "--store", str(tmp_path / "store")]
    words = ["characterize", "--tech", "osu018", *where]
    assert main([*words, "--json"]) == 0
    outcome: dict[str, Any] = json.loads(capsys.readouterr().out)
    pe, bank = outcome["groups"]
    assert 4 <= pe["samples"] <= 6
    assert pe["errors_percent"]["area"] > 0
    assert bank["errors_percent"] == {"area": None, "energy": None, "period": None}
    assert outcome["samples"] == outcome["measured"] == pe["samples"] + 1
    assert main([*words, "--budget", "0.001"]) == 0
    captured = capsys.readouterr()
    assert f"{outcome['samples']} samples, all in the store" in captured.out
    assert pe["stopped"] in captured.out
