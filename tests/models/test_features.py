"""Features: exact, physical, the same for ints and arrays, and of the component's own fields."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from models.features import address_bits, candidates, features, names
from rtl_gen.components import KINDS
from tests.models.synthetic import GRID, table

BITS = ("activation_bits", "weight_bits", "accumulator_bits")


def test_address_bits_number_every_word() -> None:
    words = np.arange(1, 5000)
    assert address_bits(words).tolist() == [int(n - 1).bit_length() for n in words]
    assert address_bits(2**40) == 40
    assert address_bits(2**40 + 1) == 41


@pytest.mark.parametrize("kind", KINDS)
def test_one_design_and_a_table_have_the_same_features(kind: str) -> None:
    designs = table("int8", 20)
    vector = features(kind, designs)
    for i in range(20):
        one = SimpleNamespace(**{name: int(getattr(designs, name)[i]) for name in (*GRID, *BITS)})
        assert {name: values[i] for name, values in vector.items()} == features(kind, one)


@pytest.mark.parametrize("kind", KINDS)
def test_features_need_only_the_fields_of_the_kind(kind: str) -> None:
    designs = table("int8", 5)
    own = {name: getattr(designs, name) for name in (*KINDS[kind].fields, *BITS)}
    assert set(features(kind, SimpleNamespace(**own))) == set(names(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_kind_reaches_a_feature_and_a_candidate(kind: str) -> None:
    """Else two designs that differ in it could not be told apart."""
    for field in KINDS[kind].fields:
        low, high = (
            SimpleNamespace(
                **{name: values[1] for name, values in GRID.items()} | {field: value},
                activation_bits=8,
                weight_bits=8,
                accumulator_bits=32,
            )
            for value in (GRID[field][0], GRID[field][-1])
        )
        a, b = features(kind, low), features(kind, high)
        changed = {name for name in a if a[name] != b[name]}
        assert changed & {name for one in candidates(kind) for name in one}, field


def test_scratchpad_bits_are_words_times_width() -> None:
    design = SimpleNamespace(
        ifmap_words=12,
        weight_words=224,
        psum_words=24,
        activation_bits=8,
        weight_bits=4,
        accumulator_bits=30,
    )
    known = features("pe", design)
    assert known["ifmap_storage_bits"] == 12 * 8
    assert known["weight_storage_bits"] == 224 * 4
    assert known["psum_storage_bits"] == 24 * 30
    assert known["storage_bits"] == 12 * 8 + 224 * 4 + 24 * 30
    assert known["address_bits"] == 4 + 8 + 5
