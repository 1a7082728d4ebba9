"""When a group has enough samples."""

from __future__ import annotations

import random
from typing import Any

import pytest

from characterize.groups import Group, Plan, Samples, Stop
from characterize.sample import Sample
from characterize.space_filling import Axis
from characterize.technology import TECHNOLOGIES, read_technology
from models.adaptive import (
    ALL,
    BAR_MET,
    MOST,
    NO_BETTER,
    NONE,
    Course,
    Errors,
    Round,
    errors,
    verdict,
)
from tests.models import synthetic

STOP = Stop(area_percent=2, energy_percent=5, period_percent=5, improvement_percent=10)
AXES = {
    "ifmap_words": Axis(values=range(4, 25)),
    "weight_words": Axis(values=range(16, 257), log=True),
    "psum_words": Axis(values=range(4, 33)),
}


def history(*worst: float) -> list[Round]:
    """Rounds whose worst error, that of energy, was so many percent."""
    return [
        Round(samples=8 + 4 * i, errors=Errors(area=0.5, energy=one, period=None))
        for i, one in enumerate(worst)
    ]


def group(samples: Samples) -> Group:
    plan = Plan(arithmetics=("int8",), points={}, designs={"pe": AXES}, samples=samples)
    (found,) = plan.groups(read_technology(TECHNOLOGIES / "osu018.yaml"))
    return found


def run(noise: float, samples: Samples, stop: Stop, shuffled: int | None = None) -> Course:
    """A course over samples of a known law, each with its own noise."""
    course = Course(group=group(samples))
    found: list[Sample] = []
    while not course.stopped:
        for task in course.batch():
            seeded = synthetic.np.random.default_rng(sum(task.parameters.values()))
            sizes = dict(task.parameters)
            found.append(synthetic.sample("pe", "int8", sizes, noise=noise, random=seeded))
        if shuffled is not None:
            random.Random(shuffled).shuffle(found)
        course.judge(found, samples, stop)
    return course


@pytest.mark.parametrize(
    ("worst", "why"),
    [
        ([9.0], ""),
        ([4.9], BAR_MET),
        ([9.0, 8.9], ""),  # one round that is no better may be chance
        ([9.0, 8.9, 8.2], NO_BETTER),
        ([9.0, 8.9, 8.0], ""),
        ([9.0, 8.0, 8.9], ""),
        ([9.0, 8.0, 8.9, 7.3], NO_BETTER),
        ([9.0, 8.0, 8.9, 7.1], ""),
        ([9.0, 8.9, 8.2, 5.0], BAR_MET),
    ],
)
def test_a_course_ends_at_the_bar_or_when_two_rounds_bring_nothing(
    worst: list[float], why: str
) -> None:
    assert verdict(history(*worst), STOP) == why


def test_the_worst_error_is_the_one_farthest_beyond_its_bar() -> None:
    assert Errors(area=3.0, energy=5.0, period=6.0).worst(STOP) == 1.5
    assert Errors(area=1.0, energy=None, period=6.0).worst(STOP) == 1.2
    assert Errors(area=None, energy=None, period=None).worst(STOP) is None


def test_errors_do_not_depend_on_the_order_of_samples() -> None:
    drawn = synthetic.sweep(kinds=("pe",), noise=0.05, most=12)
    found = errors(drawn)
    assert errors(drawn[::-1]) == found
    assert found.area is not None
    assert 0 < found.area < 20


def test_of_a_law_without_noise_the_first_round_is_enough() -> None:
    course = run(0.0, Samples(), STOP)
    assert course.stopped == BAR_MET
    assert [one.samples for one in course.rounds] == [8]


def test_of_nothing_but_noise_a_few_rounds_are() -> None:
    course = run(0.3, Samples(first=8, batch=4, most=60), STOP)
    assert course.stopped == NO_BETTER
    assert course.rounds[-1].samples < 60


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_samples_lead_the_same_way(seed: int) -> None:
    samples = Samples(first=6, batch=3, most=15)
    one, other = run(0.1, samples, STOP), run(0.1, samples, STOP, shuffled=seed)
    assert (one.rounds, one.stopped) == (other.rounds, other.stopped)


def test_at_the_most_samples_it_ends() -> None:
    never = Stop(area_percent=1e-6, improvement_percent=1e-6)
    course = run(0.05, Samples(first=5, batch=4, most=6), never)
    assert course.stopped == MOST
    assert [one.samples for one in course.rounds] == [5, 6]


def test_when_all_points_are_measured_it_ends() -> None:
    plan: Any = Plan(arithmetics=("int8",), points={"node": ({"bus_bits": 64}, {"bus_bits": 128})})
    (nodes,) = plan.groups(read_technology(TECHNOLOGIES / "osu018.yaml"))
    course = Course(group=nodes)
    found = [synthetic.sample("node", "int8", dict(task.parameters)) for task in course.batch()]
    course.judge(found, plan.samples, plan.stop)
    assert course.stopped == ALL
    assert course.rounds[-1].errors == Errors(area=None, energy=None, period=None)


def test_where_nothing_can_be_measured_no_more_is_tried() -> None:
    course = Course(group=group(Samples()))
    course.judge([], Samples(), STOP)
    assert course.stopped == NONE
