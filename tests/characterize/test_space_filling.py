"""Designs: corners first, nested, inside the box, even."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from characterize.space_filling import Axis, points

AXES = (
    Axis(values=range(4, 25)),
    Axis(values=range(16, 257, 4), log=True),
    Axis(values=[64, 128, 256]),
)


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    low, count = draw(st.integers(1, 300)), draw(st.integers(1, 40))
    step = draw(st.integers(1, 9))
    return Axis(values=range(low, low + step * count, step), log=draw(st.booleans()))


def first(axes: tuple[Axis, ...], count: int, seed: int = 0) -> list[tuple[int, ...]]:
    return list(islice(points(axes, seed), count))


def test_the_lowest_corner_comes_first_then_each_field_alone_at_its_highest() -> None:
    assert first(AXES, 4) == [
        (4, 16, 64),
        (24, 16, 64),
        (4, 256, 64),
        (4, 16, 256),
    ]


def test_the_sequence_is_the_one_that_stores_were_filled_by() -> None:
    """When scipy's sequence changes every sweep would begin anew: that should be a decision."""
    assert first(AXES, 8)[4:] == [(12, 232, 256), (20, 24, 64), (18, 80, 128), (5, 36, 64)]


@settings(max_examples=50, deadline=None)
@given(st.lists(axes(), min_size=1, max_size=5), st.integers(0, 2**31 - 1))
def test_every_point_comes_once_and_lies_in_the_box(box: list[Axis], seed: int) -> None:
    found = first(tuple(box), 60, seed)
    assert len(set(found)) == len(found)
    for point in found:
        assert all(value in axis.values for value, axis in zip(point, box, strict=True))


@settings(max_examples=20, deadline=None)
@given(st.lists(axes(), min_size=1, max_size=4), st.integers(1, 30), st.integers(1, 30))
def test_a_shorter_design_is_the_beginning_of_a_longer_one(
    box: list[Axis], few: int, more: int
) -> None:
    assert first(tuple(box), few) == first(tuple(box), few + more)[:few]


def test_a_small_box_is_filled_completely() -> None:
    small = (Axis(values=range(1, 6)), Axis(values=[64, 128]))
    assert set(points(small, 0)) == {(i, b) for i in range(1, 6) for b in (64, 128)}
    assert list(points((Axis(values=[7]),), 0)) == [(7,)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_fills_more_evenly_than_chance(seed: int) -> None:
    box = (Axis(values=range(1000)),) * 3
    random = np.random.default_rng(seed)
    for count in (16, 32):
        filled = np.array(first(box, count + 5, seed)[5:]) / 1000
        by_chance = [qmc.discrepancy(random.random((count, 3))) for _ in range(50)]
        assert qmc.discrepancy(filled) < np.quantile(by_chance, 0.05)


def test_a_logarithmic_axis_has_as_many_points_in_each_octave() -> None:
    axis = Axis(values=range(16, 257), log=True)
    found = [axis.at((i + 0.5) / 400) for i in range(400)]
    octaves, _ = np.histogram(np.log2(found), bins=[4, 5, 6, 7, 8.01])
    assert np.all(np.abs(octaves - 100) <= 5)
    assert (axis.at(0.0), axis.at(1 - 1e-12)) == (16, 256)
