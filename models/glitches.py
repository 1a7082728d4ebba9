"""What glitches add to a PE's multiply-accumulate: a factor by arithmetic, from measurements.

Energies of samples are those of settled values. docs/explanation/glitches.md tells what glitches
add, how it was measured, and what the factors leave out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from characterize.glitch_file import Glitches, measured_technologies, shipped
from rtl_gen.formats import Arithmetic, PowerOfTwoFormat, arithmetic

#: What the factors are of: what the parts of a PE take in a cycle with it, above an idle one.
KIND, EVENT, PARTS = "pe", "mac", ("datapath", "scratchpad")

#: Part of `PARTS` -> factor, at least 1; "from" -> what was measured ("nangate45 int8").
Factors = Mapping[str, float | str]


def glitch_factors(technology: str, names: Iterable[str]) -> dict[str, dict[str, float | str]]:
    """Arithmetic -> its factors.

    They are the technology's own where some ship for it, else the geometric mean of those of the
    technologies that were measured: between these they differ by a few percent. An arithmetic that
    was not measured takes those of the one that is nearest in its family (floating point, powers
    of two, integers), by the bits of a product.
    """
    sources = [technology] if shipped(technology) else measured_technologies()
    measured = {
        source: {one.arithmetic: one for one in shipped(source) if one.component == KIND}
        for source in sources
    }
    common = set.intersection(*(set(found) for found in measured.values()))
    result: dict[str, dict[str, float | str]] = {}
    for name in names:
        nearest = _nearest(arithmetic(name), [arithmetic(one) for one in sorted(common)])
        found = [of_source[nearest] for of_source in measured.values()]
        origin = f"{' and '.join(sources)} {nearest}"
        result[name] = {part: _mean(found, part) for part in PARTS} | {"from": origin}
    return result


def _mean(found: Iterable[Glitches], part: str) -> float:
    factors = [max(one.factor_above_idle(part), 1.0) for one in found]
    return round(math.prod(factors) ** (1 / len(factors)), 4)


def _nearest(wanted: Arithmetic, among: Iterable[Arithmetic]) -> str:
    def distance(one: Arithmetic) -> tuple[bool, bool, float, str]:
        bits = abs(math.log2(_product_bits(one) / _product_bits(wanted)))
        return (
            one.is_float != wanted.is_float,
            _shifts(one) != _shifts(wanted),
            0.0 if one.name == wanted.name else 1e-9 + bits,
            one.name,
        )

    return min(among, key=distance).name


def _product_bits(one: Arithmetic) -> int:
    return one.activation_bits * one.weight_bits


def _shifts(one: Arithmetic) -> bool:
    return isinstance(one.weight, PowerOfTwoFormat)
