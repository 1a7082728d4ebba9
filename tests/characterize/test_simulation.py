"""Layers on the RTL, driven from C++: what goes in and out, and what happens when it can't."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from characterize import compiled_model, simulation
from characterize.regression import mismatches, random_stage, random_tensors
from characterize.simulation import Run, build, simulate
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import descriptor
from rtl_gen.errors import ToolError, UserError
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping
from rtl_gen.output_stage import OutputStage
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import schedule
from tests.native import share_models
from tests.rtl_gen.small import small

CONV = Layer(
    name="conv",
    kind="conv",
    in_channels=5,
    in_height=7,
    in_width=9,
    out_channels=6,
    kernel_height=3,
    kernel_width=3,
    padding=1,
)
QUANTIZED = replace(CONV, output="quantized")
ROW = replace(CONV, kernel_height=1, padding=0)


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from share_models(tmp_path_factory)


def checked(
    config: AcceleratorConfig, layer: Layer, mapping: Mapping | None = None, **options: Any
) -> Run:
    """Run a layer, and compare outputs, cycles and beats."""
    ifmap, weights = random_tensors(config.arithmetic, layer, seed=7)
    stage = random_stage(config.arithmetic, layer, seed=7)
    run = simulate(config, layer, ifmap, weights, stage=stage, mapping=mapping, **options)
    golden = golden_layer(config.arithmetic, layer, ifmap, weights, run.schedule.mapping)
    if stage is not None:
        golden = stage.apply(config.arithmetic, golden)
    assert mismatches(run, golden) == ()
    return run


@pytest.mark.eda
def test_sums_saturate_where_their_format_says_so() -> None:
    run = checked(small("one_column"), CONV)
    limits = small("one_column").arithmetic.accumulator
    assert np.any((run.ofmap == limits.minimum) | (run.ofmap == limits.maximum))


@pytest.mark.eda
def test_a_quantized_layer_gives_codes() -> None:
    run = checked(small("one_column"), QUANTIZED)
    codes = small("one_column").arithmetic.activation
    assert codes.minimum <= run.ofmap.min() < run.ofmap.max() <= codes.maximum
    assert len(np.unique(run.ofmap)) > 10


@pytest.mark.eda
@pytest.mark.parametrize(
    "letters",
    [
        {"p": 1, "q": 1, "r": 1, "f": 1},
        {"p": 3, "q": 2, "r": 1, "f": 9},
        {"p": 2, "q": 1, "r": 2, "f": 5},
        {"p": 2, "q": 4, "r": 5, "f": 4, "fold_height": 3, "fold_width": 3},
        {"p": 3, "q": 5, "r": 1, "f": 9, "fold_width": 3},
    ],
)
def test_any_legal_mapping_runs(letters: dict[str, int]) -> None:
    mapping = Mapping(t=1, e=1, **letters)
    assert checked(small("one_column"), CONV, mapping).schedule.mapping == mapping


@pytest.mark.eda
def test_stalls_cost_their_own_cycles_at_most() -> None:
    config = small("one_row")
    calm = checked(config, ROW)
    assert (calm.input_stalls, calm.output_stalls) == (0, 0)
    assert calm.cycles == schedule(config, ROW).cycles
    stalled = {
        ends: checked(config, ROW, stalls=ends)
        for ends in (("sometimes", "never"), ("mostly", "never"), ("never", "mostly"))
    }
    for run in stalled.values():
        np.testing.assert_array_equal(run.ofmap, calm.ofmap)
        assert run.beats == calm.beats
        assert calm.cycles < run.cycles <= calm.cycles + run.input_stalls + run.output_stalls
    inputs = [stalled[ends].input_stalls for ends in list(stalled)[:2]]
    assert 0 < inputs[0] < inputs[1]
    assert stalled["never", "mostly"].input_stalls == 0
    assert stalled["never", "mostly"].output_stalls > 0
    again = checked(config, ROW, stalls=("mostly", "never"))
    other = checked(config, ROW, stalls=("mostly", "never"), seed=2)
    assert again.cycles == stalled["mostly", "never"].cycles != other.cycles


@pytest.mark.eda
def test_progress_is_told_while_a_long_layer_runs() -> None:
    """Two and a half million cycles of one PE: a second or two."""
    config = small("one_pe")
    layer = replace(ROW, in_channels=8, in_height=40, in_width=2000, out_channels=1)
    told: list[tuple[int, int]] = []
    run = checked(config, layer, progress=lambda done, total: told.append((done, total)))
    counts = [done for done, _ in told]
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[-1] <= run.cycles
    assert {total for _, total in told} == {int(run.schedule.cycles)}


@pytest.mark.eda
def test_a_model_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(small("one_pe"))
    monkeypatch.setattr(compiled_model, "_verilate", lambda *arguments: pytest.fail("built again"))
    assert build(small("one_pe")) == model


@pytest.mark.eda
def test_an_accelerator_that_does_not_finish_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*arguments: Any) -> dict[str, int]:
        """Counters that start beyond their limit go round and round."""
        return {**descriptor(*arguments), "out_width": 0}

    build(small("one_pe"))
    monkeypatch.setattr(simulation, "descriptor", endless)
    with pytest.raises(ToolError, match=r"must finish layer 'conv' within \d+ cycles"):
        checked(small("one_pe"), ROW)


DILATED = replace(CONV, in_width=2000, dilation=2)
NUMBERS = np.zeros(6, np.int64)
STAGE = OutputStage(bias=NUMBERS, multiplier=NUMBERS, shift=NUMBERS, zero_point=0, low=0, high=1)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"layer": replace(CONV, kind="pool")}, "kind must be conv, fc or matmul; pool is a host step"),
    (
        {"layer": DILATED},
        "mapping p*f must be at most the sums a column holds (408), not 999",
    ),
    (
        {"mapping": Mapping(p=4, q=1, r=1, t=1, e=1, f=1)},
        "layer 'conv': mapping p must be at most psum_words (3), not 4",
    ),
    ({"mapping": Mapping(p=1, q=1, r=1, t=1, e=0, f=1)}, "mapping e must be at least 1 (1), not 0"),
    ({"ifmap": np.zeros((1, 5, 7, 8), int)}, "ifmap must be of shape (1, 5, 7, 9)"),
    ({"ifmap": np.full(CONV.ifmap_shape, 32)}, "int6 codes must be -32 to 31, not 32"),
    ({"weights": np.zeros(CONV.weight_shape)}, "weights must hold encoded integers"),
    ({"layer": replace(CONV, padding_value=32)}, "int6 codes must be -32 to 31, not 32"),
    ({"layer": QUANTIZED}, "an output stage must be given if and only if the output is quantized"),
    ({"stage": STAGE}, "an output stage must be given if and only if the output is quantized"),
    (
        {"layer": QUANTIZED, "stage": replace(STAGE, bias=NUMBERS[:5])},
        "bias must be of shape (6,), not (5,)",
    ),
    (
        {"layer": QUANTIZED, "stage": replace(STAGE, bias=NUMBERS + 512)},
        "bias: 10-bit sums must be -512 to 511, not 512",
    ),
    (
        {"layer": QUANTIZED, "stage": replace(STAGE, multiplier=NUMBERS - 1)},
        "multiplier must be from 0 to 65535, not -1",
    ),
    (
        {"layer": QUANTIZED, "stage": replace(STAGE, shift=NUMBERS + 64)},
        "shift must be from 0 to 63",
    ),
    (
        {"layer": QUANTIZED, "stage": replace(STAGE, high=32)},
        "high: int6 codes must be -32 to 31, not 32",
    ),
    ({"layer": QUANTIZED, "stage": replace(STAGE, low=2)}, "low must be at most high (1), not 2"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_can_not_run_is_refused_before_anything_is_built(
    change: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "build", lambda *_, **__: pytest.fail("built"))
    config = small("one_column")
    layer = change.get("layer", CONV)
    ifmap, weights = random_tensors(config.arithmetic, layer, seed=1)
    arguments = {"ifmap": ifmap, "weights": weights, **change}
    arguments.pop("layer", None)
    with pytest.raises(UserError) as refused:
        simulate(config, layer, **arguments)
    assert message in str(refused.value)
