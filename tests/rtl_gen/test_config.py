"""`AcceleratorConfig`: every rule is kept, and told in words."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rtl_gen.config import INTEGER_FIELDS, RULES, AcceleratorConfig, legal, load_config
from rtl_gen.errors import UserError
from tests.rtl_gen.strategies import configs, table

GOOD: dict[str, Any] = {
    "arithmetic": "int8",
    "rows": 6,
    "columns": 8,
    "ifmap_words": 12,
    "weight_words": 192,
    "psum_words": 16,
    "buffer_kib": 64,
    "bus_bits": 64,
}

BROKEN = [
    ({"rows": 0}, "rows must be from 1 to 64, not 0"),
    ({"rows": 65}, "rows must be from 1 to 64, not 65"),
    ({"columns": -1}, "columns must be from 1 to 64, not -1"),
    ({"ifmap_words": 257}, "ifmap_words must be from 1 to 256, not 257"),
    ({"weight_words": 2049}, "weight_words must be from 1 to 2048, not 2049"),
    (
        {"scratchpads": "macro", "weight_words": 21},
        "weight_words must be even and at least 4 where two macros share them, not 21",
    ),
    (
        {"scratchpads": "macro", "weight_words": 2},
        "weight_words must be even and at least 4 where two macros share them, not 2",
    ),
    ({"psum_words": 0}, "psum_words must be from 1 to 256, not 0"),
    ({"buffer_kib": 4097}, "buffer_kib must be from 1 to 4096, not 4097"),
    ({"bus_bits": 16}, "bus_bits must be from 32 to 1024, not 16"),
    ({"bus_bits": 48}, "bus_bits must be a power of two, not 48"),
    (
        {"arithmetic": "int16", "bus_bits": 32},
        "bus_bits must be at least the accumulator's bits, so that a beat holds a sum, "
        "not (32, 47)",
    ),
    (
        {"arithmetic": "int16", "columns": 64, "buffer_kib": 1},
        "buffer_kib must give every column's partial-sum memories at least one word each, not 1",
    ),
    ({"rows": 6.0}, "rows must be an integer, not 6.0"),
    ({"rows": "6"}, "rows must be an integer, not '6'"),
    ({"rows": True}, "rows must be an integer, not True"),
    ({"rows": None}, "rows must be an integer, not None"),
    (
        {"scratchpads": "latches"},
        "scratchpads must be one of flipflop, gated, latch, macro, not 'latches'",
    ),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_every_rule_names_itself_and_the_value(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        AcceleratorConfig.from_mapping({**GOOD, **change})


def test_every_rule_is_among_the_broken_ones() -> None:
    for rule in RULES:
        assert any(message.startswith(f"{rule.text}, not") for _, message in BROKEN), rule.text


def test_keys_are_the_fields() -> None:
    names = ", ".join([*GOOD, "scratchpads"])
    with pytest.raises(UserError, match=f"^config keys must be among {names}, not 'row'$"):
        AcceleratorConfig.from_mapping({**GOOD, "row": 3})
    without = {key: value for key, value in GOOD.items() if key != "bus_bits"}
    with pytest.raises(UserError, match=r"^config must have the key 'bus_bits', it has"):
        AcceleratorConfig.from_mapping(without)


def test_an_arithmetic_may_be_spelled_out() -> None:
    spelled = {"activation": "int6", "weight": "int3", "accumulator": 20}
    config = AcceleratorConfig.from_mapping({**GOOD, "arithmetic": spelled})
    assert config.to_mapping()["arithmetic"] == "int6xint3a20"
    assert (config.activation_bits, config.weight_bits, config.accumulator_bits) == (6, 3, 20)


@given(configs())
def test_the_yaml_form_reads_back(config: AcceleratorConfig) -> None:
    text = yaml.safe_dump(config.to_mapping())
    again = AcceleratorConfig.from_mapping(yaml.safe_load(text))
    assert again == config
    assert again.content_id == config.content_id


@given(configs(), configs())
def test_the_content_id_tells_configs_apart(one: AcceleratorConfig, two: AcceleratorConfig) -> None:
    assert (one.content_id == two.content_id) == (one == two)
    assert re.fullmatch("[0-9a-f]{64}", one.content_id)


@given(st.data())
def test_a_table_is_legal_row_by_row(data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries({name: st.integers(-1, 2050) for name in INTEGER_FIELDS}),
            min_size=1,
            max_size=8,
        )
    )
    numbers = {"activation_bits": 8, "weight_bits": 8, "accumulator_bits": 31, "weight_macros": 0}
    columns = {name: np.array([max(row[name], 1) for row in rows]) for name in INTEGER_FIELDS}
    found = legal(SimpleNamespace(**columns, **numbers))
    assert found.tolist() == [is_legal({**GOOD, **row}) for row in as_rows(columns)]


def as_rows(columns: dict[str, Any]) -> list[dict[str, int]]:
    return [
        {name: int(value) for name, value in zip(columns, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]


def is_legal(mapping: dict[str, Any]) -> bool:
    try:
        AcceleratorConfig.from_mapping(mapping)
    except UserError:
        return False
    return True


def test_a_table_of_legal_configs_is_legal() -> None:
    design = AcceleratorConfig.from_mapping(GOOD)
    assert legal(table([design, design])).tolist() == [True, True]


def test_a_config_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        AcceleratorConfig.from_mapping(GOOD).rows = 3  # type: ignore[misc]


def test_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    assert load_config(path) == AcceleratorConfig.from_mapping(GOOD)
