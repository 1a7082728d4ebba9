"""Stored polynomials, evaluated in plain numpy for millions of designs at once.

Every operation is elementwise and in a fixed order, so a design gets the same prediction to the
last bit alone, in a table, or in another table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.features import Array

#: Highest degree that is fitted or loaded.
MAX_DEGREE = 3

#: Feature -> its lowest and highest value among the samples.
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Polynomial:
    """A sum of terms: coefficient x product of scaled features raised to small powers.

    Parameters
    ----------
    features : names, one for each column of `exponents`.
    exponents : one row a term, one column a feature.
    coefficients : one a term, in the unit of the metric.
    """

    features: tuple[str, ...]
    exponents: tuple[tuple[int, ...], ...]
    coefficients: tuple[float, ...]

    def times(self, factor: float) -> Polynomial:
        """So many times this one; the factor is not below 0."""
        return replace(self, coefficients=tuple(factor * one for one in self.coefficients))

    def evaluate(self, monomials: Monomials) -> Array:
        """Values, clipped at zero: no area, delay, leakage or energy is negative.

        Returns
        -------
        Array
            float64, of the shape of the features.
        """
        total = np.zeros(monomials.shape)
        for powers, coefficient in zip(self.exponents, self.coefficients, strict=True):
            factors = zip(self.features, powers, strict=True)
            names = tuple(name for name, power in factors for _ in range(power))
            total += coefficient * monomials.product(names)
        return np.maximum(total, 0.0)


#: One, whatever the features.
CONSTANT = Polynomial(features=(), exponents=((),), coefficients=(1.0,))


class Monomials:
    """Products of scaled features, each computed once and shared by all metrics of a component.

    Parameters
    ----------
    features : raw values, arrays of one shape.
    ranges : the features to keep; each range is mapped onto 0 .. 1, and a feature that never
        varied among the samples becomes 0.
    """

    def __init__(self, features: Mapping[str, Array], ranges: Ranges) -> None:
        self._scaled = {
            name: (features[name] - low) / (high - low if high > low else np.inf)
            for name, (low, high) in ranges.items()
        }
        self.shape = np.broadcast_shapes(*(values.shape for values in features.values()))
        self._known: dict[tuple[str, ...], Array] = {(): np.ones(())}

    def product(self, names: tuple[str, ...]) -> Array:
        """The product of the named features; a name given twice is squared."""
        if names not in self._known:
            self._known[names] = self.product(names[:-1]) * self._scaled[names[-1]]
        return self._known[names]
