"""A design of experiments: the corners of a box first, then points that fill it evenly.

Source: I. M. Sobol, USSR Comp. Math. Math. Phys. 7(4), 1967; scrambled as by A. B. Owen, J.
Complexity 14(4), 1998, and in the implementation of scipy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Sobol's points come in powers of two: so many at a time, and as many times before giving up on
#: a point that has not come yet.
BLOCK, BLOCKS = 64, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The values that a field may take.

    Parameters
    ----------
    values : ascending, at least one.
    log : fill them evenly in their logarithm.
    """

    values: Sequence[int]
    log: bool = False

    def at(self, share: float) -> int:
        """The value at a share of the way, from 0 to (not quite) 1."""
        count = len(self.values)
        if not self.log or count == 1:
            return self.values[int(share * count)]
        low, high = self.values[0], self.values[-1]
        target = low * math.exp(share * math.log(high / low))
        # The values are spaced evenly: a range.
        return self.values[round((target - low) / (high - low) * (count - 1))]


def points(axes: Sequence[Axis], seed: int) -> Iterator[tuple[int, ...]]:
    """The points of a design, each once; the first n are the design of n points.

    The lowest corner; for each field the corner where it alone is at its highest, so that every
    field's extremes and its effect alone are among the first; then a Sobol sequence. The corner
    where all are highest is none of them: it takes longest to measure, and what adds up is known
    without it.
    Ends when all points have come (or those that are left are rare).

    Parameters
    ----------
    seed : of the sequence; the corners don't depend on it.
    """
    most = math.prod(len(axis.values) for axis in axes)
    seen: set[tuple[int, ...]] = set()
    for point in itertools.chain(_corners(axes), _sobol(axes, seed)):
        if point not in seen:
            seen.add(point)
            yield point
        if len(seen) == most:
            return


def _corners(axes: Sequence[Axis]) -> Iterator[tuple[int, ...]]:
    low = tuple(axis.values[0] for axis in axes)
    yield low
    for i, axis in enumerate(axes):
        yield (*low[:i], axis.values[-1], *low[i + 1 :])


def _sobol(axes: Sequence[Axis], seed: int) -> Iterator[tuple[int, ...]]:
    from scipy.stats import qmc  # half a second to import, and only designs need it

    engine = qmc.Sobol(len(axes), scramble=True, rng=seed)
    for _ in range(BLOCKS):
        for shares in engine.random(BLOCK):
            yield tuple(axis.at(float(u)) for axis, u in zip(axes, shares, strict=True))
