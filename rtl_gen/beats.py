"""Beats of the bus: how much of one an array takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from rtl_gen.components import Design
from rtl_gen.memories import lanes


def weight_beat_bits(design: Design) -> Any:
    """Bits of a beat of weights that reach a PE: a lane a row, where the array has so many rows."""
    taken = np.minimum(design.rows, lanes(design.bus_bits, design.weight_bits))
    return taken * design.weight_bits
