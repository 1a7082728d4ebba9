"""`ComponentModel`: the fitted polynomials of one kind of component in one arithmetic.

Metrics have names with their unit in front: `area_um2.PART`, `leakage_mw.PART`,
`energy_pj.EVENT.PART` (of a cycle with that event alone), `min_period_ns`, and
`segments_ns.FROM>TO` (`rtl_gen.interfaces`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.features import SUMS, Array
from models.metrics import is_path
from models.polynomial import Monomials, Polynomial

#: Parts an instance's area, leakage and energy are told apart into; "clock" has energy only.
PARTS = ("datapath", "scratchpad", "clock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """How far predictions for samples left out of the fit were from their measurements.

    Parameters
    ----------
    mean_percent, max_percent : mean and largest absolute error, percent of the measured value;
        None where it could not be computed.
    method : how it was computed, or why it could not be.
    """

    mean_percent: float | None
    max_percent: float | None
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentModel:
    """Polynomials of one component.

    Parameters
    ----------
    samples, points : measurements, and how many of them differ in their features.
    ranges : feature -> lowest and highest value among the samples.
    polynomials : metric -> polynomials of the scaled features, the largest of which is the value;
        several only of a period or a segment, where paths overtake each other.
    errors : metric -> cross-validated error; also for sums over parts (`area_um2`,
        `leakage_mw`, `energy_pj.EVENT`) and for `power_mw` and `fmax_mhz`.
    """

    samples: int
    points: int
    ranges: Mapping[str, tuple[float, float]]
    polynomials: Mapping[str, tuple[Polynomial, ...]]
    errors: Mapping[str, Error]

    def evaluate(
        self, features: Mapping[str, Array], means: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """Predict every metric: float64 arrays of the features' shape.

        Parameters
        ----------
        means : where instances of a design differ in a feature, its mean, for all metrics that
            are summed over instances (`models.features.means`); paths keep to `features`.
        """
        longest = Monomials(features, self.ranges)
        summed = Monomials({**features, **means}, self.ranges) if means else longest
        return {
            metric: functools.reduce(
                np.maximum,
                (one.evaluate(longest if is_path(metric) else summed) for one in pieces),
            )
            for metric, pieces in self.polynomials.items()
        }

    def outside(self, features: Mapping[str, Array]) -> dict[str, npt.NDArray[np.bool_]]:
        """Where a feature lies outside its fitted range, `SUMS` aside: feature -> bool array."""
        return outside(features, self.ranges)


def outside(
    features: Mapping[str, Array], ranges: Mapping[str, tuple[float, float]]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Where a feature lies outside its range, `SUMS` aside: feature -> bool array."""
    return {
        name: np.asarray((features[name] < low) | (features[name] > high))
        for name, (low, high) in ranges.items()
        if name not in SUMS
    }
