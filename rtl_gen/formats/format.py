"""What every number format offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]


class Format(Protocol):
    """A finite set of integer values, the codes that stand for them, and how reals get there.

    A real number is `scale * value`. Everything is elementwise and keeps the shape of its input.

    Attributes
    ----------
    name : what `format_named` takes.
    label : for people: "INT8".
    bits : width of a code in hardware.
    minimum, maximum : the range of the values.
    """

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def bits(self) -> int: ...
    @property
    def minimum(self) -> int: ...
    @property
    def maximum(self) -> int: ...

    def values(self) -> Integers:
        """All representable values, ascending, each once."""
        ...

    def codes(self) -> Integers:
        """All codes, ascending."""
        ...

    def encode(self, values: ArrayLike) -> Integers:
        """Codes of integer values; UserError on a value that is not representable."""
        ...

    def decode(self, codes: ArrayLike) -> Integers:
        """Values of codes; UserError on a number that is no code."""
        ...

    def quantize(self, real: ArrayLike, scale: float | None = None) -> tuple[Integers, float]:
        """Codes of the values nearest to `real / scale`, and the scale.

        Parameters
        ----------
        real : finite reals, any shape.
        scale : positive; None chooses it so that the largest magnitude in `real` falls on
            `maximum` (1.0 where all are zero).
        """
        ...
