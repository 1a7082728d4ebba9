"""Spaces: enumeration against the config's own rules, sampling, and files that break a rule."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

import explore.space
from explore.designs import Designs
from explore.space import Space, load_space, space_from_mapping
from models.ppa import load_model
from rtl_gen.config import INTEGER_FIELDS, AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.formats import ARITHMETICS

REPOSITORY = Path(__file__).parents[2]


def mapping(**changes: Any) -> dict[str, Any]:
    return {
        "arithmetic": ["int16", "lightpe1"],
        "rows": [3, 70],
        "columns": {"from": 1, "to": 64, "factor": 8},
        "ifmap_words": 12,
        "weight_words": [0, 24],
        "psum_words": {"from": 4, "to": 9, "step": 2},
        "buffer_kib": [1, 2],
        "bus_bits": [16, 24, 64],
        **changes,
    }


def rows(space: Space, **options: Any) -> tuple[list[tuple[Any, ...]], int]:
    found, dropped = [], 0
    for designs, broken in space.chunks(**options):
        table = designs.columns_by_name()
        found += [
            (designs.arithmetic.name, *values)
            for values in zip(*(table[name].tolist() for name in INTEGER_FIELDS), strict=True)
        ]
        dropped += broken
    return found, dropped


def by_hand(content: dict[str, Any], values: dict[str, list[int]]) -> list[tuple[Any, ...]]:
    """Every combination that AcceleratorConfig itself takes."""
    taken = []
    for name in content["arithmetic"]:
        for fields in product(*(values[field] for field in INTEGER_FIELDS)):
            try:
                AcceleratorConfig.from_mapping(
                    {"arithmetic": name, **dict(zip(INTEGER_FIELDS, fields, strict=True))}
                )
            except UserError:
                continue
            taken.append((name, *fields))
    return taken


def test_every_legal_combination_once_and_the_rest_counted() -> None:
    space = space_from_mapping(mapping())
    values = {
        "rows": [3, 70], "columns": [1, 8, 64], "ifmap_words": [12], "weight_words": [0, 24],
        "psum_words": [4, 6, 8], "buffer_kib": [1, 2], "bus_bits": [16, 24, 64],
    }  # fmt: skip
    assert {name: list(one) for name, one in space.values.items()} == values
    found, dropped = rows(space)
    expected = by_hand(mapping(), values)
    assert 0 < len(expected) < space.combinations
    assert found == expected
    assert dropped == space.combinations - len(expected)


def test_chunks_do_not_change_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    space = space_from_mapping(mapping())
    whole = rows(space)
    monkeypatch.setattr(explore.space, "CHUNK", 7)
    assert rows(space) == whole
    assert len(list(space.chunks())) > 10


def test_sample_is_seeded_and_without_repetition() -> None:
    space = space_from_mapping(mapping())
    some, dropped = rows(space, sample=100, seed=3)
    assert len(some) + dropped == 100
    assert len(set(some)) == len(some)
    assert set(some) <= set(rows(space)[0])
    assert rows(space, sample=100, seed=3) == (some, dropped)
    assert rows(space, sample=100, seed=4) != (some, dropped)
    assert rows(space, sample=10**6) == rows(space)


def test_designs_become_configs() -> None:
    designs = next(chunk for chunk, _ in space_from_mapping(mapping()).chunks() if len(chunk))
    config = designs.config(1)
    assert isinstance(designs, Designs)
    assert config.arithmetic == designs.arithmetic
    bits = ("activation_bits", "weight_bits", "accumulator_bits")
    for name in (*INTEGER_FIELDS, *bits, "weight_macros", "mac_latency", "has_zero"):
        assert getattr(config, name) == getattr(designs, name)[1]


def test_builds_are_every_combination_and_those_listed() -> None:
    changes = {"scratchpads": ["gated", "latch"], "builds": ["gated.small", "latch.fast"]}
    space = space_from_mapping(mapping(**changes))
    assert [(one.scratchpads, one.recipe) for one in space.builds] == [
        *(("gated", "fast"), ("latch", "fast"), ("gated", "small"))
    ]
    for wrong in ("gated", ["gated.slow"], [], ["gated.small", "gated.small"]):
        with pytest.raises(UserError, match="builds must list different ones of flipflop"):
            space_from_mapping(mapping(builds=wrong))


def test_free_formats_and_single_values() -> None:
    space = space_from_mapping(mapping(arithmetic={"activation": "int6", "weight": "int3"}))
    assert [one.name for one in space.arithmetics] == ["int6xint3"]
    assert [one.name for one in space.objectives] == ["latency", "energy", "area"]


def test_objectives_and_constraints_of_the_file() -> None:
    space = space_from_mapping(mapping(objectives="edp", constraints=["area_mm2 < 2", "rows>=3"]))
    assert [one.name for one in space.objectives] == ["edp"]
    assert [str(one) for one in space.constraints] == ["area_mm2 < 2", "rows >= 3"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row": 3}, "space keys must be among arithmetic, rows,"),
        ({"rows": []}, "rows must be an integer, a list of different integers"),
        ({"rows": [3, 3]}, "rows must be an integer, a list of different integers"),
        ({"rows": [3, 4.5]}, "rows must be an integer, a list of different integers"),
        ({"rows": True}, "rows must be an integer, a list of different integers"),
        ({"rows": {"from": 4, "to": 3, "step": 1}}, "rows must be an integer, a list"),
        ({"rows": {"from": 1, "to": 3, "step": 0}}, "rows must be an integer, a list"),
        ({"rows": {"from": 1, "to": 3, "factor": 1}}, "rows must be an integer, a list"),
        ({"rows": {"from": 0, "to": 3, "factor": 2}}, "rows must be an integer, a list"),
        ({"rows": {"from": 1, "to": 10**12, "step": 1}}, r"(at most 4096 values)"),
        ({"rows": {"from": 1, "to": 3, "step": 1, "factor": 2}}, "rows must be an integer, a"),
        ({"arithmetic": []}, "arithmetic must list different arithmetics"),
        ({"arithmetic": ["int8", "int8"]}, "arithmetic must list different arithmetics"),
        ({"arithmetic": ["int99"]}, "int99"),
        ({"objectives": ["speed"]}, "objective must be one of latency, energy,"),
        ({"objectives": ["area", "area"]}, "objectives must differ"),
        ({"constraints": ["area < 2"]}, "constraint must be on one of"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        space_from_mapping(mapping(**changes))
    assert message in str(error.value)


def test_a_missing_field_is_named() -> None:
    content = mapping()
    del content["bus_bits"]
    with pytest.raises(UserError, match="space must have the key 'bus_bits'"):
        space_from_mapping(content)


def test_the_demo_space_is_large_enough() -> None:
    space = load_space(REPOSITORY / "examples" / "spaces" / "demo.yaml")
    assert tuple(one.name for one in space.arithmetics) == ARITHMETICS
    assert len(rows(space)[0]) >= 20_000


def test_the_model_of_the_demo_knows_all_that_its_space_tries() -> None:
    space, model = (
        load_space(REPOSITORY / "examples" / "spaces" / "demo.yaml"),
        load_model("osu018"),
    )
    for one in space.arithmetics:
        assert set(space.builds) <= set(model.builds(one.name))
