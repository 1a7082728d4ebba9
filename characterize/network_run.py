"""A whole network on the RTL, layer after layer, against golden arithmetic and cycle formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from characterize import simulation
from characterize.regression import mismatches
from characterize.simulation import Run
from rtl_gen.config import AcceleratorConfig
from rtl_gen.host import HostRun
from rtl_gen.layer import Layer
from rtl_gen.network import Codes, Network, check_network, forward, golden
from rtl_gen.output_stage import OutputStage
from rtl_gen.schedule import schedule

Simulate = Callable[..., Run]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVerdict:
    """One step over all images, and all that must agree.

    Parameters
    ----------
    name : of the step.
    outputs : how many codes it put out.
    run, host : what came out of the RTL; or, of a host step, the words that it moved.
    mismatches : in words, what does not agree with the golden network's step; empty where all does.
    """

    name: str
    outputs: int
    run: Run | None
    host: HostRun | None
    mismatches: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkVerdict:
    """A network on the RTL of one config.

    Parameters
    ----------
    images : how many were classified.
    accuracy, golden_accuracy : the share of them that the RTL, and the golden network, got right.
    steps : in the order in which they ran.
    """

    network: str
    images: int
    accuracy: float
    golden_accuracy: float
    steps: tuple[StepVerdict, ...]


def predicted_cycles(config: AcceleratorConfig, network: Network) -> int:
    """Cycles of all layers, over all images."""
    return sum(int(schedule(config, layer).cycles) for layer in network.layers)


def run_network(
    config: AcceleratorConfig,
    network: Network,
    *,
    simulate: Simulate | None = None,
    progress: Callable[[int], None] | None = None,
) -> NetworkVerdict:
    """Run every layer on the RTL, all images at once, fed by what the RTL itself put out before.

    Parameters
    ----------
    simulate : stands for `simulation.simulate`, where the RTL is not wanted.
    progress : is told the cycles simulated so far, now and then.

    Raises
    ------
    UserError
        Before anything runs, when `config` can't run the network.
    ToolError
        As `simulation.simulate` does.
    """
    check_network(config, network)
    simulate = simulate or simulation.simulate
    runs: list[Run] = []

    def run_layer(layer: Layer, ifmap: Codes, weights: Codes, stage: OutputStage) -> Codes:
        before = sum(run.cycles for run in runs)

        def report(done: int, _: int) -> None:
            if progress is not None:
                progress(before + done)

        runs.append(simulate(config, layer, ifmap, weights, stage=stage, progress=report))
        return runs[-1].ofmap

    steps, ofmap, wanted = [], network.images, network.images
    for outcome, expected in zip(forward(network, run_layer), golden(network, config), strict=True):
        ofmap, wanted = outcome.ofmap, expected.ofmap
        run = runs[-1] if outcome.host is None else None
        if run is not None:
            found = mismatches(run, wanted)
        else:
            wrong = int(np.count_nonzero(ofmap != wanted))
            found = (f"{wrong} of {wanted.size} outputs differ",) if wrong else ()
        steps.append(
            StepVerdict(
                name=outcome.step.name,
                outputs=ofmap.size,
                run=run,
                host=outcome.host,
                mismatches=found,
            )
        )
    return NetworkVerdict(
        network=network.name,
        images=len(network.images),
        accuracy=network.accuracy(ofmap),
        golden_accuracy=network.accuracy(wanted),
        steps=tuple(steps),
    )
