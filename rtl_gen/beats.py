"""Beats of the bus: how much of one an array takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from rtl_gen.components import Design
from rtl_gen.memories import lanes


def weight_beat_bits(design: Design) -> Any:
    """Bits of a beat of weights that reach a PE: a lane a row, where the array has so many rows."""
    return _lanes_taken(design) * design.weight_bits


def mean_weight_beat_bits(design: Design) -> Any:
    """Bits of a beat of weights that a row of the array keeps, in the mean over its rows.

    A row keeps the lanes that it and the rows below it read: of `L` that reach a PE, row `r` of
    `R` reads `min(L, R - r)`, and synthesis removes the registers of the others. Float64, or an
    array of the design's shape.
    """
    taken = _lanes_taken(design)
    below = design.rows - taken
    return taken * ((taken + 1) / 2 + below) / design.rows * design.weight_bits


def _lanes_taken(design: Design) -> Any:
    return np.minimum(design.rows, lanes(design.bus_bits, design.weight_bits))
