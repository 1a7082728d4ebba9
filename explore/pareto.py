"""The non-dominated front: the designs that no other is at least as good as in everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def front_mask(costs: ArrayLike) -> NDArray[np.bool_]:
    """Which rows are not dominated; less is better in every column.

    A row is dominated when another is nowhere worse and somewhere better; so equal rows stay
    or go together.

    Parameters
    ----------
    costs : shape (n, k) with k >= 1; no NaN.

    Returns
    -------
    NDArray
        bool, shape (n,).
    """
    table = np.asarray(costs, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 1:
        raise ValueError(f"costs must have shape (n, k), k at least 1, not {table.shape!r}")
    if np.isnan(table).any():
        raise ValueError("costs must be numbers, not NaN")
    # In order of columns 0, 1, ...: a row can only be dominated by one that stands before it.
    order = np.lexsort(table.T[::-1])
    table = table[order]
    first = np.ones(len(table), dtype=np.bool_)
    first[1:] = (table[1:] != table[:-1]).any(axis=1)
    distinct = table[first]
    kept = _two_columns(distinct) if table.shape[1] == 2 else _any_columns(distinct)
    mask = np.zeros(len(table), dtype=np.bool_)
    mask[order] = kept[np.cumsum(first) - 1]
    return mask


def _two_columns(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of distinct rows in lexicographic order: those below all before them in column 1."""
    kept = np.ones(len(table), dtype=np.bool_)
    kept[1:] = table[1:, 1] < np.minimum.accumulate(table[:-1, 1])
    return kept


def _any_columns(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of distinct rows: take one that is surely on the front, drop what it dominates, repeat.

    The sum of a row's ranks is smaller than that of every row it dominates, so in order of it
    the next row left is always on the front; and the first few rows dominate nearly all others.
    """
    ranks = np.zeros(len(table))
    for column in table.T:
        ranks += np.unique(column, return_inverse=True)[1]
    left = np.argsort(ranks, kind="stable")
    columns = [np.ascontiguousarray(column[left]) for column in table.T]
    kept = np.zeros(len(table), dtype=np.bool_)
    while len(left):
        kept[left[0]] = True
        better = columns[0] < columns[0][0]
        for column in columns[1:]:
            better |= column < column[0]
        left = left[better]
        columns = [column[better] for column in columns]
    return kept
