"""The largest of a constant and lines: the longest of paths that know nothing of each other.

It has a kink where one path overtakes another, which no polynomial has. A. Magnani, S. Boyd,
"Convex piecewise-linear fitting", Optimization and Engineering 10 (2009), section 3: samples go to
the line that is the largest there, lines are fitted to their samples, and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import numpy.typing as npt

from models.features import Array
from models.least_squares import ROUNDING, solve

#: Times that samples are dealt to lines anew, at most; mostly nothing moves after three.
ROUNDS = 10
#: A sample that lies so much above all lines, relatively, wants one more.
MISSED = 0.01
#: Sets of lines whose errors differ by this factor explain the samples alike.
ALIKE = 1.1


def fit_longest(matrices: Sequence[Array], values: Array, weights: Array) -> list[Array]:
    """The coefficients of a constant and lines, whose largest is near the values.

    Parameters
    ----------
    matrices : terms of the constant, (samples, 1), and of each line, (samples, 2), whose feature
        goes from 0 to 1.
    values, weights : (samples,) each; errors are multiplied by the weights.

    Returns
    -------
    list of Array
        (1,) and (2,) each, in the unit of the values.
    """
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
