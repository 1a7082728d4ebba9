"""Evaluation of stored polynomials against arithmetic done by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.polynomial import Monomials, Polynomial

small = st.floats(min_value=-100, max_value=100)


@given(
    coefficients=st.lists(small, min_size=1, max_size=6),
    powers=st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=6, max_size=6),
    points=st.lists(st.tuples(small, small), min_size=1, max_size=5),
)
def test_value_is_the_sum_of_its_terms_clipped_at_zero(
    coefficients: list[float], powers: list[tuple[int, int]], points: list[tuple[float, float]]
) -> None:
    exponents = tuple(powers[: len(coefficients)])
    polynomial = Polynomial(
        features=("x", "y"), exponents=exponents, coefficients=tuple(coefficients)
    )
    ranges = {"x": (-10.0, 10.0), "y": (0.0, 4.0)}
    x, y = (np.array(column) for column in zip(*points, strict=True))
    found = polynomial.evaluate(Monomials({"x": x, "y": y}, ranges))
    u, v = (x + 10) / 20, y / 4
    terms = [c * u**a * v**b for c, (a, b) in zip(coefficients, exponents, strict=True)]
    scale = sum(np.abs(term) for term in terms)
    assert np.all(np.abs(found - np.maximum(sum(terms), 0)) <= 1e-12 * (1 + scale))
    alone = [
        polynomial.evaluate(Monomials({"x": np.asarray(a), "y": np.asarray(b)}, ranges))
        for a, b in points
    ]
    assert found.tolist() == [float(one) for one in alone]  # to the last bit


def test_a_feature_that_never_varied_has_no_effect() -> None:
    polynomial = Polynomial(features=("x",), exponents=((0,), (1,)), coefficients=(3.0, 5.0))
    known = {"x": np.array([7.0, 100.0])}
    assert polynomial.evaluate(Monomials(known, {"x": (7.0, 7.0)})).tolist() == [3.0, 3.0]
