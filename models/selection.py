"""Which polynomials: the candidates, the folds, and the choice by cross-validated error.

scikit-learn makes the terms and the folds. Chosen is the simplest candidate whose error lies
within one standard error of the best.

A clock period may also be the largest of several lines, one a scratchpad (`models.features.PATHS`):
the longest of paths that know nothing of each other has a kink where one overtakes another, which
no polynomial has. A. Magnani, S. Boyd, "Convex piecewise-linear fitting", Optimization and
Engineering 10 (2009), section 3: samples go to the line that is the largest there, lines are
fitted to their samples, and again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures

from models.features import PATHS, Array, candidates
from models.polynomial import MAX_DEGREE, Polynomial
from models.validation import magnitude

Indices = npt.NDArray[np.intp]

#: Relative errors below this are rounding: which polynomial has the least of it tells nothing.
ROUNDING = 1e-9
#: Times that samples are dealt to lines anew, at most; mostly nothing moves after three.
ROUNDS = 10
#: A sample that lies so much above all lines, relatively, wants one more.
MISSED = 0.01
#: Sets of lines whose errors differ by this factor explain the samples alike.
ALIKE = 1.1


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


@dataclass(frozen=True, slots=True, kw_only=True)
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
        found += [_piece(known, varying, degree) for degree in range(1, MAX_DEGREE + 1)]
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
    # Of those with the fewest terms the best: no order of equals decides.
    simplest = [i for i, count in zip(within, terms, strict=True) if count == min(terms)]
    return min(simplest, key=lambda i: float(means[i]))


def _point_errors(candidate: Candidate, plan: Plan, values: Array, weights: Array) -> Array:
    """Mean absolute held-out error of every point: repetitions of one are not independent."""
    total = np.zeros(int(plan.groups.max()) + 1)
    seen = np.zeros_like(total)
    for train, test in plan.splits:
        coefficients = _fit(candidate, train, values, weights)
        error = np.abs(_predict(candidate, coefficients, test) - values[test]) * weights[test]
        np.add.at(total, plan.groups[test], error)
        np.add.at(seen, plan.groups[test], 1)
    return np.asarray(total[seen > 0] / seen[seen > 0])


def _fit(candidate: Candidate, rows: Indices, values: Array, weights: Array) -> list[Array]:
    """The coefficients of every piece, (terms,) each, in the unit of the values."""
    matrices = [piece.matrix[rows] for piece in candidate.pieces]
    values, weights = values[rows], weights[rows]
    if len(matrices) == 1:
        return [solve(matrices[0], values, weights)]
    orders = permutations(range(1, len(matrices)))
    starts = (_start(matrices, order, values, weights) for order in orders)
    found = [_settle(matrices, lines, values, weights) for lines in starts]
    # What several lines explain alike is explained by as few and as flat ones as possible.
    least = min(error for error, _ in found)
    equal = [lines for error, lines in found if error <= ALIKE * least + ROUNDING * len(values)]
    return min(equal, key=lambda lines: sum(abs(float(line[1])) for line in lines[1:]))


def _start(
    matrices: Sequence[Array], order: Sequence[int], values: Array, weights: Array
) -> list[Array]:
    """A constant below all samples, and lines, each for samples that those before do not reach.

    Parameters
    ----------
    matrices : of the constant, (samples, 1), and of each line, (samples, 2).
    order : in which lines are drawn, 1 being the first.
    """
    lines = [np.array([values.min()]), *(np.zeros(2) for _ in matrices[1:])]
    reached = np.full(len(values), values.min())
    for number in order:
        missed = (values - reached) * weights > MISSED
        if missed.any():
            lines[number] = _below(matrices[number][:, 1], values, missed)
            reached = np.maximum(reached, matrices[number] @ lines[number])
    return lines


def _below(at: Array, values: Array, missed: npt.NDArray[np.bool_]) -> Array:
    """The flattest line through the lowest missed sample on the far right, none left of it below.

    A path is shorter than the longest, so no sample lies below its line; where its scratchpad is
    large, a sample that nothing else reaches is likely to lie on it.

    Parameters
    ----------
    at : the line's feature, from 0 to 1, (samples,).
    """
    right = at[missed].max()
    top = values[missed & (at == right)].min()
    left = at < right
    slope = max(float(((top - values[left]) / (right - at[left])).max(initial=0.0)), 0.0)
    return np.array([top - slope * right, slope])


def _settle(
    matrices: Sequence[Array], lines: list[Array], values: Array, weights: Array
) -> tuple[float, list[Array]]:
    """Deal samples to the line that is the largest there, fit the lines, and again.

    Returns
    -------
    float, list of Array
        The sum of absolute weighted errors, and the best lines that were met.
    """
    least, best = np.inf, lines
    for _ in range(ROUNDS):
        reached = np.stack([matrix @ line for matrix, line in zip(matrices, lines, strict=True)])
        # Lines that started below the samples stay there where too few are theirs: all of them
        # are moved by the one factor that least squares wants. It changes no sample's line.
        top = reached.max(axis=0) * weights
        factor = float(top @ (values * weights) / (top @ top))
        error = float(np.abs(factor * top - values * weights).sum())
        if error >= least:
            break
        least, best = error, [factor * line for line in lines]
        owner = reached.argmax(axis=0)
        lines = [
            _refit(matrix, line, owner == number, values, weights)
            for number, (matrix, line) in enumerate(zip(matrices, best, strict=True))
        ]
    return least, best


def _refit(
    matrix: Array, line: Array, own: npt.NDArray[np.bool_], values: Array, weights: Array
) -> Array:
    """The line through the samples that are its own; as it is where they do not determine one."""
    if len({tuple(row) for row in matrix[own].tolist()}) < matrix.shape[1]:
        return line
    return solve(matrix[own], values[own], weights[own])


def solve(matrix: Array, values: Array, weights: Array) -> Array:
    """Least squares of the weighted error: what scikit-learn's `LinearRegression` solves.

    Called tens of thousands of times in a fit, and 15 times as fast without its checks.
    """
    return np.asarray(np.linalg.lstsq(matrix * weights[:, None], values * weights)[0])


def _predict(candidate: Candidate, coefficients: Sequence[Array], rows: Indices) -> Array:
    """The largest piece, no less than 0, for some of the samples."""
    pieces = zip(candidate.pieces, coefficients, strict=True)
    reached = [piece.matrix[rows] @ some for piece, some in pieces]
    return np.asarray(np.maximum(np.max(reached, axis=0), 0.0))
