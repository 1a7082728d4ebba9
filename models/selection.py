"""Which polynomial: the candidates, the folds, and the choice by cross-validated error.

scikit-learn makes the terms and the folds. Chosen is the simplest candidate whose error lies
within one standard error of the best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures

from models.features import Array, candidates
from models.polynomial import MAX_DEGREE, Polynomial
from models.validation import magnitude

Indices = npt.NDArray[np.intp]

#: Relative errors below this are rounding: which polynomial has the least of it tells nothing.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One set of features raised to one degree.

    Parameters
    ----------
    features, exponents : as in `Polynomial`.
    matrix : the terms' values, shape (samples, terms).
    """

    features: tuple[str, ...]
    exponents: tuple[tuple[int, ...], ...]
    matrix: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """How samples are held out.

    Parameters
    ----------
    groups : number of the distinct point of every sample; folds never part equal points.
    folds, repeats, seed : with fewer points than folds, one point is left out at a time, once.
    """

    groups: Indices
    folds: int
    repeats: int
    seed: int

    def points(self, rows: Indices) -> int:
        """How many distinct points these samples are."""
        return len(np.unique(self.groups[rows]))

    def splits(self, rows: Indices) -> list[tuple[Indices, Indices]]:
        """(samples to fit, samples held out) of every fold of every repetition."""
        points = np.unique(self.groups[rows])
        if len(points) < 2:
            return []
        result = []
        for repeat in range(self.repeats if self.folds < len(points) else 1):
            folds = KFold(
                min(self.folds, len(points)), shuffle=True, random_state=self.seed + repeat
            )
            for _, held in folds.split(points):
                out = np.isin(self.groups[rows], points[held])
                result.append((rows[~out], rows[out]))
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What can be tried on some of the samples, and how to compare it.

    Parameters
    ----------
    rows : these samples.
    candidates : fewest terms first; each is determined by these samples.
    splits : of these samples (see `Folding.splits`); empty where there is nothing to compare.
    groups : of all samples.
    """

    rows: Indices
    candidates: Sequence[Candidate]
    splits: Sequence[tuple[Indices, Indices]]
    groups: Indices


def group(known: Mapping[str, Array], count: int) -> Indices:
    """Number the distinct points among `count` samples; equal features share a number."""
    if not known:
        return np.zeros(count, dtype=np.intp)
    columns = np.stack(list(known.values()), axis=1)
    return np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)


def options(kind: str, known: Mapping[str, Array], count: int) -> list[Candidate]:
    """Every candidate polynomial for `count` samples, fewest terms first."""
    found = [Candidate(features=(), exponents=((),), matrix=np.ones((count, 1)))]
    for chosen in candidates(kind):
        varying = tuple(name for name in chosen if np.ptp(known[name]) > 0)
        if not varying or any(option.features == varying for option in found):
            continue
        scaled = MinMaxScaler().fit_transform(np.stack([known[n] for n in varying], axis=1))
        for degree in range(1, MAX_DEGREE + 1):
            terms = PolynomialFeatures(degree)
            matrix = terms.fit_transform(scaled)
            exponents = tuple(tuple(int(power) for power in row) for row in terms.powers_)
            found.append(Candidate(features=varying, exponents=exponents, matrix=matrix))
    return sorted(found, key=lambda option: option.matrix.shape[1])


def plan(found: Sequence[Candidate], rows: Indices, folding: Folding) -> Plan:
    """Keep the candidates that these samples determine, with samples to spare."""
    points = folding.points(rows)
    # Two points are joined by the line; else a third of them is left to tell a bad fit by.
    most = points if points <= 2 else max(2, 2 * points // 3)
    allowed = [
        option
        for option in found
        if option.matrix.shape[1] <= most
        and np.linalg.matrix_rank(option.matrix[rows]) == option.matrix.shape[1]
    ]
    splits = folding.splits(rows) if points > 2 else []
    return Plan(rows=rows, candidates=allowed, splits=splits, groups=folding.groups)


def choose_and_fit(plan: Plan, values: Array) -> tuple[Polynomial, Array]:
    """Choose by `plan`, fit to its rows; the polynomial, and its values for every sample.

    Parameters
    ----------
    values : the metric, one value a sample (of all samples; only the plan's rows are looked at,
        and the largest of all for `magnitude`).
    """
    weights = 1 / magnitude(values)
    chosen = plan.candidates[_choose(plan, values, weights)]
    rows = plan.rows
    coefficients = solve(chosen.matrix[rows], values[rows], weights[rows])
    polynomial = Polynomial(
        features=chosen.features,
        exponents=chosen.exponents,
        coefficients=tuple(float(one) for one in coefficients),
    )
    return polynomial, _predict(chosen.matrix, coefficients)


def _choose(plan: Plan, values: Array, weights: Array) -> int:
    """The simplest candidate within one standard error of the best."""
    if np.ptp(values[plan.rows]) == 0:
        return 0  # the constant
    if not plan.splits:
        return min(len(plan.candidates), 2) - 1
    means, spreads = [], []
    for candidate in plan.candidates:
        errors = _point_errors(candidate.matrix, plan, values, weights)
        means.append(errors.mean())
        spreads.append(errors.std(ddof=1) / np.sqrt(len(errors)))
    best = int(np.argmin(means))
    most = max(means[best] + spreads[best], ROUNDING)
    within = [i for i, mean in enumerate(means) if mean <= most]
    terms = [plan.candidates[i].matrix.shape[1] for i in within]
    # Of those with the fewest terms the best: no order of equals decides.
    simplest = [i for i, count in zip(within, terms, strict=True) if count == min(terms)]
    return min(simplest, key=lambda i: float(means[i]))


def _point_errors(matrix: Array, plan: Plan, values: Array, weights: Array) -> Array:
    """Mean absolute held-out error of every point: repetitions of one are not independent."""
    total = np.zeros(int(plan.groups.max()) + 1)
    seen = np.zeros_like(total)
    for train, test in plan.splits:
        coefficients = solve(matrix[train], values[train], weights[train])
        error = np.abs(_predict(matrix[test], coefficients) - values[test]) * weights[test]
        np.add.at(total, plan.groups[test], error)
        np.add.at(seen, plan.groups[test], 1)
    return np.asarray(total[seen > 0] / seen[seen > 0])


def solve(matrix: Array, values: Array, weights: Array) -> Array:
    """Least squares of the weighted error: what scikit-learn's `LinearRegression` solves.

    Called tens of thousands of times in a fit, and 15 times as fast without its checks.
    """
    return np.asarray(np.linalg.lstsq(matrix * weights[:, None], values * weights)[0])


def _predict(matrix: Array, coefficients: Array) -> Array:
    return np.maximum(matrix @ coefficients, 0.0)
