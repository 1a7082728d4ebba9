"""Cross-validation: folds that keep equal designs together, errors in percent, residuals.

Needs numpy only; the folds of `models.fit` come from scikit-learn.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from models.component import Error
from models.features import Array

#: Measurements smaller than this share of the metric's largest count as if they were as large:
#: a percentage of nearly nothing says nothing.
FLOOR = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """One measurement beside its prediction by a model that had not seen it.

    Parameters
    ----------
    id : of the sample.
    metric : see `models.component`.
    actual, predicted : in the metric's unit; predicted is None where nothing could be held out, or
        the sample is the only one at an end of a range: what is outside is not predicted.
    percent : signed error, percent of the measured value.
    """

    id: str
    arithmetic: str
    component: str
    metric: str
    actual: float
    predicted: float | None
    percent: float | None


def magnitude(actual: Array) -> Array:
    """What an error is a percentage of: the measured value, or `FLOOR` x the largest of them."""
    largest = np.max(np.abs(actual), initial=0.0)
    return np.maximum(np.abs(actual), FLOOR * largest if largest > 0 else 1.0)


def summarize(actual: Array, predicted: Array | None, method: str) -> Error:
    """Mean and largest absolute error in percent; None where there are no predictions.

    Parameters
    ----------
    predicted : not a number for those that are left out.
    """
    if predicted is None:
        return Error(mean_percent=None, max_percent=None, method=method)
    percent = np.abs(_percent(predicted, actual))[np.isfinite(predicted)]
    return Error(
        mean_percent=float(percent.mean()), max_percent=float(percent.max()), method=method
    )


def residuals(
    ids: Sequence[str],
    *,
    arithmetic: str,
    component: str,
    metric: str,
    actual: Array,
    predicted: Array | None,
) -> list[Residual]:
    """One row a sample."""
    known = np.full(len(ids), np.nan) if predicted is None else predicted
    percent = _percent(known, actual)
    return [
        Residual(
            id=name,
            arithmetic=arithmetic,
            component=component,
            metric=metric,
            actual=float(actual[i]),
            predicted=float(known[i]) if np.isfinite(known[i]) else None,
            percent=float(percent[i]) if np.isfinite(known[i]) else None,
        )
        for i, name in enumerate(ids)
    ]


def _percent(predicted: Array, actual: Array) -> Array:
    return np.asarray(100 * (predicted - actual) / magnitude(actual))


def worst(rows: Sequence[Residual], count: int) -> list[Residual]:
    """The `count` rows with the largest errors, largest first."""
    known = [row for row in rows if row.percent is not None]
    return sorted(known, key=lambda row: -abs(row.percent or 0.0))[:count]


def write_residuals(path: Path, rows: Sequence[Residual]) -> None:
    """Write the table as CSV, one row a sample and metric."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(Residual)])
        writer.writerows(astuple(row) for row in rows)
