"""Plans: what a sweep measures, each point once, and only legal ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize.groups import Group, Plan
from characterize.plan import load_plan
from characterize.technology import TECHNOLOGIES, read_technology
from rtl_gen.components import ANY_ARITHMETIC, KINDS
from rtl_gen.errors import UserError

TECHNOLOGY = read_technology(TECHNOLOGIES / "osu018.yaml")


def plan(folder: Path, **changes: Any) -> Plan:
    """A plan of nodes, with changes."""
    content = {"arithmetics": ["int8"], "components": {"node": [{"bus_bits": 64}]}, **changes}
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_plan(path)


#: Ranges of a PE.
PE: dict[str, Any] = {
    "ifmap_words": {"from": 4, "to": 24},
    "weight_words": {"from": 16, "to": 256, "step": 4, "scale": "log"},
    "psum_words": 8,
}


def sizes(group: Group) -> list[tuple[int, ...]]:
    return [tuple(task.parameters.values()) for task in group.tasks]


def test_the_default_plan_has_every_component_in_all_pe_types_and_widths() -> None:
    tasks = load_plan().tasks(TECHNOLOGY)
    for arithmetic in ("fp32", "int16", "int8", "int4", "lightpe1", "lightpe2"):
        own = {task.component for task in tasks if task.arithmetic == arithmetic}
        assert own | set(ANY_ARITHMETIC) == set(KINDS)
    assert {task.arithmetic for task in tasks if task.component == "control"} == {"int8"}
    ways = {(task.scratchpads, task.recipe) for task in tasks if task.component == "pe"}
    assert ways >= {("flipflop", "fast"), ("gated", "fast"), ("gated", "small")}
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


def test_ranges_are_filled_corners_first_and_the_same_in_every_arithmetic(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        arithmetics=["int8", "fp32"],
        components={"pe": [PE]},
        samples={"first": 6, "batch": 2, "most": 20},
    )
    one, other = found.groups(TECHNOLOGY)
    assert sizes(one)[:3] == [(4, 16, 8), (24, 16, 8), (4, 256, 8)]
    assert len(set(sizes(one))) == len(sizes(one)) == 20
    assert sizes(one) == sizes(other)
    assert (one.first, one.endless) == (6, True)
    assert all(4 <= i <= 24 and 16 <= w <= 256 and w % 4 == 0 for i, w, _ in sizes(one))


def test_more_samples_go_on_where_fewer_ended_and_the_seed_moves_them(tmp_path: Path) -> None:
    def found(most: int, seed: int = 0) -> list[tuple[int, ...]]:
        content = {"components": {"pe": [PE]}, "samples": {"most": most}, "seed": seed}
        return sizes(plan(tmp_path, **content).groups(TECHNOLOGY)[0])

    assert found(40)[:12] == found(12)
    assert found(12, seed=1) != found(12)
    assert found(12, seed=1)[:3] == found(12)[:3]
    assert found(12, seed=1)[3] != found(12)[3]


def test_listed_points_come_before_the_design_and_are_all_measured(tmp_path: Path) -> None:
    grid = {"ifmap_words": [4, 5], "weight_words": [16, 20, 24], "psum_words": 8}
    samples = {"first": 4, "batch": 2, "most": 10}
    (group,) = plan(tmp_path, components={"pe": [PE, grid]}, samples=samples).groups(TECHNOLOGY)
    assert sizes(group)[:6] == [(i, w, 8) for i in (4, 5) for w in (16, 20, 24)]
    assert sizes(group)[6] == (24, 16, 8)  # (4, 16, 8), the lowest corner, is listed
    assert (group.first, len(group.tasks), len(set(sizes(group)))) == (6, 10, 10)


def test_points_of_a_design_that_an_arithmetic_can_t_have_are_left_out(tmp_path: Path) -> None:
    components = {"node": [{"bus_bits": {"from": 32, "to": 128}}]}
    found = plan(tmp_path, arithmetics=["int8", "int16"], components=components)
    narrow, wide = found.groups(TECHNOLOGY)
    assert {value for (value,) in sizes(narrow)} == {32, 64, 128}
    assert {value for (value,) in sizes(wide)} == {64, 128}  # its sums have 47 bits
    assert not narrow.endless


def test_scratchpads_are_built_in_every_way_in_pes_only(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        scratchpads=["flipflop", "gated", "latch"],
        recipes=["fast", "small"],
        components={"node": [{"bus_bits": 64}], "pe": [{**PE, "ifmap_words": 8}]},
    )
    groups = [group.tasks[0] for group in found.groups(TECHNOLOGY)]
    assert [(one.component, one.scratchpads, one.recipe) for one in groups] == [
        ("pe", "flipflop", "fast"),
        ("pe", "flipflop", "small"),
        ("pe", "gated", "fast"),
        ("pe", "gated", "small"),
        ("node", "flipflop", "fast"),
    ]  # osu018 names no latch
    assert found.buildable(TECHNOLOGY) == ("flipflop", "gated")


def test_builds_are_further_ways_that_the_technology_has_cells_for(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        scratchpads=["gated"],
        builds=["gated.fast", "latch.fast", "gated.small"],
        components={"bank": [{}], "pe": [{**PE, "ifmap_words": 8}]},
    )
    groups = [group.tasks[0] for group in found.groups(TECHNOLOGY)]
    assert [(one.component, one.scratchpads, one.recipe) for one in groups] == [
        ("pe", "gated", "fast"),
        ("pe", "gated", "small"),
        ("bank", "flipflop", "fast"),
    ]


def test_others_have_the_first_points_of_what_is_alike(tmp_path: Path) -> None:
    grid = {"columns": [4, 8], "bus_bits": [64, 128], "buffer_kib": 16}
    nodes = {"bus_bits": [64, 128]}
    found = plan(
        tmp_path,
        arithmetics=["int8", "int4", "fp32"],
        others={"collector": 3},
        components={"collector": [grid], "node": [nodes]},
    )
    groups = {(g.tasks[0].component, g.tasks[0].arithmetic): g for g in found.groups(TECHNOLOGY)}
    assert len(groups) == 6
    assert sizes(groups["collector", "int8"]) == [(c, b, 16) for c in (4, 8) for b in (64, 128)]
    for name in ("int4", "fp32"):
        assert sizes(groups["collector", name]) == sizes(groups["collector", "int8"])[:3]
        assert (groups["collector", name].first, groups["collector", name].endless) == (3, False)
        assert sizes(groups["node", name]) == [(64,), (128,)]


def test_what_stands_for_all_arithmetics_is_of_the_first_and_some_of_the_others(
    tmp_path: Path,
) -> None:
    given = {
        "arithmetics": ["int8", "int4", "fp32"],
        "components": {"control": [{"bus_bits": [64, 128]}]},
    }
    (only,) = plan(tmp_path, **given).groups(TECHNOLOGY)
    assert {task.arithmetic for task in only.tasks} == {"int8"}
    groups = plan(tmp_path, **given, others={"control": 1}).groups(TECHNOLOGY)
    assert [(group.tasks[0].arithmetic, sizes(group)) for group in groups] == [
        ("int8", [(64,), (128,)]),
        ("int4", [(64,)]),
        ("fp32", [(64,)]),
    ]


def node(bus_bits: Any) -> dict[str, Any]:
    return {"components": {"node": [{"bus_bits": bus_bits}]}}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"arithmetics": []}, "arithmetics must be a list of arithmetics, not []"),
        ({"arithmetics": "int8"}, "arithmetics must be a list of arithmetics, not 'int8'"),
        ({"clock_ns": "fast"}, "clock_ns must be a positive number of ns, not 'fast'"),
        ({"clock_ns": 0}, "clock_ns must be a positive number of ns, not 0"),
        ({"colour": 1}, "samples, stop, others, components, not 'colour'"),
        (
            {"others": {"node": 2}},
            "others must map collector, controller, control to a number of points, not {'node'",
        ),
        (
            {"others": 2},
            "others must map collector, controller, control to a number of points, not 2",
        ),
        ({"others": {"collector": 0}}, "others: collector must be a positive integer, not 0"),
        ({"others": {"collector": True}}, "others: collector must be a positive integer, not True"),
        ({"components": {}}, "components must map components to points"),
        ({"components": {"wheel": [{}]}}, "component must be one of pe, node"),
        ({"components": {"node": {"bus_bits": 64}}}, "node must have a list of grids"),
        ({"components": {"node": [{"rows": 3}]}}, "node must have bus_bits, not {'rows': 3}"),
        ({"components": {"node": [{"bus_bits": [64.0]}]}}, "node must have integers"),
        ({"components": {"node": [{"bus_bits": 48}]}}, "bus_bits must be a power of two, not 48"),
        (node({"from": 64}), "bus_bits must have from and to, and may have step and scale"),
        (node({"from": 64, "to": 128, "by": 2}), "bus_bits must have from and to"),
        (node({"from": 0, "to": 128}), "bus_bits must have integers from 1 to 1048576"),
        (node({"from": 64, "to": 2**40}), "bus_bits must have integers from 1 to 1048576"),
        (node({"from": 128, "to": 64}), "bus_bits must lead from low to high in whole steps"),
        (node({"from": 1, "to": 8, "step": 3}), "bus_bits must lead from low to high in whole"),
        (node({"from": 1, "to": 8, "scale": "lin"}), "scale must be linear or log, not 'lin'"),
        (node({"from": 48, "to": 60}), "int8 node must have a legal point in its ranges"),
        ({"components": {"node": [{"bus_bits": {}}, {"bus_bits": {}}]}}, "at most one entry with"),
        ({"components": {"node": [{"bus_bits": [64] * 10001}]}}, "at most 10000 points, not 10001"),
        ({"seed": -1}, "seed must be an integer from 0 to 2147483647, not -1"),
        ({"samples": {"first": 0}}, "samples: first must be a positive number, not 0"),
        ({"samples": {"first": 2.5}}, "samples: first must be a positive number, not 2.5"),
        ({"samples": {"last": 2}}, "samples must be among first, batch, most, not {'last': 2}"),
        ({"stop": {"area_percent": "low"}}, "stop: area_percent must be a positive number"),
        (
            {"stop": {"area_percent": float("nan")}},
            "area_percent must be a positive number, not nan",
        ),
        ({"stop": 5}, "stop must be among area_percent, energy_percent, period_percent"),
        (
            {"scratchpads": ["sram"]},
            "scratchpads must be a list of flipflop, gated, latch, macro, not",
        ),
        ({"scratchpads": ["latch"]}, "which names no latch, not 'latch'"),
        ({"recipes": "fast"}, "recipes must be a list of fast, small, target, not 'fast'"),
        ({"builds": "gated.small"}, "builds must be a list of flipflop.fast, "),
        ({"builds": ["gated"]}, "macro.target, not ['gated']"),
        ({"builds": [["gated.small"]]}, "builds must be a list of "),
    ],
)
def test_a_broken_rule_is_named_with_the_value(
    tmp_path: Path, changes: dict[str, Any], rule: str
) -> None:
    with pytest.raises(UserError, match=re.escape(rule)):
        plan(tmp_path, **changes).tasks(TECHNOLOGY)
