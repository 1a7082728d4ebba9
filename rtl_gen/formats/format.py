"""What every number format offers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]
#: Values: int64 where a format has integers, float64 where it has fractions.
Values = NDArray[Any]


class Format(Protocol):
    """A finite set of values, the codes that stand for them, and how reals get there.

    A real number is `scale * value`. Everything is elementwise and keeps the shape of its input.
    A code is the value itself in two's complement formats, else the word's bits as an unsigned
    number.

    Attributes
    ----------
    name : what `format_named` takes.
    label : for people: "INT8".
    bits : width of a code in hardware.
    minimum, maximum : the range of the finite values.
    """

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def bits(self) -> int: ...
    @property
    def minimum(self) -> Any: ...
    @property
    def maximum(self) -> Any: ...

    def values(self) -> Values:
        """All representable values, ascending, each once (the finite ones)."""
        ...

    def codes(self) -> Integers:
        """All codes, ascending."""
        ...

    def from_bits(self, patterns: ArrayLike) -> Integers:
        """Codes of a word's bits, given as unsigned numbers."""
        ...

    def encode(self, values: ArrayLike) -> Integers:
        """Codes of values; UserError on a value that is not representable."""
        ...

    def decode(self, codes: ArrayLike) -> Values:
        """Values of codes; UserError on a number that is no code."""
        ...

    def quantize(
        self,
        real: ArrayLike,
        scale: ArrayLike | None = None,
        axis: int | tuple[int, ...] | None = None,
    ) -> tuple[Integers, Any]:
        """Codes of the values nearest to `real / scale`, and the scale.

        Parameters
        ----------
        real : finite reals, any shape.
        scale : positive, and broadcast against `real`; None chooses it so that the largest
            magnitude falls on `maximum` (1.0 where all are zero).
        axis : whose indices get a scale each (0: per output channel of (M, C, R, S)); None: one
            for the tensor.

        Returns
        -------
        codes, and the scale: a float, or where `axis` is given float64 that broadcasts.
        """
        ...
