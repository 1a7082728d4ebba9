"""The one place where a format's name becomes a format."""

from __future__ import annotations

import re
from collections.abc import Callable

from rtl_gen.errors import UserError
from rtl_gen.formats.float import FLOATS
from rtl_gen.formats.format import Format
from rtl_gen.formats.integer import IntegerFormat
from rtl_gen.formats.power_of_two import (
    BINARY,
    TERNARY,
    additive,
    bit_sparse,
    power_of_two,
)

_NAMED: dict[str, Format] = {**FLOATS, "bin": BINARY, "tern": TERNARY}
_FAMILIES: dict[str, Callable[..., Format]] = {
    "int": lambda bits: IntegerFormat(bits=bits),
    "uint": lambda bits: IntegerFormat(bits=bits, signed=False),
    "pot": power_of_two,
    "apot": additive,
    "bitsparse": bit_sparse,
}
#: What a name of a format looks like, as a regular expression without groups.
PATTERN = rf"(?:{'|'.join(_NAMED)}|(?:{'|'.join(_FAMILIES)})[1-9][0-9]*(?:e[1-9][0-9]*)?)"


def format_named(name: object) -> Format:
    """Return the format of a name (docs/reference/formats.md lists them); else UserError."""
    if isinstance(name, str) and name in _NAMED:
        return _NAMED[name]
    match = re.fullmatch(r"([a-z]+)([1-9][0-9]*)(?:e([1-9][0-9]*))?", str(name))
    if not match or match[1] not in _FAMILIES or (match[3] and match[1] != "pot"):
        families = ", ".join(f"{family}N" for family in _FAMILIES)
        raise UserError(f"format must be {families}, {', '.join(_NAMED)}, not {name!r}")
    numbers = [int(number) for number in match.groups()[1:] if number]
    return _FAMILIES[match[1]](*numbers)
