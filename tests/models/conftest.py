"""One fitted model for all tests that only read it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from models.fit import Fit, fit
from tests.models.synthetic import TECHNOLOGY, sweep, table


@pytest.fixture(scope="session")
def fitted() -> Fit:
    """Two arithmetics, twelve samples a component, 1% noise."""
    return fit(sweep(("int8", "lightpe1"), most=12, noise=0.01), TECHNOLOGY, repeats=1)


@pytest.fixture(scope="session")
def designs() -> SimpleNamespace:
    """A table of 500 designs within the sweep's grid."""
    return table("int8", 500)
