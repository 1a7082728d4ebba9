"""Events that coincide: what they take together is what each takes above an idle cycle, summed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from characterize import synthesis, timing
from characterize.activity import simulate
from characterize.event_energy import energies, parts_of
from characterize.liberty import read_library
from characterize.netlist import read_netlist
from characterize.power import Circuit
from characterize.stimulus import Stimulus, component_config, hardware_for, stimulus_for
from rtl_gen.components import KINDS
from rtl_gen.verilog import module_verilog
from tests.characterize.osu018 import osu018

PARAMETERS = {"rows": 12, "ifmap_words": 12, "weight_words": 96, "psum_words": 16, "bus_bits": 64}
#: Of each component, what its other events are made of, and how far off their sum may be. A row's
#: strobe of inputs is high for one beat or for many: the enables it drives differ. What is in a
#: pipeline still when an event's cycle is over counts in none of them here.
LOADS = {
    "pe": (
        0.03,
        {
            "ifmap_write": ("activation", "ifmap_write", "ifmap_write_address"),
            "weight_write": ("weight", "weight_write", "weight_write_address"),
        },
    ),
    "row": (
        0.15,
        {
            f"{name}_beat": tuple(
                f"above_{port}"
                for port in (
                    *(f"load_{name}", f"{name}_data", f"{name}_target", f"{name}_group"),
                    f"{name}_write_address",
                )
            )
            for name in ("ifmap", "weight")
        },
    ),
}


def beside(
    stimulus: Stimulus, loads: dict[str, tuple[str, ...]]
) -> tuple[dict[str, NDArray[np.uint64]], dict[str, NDArray[np.bool_]]]:
    """Inputs in which every load comes once more, beside multiply-accumulates, of other lanes."""
    inputs, events = dict(stimulus.inputs), dict(stimulus.events)
    rest = np.flatnonzero(events["mac"])
    rest = rest[len(rest) // 4 :]
    for event, ports in loads.items():
        source = np.flatnonzero(stimulus.events[event])
        target, rest = rest[: len(source)], rest[len(source) :]
        for port in ports:
            words = stimulus.inputs[port][source]
            inputs[port] = inputs[port].copy()
            inputs[port][target] = words << np.uint64(13) | words >> np.uint64(51)
        both = np.isin(np.arange(len(events["mac"])), target)
        events |= {f"mac and {event}": both, "mac": events["mac"] & ~both}
    return inputs, events


@pytest.mark.eda
@pytest.mark.parametrize("component", LOADS)
def test_what_events_take_above_idling_adds_up(component: str, tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)
    parameters = {name: PARAMETERS[name] for name in KINDS[component].fields}
    config = component_config(component, "lightpe1", parameters)
    mapped = synthesis.synthesize(
        module_verilog(hardware_for(component, config), component),
        component,
        technology=technology,
        liberty=liberty,
        workdir=tmp_path,
    )
    library = read_library(*liberty)
    netlist = read_netlist(mapped.json, library)
    clock_ns = technology.clock_ns
    timed = timing.analyze(
        *(mapped.verilog, component, liberty, technology),
        clock_ns=clock_ns,
        cells=mapped.cells,
        workdir=tmp_path,
    )
    tolerance, loads = LOADS[component]
    inputs, events = beside(stimulus_for(component, config), loads)
    activity = simulate(netlist, library, inputs, events)
    parts, circuit = parts_of(netlist), Circuit(netlist, library, timed.slews)

    def picojoules(event: str) -> float:
        report = circuit.power(activity.masks[event], clock_ns)
        return sum(energies(report, parts, clock_ns).values())

    idle = picojoules("idle")
    for event in loads:
        summed = picojoules("mac") + picojoules(event) - idle
        assert summed == pytest.approx(picojoules(f"mac and {event}"), rel=tolerance), event
        assert picojoules(event) > idle
