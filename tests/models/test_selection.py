"""Choice of a polynomial: an outside oracle for the solver, laws for the folds and the choice."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from models.features import features
from models.selection import Folding, choose_and_fit, group, options, plan, solve
from tests.models.synthetic import table


def test_solver_equals_scikit_learn() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(30, 6))
    values = random.uniform(1, 100, size=30)
    oracle = LinearRegression(fit_intercept=False).fit(matrix, values, sample_weight=values**-2)
    assert np.allclose(solve(matrix, values, 1 / values), oracle.coef_, rtol=1e-9)


@given(
    groups=st.lists(st.integers(0, 9), min_size=2, max_size=40),
    folds=st.integers(2, 7),
    repeats=st.integers(1, 3),
)
def test_folds_never_part_equal_points_and_hold_out_each_once(
    groups: list[int], folds: int, repeats: int
) -> None:
    numbers = np.array(groups)
    rows = np.arange(len(numbers))
    splits = Folding(groups=numbers, folds=folds, repeats=repeats, seed=3).splits(rows)
    points = len(set(groups))
    if points < 2:
        assert splits == []
        return
    times = repeats if folds < points else 1
    assert len(splits) == min(folds, points) * times
    held = np.concatenate([test for _, test in splits])
    assert np.bincount(held, minlength=len(rows)).tolist() == [times] * len(rows)
    for train, test in splits:
        assert not set(numbers[train]) & set(numbers[test])
        assert sorted([*train, *test]) == rows.tolist()


@settings(max_examples=15)
@given(
    index=st.integers(0, 12),
    seed=st.integers(0, 1000),
)
def test_a_planted_law_is_recovered(index: int, seed: int) -> None:
    """Any candidate of up to ten terms, of positive coefficients, from 40 points: to rounding."""
    random = np.random.default_rng(seed)
    known = features("pe", table("int8", 40, seed=seed))
    found = [one for one in options("pe", known, 40) if one.matrix.shape[1] <= 10]
    planted = found[index % len(found)]
    values = planted.matrix @ random.uniform(1, 10, size=planted.matrix.shape[1])
    rows = np.arange(40)
    held = rows % 4 == 0
    folding = Folding(groups=group(known, 40), folds=5, repeats=1, seed=0)
    learned = rows[~np.isin(folding.groups, folding.groups[held])]
    if np.linalg.matrix_rank(planted.matrix[learned]) < planted.matrix.shape[1]:
        return  # not enough distinct points were drawn to tell
    chooser = plan(found, learned, folding)
    if not any(one is planted for one in chooser.candidates):
        return
    _, everywhere = choose_and_fit(chooser, values)
    assert np.allclose(everywhere, values, rtol=1e-6)


def test_candidates_leave_points_to_spare() -> None:
    known = features("pe", table("int8", 12))
    rows = np.arange(12)
    folding = Folding(groups=group(known, 12), folds=5, repeats=1, seed=0)
    chooser = plan(options("pe", known, 12), rows, folding)
    most = max(one.matrix.shape[1] for one in chooser.candidates)
    assert most <= 2 * folding.points(rows) // 3


def test_no_relation_is_answered_by_few_terms() -> None:
    """Noise alone must not buy a high degree."""
    known = features("pe", table("int8", 40))
    rows = np.arange(40)
    folding = Folding(groups=group(known, 40), folds=5, repeats=3, seed=0)
    chooser = plan(options("pe", known, 40), rows, folding)
    for seed in range(10):
        noise = np.random.default_rng(seed).uniform(1, 3, size=40)
        polynomial, _ = choose_and_fit(chooser, noise)
        assert len(polynomial.coefficients) <= 4
