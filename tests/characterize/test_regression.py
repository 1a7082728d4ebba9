"""The regression: what it draws, what it notices, and that RTL, golden and formula agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from characterize.regression import (
    mismatches,
    random_layers,
    random_mapping,
    random_stage,
    random_tensors,
    stall_pairs,
    verify_layer,
)
from characterize.simulation import STALLS, Run
from quidam.verify import SMALL, TYPES
from rtl_gen.config import AcceleratorConfig
from rtl_gen.formats import CATALOGUE
from rtl_gen.layer import Layer
from rtl_gen.mapper import check
from rtl_gen.mapping import check_mapping, is_flat
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import schedule
from tests.characterize.adversarial import ADVERSARIAL, adversarial
from tests.native import share_models
from tests.rtl_gen.small import SMALL as TINY
from tests.rtl_gen.small import small

LAYER = Layer(name="conv", kind="conv", in_channels=2, in_height=4, in_width=4, out_channels=3)


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from share_models(tmp_path_factory)


def verified(name: str, **change: Any) -> AcceleratorConfig:
    """One of the configs that `quidam verify` takes when it is given none, or nearly."""
    return AcceleratorConfig.from_mapping({"arithmetic": name, **SMALL, **change})


def test_random_layers_can_run_and_cover_what_there_is() -> None:
    config = verified("int8", buffer_kib=1)
    drawn = list(random_layers(config, 300, seed=1))
    assert len(drawn) == 300
    for layer in drawn:
        check(config, layer)
    covered: dict[str, list[Any]] = {
        "convolution": [layer.kind == "conv" for layer in drawn],
        "fully connected": [layer.kind == "fc" for layer in drawn],
        "matrix product": [layer.kind == "matmul" for layer in drawn],
        "quantized": [layer.output == "quantized" for layer in drawn],
        "raw": [layer.output == "raw" for layer in drawn],
        "batch": [layer.batch > 1 for layer in drawn],
        **{f"stride {n}": [layer.stride == n for layer in drawn] for n in (1, 2, 3, 4)},
        "dilation": [layer.dilation > 1 for layer in drawn],
        "groups": [layer.groups > 1 for layer in drawn],
        "depthwise": [1 < layer.groups == layer.in_channels for layer in drawn],
        "sides that differ": [len(set(layer.padding)) > 1 for layer in drawn],
        "padding beyond the kernel": [max(layer.padding) > layer.kernel_height for layer in drawn],
        "padding that is not 0": [any(layer.padding) and layer.padding_value for layer in drawn],
        "stride beyond the kernel": [layer.stride > layer.kernel_width for layer in drawn],
        "kernels higher than the array": [layer.kernel_height > config.rows for layer in drawn],
        "one channel": [layer.in_channels == 1 for layer in drawn],
        "one filter": [layer.out_channels == 1 for layer in drawn],
        "one output": [layer.out_height == layer.out_width == 1 for layer in drawn],
        "one row": [layer.kernel_height == 1 < layer.kernel_width for layer in drawn],
        "pixels alone": [is_flat(layer) and layer.kind == "conv" for layer in drawn],
        "dilated in phases": [layer.dilation > 1 == layer.stride for layer in drawn],
    }
    for what, holds in covered.items():
        assert sum(map(bool, holds)) >= 5, what


def test_random_mappings_are_legal_and_cover_what_there_is() -> None:
    config = verified("int8", buffer_kib=1)
    plans = []
    for number, layer in enumerate(random_layers(config, 400, seed=2)):
        mapping = random_mapping(config, layer, seed=number)
        if mapping is not None:
            check_mapping(config, layer, mapping)
            plans.append(schedule(config, layer, mapping))
    assert len(plans) > 370
    covered = {
        **{letter: [getattr(plan.mapping, letter) > 1 for plan in plans] for letter in "pqrtef"},
        "folded height": [plan.mapping.fold_height > 1 for plan in plans],
        "folded width": [plan.mapping.fold_width > 1 for plan in plans],
        "strips": [plan.loops.strips > 1 for plan in plans],
        "tiles": [plan.loops.tiles > 1 for plan in plans],
        "channel passes": [plan.loops.channel_passes > 1 for plan in plans],
        "filter groups": [plan.loops.filter_groups > 1 for plan in plans],
        "inputs kept": [plan.words["ifmap_sram"]["reads"] > 0 for plan in plans],
        "inputs without room": [
            0 < plan.words["ifmap_sram"]["writes"] < plan.words["dram"]["ifmap_beats"]
            for plan in plans
        ],
        "weights loaded beside": [plan.loops.double_weights for plan in plans],
        "weights loaded after": [not plan.loops.double_weights for plan in plans],
        "columns beside a slot": [
            0 < plan.loops.ahead_step < plan.loops.column_step for plan in plans
        ],
    }
    for what, holds in covered.items():
        assert sum(map(bool, holds)) >= 5, what


def test_where_no_mapping_is_legal_none_is_drawn() -> None:
    wide = replace(LAYER, in_width=3000, kernel_width=3, dilation=2)
    assert random_mapping(small("one_pe"), wide, seed=1) is None


def test_a_seed_means_the_same_layers_tensors_and_mappings() -> None:
    config = verified("int4")
    once, again = (list(random_layers(config, 20, seed=3)) for _ in range(2))
    assert once == again != list(random_layers(config, 20, seed=4))
    pairs = [random_tensors(config.arithmetic, LAYER, seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(pairs[0][0], pairs[1][0])
    np.testing.assert_array_equal(pairs[0][1], pairs[1][1])
    assert not np.array_equal(pairs[0][0], pairs[2][0])
    mappings = [random_mapping(config, LAYER, seed) for seed in (3, 3, 4)]
    assert mappings[0] == mappings[1] != mappings[2]


@pytest.mark.parametrize("name", TYPES)
def test_random_stages_let_codes_differ(name: str) -> None:
    """What they give is neither all one code, nor cut off everywhere: a wrong one is seen."""
    numbers = verified(name).arithmetic
    spread = []
    for seed, layer in enumerate(random_layers(verified(name), 60, seed=6)):
        stage = random_stage(numbers, layer, seed)
        assert (stage is None) == (layer.output == "raw")
        if stage is None or np.prod(layer.ofmap_shape) < 40:
            continue
        stage.check(numbers, layer)
        plan = schedule(verified(name), layer)
        sums = golden_layer(numbers, layer, *random_tensors(numbers, layer, seed), plan.mapping)
        codes = stage.apply(numbers, sums)
        values = numbers.activation.decode(codes)
        low, high = numbers.activation.decode([stage.low, stage.high])
        spread.append(np.mean((values > low) & (values < high)))
    assert len(spread) > 10
    assert np.mean(spread) > 0.2


def test_every_pair_of_stalls() -> None:
    assert sorted(set(stall_pairs())) == sorted((a, b) for a in STALLS for b in STALLS)


def agreeing_run() -> tuple[Run, Any]:
    """A run as it should be, without the RTL, and its golden sums."""
    plan = schedule(verified("int8"), LAYER)
    golden = np.arange(48).reshape(LAYER.ofmap_shape)
    beats = {name: int(count) for name, count in plan.words["dram"].items()}
    return Run(
        ofmap=golden.copy(),
        cycles=int(plan.cycles) + 4,
        input_stalls=3,
        output_stalls=2,
        beats=beats,
        schedule=plan,
    ), golden


def test_every_disagreement_is_told() -> None:
    run, golden = agreeing_run()
    cycles, beats = int(run.schedule.cycles), run.beats
    for within in (0, 4, 5):
        assert mismatches(replace(run, cycles=cycles + within), golden) == ()
    wrong = replace(run, ofmap=np.where(golden == 7, 8, golden))
    assert mismatches(wrong, golden) == ("1 of 48 outputs differ from the golden layer",)
    for beyond in (-1, 6):
        other = replace(run, cycles=cycles + beyond)
        expected = f"cycles must be from {cycles} to {cycles + 5}, not {cycles + beyond}"
        assert mismatches(other, golden) == (expected,)
    calm = replace(run, input_stalls=0, output_stalls=0, cycles=cycles)
    assert mismatches(calm, golden) == ()
    assert mismatches(replace(calm, cycles=cycles + 1), golden) == (
        f"cycles must be from {cycles} to {cycles}, not {cycles + 1}",
    )
    for name, count in beats.items():
        more = replace(run, beats={**beats, name: count + 1})
        assert mismatches(more, golden) == (f"{name} must be {count}, not {count + 1}",)
    assert len(mismatches(replace(wrong, cycles=0), golden)) == 2


def agree(config: AcceleratorConfig, cases: int, seed: int) -> None:
    """Random layers, every second one under a random mapping, with every pair of stalls."""
    pairs = stall_pairs()
    for number, layer in enumerate(random_layers(config, cases, seed)):
        mapping = random_mapping(config, layer, seed=number) if number % 2 else None
        # Half of the layers run without a stall, where cycles must agree exactly.
        ends = pairs[number // 4 % len(pairs)] if number % 4 > 1 else ("never", "never")
        verdict = verify_layer(config, layer, ends, seed=number, mapping=mapping)
        assert verdict.mismatches == (), (layer, verdict.run.schedule.mapping, ends)
        seen = (verdict.run.input_stalls, verdict.run.output_stalls)
        stalled = zip(ends, seen, strict=True)
        assert all(chance != "never" for chance, count in stalled if count > 0)


@pytest.mark.eda
@pytest.mark.parametrize("name", TINY)
def test_random_layers_agree(name: str) -> None:
    agree(small(name), cases=36, seed=5)  # two with every pair of stalls


@pytest.mark.eda
@pytest.mark.parametrize("config", TINY)
@pytest.mark.parametrize("shape", ADVERSARIAL)
@pytest.mark.parametrize("swapped", [False, pytest.param(True, marks=pytest.mark.regress)])
def test_adversarial_shapes_agree(shape: str, config: str, swapped: bool) -> None:
    """On one PE, one row, one column: by the mapper's mapping and any other, raw and quantized;
    swapped, each with the other."""
    design = small(config)
    for output in ("raw", "quantized"):
        layer = adversarial(shape, output)
        fmt = design.arithmetic.activation
        code = int(fmt.from_bits(layer.padding_value % 2**fmt.bits))
        layer = replace(layer, padding_value=code)
        any_other = (output == "raw") == swapped
        mapping = random_mapping(design, layer, seed=1) if any_other else None
        verdict = verify_layer(design, layer, ("never", "never"), seed=3, mapping=mapping)
        assert verdict.mismatches == (), verdict.run.schedule.mapping


@pytest.mark.regress
@pytest.mark.parametrize("name", TINY)
def test_many_random_layers_agree_on_small_arrays(name: str) -> None:
    agree(small(name), cases=144, seed=14)


@pytest.mark.regress
@pytest.mark.parametrize("name", TYPES)
def test_many_random_layers_agree(name: str) -> None:
    agree(verified(name), cases=144, seed=11)


@pytest.mark.regress
@pytest.mark.parametrize("name", [name for names in CATALOGUE.values() for name in names])
def test_every_format_runs_layers(name: str) -> None:
    agree(verified(name, rows=3, columns=3), cases=12, seed=13)


#: Other arrays: Eyeriss's own, all rows and columns to the limits, buffers of a few words.
OTHERS: dict[str, dict[str, Any]] = {
    "eyeriss": {
        **{"rows": 12, "columns": 14, "ifmap_words": 12, "weight_words": 224, "psum_words": 24},
        **{"buffer_kib": 108},
    },
    "tall": {"rows": 16, "columns": 2, "ifmap_words": 16, "weight_words": 64, "psum_words": 16},
    "wide": {"rows": 3, "columns": 16, "ifmap_words": 3, "weight_words": 9, "psum_words": 3},
    "no buffer": {"buffer_kib": 1, "bus_bits": 512, "arithmetic": "int2"},
    "a sum a beat": {"buffer_kib": 16, "bus_bits": 64, "arithmetic": "int16"},
    "an input a beat": {"buffer_kib": 1, "bus_bits": 32, "arithmetic": "int16a32"},
    "one word": {
        **{"rows": 2, "columns": 3, "ifmap_words": 1, "weight_words": 1, "psum_words": 1},
        **{"bus_bits": 32},
    },
    "macros": {"scratchpads": "macro", "weight_words": 62},
    "two weights a macro": {
        **{"ifmap_words": 12, "weight_words": 4, "psum_words": 12, "buffer_kib": 1},
        **{"scratchpads": "macro"},
    },
    "one weight": {"ifmap_words": 12, "weight_words": 2, "psum_words": 12, "buffer_kib": 1},
}


@pytest.mark.regress
@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_many_random_layers_agree_on_other_shapes(change: dict[str, Any]) -> None:
    agree(AcceleratorConfig.from_mapping({"arithmetic": "int8", **SMALL, **change}), 72, seed=12)
