"""Layers on the RTL, driven from C++: the shapes that a config is at its limits with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from characterize import simulation, tools
from characterize.regression import mismatches, random_tensors
from characterize.simulation import Run, build, simulate
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import descriptor
from rtl_gen.errors import ToolError, UserError
from rtl_gen.layer import Layer
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import Mapping, schedule
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
ROW = replace(CONV, kernel_height=1, padding=0)
POINTS = replace(ROW, kernel_width=1, stride=2)
FC = Layer(name="fc", kind="fc", in_channels=50, out_channels=13)


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from share_models(tmp_path_factory)


def checked(
    config: AcceleratorConfig, layer: Layer, mapping: Mapping | None = None, **options: Any
) -> Run:
    """Run a layer, and compare sums, cycles and beats."""
    ifmap, weights = random_tensors(config.arithmetic, layer, seed=7)
    run = simulate(config, layer, ifmap, weights, mapping=mapping, **options)
    golden = golden_layer(config.arithmetic, layer, ifmap, weights, run.schedule.mapping)
    assert mismatches(run, golden) == ()
    return run


@pytest.mark.eda
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("one_pe", ROW),
        ("one_pe", replace(ROW, stride=2)),
        ("one_pe", POINTS),
        ("one_pe", FC),
        ("one_row", ROW),
        ("one_row", POINTS),
        ("one_row", replace(ROW, kernel_width=1)),
        ("one_row", FC),
        ("one_column", CONV),
        ("one_column", replace(CONV, stride=2)),
        ("one_column", replace(CONV, kernel_height=6, kernel_width=2)),
        ("one_column", replace(CONV, in_channels=20)),
        ("one_column", replace(POINTS, in_channels=40)),
        ("one_column", FC),
    ],
)
def test_layers_at_the_limits(name: str, layer: Layer) -> None:
    checked(small(name), layer)


@pytest.mark.eda
def test_the_cases_reach_what_they_are_for() -> None:
    """Strips, passes, filter groups, inputs that are not resident, sums that saturate."""
    many = schedule(small("one_column"), replace(CONV, in_channels=20))
    assert many.loops.strips == CONV.out_height
    assert many.loops.channel_passes > 1
    assert many.loops.filter_groups > 1
    assert not many.loops.resident
    assert schedule(small("one_row"), ROW).mapping.e > 1
    assert schedule(small("one_row"), FC).mapping.t > 1
    assert schedule(small("one_column"), POINTS).loops.resident
    run = checked(small("one_column"), CONV)
    limits = small("one_column").arithmetic.accumulator
    assert np.any((run.ofmap == limits.minimum) | (run.ofmap == limits.maximum))


@pytest.mark.eda
@pytest.mark.parametrize("mapping", [(1, 1, 1, 1, 1), (3, 2, 1, 1, 1), (2, 1, 2, 1, 1)])
def test_any_legal_mapping_runs(mapping: tuple[int, ...]) -> None:
    p, q, r, t, e = mapping
    run = checked(small("one_column"), CONV, Mapping(p=p, q=q, r=r, t=t, e=e))
    assert run.schedule.mapping == Mapping(p=p, q=q, r=r, t=t, e=e)


@pytest.mark.eda
def test_stalls_add_their_own_cycles_and_nothing_else() -> None:
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
    inputs = [stalled[ends].input_stalls for ends in list(stalled)[:2]]
    assert 0 < inputs[0] < inputs[1]
    assert stalled["never", "mostly"].input_stalls == 0
    assert stalled["never", "mostly"].output_stalls > 0
    again = checked(config, ROW, stalls=("mostly", "never"))
    other = checked(config, ROW, stalls=("mostly", "never"), seed=2)
    assert again.cycles == stalled["mostly", "never"].cycles != other.cycles


@pytest.mark.eda
def test_a_model_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(small("one_pe"))
    monkeypatch.setattr(simulation, "_verilate", lambda work, log: pytest.fail("built again"))
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


REFUSED = [
    ({"layer": replace(CONV, kernel_height=7)}, "rows must be at least kernel_height (7), not 6"),
    ({"layer": replace(CONV, stride=3)}, "stride must be 1 or 2, not 3"),
    ({"mapping": Mapping(p=4, q=1, r=1, t=1, e=1)}, "p must be at most psum_words (3), not 4"),
    ({"mapping": Mapping(p=1, q=1, r=1, t=1, e=0)}, "e must be at least 1, not 0"),
    ({"ifmap": np.zeros((1, 5, 7, 8), int)}, "ifmap must be of shape (1, 5, 7, 9)"),
    ({"ifmap": np.full(CONV.ifmap_shape, 32)}, "int6 codes must be -32 to 31, not 32"),
    ({"weights": np.zeros(CONV.weight_shape)}, "weights must hold encoded integers"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_can_not_run_is_refused_before_anything_is_built(
    change: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "build", lambda config: pytest.fail("built"))
    config = small("one_column")
    layer = change.get("layer", CONV)
    ifmap, weights = random_tensors(config.arithmetic, layer, seed=1)
    arguments = {"ifmap": ifmap, "weights": weights, **change}
    arguments.pop("layer", None)
    with pytest.raises(UserError) as refused:
        simulate(config, layer, **arguments)
    assert message in str(refused.value)


@pytest.fixture
def without_verilator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and stand-ins for emission and tools; `_verilate` is the test's."""
    monkeypatch.setenv("QUIDAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(simulation, "accelerator_verilog", lambda config: "// stand-in\n")
    found = tools.Verilator(program=Path("verilator"), version="5.048", env={})
    monkeypatch.setattr(tools, "verilator", lambda: found)
    return tmp_path / "cache"


def test_a_failed_build_leaves_its_log_in_the_cache_and_no_model(
    without_verilator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(work: Path, log: Path) -> None:
        assert (work / "accelerator.v").read_text() == "// stand-in\n"
        log.write_text("%Error")
        raise ToolError("verilator failed", log=str(log))

    monkeypatch.setattr(simulation, "_verilate", fail)
    with pytest.raises(ToolError, match="verilator failed") as failure:
        build(small("one_pe"))
    assert list(without_verilator.iterdir()) == [Path(failure.value.log)]


def test_two_builds_of_the_same_do_not_meet(
    without_verilator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one compiles, another one compiles the same from beginning to end."""
    logs: list[Path] = []

    def compile_twice(work: Path, log: Path) -> None:
        logs.append(log)
        log.touch()
        if len(logs) == 1:
            build(small("one_pe"))
        (work / "obj_dir").mkdir()
        (work / "obj_dir" / "Vaccelerator").write_text(log.name)
        log.unlink()

    monkeypatch.setattr(simulation, "_verilate", compile_twice)
    model = build(small("one_pe"))
    assert len(set(logs)) == 2
    assert model.read_text() == logs[1].name, "the first that is ready stays"
    assert list(without_verilator.iterdir()) == [model.parent]


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIDAM_CACHE", "/somewhere")
    assert simulation.cache_folder() == Path("/somewhere")
    monkeypatch.delenv("QUIDAM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert simulation.cache_folder() == Path("/caches/quidam")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert simulation.cache_folder() == Path.home() / ".cache" / "quidam"
