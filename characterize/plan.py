"""A plan's file: what to measure, in which arithmetics, at which values of the fields.

The form: docs/reference/plan-file.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from characterize.groups import Plan, Samples, Stop
from characterize.sample import RECIPES, WAYS
from characterize.space_filling import Axis
from rtl_gen.components import ALIKE, ANY_ARITHMETIC, KINDS
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.storage import FLIPFLOP, STORAGES
from rtl_gen.yaml_input import load_mapping

#: The plan of `quidam characterize` when none is given.
DEFAULT = Path(__file__).with_name("plan.yaml")

KEYS = (
    *("arithmetics", "clock_ns", "scratchpads", "recipes", "builds", "seed"),
    *("samples", "stop", "others", "components"),
)
#: More than any field or number of samples can be: a slip of the keyboard must not fill memory.
MOST_VALUE, MOST_POINTS, MOST_NUMBER = 2**20, 10_000, 1e9

T = TypeVar("T", Samples, Stop)


def load_plan(path: Path | str = DEFAULT) -> Plan:
    """Read a plan.

    Raises
    ------
    UserError
        When the file is not a plan; names the rule and the value.
    """
    content = load_mapping(path)
    try:
        return _plan(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _plan(content: Mapping[str, Any]) -> Plan:
    for key in content:
        if key not in KEYS:
            raise UserError(f"keys must be {', '.join(KEYS)}, not {key!r}")
    names = content.get("arithmetics")
    if not isinstance(names, list) or not names:
        raise UserError(f"arithmetics must be a list of arithmetics, not {names!r}")
    clock_ns = content.get("clock_ns")
    if clock_ns is not None and not _positive(clock_ns):
        raise UserError(f"clock_ns must be a positive number of ns, not {clock_ns!r}")
    components = content.get("components")
    if not isinstance(components, dict) or not components:
        raise UserError(f"components must map components to points, not {components!r}")
    listed, designs = {}, {}
    for kind, entries in components.items():
        grids, ranges = _entries(kind, entries)
        if grids:
            listed[kind] = tuple(_points(kind, grids))
        if ranges:
            designs[kind] = {name: _axis(name, ranges[0][name]) for name in KINDS[kind].fields}
    return Plan(
        arithmetics=tuple(dict.fromkeys(arithmetic(name).name for name in names)),
        clock_ns=None if clock_ns is None else float(clock_ns),
        scratchpads=_among(content, "scratchpads", STORAGES, FLIPFLOP),
        recipes=_among(content, "recipes", RECIPES, RECIPES[0]),
        builds=_builds(content),
        points=listed,
        designs=designs,
        samples=_numbers(content, "samples", Samples, int),
        stop=_numbers(content, "stop", Stop, float),
        seed=_seed(content.get("seed", 0)),
        others=_others(content.get("others", {})),
    )


def _entries(kind: Any, entries: Any) -> tuple[list[Any], list[Any]]:
    """The entries of one component: grids, and at most one with ranges."""
    if kind not in KINDS:
        raise UserError(f"component must be one of {', '.join(KINDS)}, not {kind!r}")
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{kind} must have a list of grids, not {entries!r}")
    names = KINDS[kind].fields
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != set(names):
            raise UserError(f"{kind} must have {', '.join(names)}, not {entry!r}")
    grids: list[Any] = []
    ranges: list[Any] = []
    for entry in entries:
        (ranges if any(isinstance(v, dict) for v in entry.values()) else grids).append(entry)
    if len(ranges) > 1:
        raise UserError(f"{kind} must have at most one entry with ranges, not {len(ranges)}")
    return grids, ranges


def _points(kind: str, grids: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, int]]:
    """The points of the grids, each once."""
    seen = set()
    names = KINDS[kind].fields
    for grid in grids:
        axes = [grid[name] if isinstance(grid[name], list) else [grid[name]] for name in names]
        if not all(_integer(value) for axis in axes for value in axis):
            raise UserError(f"{kind} must have integers, not {grid!r}")
        if (count := math.prod(map(len, axes))) > MOST_POINTS:
            raise UserError(f"{kind} must have at most {MOST_POINTS} points, not {count}")
        for values in itertools.product(*axes):
            if values not in seen:
                seen.add(values)
                yield dict(zip(names, values, strict=True))


def _axis(name: str, value: Any) -> Axis:
    """A field of an entry with ranges: a range, a list of values, or one."""
    if not isinstance(value, dict):
        values = value if isinstance(value, list) else [value]
        if not values or not all(_integer(one) for one in values):
            raise UserError(f"{name} must be integers or a range, not {value!r}")
        return Axis(values=sorted(set(values)))
    if not set(value) <= {"from", "to", "step", "scale"} or not {"from", "to"} <= set(value):
        raise UserError(f"{name} must have from and to, and may have step and scale, not {value!r}")
    low, high, step = value["from"], value["to"], value.get("step", 1)
    scale = value.get("scale", "linear")
    if not all(_integer(one) and 1 <= one <= MOST_VALUE for one in (low, high, step)):
        raise UserError(f"{name} must have integers from 1 to {MOST_VALUE}, not {value!r}")
    if low > high or (high - low) % step:
        raise UserError(f"{name} must lead from low to high in whole steps, not {value!r}")
    if scale not in ("linear", "log"):
        raise UserError(f"{name}: scale must be linear or log, not {scale!r}")
    return Axis(values=range(low, high + 1, step), log=scale == "log")


def _among(
    content: Mapping[str, Any], key: str, known: Sequence[str], usual: str
) -> tuple[str, ...]:
    """A list of words."""
    words = content.get(key, [usual])
    if not isinstance(words, list) or not words or not all(word in known for word in words):
        raise UserError(f"{key} must be a list of {', '.join(known)}, not {words!r}")
    return tuple(dict.fromkeys(words))


def _builds(content: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Ways to build PEs, "gated.small"."""
    words = content.get("builds", [])
    if not isinstance(words, list) or not all(word in tuple(WAYS) for word in words):
        raise UserError(f"builds must be a list of {', '.join(WAYS)}, not {words!r}")
    return tuple(dict.fromkeys(WAYS[word] for word in words))


def _numbers(content: Mapping[str, Any], key: str, kind: type[T], number: type) -> T:
    """Numbers by name, none of which must be given."""
    given = content.get(key, {})
    names = [field.name for field in fields(kind)]
    if not isinstance(given, dict) or not set(given) <= set(names):
        raise UserError(f"{key} must be among {', '.join(names)}, not {given!r}")
    for name, value in given.items():
        most = MOST_POINTS if number is int else MOST_NUMBER
        if not (_integer(value) if number is int else True) or not _positive(value) or value > most:
            raise UserError(f"{key}: {name} must be a positive number, not {value!r}")
    return kind(**{name: number(value) for name, value in given.items()})


def _others(given: Any) -> dict[str, int]:
    """How many points what is alike has in all arithmetics but the first."""
    known = (*ALIKE, *ANY_ARITHMETIC)
    if not isinstance(given, dict) or not set(given) <= set(known):
        raise UserError(f"others must map {', '.join(known)} to a number of points, not {given!r}")
    for kind, count in given.items():
        if not _integer(count) or not 1 <= count <= MOST_POINTS:
            raise UserError(f"others: {kind} must be a positive integer, not {count!r}")
    return dict(given)


def _seed(value: Any) -> int:
    if not _integer(value) or not 0 <= value < 2**31:
        raise UserError(f"seed must be an integer from 0 to {2**31 - 1}, not {value!r}")
    return int(value)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _positive(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 < value <= MOST_NUMBER
