"""Plans: what a sweep measures, each point once, and only legal ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize.plan import Plan, load_plan
from characterize.technology import TECHNOLOGIES, read_technology
from rtl_gen.components import KINDS
from rtl_gen.errors import UserError

TECHNOLOGY = read_technology(TECHNOLOGIES / "osu018.yaml")


def plan(folder: Path, **changes: Any) -> Plan:
    """A plan of nodes, with changes."""
    content = {"arithmetics": ["int8"], "components": {"node": [{"bus_bits": 64}]}, **changes}
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_plan(path)


def test_the_default_plan_has_every_component_in_the_four_arithmetics() -> None:
    tasks = load_plan().tasks(TECHNOLOGY)
    for arithmetic in ("int16", "int8", "lightpe1", "lightpe2"):
        assert {task.component for task in tasks if task.arithmetic == arithmetic} == set(KINDS)
    assert len({str(task) for task in tasks}) == len(tasks)
    assert {task.clock_ns for task in tasks} == {TECHNOLOGY.clock_ns}


def test_lists_are_grids_and_points_come_once(tmp_path: Path) -> None:
    grids = [{"bus_bits": [64, 128]}, {"bus_bits": 128}, {"bus_bits": [256]}]
    found = plan(
        tmp_path,
        arithmetics=["int8", {"activation": "int6", "weight": "int3"}, "int8"],
        components={"node": grids, "bank": [{}]},
        clock_ns=4,
    )
    tasks = found.tasks(TECHNOLOGY)
    assert sorted(str(task) for task in tasks) == [
        "int6xint3 bank",
        *(f"int6xint3 node {bits}" for bits in (128, 256, 64)),
        "int8 bank",
        *(f"int8 node {bits}" for bits in (128, 256, 64)),
    ]
    assert {(task.clock_ns, task.technology) for task in tasks} == {(4.0, "osu018")}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"arithmetics": []}, "arithmetics must be a list of arithmetics, not []"),
        ({"arithmetics": "int8"}, "arithmetics must be a list of arithmetics, not 'int8'"),
        ({"clock_ns": "fast"}, "clock_ns must be a positive number of ns, not 'fast'"),
        ({"clock_ns": 0}, "clock_ns must be a positive number of ns, not 0"),
        ({"colour": 1}, "keys must be arithmetics, clock_ns, components, not 'colour'"),
        ({"components": {}}, "components must map components to points"),
        ({"components": {"wheel": [{}]}}, "component must be one of pe, node"),
        ({"components": {"node": {"bus_bits": 64}}}, "node must have a list of grids"),
        ({"components": {"node": [{"rows": 3}]}}, "node must have bus_bits, not {'rows': 3}"),
        ({"components": {"node": [{"bus_bits": [64.0]}]}}, "node must have integers"),
        ({"components": {"node": [{"bus_bits": 48}]}}, "bus_bits must be a power of two, not 48"),
    ],
)
def test_a_broken_rule_is_named_with_the_value(
    tmp_path: Path, changes: dict[str, Any], rule: str
) -> None:
    with pytest.raises(UserError, match=re.escape(rule)):
        plan(tmp_path, **changes).tasks(TECHNOLOGY)
