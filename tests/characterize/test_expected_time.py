"""How long a measurement takes, learned from others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from characterize.expected_time import ExpectedTime
from characterize.sample import Sample, Task
from rtl_gen.formats import arithmetic
from tests.characterize import standin


def task(ifmap: int, weight: int, name: str = "int8") -> Task:
    sizes = {"ifmap_words": ifmap, "weight_words": weight, "psum_words": 8}
    return replace(standin.task(1), parameters=sizes, arithmetic=name)


def seconds(task: Task) -> float:
    """A power law, as a machine might follow it."""
    numbers = arithmetic(task.arithmetic)
    bits = numbers.activation_bits * numbers.weight_bits
    return 0.01 * task.parameters["weight_words"] ** 0.8 * float(bits) ** 0.7


def sample(task: Task) -> Sample:
    made = standin.sample(task, "0" * 64)
    return replace(
        made, manifest={"seconds": {"synthesis": seconds(task) / 2, "timing": seconds(task) / 2}}
    )


def test_nothing_is_expected_of_a_component_never_seen() -> None:
    assert ExpectedTime().of(task(4, 16)) == 0.0
    node = replace(task(4, 16), component="node", parameters={"bus_bits": 64})
    assert ExpectedTime([sample(task(4, 16))]).of(node) == 0.0


def test_one_sample_says_the_same_for_all_sizes() -> None:
    known = ExpectedTime([sample(task(8, 64))])
    assert known.of(task(8, 64)) == pytest.approx(seconds(task(8, 64)))


def test_it_learns_the_law_and_extrapolates_to_larger_sizes_and_words() -> None:
    known = ExpectedTime()
    for ifmap, weight in ((4, 16), (8, 32), (24, 64), (12, 128), (4, 128), (20, 16)):
        known.learn(sample(task(ifmap, weight)))
        known.learn(sample(task(ifmap, weight, "lightpe1")))
    assert known.of(task(16, 256)) == pytest.approx(seconds(task(16, 256)), rel=0.2)
    wider = task(16, 256, "int16")
    assert seconds(task(16, 256)) < known.of(wider) < 2 * seconds(wider)


def test_samples_without_times_teach_nothing() -> None:
    silent = replace(standin.sample(task(4, 16), "0" * 64), manifest={})
    assert ExpectedTime([silent]).of(task(4, 16)) == 0.0
