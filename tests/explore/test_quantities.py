"""Constraints and objectives: their small grammar, and what they compare."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explore.cost import evaluate
from explore.quantities import OBJECTIVES, QUANTITIES, constraint, objective, values
from explore.space import space_from_mapping
from explore.workload import load_workload
from rtl_gen.errors import UserError


@pytest.fixture
def rows(model: Any) -> Any:
    space = space_from_mapping(
        {
            "arithmetic": "int8", "rows": [3, 8, 20], "columns": [4, 16], "ifmap_words": 12,
            "weight_words": 64, "psum_words": 16, "buffer_kib": 64, "bus_bits": 64,
        }
    )  # fmt: skip
    designs = next(space.chunks())[0]
    return designs, evaluate(model, designs, load_workload("resnet20"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("area_mm2 < 2", ("area_mm2", "<", 2.0)),
        ("latency_ms<=5", ("latency_ms", "<=", 5.0)),
        ("  perf_per_area >= 1.5e3 ", ("perf_per_area", ">=", 1500.0)),
        ("rows == 8", ("rows", "==", 8.0)),
        ("energy_uj > -1", ("energy_uj", ">", -1.0)),
    ],
)
def test_constraints_are_read(text: str, parts: tuple[str, str, float]) -> None:
    read = constraint(text)
    assert (read.quantity, read.relation, read.bound) == parts
    assert constraint(str(read)) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("area < 2", "constraint must be on one of latency_s, .*, not 'area'"),
        ("area_mm2 = 2", "constraint must read like 'area_mm2 < 2'"),
        ("area_mm2 < x", "constraint must read like"),
        ("area_mm2 < 1e", "constraint must end in a number, not '1e'"),
        ("area_mm2 < 1e999", "constraint must end in a finite number"),
        ("1 < area_mm2 < 2", "constraint must read like"),
        ("__import__('os') < 2", "constraint must read like"),
        ("", "constraint must read like"),
        (3, "constraint must read like .*, not 3"),
    ],
)
def test_other_constraints_are_refused(text: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        constraint(text)


def test_constraints_compare(rows: Any) -> None:
    designs, costs = rows
    area = values("area_mm2", designs, costs)
    middle = float(np.sort(area)[len(area) // 2])
    np.testing.assert_array_equal(constraint("rows == 8").holds(designs, costs), designs.rows == 8)
    for relation, expected in (("<", area < middle), (">=", area >= middle)):
        held = constraint(f"area_mm2 {relation} {middle!r}").holds(designs, costs)
        np.testing.assert_array_equal(held, expected)
    inside = constraint("inside_range == 1").holds(designs, costs)
    np.testing.assert_array_equal(inside, designs.rows <= 16)


def test_every_quantity_is_one_number_a_design_and_units_agree(rows: Any) -> None:
    for quantity in QUANTITIES:
        assert values(quantity, *rows).shape == (len(rows[0]),)
    for large, small, factor in (
        ("latency_s", "latency_us", 1e6), ("energy_j", "energy_mj", 1e3),
        ("energy_j", "energy_uj", 1e6), ("area_mm2", "area_um2", 1e6),
        ("power_w", "power_mw", 1e3), ("leakage_w", "leakage_mw", 1e3),
    ):  # fmt: skip
        np.testing.assert_allclose(values(large, *rows) * factor, values(small, *rows))
    busy = values("utilization", *rows)
    assert (busy > 0).all()
    assert (busy <= 1).all()
    expected = 1e3 / (values("latency_ms", *rows) * values("area_mm2", *rows))
    np.testing.assert_allclose(values("perf_per_area", *rows), expected)


def test_objectives_name_quantities() -> None:
    assert {one.quantity for one in OBJECTIVES.values()} <= set(QUANTITIES)
    assert objective("perf_per_area").sign == -1
    with pytest.raises(UserError, match=r"objective must be one of latency, .*, not 'speed'"):
        objective("speed")
