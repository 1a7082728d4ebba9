"""Which polynomials: the candidates, the folds, and the choice by cross-validated error.

scikit-learn makes the terms and the folds. Chosen is the simplest candidate whose error lies
within one standard error of the best.

A clock period may also be the largest of several lines, one a scratchpad (`models.features.PATHS`,
`models.longest_path`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures

from models.features import LINEAR, PATHS, Array, candidates
from models.least_squares import ROUNDING, solve, solve_each
from models.longest_path import fit_longest
from models.polynomial import MAX_DEGREE, Polynomial
from models.validation import magnitude

#: Errors that differ relatively by less are equal.
ALIKE = 1e-6

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One set of features raised to one degree.

    Parameters
    ----------
    features, exponents : as in `Polynomial`.
    matrix : the terms' values, shape (samples, terms).
    """

    features: tuple[str, ...]
    exponents: tuple[tuple[int, ...], ...]
    matrix: Array

    @property
    def terms(self) -> int:
        """How many coefficients it has."""
        return len(self.exponents)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A polynomial, or the largest of several: of `pieces`."""

    pieces: tuple[Piece, ...]

    @property
    def terms(self) -> int:
        """How many coefficients it has."""
        return sum(piece.terms for piece in self.pieces)


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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What can be tried on some of the samples, and how to compare it.

    Parameters
    ----------
    rows : these samples.
    candidates : single polynomials, fewest terms first; each is determined by these samples.
    largest : the same of those with several pieces.
    splits : of these samples (see `Folding.splits`); empty where there is nothing to compare.
    groups : of all samples.
    """

    rows: Indices
    candidates: Sequence[Candidate]
    largest: Sequence[Candidate]
    splits: Sequence[tuple[Indices, Indices]]
    groups: Indices

    @cached_property
    def stacks(self) -> list[tuple[Indices, Indices]]:
        """The splits, those of equal numbers of samples stacked: (splits, samples) each."""
        sizes: dict[tuple[int, int], list[tuple[Indices, Indices]]] = {}
        for train, test in self.splits:
            sizes.setdefault((len(train), len(test)), []).append((train, test))
        return [
            (np.stack([train for train, _ in some]), np.stack([test for _, test in some]))
            for some in sizes.values()
        ]


def group(known: Mapping[str, Array], count: int) -> Indices:
    """Number the distinct points among `count` samples; equal features share a number."""
    if not known:
        return np.zeros(count, dtype=np.intp)
    columns = np.stack(list(known.values()), axis=1)
    return np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)


def options(kind: str, known: Mapping[str, Array], count: int) -> list[Candidate]:
    """Every candidate for `count` samples, fewest terms first."""
    constant = Piece(features=(), exponents=((),), matrix=np.ones((count, 1)))
    found = [constant]
    for chosen in candidates(kind):
        varying = tuple(name for name in chosen if np.ptp(known[name]) > 0)
        if not varying or any(piece.features == varying for piece in found):
            continue
        most = MAX_DEGREE if LINEAR.isdisjoint(varying) else 1
        found += [_piece(known, varying, degree) for degree in range(1, most + 1)]
    single = [Candidate((piece,)) for piece in found]
    return sorted([*single, *_largest(known, constant)], key=lambda option: option.terms)


def _piece(known: Mapping[str, Array], names: tuple[str, ...], degree: int) -> Piece:
    """All terms of some features, scaled, up to a degree."""
    scaled = MinMaxScaler().fit_transform(np.stack([known[name] for name in names], axis=1))
    terms = PolynomialFeatures(degree)
    matrix = terms.fit_transform(scaled)
    exponents = tuple(tuple(int(power) for power in row) for row in terms.powers_)
    return Piece(features=names, exponents=exponents, matrix=matrix)


def _largest(known: Mapping[str, Array], constant: Piece) -> list[Candidate]:
    """A constant and lines in one feature each: of every choice of every set of `PATHS`."""
    found = []
    for names in PATHS:
        varying = [name for name in names if name in known and np.ptp(known[name]) > 0]
        lines = [_piece(known, (name,), 1) for name in varying]
        for count in range(1, len(lines) + 1):
            found += [Candidate((constant, *some)) for some in combinations(lines, count)]
    return found


