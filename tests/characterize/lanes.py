"""Reading bit slices: a port's words on one of 64 images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lane_of(bits: NDArray[np.uint64], lane: int) -> list[int]:
    """The words of one lane of a port, unsigned."""
    ones = (bits >> np.uint64(lane)) & np.uint64(1)
    return [sum(int(bit) << b for b, bit in enumerate(row)) for row in ones]
