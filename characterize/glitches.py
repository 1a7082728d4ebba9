"""What glitches add to a component's energy: the same netlist and stimulus with and without delays.

    settled values (activity.py)          -> toggles -> power -> energy of an event
    every change (event_simulation.py)    -> toggles -> power -> energy of an event, with glitches

Between the two nothing differs but how often nets toggle; the netlist must settle to the same
values in both, on every net and in every cycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from characterize import synthesis
from characterize.activity import Activity, NetActivity, Words, simulate
from characterize.cells import Library
from characterize.delays import read_delays
from characterize.event_energy import IDLE, energies, event_spans, parts_of
from characterize.event_netlist import EventNetlist, event_netlist
from characterize.event_simulation import Events, simulate_events
from characterize.format_cost import PE
from characterize.glitch_file import Glitches
from characterize.liberty import read_library
from characterize.measure import check_outputs
from characterize.netlist import Netlist, Port, read_netlist
from characterize.power import Circuit
from characterize.stimulus import CHECKED, Stimulus, component_config, hardware_for, stimulus_for
from characterize.technology import Technology
from characterize.timing import Timing, analyze
from rtl_gen.components import MEASURED
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.storage import storage_modules
from rtl_gen.verilog import module_verilog

#: What is asked for: the multiply-accumulate unit alone, or a PE with scratchpads around it.
COMPONENTS = ("mac", "pe")
EVENT = "mac"
#: The port by which the settled values of all nets leave the zero-delay simulation.
EVERY_NET = "every net"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A component mapped to cells, as both simulations and power take it."""

    netlist: Netlist
    library: Library
    moving: EventNetlist
    timing: Timing
    circuit: Circuit
    clock_ns: float


def measure_glitches(
    component: str,
    arithmetic: str,
    *,
    technology: Technology,
    liberty: Sequence[Path],
    workdir: Path,
    parameters: Mapping[str, int] = PE,
    lanes: Sequence[int] = CHECKED,
) -> Glitches:
    """Synthesize one component, simulate it with and without delays, and compare the energies.

    Parameters
    ----------
    component : one of `COMPONENTS`. parameters : sizes of its PE's scratchpads, of flip-flops.
    liberty : the prepared files of the technology (`cell_files.prepare`).
    workdir : existing folder for the files of the run.
    lanes : of the stimulus, each a run of its own.

    Raises
    ------
    ToolError : Yosys or OpenSTA is missing or fails.
    UserError : the netlist has cells that are no gates and flip-flops, or does not settle to the
        values of the zero-delay simulation.
    """
    if component not in COMPONENTS:
        raise UserError(f"component must be one of {', '.join(COMPONENTS)}, not {component!r}")
    config = component_config(component, arithmetic, parameters)
    mapped = map_component(component, config, technology, liberty, workdir)
    netlist, moving = mapped.netlist, mapped.moving
    stimulus = of_lanes(stimulus_for(component, config), lanes)
    masks = event_masks(component, stimulus)
    settled = settled_activity(netlist, mapped.library, stimulus.inputs, masks, len(lanes))
    check_outputs(settled, stimulus)
    runs = [events(netlist, moving, settled, masks, lane) for lane in range(len(lanes))]
    glitching = with_glitches(settled, runs, moving)
    # What goes on after an event, in the pipeline, is the event's (as in `measure`).
    each = float(masks[EVENT].sum() / stimulus.events[EVENT].sum())
    idle = cycle_energies(mapped, settled.masks[IDLE])
    quiet, loud = (
        {part: idle[part] + each * (energy - idle[part]) for part, energy in found.items()}
        for found in (cycle_energies(mapped, seen[EVENT]) for seen in (settled.masks, glitching))
    )
    return Glitches(
        component=component,
        arithmetic=arithmetic,
        cells=len(netlist.instances),
        macs=int(stimulus.events[EVENT].sum()) * len(lanes),
        settled_toggles=each * _toggles(settled.masks[EVENT], moving),
        toggles=each * _toggles(glitching[EVENT], moving),
        energy_pj=quiet,
        glitching_energy_pj=loud,
        idle_pj=idle,
        min_period_ns=mapped.timing.min_period_ns,
        settle_ns=max(run.settle_ns for run in runs),
    )


