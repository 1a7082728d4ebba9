"""A plan: which components to measure, in which arithmetics, at which values of their fields."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from characterize.sample import Task
from characterize.stimulus import component_config
from characterize.technology import Technology
from rtl_gen.components import KINDS
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.yaml_input import load_mapping

#: A small sweep: all that the demo's model is fitted to.
DEFAULT = Path(__file__).with_name("plan.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a sweep measures.

    Parameters
    ----------
    arithmetics : names; every point is measured in each.
    clock_ns : None for the technology's.
    points : component -> values of its fields.
    """

    arithmetics: tuple[str, ...]
    clock_ns: float | None
    points: Mapping[str, tuple[Mapping[str, int], ...]]

    def tasks(self, technology: Technology) -> list[Task]:
        """All samples to measure; the components whose synthesis is longest come first.

        Raises
        ------
        UserError
            When a point is no legal design.
        """
        tasks = [
            Task(
                component=component,
                arithmetic=name,
                parameters=dict(values),
                technology=technology.name,
                clock_ns=self.clock_ns or technology.clock_ns,
            )
            for component, points in self.points.items()
            for values in points
            for name in self.arithmetics
        ]
        for task in tasks:
            try:
                component_config(task.component, task.arithmetic, task.parameters)
            except UserError as error:
                raise UserError(f"plan: {task}: {error}") from error
        return sorted(tasks, key=_size, reverse=True)


def load_plan(path: Path | str = DEFAULT) -> Plan:
    """Read a plan (docs/reference/plan-file.md).

    Raises
    ------
    UserError
        When the file is not a plan; names the rule and the value.
    """
    content = load_mapping(path)
    for key in content:
        if key not in ("arithmetics", "clock_ns", "components"):
            raise UserError(f"{path}: keys must be arithmetics, clock_ns, components, not {key!r}")
    names = content.get("arithmetics")
    if not isinstance(names, list) or not names:
        raise UserError(f"{path}: arithmetics must be a list of arithmetics, not {names!r}")
    clock_ns = content.get("clock_ns")
    number = isinstance(clock_ns, int | float) and not isinstance(clock_ns, bool)
    if clock_ns is not None and not (number and clock_ns > 0):
        raise UserError(f"{path}: clock_ns must be a positive number of ns, not {clock_ns!r}")
    components = content.get("components")
    if not isinstance(components, dict) or not components:
        raise UserError(f"{path}: components must map components to points, not {components!r}")
    return Plan(
        arithmetics=tuple(dict.fromkeys(arithmetic(name).name for name in names)),
        clock_ns=None if clock_ns is None else float(clock_ns),
        points={
            component: tuple(_points(component, entries, path))
            for component, entries in components.items()
        },
    )


def _points(component: str, entries: Any, path: Path | str) -> Iterator[Mapping[str, int]]:
    """The points of one component, each once."""
    if component not in KINDS:
        raise UserError(f"{path}: component must be one of {', '.join(KINDS)}, not {component!r}")
    fields = KINDS[component].fields
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: {component} must have a list of grids, not {entries!r}")
    seen = set()
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != set(fields):
            raise UserError(f"{path}: {component} must have {', '.join(fields)}, not {entry!r}")
        axes = [entry[name] if isinstance(entry[name], list) else [entry[name]] for name in fields]
        for values in itertools.product(*axes):
            if not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
                raise UserError(f"{path}: {component} must have integers, not {entry!r}")
            if values not in seen:
                seen.add(values)
                yield dict(zip(fields, values, strict=True))


def _size(task: Task) -> tuple[bool, int]:
    """Longest first, so that no worker ends late with a big one."""
    words = sum(value for name, value in task.parameters.items() if name.endswith("_words"))
    bits = arithmetic(task.arithmetic).weight_bits
    return task.component == "pe", words * bits
