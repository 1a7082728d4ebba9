"""Exploring is light: no EDA tool, no scikit-learn, no Amaranth, and pictures only on demand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("amaranth", "pyosys", "numba", "sklearn", "matplotlib", "cocotb", "scipy")


def test_the_search_imports_nothing_heavy() -> None:
    script = (
        "import sys, explore.cost, explore.space, explore.pareto, explore.search, explore.report\n"
        "import explore.results\n"
        f"print(sorted(set({HEAVY!r}) & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    # A process of its own: this one has imported everything.
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
