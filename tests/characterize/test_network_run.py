"""A network on the RTL: every output and cycle compared, and what disagrees is told by its step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from characterize.network_run import predicted_cycles, run_network
from characterize.simulation import Run
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.network import Codes, Network
from rtl_gen.network_file import load_network
from rtl_gen.output_stage import OutputStage
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import schedule
from tests.native import share_models
from tests.rtl_gen.small import SMALL
from tests.rtl_gen.strategies import CONFIG

Spoil = Callable[[Run], Run]


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from share_models(tmp_path_factory)


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network("digits")


def stand_in(spoiled: str = "", spoil: Spoil = lambda run: run) -> Callable[..., Run]:
    """The golden layer in place of the RTL; one layer may be spoiled."""

    def simulate(
        config: AcceleratorConfig,
        layer: Layer,
        ifmap: Codes,
        weights: Codes,
        *,
        stage: OutputStage,
        progress: Callable[[int, int], None],
    ) -> Run:
        plan = schedule(config, layer)
        sums = golden_layer(config.arithmetic, layer, ifmap, weights, plan.mapping)
        cycles = int(plan.cycles)
        progress(cycles // 2, cycles)
        progress(cycles, cycles)
        run = Run(
            ofmap=stage.apply(config.arithmetic, sums),
            cycles=cycles,
            input_stalls=0,
            output_stalls=0,
            beats={name: int(count) for name, count in plan.words["dram"].items()},
            schedule=plan,
        )
        return spoil(run) if layer.name == spoiled else run

    return simulate


def test_all_images_go_through_all_steps(network: Network) -> None:
    told: list[int] = []
    verdict = run_network(CONFIG, network, simulate=stand_in(), progress=told.append)
    assert (verdict.network, verdict.images) == ("digits", 360)
    assert verdict.accuracy == verdict.golden_accuracy == 349 / 360
    assert [step.name for step in verdict.steps] == [step.name for step in network.steps]
    assert all(step.mismatches == () for step in verdict.steps)
    assert {step.name for step in verdict.steps if step.run} == {"conv1", "conv2", "conv3", "fc"}
    assert all((step.run is None) != (step.host is None) for step in verdict.steps)
    assert verdict.steps[0].outputs == 360 * 8 * 8 * 8
    cycles = sum(step.run.cycles for step in verdict.steps if step.run)
    assert told == sorted(told)
    assert told[-1] == cycles == predicted_cycles(CONFIG, network)


def other_code(run: Run) -> Run:
    ofmap = run.ofmap.copy()
    ofmap[7, 0, 0, 0] = 127
    return replace(run, ofmap=ofmap)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_code, "1 of 92160 outputs differ from the golden layer"),
        (lambda r: replace(r, cycles=r.cycles + 1), "cycles must be from {0} to {0}, not {1}"),
        (lambda run: replace(run, beats={"output_beats": 3}), "output_beats must be 23040, not 3"),
    ],
)  # fmt: skip
def test_what_disagrees_is_told_by_its_step(network: Network, spoil: Any, message: str) -> None:
    verdict = run_network(CONFIG, network, simulate=stand_in("conv3", spoil))
    steps = {step.name: step for step in verdict.steps}
    plan = schedule(CONFIG, network.layers[2])
    expected = message.format(int(plan.cycles), int(plan.cycles) + 1)
    assert steps["conv3"].mismatches == (expected,)
    assert steps["conv1"].mismatches == steps["conv2"].mismatches == ()
    if spoil is other_code:
        # The chain goes on from what the RTL put out, not from what it should have.
        assert steps["residual"].mismatches == ("1 of 92160 outputs differ",)


def test_a_wrong_rtl_has_an_accuracy_of_its_own(network: Network) -> None:
    def first_class(run: Run) -> Run:
        return replace(run, ofmap=np.where(np.arange(10)[:, None, None] == 0, 127, run.ofmap) - 1)

    verdict = run_network(CONFIG, network, simulate=stand_in("fc", first_class))
    assert verdict.golden_accuracy == 349 / 360
    assert verdict.accuracy == np.mean(network.labels == 0)


def test_a_config_that_cannot_run_it_is_refused_first(network: Network) -> None:
    config = AcceleratorConfig.from_mapping({**CONFIG.to_mapping(), "arithmetic": "int4"})
    with pytest.raises(UserError, match=r"^arithmetic must be int8 for the network 'digits'"):
        run_network(config, network, simulate=lambda *a, **k: pytest.fail("ran"))


def agree(config: AcceleratorConfig, network: Network) -> None:
    verdict = run_network(config, network)
    for step in verdict.steps:
        assert step.mismatches == (), step.name
        assert step.run is None or step.run.cycles == step.run.schedule.cycles
    assert verdict.accuracy == verdict.golden_accuracy


@pytest.mark.eda
def test_the_rtl_reads_all_digits(network: Network) -> None:
    agree(CONFIG, network)


@pytest.mark.regress
@pytest.mark.parametrize(
    "change",
    [
        SMALL["one_pe"],
        # Sums clip: the order of additions shows.
        {"rows": 3, "columns": 8, "bus_bits": 32, "arithmetic": "int8a18"},
        {"rows": 12, "columns": 14, "ifmap_words": 12, "weight_words": 224, "psum_words": 24},
        {"rows": 7, "columns": 3, "bus_bits": 256, "buffer_kib": 1},
    ],
)
def test_other_arrays_read_all_digits(network: Network, change: dict[str, Any]) -> None:
    agree(AcceleratorConfig.from_mapping({**CONFIG.to_mapping(), **change}), network)
