"""The regression: what it draws, what it notices, and that RTL, golden and formula agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from characterize.regression import (
    mismatches,
    random_layers,
    random_tensors,
    stall_pairs,
    verify_layer,
)
from characterize.simulation import STALLS, Run
from quidam.verify import SMALL, TYPES
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.schedule import check, schedule
from tests.native import share_models
from tests.rtl_gen.small import small

LAYER = Layer(name="conv", kind="conv", in_channels=2, in_height=4, in_width=4, out_channels=3)


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from share_models(tmp_path_factory)


def verified(name: str) -> AcceleratorConfig:
    """One of the configs that `quidam verify` takes when it is given none."""
    return AcceleratorConfig.from_mapping({"arithmetic": name, **SMALL})


def test_random_layers_can_run_and_cover_what_there_is() -> None:
    config = verified("int8")
    drawn = list(random_layers(config, 200, seed=1))
    assert len(drawn) == 200
    for layer in drawn:
        check(config, layer)
    plans = [schedule(config, layer) for layer in drawn]
    covered: dict[str, list[Any]] = {
        "fully connected": [layer.kind == "fc" for layer in drawn],
        "stride 2": [layer.stride == 2 for layer in drawn],
        "padding": [layer.padding > 0 for layer in drawn],
        "stride beyond the kernel": [layer.stride > layer.kernel_width for layer in drawn],
        "kernels as high as the array": [layer.kernel_height == config.rows for layer in drawn],
        "strips": [plan.loops.strips > 1 for plan in plans],
        "channel passes": [plan.loops.channel_passes > 1 for plan in plans],
        "filter groups": [plan.loops.filter_groups > 1 for plan in plans],
        "not resident": [not plan.loops.resident for plan in plans],
        "row sets": [plan.mapping.r > 1 for plan in plans],
        "column sets": [plan.mapping.t > 1 for plan in plans],
    }
    for what, holds in covered.items():
        assert sum(holds) >= 5, what


def test_a_seed_means_the_same_layers_and_tensors() -> None:
    config = verified("int4")
    once, again = (list(random_layers(config, 20, seed=3)) for _ in range(2))
    assert once == again != list(random_layers(config, 20, seed=4))
    pairs = [random_tensors(config.arithmetic, LAYER, seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(pairs[0][0], pairs[1][0])
    np.testing.assert_array_equal(pairs[0][1], pairs[1][1])
    assert not np.array_equal(pairs[0][0], pairs[2][0])


def test_every_pair_of_stalls() -> None:
    assert sorted(set(stall_pairs())) == sorted((a, b) for a in STALLS for b in STALLS)


def agreeing_run() -> tuple[Run, Any]:
    """A run as it should be, without the RTL, and its golden sums."""
    plan = schedule(verified("int8"), LAYER)
    golden = np.arange(48).reshape(LAYER.ofmap_shape)
    beats = {name: int(count) for name, count in plan.words["dram"].items()}
    return Run(
        ofmap=golden.copy(),
        cycles=int(plan.cycles) + 5,
        input_stalls=3,
        output_stalls=2,
        beats=beats,
        schedule=plan,
    ), golden


def test_every_disagreement_is_told() -> None:
    run, golden = agreeing_run()
    cycles, beats = int(run.schedule.cycles), run.beats
    assert mismatches(run, golden) == ()
    wrong = replace(run, ofmap=np.where(golden == 7, 8, golden))
    assert mismatches(wrong, golden) == ("1 of 48 sums differ from the golden layer",)
    late = replace(run, cycles=cycles + 6)
    expected = f"cycles must be {cycles + 5} ({cycles} + stalls), not {cycles + 6}"
    assert mismatches(late, golden) == (expected,)
    for name, count in beats.items():
        more = replace(run, beats={**beats, name: count + 1})
        assert mismatches(more, golden) == (f"{name} must be {count}, not {count + 1}",)


@pytest.mark.eda
@pytest.mark.parametrize("name", ["one_row", "one_column"])
def test_random_layers_agree(name: str) -> None:
    config = small(name)
    for number, layer in enumerate(random_layers(config, 27, seed=5)):
        ends = stall_pairs()[number % 9]
        verdict = verify_layer(config, layer, ends, seed=number)
        assert verdict.mismatches == (), (layer, ends)
        stalled = tuple(end > 0 for end in (verdict.run.input_stalls, verdict.run.output_stalls))
        assert all(chance != "never" for chance, seen in zip(ends, stalled, strict=True) if seen)


@pytest.mark.regress
@pytest.mark.parametrize("name", TYPES)
def test_many_random_layers_agree(name: str) -> None:
    many_agree(verified(name), cases=54)


@pytest.mark.regress
@pytest.mark.parametrize(
    "change",
    [
        {"rows": 12, "columns": 14, "ifmap_words": 12, "weight_words": 224, "psum_words": 24},
        {"rows": 16, "columns": 2, "ifmap_words": 16, "weight_words": 64, "psum_words": 16},
        {"rows": 3, "columns": 16, "ifmap_words": 3, "weight_words": 9, "psum_words": 3},
        {"buffer_kib": 1, "bus_bits": 512, "arithmetic": "int2"},
        {"buffer_kib": 16, "bus_bits": 32, "arithmetic": "int16a32"},
    ],
)
def test_many_random_layers_agree_on_other_shapes(change: dict[str, Any]) -> None:
    many_agree(AcceleratorConfig.from_mapping({"arithmetic": "int8", **SMALL, **change}), cases=36)


def many_agree(config: AcceleratorConfig, cases: int) -> None:
    layers = islice(random_layers(config, cases, seed=11), cases)
    for number, layer in enumerate(layers):
        verdict = verify_layer(config, layer, stall_pairs()[number % 9], seed=number)
        assert verdict.mismatches == (), (layer, verdict.stalls)
