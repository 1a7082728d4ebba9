"""Numbers and units as Liberty spells them; what is not one is a `ValueError`, never a guess."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

#: What stands between the numbers of a table, for `str.translate`.
SEPARATORS = str.maketrans('",\\', "   ")

#: Nothing that a cell has is so large in any unit; products of two such are still finite.
MOST = 1e30
_PREFIX = {"": 1.0, "k": 1e3, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18}
#: Python's own reading of numbers also takes nan, inf, 1_0 and the digits of other scripts.
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_OTHER = re.compile(r"[^-+.\deE\s]", re.ASCII)


def number(text: str, *, low: float = -np.inf) -> float:
    """A number of a sensible size, at least `low`."""
    word = text.strip(' "')
    value = float(word) if _FLOAT.fullmatch(word) else np.nan
    if not abs(value) < MOST or value < low:
        rule = "a number" if low < 0 else f"a number of at least {low:g}"
        raise ValueError(f"must be {rule}, not {text!r:.80}")
    return value


def numbers(text: str) -> NDArray[np.float64]:
    """The finite numbers of a list such as `"1, 2", "3, 4"`; (n,)."""
    words = text.translate(SEPARATORS)
    if other := _OTHER.search(words):
        raise ValueError(f"must be numbers, not {text[max(other.start() - 20, 0) :]!r:.80}")
    values = np.array(words.split(), dtype=np.float64)
    if not (np.abs(values) < MOST).all():
        raise ValueError(f"must be numbers below {MOST:g}, not {text!r:.80}")
    return values


def unit(text: str, symbol: str) -> float:
    """How much of the SI unit `symbol` one such as `10ps` is."""
    match = re.fullmatch(rf"(.*?)\s*([kmunpfa]?){symbol}", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"a unit must be like '1n{symbol}', not {text!r:.80}")
    value = (number(match[1], low=0.0) if match[1] else 1.0) * _PREFIX[match[2].lower()]
    if value <= 0:
        raise ValueError(f"a unit must be more than 0, not {text!r:.80}")
    return value