def plan(found: Sequence[Candidate], rows: Indices, folding: Folding) -> Plan:
    """Keep the candidates that these samples determine, with samples to spare."""
    points = folding.points(rows)
    # Two points are joined by the line; else a third of them is left to tell a bad fit by.
    most = points if points <= 2 else max(2, 2 * points // 3)
    allowed = [
        option
        for option in found
        if option.terms <= most
        and all(np.linalg.matrix_rank(piece.matrix[rows]) == piece.terms for piece in option.pieces)
        and (len(option.pieces) == 1 or _bends(option, rows))
    ]
    return Plan(
        rows=rows,
        candidates=[option for option in allowed if len(option.pieces) == 1],
        largest=[option for option in allowed if len(option.pieces) > 1],
        splits=folding.splits(rows) if points > 2 else [],
        groups=folding.groups,
    )


def _bends(option: Candidate, rows: Indices) -> bool:
    """Whether every line meets three values of its feature: two show a rise, but no kink."""
    return all(len(np.unique(piece.matrix[rows, 1])) > 2 for piece in option.pieces[1:])


def choose_and_fit(
    plan: Plan, values: Array, *, longest_path: bool = False
) -> tuple[tuple[Polynomial, ...], Array]:
    """Choose by `plan`, fit to its rows; the polynomials, and their largest for every sample.

    Parameters
    ----------
    values : the metric, one value a sample (of all samples; only the plan's rows are looked at,
        and the largest of all for `magnitude`).
    longest_path : the metric is one, and so may be the largest of several polynomials.
    """
    weights = 1 / magnitude(values)
    tried = [*plan.candidates, *(plan.largest if longest_path else ())]
    chosen = tried[_choose(plan, tried, values, weights)]
    coefficients = _fit(chosen, plan.rows, values, weights)
    polynomials = tuple(
        Polynomial(
            features=piece.features,
            exponents=piece.exponents,
            coefficients=tuple(float(one) for one in some),
        )
        for piece, some in zip(chosen.pieces, coefficients, strict=True)
    )
    return polynomials, _predict(chosen, coefficients, np.arange(len(values)))


def _choose(plan: Plan, tried: Sequence[Candidate], values: Array, weights: Array) -> int:
    """The simplest candidate within one standard error of the best."""
    if np.ptp(values[plan.rows]) == 0:
        return 0  # the constant
    if not plan.splits:
        return min(len(plan.candidates), 2) - 1
    means, spreads = [], []
    for candidate in tried:
        errors = _point_errors(candidate, plan, values, weights)
        means.append(errors.mean())
        spreads.append(errors.std(ddof=1) / np.sqrt(len(errors)))
    best = int(np.argmin(means))
    most = max(means[best] + spreads[best], ROUNDING)
    within = [i for i, mean in enumerate(means) if mean <= most]
    terms = [tried[i].terms for i in within]
    # Of those with the fewest terms the best; where sizes vary together, several say the same, and
    # rounding must not decide.
    simplest = [i for i, count in zip(within, terms, strict=True) if count == min(terms)]
    least = min(float(means[i]) for i in simplest)
    return next(i for i in simplest if means[i] <= (1 + ALIKE) * least)


def _point_errors(candidate: Candidate, plan: Plan, values: Array, weights: Array) -> Array:
    """Mean absolute held-out error of every point: repetitions of one are not independent."""
    total = np.zeros(int(plan.groups.max()) + 1)
    seen = np.zeros_like(total)
    for test, predicted in _held_out(candidate, plan, values, weights):
        error = np.abs(predicted - values[test]) * weights[test]
        np.add.at(total, plan.groups[test], error)
        np.add.at(seen, plan.groups[test], 1)
    return np.asarray(total[seen > 0] / seen[seen > 0])


def _held_out(
    candidate: Candidate, plan: Plan, values: Array, weights: Array
) -> Iterator[tuple[Indices, Array]]:
    """Samples held out, and what is predicted of them by those that are not."""
    if len(candidate.pieces) > 1:
        for train, test in plan.splits:
            yield test, _predict(candidate, _fit(candidate, train, values, weights), test)
        return
    matrix = candidate.pieces[0].matrix
    for trains, tests in plan.stacks:
        coefficients = solve_each(matrix[trains], values[trains], weights[trains])
        predicted = (matrix[tests] @ coefficients[..., None])[..., 0]
        yield tests, np.maximum(predicted, 0.0)


def _fit(candidate: Candidate, rows: Indices, values: Array, weights: Array) -> list[Array]:
    """The coefficients of every piece, (terms,) each, in the unit of the values."""
    matrices = [piece.matrix[rows] for piece in candidate.pieces]
    values, weights = values[rows], weights[rows]
    if len(matrices) == 1:
        return [solve(matrices[0], values, weights)]
    return fit_longest(matrices, values, weights)


def _predict(candidate: Candidate, coefficients: Sequence[Array], rows: Indices) -> Array:
    """The largest piece, no less than 0, for some of the samples."""
    pieces = zip(candidate.pieces, coefficients, strict=True)
    reached = [piece.matrix[rows] @ some for piece, some in pieces]
    return np.asarray(np.maximum(np.max(reached, axis=0), 0.0))
