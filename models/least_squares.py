"""Least squares of relative errors."""

from __future__ import annotations

import numpy as np

from models.features import Array

#: Relative errors below this are rounding: which polynomial has the least of it tells nothing.
ROUNDING = 1e-9
#: Terms of which so little is their own, relatively, are not determined.
RANK = 1e-10


def solve(matrix: Array, values: Array, weights: Array) -> Array:
    """Least squares of the weighted error: what scikit-learn's `LinearRegression` solves.

    Called tens of thousands of times in a fit, and 15 times as fast without its checks.
    """
    return np.asarray(np.linalg.lstsq(matrix * weights[:, None], values * weights)[0])


def solve_each(matrices: Array, values: Array, weights: Array) -> Array:
    """`solve` for many sets of samples at once, by QR: most of a fit is such small ones.

    Parameters
    ----------
    matrices : (sets, samples, terms). values, weights : (sets, samples).

    Returns
    -------
    Array
        (sets, terms); of a set that does not determine its terms those of least norm, as `solve`.
    """
    scaled = matrices * weights[..., None]
    if scaled.shape[1] >= scaled.shape[2]:
        q, r = np.linalg.qr(scaled)
        sizes = np.abs(np.diagonal(r, axis1=1, axis2=2))
        if (sizes.min(axis=1) > RANK * sizes.max(axis=1)).all():
            goals = q.transpose(0, 2, 1) @ (values * weights)[..., None]
            return np.asarray(np.linalg.solve(r, goals)[..., 0])
    return np.stack([solve(*one) for one in zip(matrices, values, weights, strict=True)])
