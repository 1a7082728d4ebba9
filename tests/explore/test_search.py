"""The search against evaluating every design by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import explore.space
from explore.cost import evaluate
from explore.pareto import front_mask
from explore.quantities import OBJECTIVES, constraint, values
from explore.search import Exploration, search
from explore.space import Space, space_from_mapping
from explore.table import best_by_type, fronts
from explore.workload import Workload, load_workload
from rtl_gen.config import INTEGER_FIELDS, AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer

# Dilated, so that a column's memories must hold half a row of sums: not all designs can.
FIRST = Layer(
    name="first", kind="conv", in_channels=3, in_height=12, in_width=12, out_channels=8,
    kernel_height=5, kernel_width=5, padding=4, dilation=2,
)  # fmt: skip
LAST = Layer(name="last", kind="fc", in_channels=64, out_channels=10)
WORKLOAD = Workload(name="small", source="", layers=(FIRST, LAST))


@pytest.fixture(scope="module")
def space() -> Space:
    return space_from_mapping(
        {
            "arithmetic": ["int16", "int8", "lightpe1"], "rows": [4, 6, 10, 20],
            "columns": [3, 8, 30], "ifmap_words": [5, 10], "weight_words": [16, 64],
            "psum_words": [4, 16], "buffer_kib": [2, 32], "bus_bits": [32, 64],
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows(model: Any, space: Space) -> list[dict[str, Any]]:
    """Every design that runs, with its objectives, evaluated one config after another."""
    found = []
    for designs, _ in space.chunks():
        for index in range(len(designs)):
            config = designs.config(index)
            costs = evaluate(model, config, WORKLOAD)
            if not costs.legal:
                continue
            row = {name: getattr(config, name) for name in INTEGER_FIELDS}
            row |= {"arithmetic": config.arithmetic.name, "area_um2": float(costs.area_um2)}
            row |= {"latency_s": float(costs.latency_s), "energy_j": float(costs.energy_j)}
            row |= {"inferences_per_s_mm2": float(costs.perf_per_area)}
            found.append(row)
    return found


def key(row: Any) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("arithmetic", *INTEGER_FIELDS))


def test_front_is_that_of_all_designs(model: Any, space: Space, rows: list[dict[str, Any]]) -> None:
    found = search(model, space, [WORKLOAD])
    table = np.array([[row["latency_s"], row["energy_j"], row["area_um2"]] for row in rows])
    expected = {key(row) for row, kept in zip(rows, front_mask(table), strict=True) if kept}
    result = fronts(found)
    assert {key(row) for _, row in result[result["on_front"]].iterrows()} == expected
    own = set()
    for name in ("int16", "int8", "lightpe1"):
        mine = np.array([row["arithmetic"] == name for row in rows])
        kept = front_mask(table[mine])
        own |= {key(rows[place]) for place in np.flatnonzero(mine)[kept]}
    assert {key(row) for _, row in result.iterrows()} == own
    (findings,) = found.findings
    assert findings.feasible == len(rows)
    assert findings.feasible + findings.cannot_run == found.designs
    assert found.designs + found.dropped == space.combinations
    assert findings.cannot_run > 0
    assert found.dropped > 0  # int16 sums need a bus of 64 bits
    assert findings.outside == sum(row["rows"] > 16 for row in rows)
    assert found.scaled == ("psum_sram",)


def test_best_of_each_type(model: Any, space: Space, rows: list[dict[str, Any]]) -> None:
    found = search(model, space, [WORKLOAD])
    best = {row["arithmetic"]: row for row in best_by_type(found, found.findings[0])}
    assert best["lightpe1"]["label"] == "LightPE-1"
    most = {
        name: max(row["inferences_per_s_mm2"] for row in rows if row["arithmetic"] == name)
        for name in best
    }
    least = {
        name: min(row["energy_j"] for row in rows if row["arithmetic"] == name) for name in best
    }
    for name, row in best.items():
        assert row["perf_per_area"] == pytest.approx(most[name])
        assert row["energy_mj"] == pytest.approx(1e3 * least[name])
        assert row["perf_per_area_relative"] == pytest.approx(most[name] / most["int16"])
        assert row["energy_mj_relative"] == pytest.approx(least["int16"] / least[name])
        config = AcceleratorConfig.from_mapping(row["energy_mj_design"])
        assert evaluate(model, config, WORKLOAD).energy_j == pytest.approx(least[name])
    assert best["int16"]["energy_mj_relative"] == 1.0


def test_without_int16_the_first_type_is_the_reference(model: Any, space: Space) -> None:
    arithmetics = tuple(one for one in space.arithmetics if one.name != "int16")
    found = search(
        model, Space(arithmetics=arithmetics, builds=space.builds, values=space.values), [WORKLOAD]
    )
    assert found.reference.name == "int8"
    best = best_by_type(found, found.findings[0])
    assert best[0]["perf_per_area_relative"] == 1.0


def same(one: Exploration, other: Exploration) -> bool:
    return bool(fronts(one).equals(fronts(other)))


def test_chunks_do_not_change_the_result(
    model: Any, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search(model, space, [WORKLOAD])
    monkeypatch.setattr(explore.space, "CHUNK", 50)
    steps: list[int] = []
    chunked = search(model, space, [WORKLOAD], progress=steps.append)
    assert same(whole, chunked)
    assert best_by_type(whole, whole.findings[0]) == best_by_type(chunked, chunked.findings[0])
    assert sum(steps) == space.combinations
    assert len(steps) > 10
    for name, points in whole.findings[0].cloud.items():
        np.testing.assert_array_equal(points, chunked.findings[0].cloud[name])


def test_constraints_bound_front_and_best(
    model: Any, space: Space, rows: list[dict[str, Any]]
) -> None:
    free = search(model, space, [WORKLOAD])
    middle = float(np.median(fronts(free)["area_um2"]))
    bound = search(model, space, [WORKLOAD], constraints=[constraint(f"area_um2 < {middle}")])
    assert fronts(bound)["area_um2"].max() < middle
    assert bound.findings[0].feasible == sum(row["area_um2"] < middle for row in rows)
    for best in bound.findings[0].best.values():
        for designs, costs in best.values():
            assert values("area_um2", designs, costs)[0] < middle


def test_objectives_choose_the_front(model: Any, space: Space, rows: list[dict[str, Any]]) -> None:
    found = search(model, space, [WORKLOAD], objectives=[OBJECTIVES["perf_per_area"]])
    table = fronts(found)
    front = table[table["on_front"]]
    assert front["inferences_per_s_mm2"].nunique() == 1
    assert front["inferences_per_s_mm2"].max() == max(row["inferences_per_s_mm2"] for row in rows)


def test_several_workloads_and_a_sample(model: Any, space: Space) -> None:
    other = Workload(name="other", source="", layers=(LAST,))
    found = search(model, space, [WORKLOAD, other], sample=200, seed=1)
    assert found.designs + found.dropped == 200
    assert set(fronts(found)["workload"]) == {"small", "other"}
    assert same(found, search(model, space, [WORKLOAD, other], sample=200, seed=1))
    alone = search(model, space, [other], sample=200, seed=1)
    mine = fronts(found)[lambda table: table["workload"] == "other"].reset_index(drop=True)
    assert mine.equals(fronts(alone))


def test_nothing_left_says_why(model: Any, space: Space) -> None:
    with pytest.raises(UserError) as error:
        search(model, space, [WORKLOAD], constraints=[constraint("area_mm2 < 0")])
    assert "must leave a design for small, not none" in str(error.value)
    assert "0 of those keep area_mm2 < 0" in str(error.value)


def test_a_layer_nothing_can_run_is_refused_before_any_work(model: Any, space: Space) -> None:
    long = Layer(name="long", kind="fc", in_channels=64, out_channels=2**15)
    steps: list[int] = []
    with pytest.raises(UserError, match="layer 'long': out_channels must be at most 32767"):
        search(model, space, [Workload(name="w", source="", layers=(long,))], progress=steps.append)
    assert steps == []


def test_where_no_design_is_left_it_says_so(model: Any, space: Space) -> None:
    with pytest.raises(UserError, match="run every layer"):
        search(model, space, [load_workload("resnet20")], constraints=[constraint("rows < 4")])
