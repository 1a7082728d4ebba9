"""Choice of a polynomial: an outside oracle for the solver, laws for the folds and the choice."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from models.features import LINEAR, features
from models.least_squares import solve, solve_each
from models.polynomial import Monomials
from models.selection import Folding, choose_and_fit, group, options, plan
from tests.models.synthetic import table


def test_solver_equals_scikit_learn() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(30, 6))
    values = random.uniform(1, 100, size=30)
    oracle = LinearRegression(fit_intercept=False).fit(matrix, values, sample_weight=values**-2)
    assert np.allclose(solve(matrix, values, 1 / values), oracle.coef_, rtol=1e-9)


@pytest.mark.parametrize(("sets", "samples", "terms"), [(5, 6, 3), (3, 2, 2), (2, 2, 3)])
def test_many_sets_are_solved_as_one_by_one(sets: int, samples: int, terms: int) -> None:
    random = np.random.default_rng(1)
    matrices = random.normal(size=(sets, samples, terms))
    values = random.uniform(1, 100, size=(sets, samples))
    weights = random.uniform(0.1, 10, size=(sets, samples))
    if sets == 5:
        matrices[1, :, 2] = matrices[1, :, 0]  # one that is not determined
    one_by_one = [solve(*one) for one in zip(matrices, values, weights, strict=True)]
    for chosen in (slice(None), slice(-1, None)):
        found = solve_each(matrices[chosen], values[chosen], weights[chosen])
        assert np.allclose(found, one_by_one[chosen], rtol=1e-9)


def test_rounding_does_not_choose() -> None:
    """Words of two scratchpads that vary together: either says it all, the first one is taken."""
    words = np.array([4.0, 8.0, 12.0, 16.0, 20.0, 24.0])
    for scale in (1.0, 3.0, 7.0, 0.1):
        known = {"ifmap_storage_bits": words * scale, "psum_storage_bits": words / scale}
        found = options("pe", features("pe", table("int8", 6, seed=0)) | known, 6)
        pairs = [
            one
            for one in found
            if one.pieces[0].features in (("ifmap_storage_bits",), ("psum_storage_bits",))
            and one.terms == 2
        ]
        assert len(pairs) == 2
        choice = Folding(groups=np.arange(6), folds=7, repeats=1, seed=0)
        polynomials, _ = choose_and_fit(plan(pairs, np.arange(6), choice), words**0.8)
        assert polynomials[0].features == pairs[0].pieces[0].features


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
    found = [one for one in options("pe", known, 40) if one.terms <= 10 and len(one.pieces) == 1]
    planted = found[index % len(found)]
    matrix = planted.pieces[0].matrix
    values = matrix @ random.uniform(1, 10, size=planted.terms)
    rows = np.arange(40)
    held = rows % 4 == 0
    folding = Folding(groups=group(known, 40), folds=5, repeats=1, seed=0)
    learned = rows[~np.isin(folding.groups, folding.groups[held])]
    if np.linalg.matrix_rank(matrix[learned]) < planted.terms:
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
    most = max(one.terms for one in (*chooser.candidates, *chooser.largest))
    assert most <= 2 * folding.points(rows) // 3


def test_counts_of_registers_without_macros_are_lines() -> None:
    found = [one.pieces[0] for one in options("pe", features("pe", table("int8", 40)), 40)]
    lines = [piece for piece in found if not LINEAR.isdisjoint(piece.features)]
    assert {name for piece in lines for name in piece.features} > LINEAR
    assert all(sum(powers) <= 1 for piece in lines for powers in piece.exponents)
    assert any(sum(powers) == 3 for piece in found for powers in piece.exponents)


def test_no_relation_is_answered_by_few_terms() -> None:
    """Noise alone must not buy a high degree."""
    known = features("pe", table("int8", 40))
    rows = np.arange(40)
    folding = Folding(groups=group(known, 40), folds=5, repeats=3, seed=0)
    chooser = plan(options("pe", known, 40), rows, folding)
    for seed in range(10):
        noise = np.random.default_rng(seed).uniform(1, 3, size=40)
        for longest in (False, True):
            polynomials, _ = choose_and_fit(chooser, noise, longest_path=longest)
            assert sum(len(one.coefficients) for one in polynomials) <= 4


@pytest.mark.parametrize("noise", [0.0, 0.003])
@pytest.mark.parametrize("slopes", [(0, 2, 0), (0, 2, 2), (3, 1.5, 2), (0, 1.5, 3), (0, 0, 0)])
def test_the_longest_of_paths_is_told_apart(slopes: tuple[float, ...], noise: float) -> None:
    """A path a scratchpad, each as long as its words; and one through the multiplier."""
    random = np.random.default_rng(0)
    words = {"ifmap_words": (4, 24), "weight_words": (16, 256), "psum_words": (4, 32)}
    drawn = {name: random.integers(*ends, size=60, endpoint=True) for name, ends in words.items()}
    bits = {"activation_bits": 8, "weight_bits": 8, "accumulator_bits": 31}
    known = features("pe", SimpleNamespace(**drawn, **bits))
    names = ("ifmap_storage_bits", "weight_storage_bits", "psum_storage_bits")
    paths = [
        slope * known[name] / known[name].max() for slope, name in zip(slopes, names, strict=True)
    ]
    values = np.max([np.ones(60), *paths], axis=0) * random.normal(1.0, noise, size=60)
    rows = np.arange(60)
    folding = Folding(groups=group(known, 60), folds=5, repeats=1, seed=0)
    held = rows % 4 == 0
    learned = rows[~np.isin(folding.groups, folding.groups[held])]
    chooser = plan(options("pe", known, 60), learned, folding)
    polynomials, predicted = choose_and_fit(chooser, values, longest_path=True)
    # A path that is the longest of few samples may be thought too little for two terms more.
    assert np.abs(predicted / values - 1)[held].mean() < 0.03
    # Neither above nor below the samples it was fitted to, although lines start below them.
    assert abs((predicted / values - 1)[learned].mean()) < 0.005
    ranges = {name: (float(found.min()), float(found.max())) for name, found in known.items()}
    monomials = Monomials(known, ranges)
    largest = np.max([one.evaluate(monomials) for one in polynomials], axis=0)
    np.testing.assert_allclose(largest, predicted, rtol=1e-9)


def test_only_a_longest_path_may_have_a_kink() -> None:
    known = features("pe", table("int8", 40))
    values = np.maximum(1.0, known["weight_storage_bits"] / 300)
    rows = np.arange(40)
    chooser = plan(
        options("pe", known, 40),
        rows,
        Folding(groups=group(known, 40), folds=5, repeats=1, seed=0),
    )
    assert len(choose_and_fit(chooser, values)[0]) == 1
    polynomials, predicted = choose_and_fit(chooser, values, longest_path=True)
    assert [one.features for one in polynomials] == [(), ("weight_storage_bits",)]
    np.testing.assert_allclose(predicted, values, rtol=1e-9)
