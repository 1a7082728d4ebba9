"""What numbers mean, in plain numpy: formats, and the arithmetic made of them.

`arithmetic("int8")` is the way in; docs/reference/formats.md tabulates every format.
"""

from __future__ import annotations

from rtl_gen.formats.accumulator import Accumulator, FloatAccumulator, IntegerAccumulator
from rtl_gen.formats.arithmetic import MAX_TERMS, Arithmetic, arithmetic
from rtl_gen.formats.catalogue import ARITHMETICS, CATALOGUE
from rtl_gen.formats.float import FLOATS, FloatFormat
from rtl_gen.formats.format import Format, Integers, Values
from rtl_gen.formats.integer import IntegerFormat
from rtl_gen.formats.named import format_named
from rtl_gen.formats.power_of_two import PowerOfTwoFormat

__all__ = [
    "ARITHMETICS",
    "CATALOGUE",
    "FLOATS",
    "MAX_TERMS",
    "Accumulator",
    "Arithmetic",
    "FloatAccumulator",
    "FloatFormat",
    "Format",
    "IntegerAccumulator",
    "IntegerFormat",
    "Integers",
    "PowerOfTwoFormat",
    "Values",
    "arithmetic",
    "format_named",
]
