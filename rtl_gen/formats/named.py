"""The one place where a format's name becomes a format."""

from __future__ import annotations

import re

from rtl_gen.errors import UserError
from rtl_gen.formats.format import Format
from rtl_gen.formats.integer import IntegerFormat
from rtl_gen.formats.power_of_two import PowerOfTwoFormat


def format_named(name: object) -> Format:
    """Return the format of a name, "int2" to "int16", "pot1" or "pot2"; else UserError."""
    match = re.fullmatch(r"(int|pot)([1-9][0-9]*)", name) if isinstance(name, str) else None
    if not match:
        raise UserError(f"format must be int2 to int16, pot1 or pot2, not {name!r}")
    family, number = match[1], int(match[2])
    return IntegerFormat(bits=number) if family == "int" else PowerOfTwoFormat(terms=number)
