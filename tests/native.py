"""Where tests keep compiled models: one folder for a whole run of pytest, its workers included."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


def share_models(factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let `characterize.simulation` keep its models in this run's own folder; for a fixture."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIDAM_CACHE", str(base / "quidam-cache"))
        yield