def map_component(
    component: str,
    config: AcceleratorConfig,
    technology: Technology,
    liberty: Sequence[Path],
    workdir: Path,
) -> Mapped:
    """Synthesis, timing and the delays of every arc; arguments as of `measure_glitches`."""
    library = read_library(*liberty)
    modules = storage_modules(config) if component == "pe" else {}
    verilog = module_verilog(hardware_for(component, config), component)
    made = synthesis.synthesize(
        "\n".join([verilog, *modules.values()]),
        component,
        technology=technology,
        liberty=liberty,
        workdir=workdir,
    )
    netlist = read_netlist(made.json, library)
    place = (made.verilog, component, liberty, technology)
    clock_ns = technology.clock_ns
    timing = analyze(*place, clock_ns=clock_ns, cells=made.cells, workdir=workdir)
    moving = event_netlist(netlist, library, read_delays(*place, workdir=workdir))
    return Mapped(
        netlist=netlist,
        library=library,
        moving=moving,
        timing=timing,
        circuit=Circuit(netlist, library, timing.slews),
        clock_ns=clock_ns,
    )


def cycle_energies(mapped: Mapped, activity: NetActivity) -> dict[str, float]:
    """Dynamic energy of a cycle by part."""
    report = mapped.circuit.power(activity, mapped.clock_ns)
    return energies(report, parts_of(mapped.netlist), mapped.clock_ns)


def event_masks(component: str, stimulus: Stimulus) -> dict[str, NDArray[np.bool_]]:
    """The cycles of the event and of idling, after the reset."""
    running = stimulus.inputs["rst"][:, 0] == 0
    spans = event_spans(stimulus, MEASURED[component].events)
    return {name: spans[name] & running for name in (EVENT, IDLE)}


def of_lanes(stimulus: Stimulus, lanes: Sequence[int]) -> Stimulus:
    """The stimulus of some lanes only, which become the lowest."""

    def packed(words: Words) -> Words:
        bits = [
            (words >> np.uint64(lane) & np.uint64(1)) << np.uint64(i)
            for i, lane in enumerate(lanes)
        ]
        return np.asarray(np.bitwise_or.reduce(bits))

    return replace(
        stimulus,
        inputs={name: packed(words) for name, words in stimulus.inputs.items()},
        outputs={name: packed(words) for name, words in stimulus.outputs.items()},
        checked=packed(np.array([stimulus.checked]))[0],
    )


def settled_activity(
    netlist: Netlist,
    library: Library,
    inputs: Mapping[str, Words],
    masks: Mapping[str, NDArray[np.bool_]],
    lanes: int,
) -> Activity:
    """The zero-delay simulation, with the settled values of every net as one more output."""
    every = Port(direction="output", nets=np.arange(netlist.nets))
    seen = replace(netlist, ports={**netlist.ports, EVERY_NET: every})
    known = {name: inputs[name] for name in inputs if name in netlist.ports}
    return simulate(seen, library, known, masks, lanes=lanes)


def events(
    netlist: Netlist,
    moving: EventNetlist,
    settled: Activity,
    masks: Mapping[str, NDArray[np.bool_]],
    lane: int,
) -> Events:
    """The simulation of one lane with delays, which must settle to what it settles to without.

    Raises
    ------
    UserError
        When any net differs at the end of any cycle; names the first cycle and the driver.
    """
    every = (settled.outputs[EVERY_NET] >> np.uint64(lane) & np.uint64(1)).astype(np.uint8)
    seen = simulate_events(moving, every[0], every[:, moving.inputs], masks)
    if (wrong := seen.settled != every).any():
        cycle, net = np.argwhere(wrong)[0]
        names = [i.name for i in netlist.instances if net in i.pins.values()]
        raise UserError(
            f"with delays every net must settle as without, not differ first in cycle {cycle} at "
            f"{names[:1]} ({np.count_nonzero(wrong)} values differ)"
        )
    return seen


def with_glitches(
    settled: Activity, runs: Sequence[Events], moving: EventNetlist
) -> dict[str, NetActivity]:
    """The activity by mask with the toggles of the runs instead of the settled ones; the share of
    time that nets spend at 1, and cells in their states, stays that of settled values."""
    result = {}
    for name, activity in settled.masks.items():
        lanes = [run.toggles[name] for run in runs]
        toggles = np.sum(lanes, axis=0) / (len(runs) * activity.cycles)
        toggles[moving.clock] = 2.0
        result[name] = replace(activity, toggles=toggles)
    return result


def _toggles(activity: NetActivity, moving: EventNetlist) -> float:
    """Of all nets but the clock, per cycle."""
    return float(np.delete(activity.toggles, moving.clock).sum())
