"""What numbers mean, in plain numpy: formats, and the arithmetic made of them.

`arithmetic("int8")` is the way in; docs/reference/formats.md tabulates every format.
"""

from __future__ import annotations

from rtl_gen.formats.arithmetic import ARITHMETICS, MAX_TERMS, Accumulator, Arithmetic, arithmetic
from rtl_gen.formats.format import Format, Integers
from rtl_gen.formats.integer import IntegerFormat
from rtl_gen.formats.named import format_named
from rtl_gen.formats.power_of_two import PowerOfTwoFormat

__all__ = [
    "ARITHMETICS",
    "MAX_TERMS",
    "Accumulator",
    "Arithmetic",
    "Format",
    "IntegerFormat",
    "Integers",
    "PowerOfTwoFormat",
    "arithmetic",
    "format_named",
]
