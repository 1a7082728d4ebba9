"""The front against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from explore.pareto import front_mask


def brute_force(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Row i stays unless some row is nowhere worse and somewhere better."""
    no_worse = (table[:, None, :] <= table[None, :, :]).all(axis=2)
    better = (table[:, None, :] < table[None, :, :]).any(axis=2)
    return ~(no_worse & better).any(axis=0)


shapes = st.tuples(st.integers(0, 40), st.integers(1, 5))
# Few distinct values: ties and equal rows are common. All floats: extremes are.
few = st.integers(-3, 3).map(float)
many = st.floats(allow_nan=False)


@given(shapes.flatmap(lambda shape: st.one_of(arrays(float, shape, elements=few),
                                              arrays(float, shape, elements=many))))  # fmt: skip
def test_is_the_definition(table: NDArray[np.float64]) -> None:
    np.testing.assert_array_equal(front_mask(table), brute_force(table))


@given(shapes.flatmap(lambda shape: arrays(float, shape, elements=few)), st.randoms())
def test_order_of_rows_and_columns_does_not_matter(table, random) -> None:  # type: ignore[no-untyped-def]
    rows = random.sample(range(len(table)), len(table))
    columns = random.sample(range(table.shape[1]), table.shape[1])
    mask = front_mask(table)
    np.testing.assert_array_equal(front_mask(table[rows][:, columns]), mask[rows])


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_larger_tables(columns: int) -> None:
    table = np.random.default_rng(columns).integers(0, 50, (1500, columns)).astype(float)
    np.testing.assert_array_equal(front_mask(table), brute_force(table))


def test_equal_rows_stay_together() -> None:
    table = [[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [2.0, 2.0], [2.0, 2.0]]
    assert front_mask(table).tolist() == [True, True, True, False, False]


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="costs must be numbers, not NaN"):
        front_mask([[1.0, float("nan")]])


@pytest.mark.parametrize("shape", [(3,), (2, 0), (1, 2, 3)])
def test_shape_is_checked(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"costs must have shape \(n, k\)"):
        front_mask(np.zeros(shape))
