"""`Space`: every combination of the values that SPACE.yaml lists.

The file's form stands in docs/reference/space-file.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from characterize.sample import RECIPES, WAYS
from explore.designs import Designs, Integers
from explore.quantities import DEFAULT_OBJECTIVES, Constraint, Objective, constraint, objective
from models.build import BUILDS, Build
from rtl_gen.config import INTEGER_FIELDS, legal
from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic, arithmetic
from rtl_gen.storage import STORAGES
from rtl_gen.yaml_input import load_mapping

#: Designs in a chunk: few enough for the processor's cache, enough to spread numpy's overhead.
CHUNK = 8192
#: Values of one field, at most: more is a slip of the pen (`step: 1` up to a million).
MAX_VALUES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The cartesian product of values, and what is wanted of the designs in it.

    Parameters
    ----------
    arithmetics : number formats to try.
    builds : ways to build to try.
    values : field of a config -> the values to try.
    objectives, constraints : as the file gives them; the command line may add.
    """

    arithmetics: tuple[Arithmetic, ...]
    builds: tuple[Build, ...]
    values: Mapping[str, tuple[int, ...]]
    objectives: tuple[Objective, ...] = DEFAULT_OBJECTIVES
    constraints: tuple[Constraint, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each integer field has."""
        return tuple(len(self.values[name]) for name in INTEGER_FIELDS)

    @property
    def combinations(self) -> int:
        """Combinations of values, those included that break a rule of `AcceleratorConfig`."""
        return len(self.arithmetics) * len(self.builds) * math.prod(self.shape)

    def chunks(self, sample: int | None = None, seed: int = 0) -> Iterator[tuple[Designs, int]]:
        """Tables of legal designs, each of one arithmetic and build, and how many were not.

        Parameters
        ----------
        sample : None for every combination; else so many of them, drawn without repetition.
        seed : of the draw.
        """
        each = math.prod(self.shape)
        drawn: Integers | None = None
        if sample is not None and sample < self.combinations:
            generator = np.random.default_rng(seed)
            drawn = np.sort(generator.choice(self.combinations, sample, replace=False))
        for place, (chosen, build) in enumerate(product(self.arithmetics, self.builds)):
            numbers: Sequence[int] | Integers = range(each)
            if drawn is not None:
                numbers = drawn[drawn // each == place] % each
            for first in range(0, len(numbers), CHUNK):
                yield self._chunk(chosen, build, np.asarray(numbers[first : first + CHUNK]))

    def _chunk(self, chosen: Arithmetic, build: Build, numbers: Integers) -> tuple[Designs, int]:
        """Designs by their number, the last field counting fastest."""
        places = np.unravel_index(numbers, self.shape)
        columns = {
            name: np.array(self.values[name], dtype=np.int64)[place]
            for name, place in zip(INTEGER_FIELDS, places, strict=True)
        }
        built = np.full(len(numbers), BUILDS.index(build))
        table = Designs(arithmetic=chosen, build=built, **columns)
        keep = legal(table)
        return table.take(keep), int(np.count_nonzero(~keep))


def load_space(path: Path | str) -> Space:
    """Read SPACE.yaml; raises `UserError` when the file breaks a rule of its form."""
    return space_from_mapping(load_mapping(path))


def space_from_mapping(content: Mapping[str, Any]) -> Space:
    """Build from the keys of SPACE.yaml."""
    required = ("arithmetic", *INTEGER_FIELDS)
    keys = (*required, "scratchpads", "recipe", "builds", "objectives", "constraints")
    for key in content:
        if key not in keys:
            raise UserError(f"space keys must be among {', '.join(keys)}, not {key!r}")
    for key in required:
        if key not in content:
            raise UserError(f"space must have the key {key!r}, it has {sorted(content)!r}")
    arithmetics = tuple(arithmetic(spec) for spec in _listed(content["arithmetic"]))
    if not arithmetics or len({one.name for one in arithmetics}) < len(arithmetics):
        names = [one.name for one in arithmetics]
        raise UserError(f"arithmetic must list different arithmetics, at least one, not {names!r}")
    return Space(
        arithmetics=arithmetics,
        builds=_builds(content),
        values={name: _values(name, content[name]) for name in INTEGER_FIELDS},
        objectives=objectives(_listed(content.get("objectives", []))) or DEFAULT_OBJECTIVES,
        constraints=tuple(constraint(text) for text in _listed(content.get("constraints", []))),
    )


def _builds(content: Mapping[str, Any]) -> tuple[Build, ...]:
    """Every recipe with every kind of scratchpads; and ways to build that are listed as such."""
    combined = [
        Build(scratchpads=scratchpads, recipe=recipe)
        for recipe in _names("recipe", content, RECIPES)
        for scratchpads in _names("scratchpads", content, STORAGES)
    ]
    listed = _names("builds", content, tuple(WAYS)) if "builds" in content else []
    further = [Build(scratchpads=WAYS[one][0], recipe=WAYS[one][1]) for one in listed]
    return tuple(dict.fromkeys([*combined, *further]))


def _names(key: str, content: Mapping[str, Any], known: tuple[str, ...]) -> list[str]:
    """What a key lists of what is known; the first of that where it is not there."""
    names = _listed(content.get(key, known[0]))
    if not names or any(name not in known for name in names) or len(set(names)) < len(names):
        raise UserError(f"{key} must list different ones of {', '.join(known)}, not {names!r:.80}")
    return names


def objectives(names: Sequence[Any]) -> tuple[Objective, ...]:
    """Objectives by name, none of them twice; raises `UserError`."""
    if len(set(map(str, names))) < len(names):
        raise UserError(f"objectives must differ, not {list(names)!r}")
    return tuple(objective(name) for name in names)


def _listed(spec: Any) -> list[Any]:
    return spec if isinstance(spec, list) else [spec]


def _values(name: str, spec: Any) -> tuple[int, ...]:
    """The values of one field: an integer, a list, {from, to, step} or {from, to, factor}."""
    values: list[Any]
    match spec:
        case {"from": int(low), "to": int(high), "step": int(step)} if len(spec) == 3 and step > 0:
            values = list(range(low, high + 1, step)[: MAX_VALUES + 1])
        case {"from": int(low), "to": int(high), "factor": int(factor)} if (
            len(spec) == 3 and factor > 1 and low > 0
        ):
            powers = int(math.log2(max(high // low, 1))) + 1
            values = [low * factor**n for n in range(powers) if low * factor**n <= high]
        case _:
            values = _listed(spec)
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    if not values or not whole or len(set(values)) < len(values) or len(values) > MAX_VALUES:
        raise UserError(
            f"{name} must be an integer, a list of different integers, {{from, to, step}} or "
            f"{{from, to, factor}} (at most {MAX_VALUES} values), not {spec!r:.80}"
        )
    return tuple(values)
