"""The memories of a model, as its card shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from characterize.memory import sram
from models.markdown import table

#: Words and bits of the memories that the card shows.
SIZES = ((64, 8), (256, 32), (1024, 32), (1024, 64), (4096, 64))
FIGURES = {
    "area_um2": ("area um2", ",.0f"),
    "access_ns": ("access ns", ".2f"),
    "read_pj": ("read pJ", ".3g"),
    "write_pj": ("write pJ", ".3g"),
    "idle_pj": ("idle cycle pJ", ".3g"),
    "leakage_mw": ("leakage mW", ".3g"),
}


def memory_section(memories: Mapping[str, Any]) -> str:
    """Some sizes, from the model of `characterize.memory`; each number is marked where scaled."""
    rows = []
    for depth, width in SIZES:
        found = sram(memories, depth, width)
        mark = " (scaled)" if found["scaled"] else ""
        cells = (f"{float(found[name]):{form}}{mark}" for name, (_, form) in FIGURES.items())
        rows.append((f"{depth} x {width}", str(int(found["macros"])), *cells))
    head = ("words x bits", "macros", *(title for title, _ in FIGURES.values()))
    return f"Single-port memories; {memories['source']}.\n\n{table(head, rows)}"
