"""Measuring a whole accelerator: what the composition of components is held against.

The same steps as for one component (`measure.py`), on all of it: the hierarchy is kept while
modules are mapped, then flattened; the memories are left out and their pins become ports, so that
what they take, which is one model's number in a prediction and here, is in neither.

RTL -> mapped netlist -> ports for memories -> slews, period
 |                             |                   |
Verilator -> stimulus ----> activity ----------> power by component -> Whole
"""

from __future__ import annotations

import datetime
import platform
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from characterize import storage_cells, synthesis, timing, tools
from characterize.activity import Activity, simulate
from characterize.cells import Library
from characterize.identity import TOOLS, method_sha256
from characterize.liberty import read_library
from characterize.measure import Steps, check_outputs, run_cache
from characterize.netlist import Netlist, read_netlist
from characterize.power import Circuit
from characterize.sample import RECIPES, digest
from characterize.stimulus import Stimulus
from characterize.synthesis_modules import input_buffer
from characterize.technology import Technology
from characterize.whole_power import owners_of, power_by_kind
from characterize.whole_rtl import LANES, black_boxes, whole_layer, whole_stimulus
from characterize.whole_store import Whole
from rtl_gen import provenance
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.storage import CLOCK_GATE_NAME
from rtl_gen.verilog import TOP, accelerator_verilog

#: What decides how it is measured, beside the method of components (`identity.METHOD`).
METHOD = ("whole.py", "whole_power.py", "whole_rtl.py", "accelerator.cpp")
TIMEOUT_S = 3600.0
#: Memories out, their pins as ports; clock and reset, which reach them too, are no such pins.
_PORTS = """\
expose -evert -sep . {top}/t:sram_*
delete {top}/w:*sram*.clk {top}/w:*sram*.rst
opt_clean -purge"""
#: What the recipe is for: PEs and what is in them.
PE_MODULES = ("pe", "pe_*", "*_words_*")
_GATE = re.compile(rf"^module {CLOCK_GATE_NAME} .*?^endmodule\n", re.MULTILINE | re.DOTALL)


def whole_id(
    config: AcceleratorConfig,
    technology: Technology,
    clock_ns: float,
    recipe: str,
    layer: Layer | None = None,
) -> str:
    """SHA-256 of all that a measurement depends on, hexadecimal."""
    versions = tools.versions()
    return digest(
        {
            "whole_method": _method(),
            "rtl": provenance.sha256(accelerator_verilog(config)),
            "layer": asdict(layer or whole_layer(config)),
            "lanes": LANES,
            "technology": technology.identity(),
            "clock_ns": clock_ns,
            "recipe": recipe,
            "method": method_sha256(),
            "tools": {name: versions.get(name) for name in (*TOOLS, "verilator")},
        }
    )


def _method() -> dict[str, str]:
    """SHA-256 of the files of `METHOD`."""
    folder = resources.files("characterize")
    return {name: provenance.sha256(folder.joinpath(name).read_bytes()) for name in METHOD}


def measure_whole(
    config: AcceleratorConfig,
    *,
    technology: Technology,
    liberty: Sequence[Path],
    clock_ns: float | None = None,
    recipe: str = RECIPES[0],
    layer: Layer | None = None,
    scratch: Path | None = None,
    steps: Steps | None = None,
) -> Whole:
    """Synthesize, time, simulate, compare with the RTL, and add up power.

    Parameters
    ----------
    liberty : the technology's prepared files (`cell_files.prepare`).
    clock_ns : period to measure at; None for the technology's.
    recipe : of the PEs; all else is synthesized by the first one.
    layer : to run, with channels and filters of the stimulus layer; None for `whole_layer`.
    scratch : existing folder for temporary files; None for the system's.
    steps : told which step is under way.

    Raises
    ------
    UserError
        When the config can't run the layer, or the netlist's outputs, the pins of its memories
        included, differ from the RTL's in any cycle.
    ToolError
        When a tool fails.
    """
    period = clock_ns or technology.clock_ns
    layer = layer or whole_layer(config)
    steps = steps or Steps()
    verilog = accelerator_verilog(config)
    library = read_library(*liberty)
    with tempfile.TemporaryDirectory(prefix="quidam-", dir=scratch) as folder:
        workdir = Path(folder)
        with steps.step("synthesis"):
            cache = run_cache(scratch)
            mapped = _synthesize(
                config, verilog, technology, library, liberty, workdir, recipe, period, cache
            )
            netlist = read_netlist(mapped.json, library)
        with steps.step("timing"):
            timed = timing.analyze(
                mapped.verilog,
                TOP,
                liberty,
                technology,
                clock_ns=period,
                cells=len(netlist.instances),
                workdir=workdir,
                timeout=TIMEOUT_S,
            )
        with steps.step("stimulus"):
            seen = whole_stimulus(config, verilog, workdir, layer)
        with steps.step("activity"):
            activity = _activity(netlist, library, seen.stimulus)
        with steps.step("equivalence"):
            check_outputs(activity, seen.stimulus)
        with steps.step("power"):
            powers = _powers(netlist, library, activity, timed, period)
            areas = _areas(netlist, library)
    return Whole(
        id=whole_id(config, technology, period, recipe, layer),
        config=config.to_mapping(),
        technology=technology.name,
        clock_ns=period,
        recipe=recipe,
        cycles=int(seen.schedule.cycles),
        lanes=LANES,
        area_um2=areas,
        power_mw=powers["busy"],
        idle_mw=powers["idle"],
        min_period_ns=round(timed.min_period_ns, 6),
        cells=len(netlist.instances),
        manifest=_manifest(technology, verilog, timed, recipe, steps),
    )


def _synthesize(
    config: AcceleratorConfig,
    verilog: str,
    technology: Technology,
    library: Library,
    liberty: Sequence[Path],
    workdir: Path,
    recipe: str,
    clock_ns: float,
    cache: Path | None,
) -> synthesis.Synthesis:
    """Map the accelerator, and turn its memories into ports."""
    storage_cells.check_storage(technology, config.scratchpads)
    gate = storage_cells.clock_gate_verilog(technology, library)
    return synthesis.synthesize(
        _GATE.sub(lambda match: f"{gate}\n", black_boxes(verilog)),
        TOP,
        technology=technology,
        liberty=liberty,
        workdir=workdir,
        clock_ns=clock_ns,
        cache=cache,
        modules=(PE_MODULES, recipe) if recipe != RECIPES[0] else None,
        latch_map=storage_cells.latch_map(technology, library),
        buffer=input_buffer(technology, library),
        finish=_PORTS.format(top=TOP),
        timeout=TIMEOUT_S,
    )


def _activity(netlist: Netlist, library: Library, stimulus: Stimulus) -> Activity:
    """Simulate the netlist; inputs that mapping has found to be of no use are left out."""
    wanted = [name for name, port in netlist.ports.items() if port.direction == "input"]
    inputs = {name: stimulus.inputs[name] for name in wanted if name != "clk"}
    return simulate(netlist, library, inputs, stimulus.events, lanes=LANES)


def _powers(
    netlist: Netlist, library: Library, activity: Activity, timed: timing.Timing, clock_ns: float
) -> dict[str, dict[str, dict[str, float]]]:
    """Event -> kind of component -> part -> mW."""
    owners = owners_of(netlist)
    circuit = Circuit(netlist, library, timed.slews)
    result = {}
    for name, seen in activity.masks.items():
        report = circuit.power(seen, clock_ns)
        result[name] = power_by_kind(netlist, library, seen, report, owners, clock_ns)
    return result


def _areas(netlist: Netlist, library: Library) -> dict[str, float]:
    areas = np.array([library.cell(instance.type).area_um2 for instance in netlist.instances])
    return {kind: float(areas[chosen].sum()) for kind, chosen in owners_of(netlist).items()}


def _manifest(
    technology: Technology, verilog: str, timed: timing.Timing, recipe: str, steps: Steps
) -> dict[str, Any]:
    return {
        "commit": provenance.commit(),
        "tools": {name: tools.versions().get(name) for name in (*TOOLS, "verilator")},
        "technology": technology.identity(),
        "method_sha256": method_sha256(),
        "verilog_sha256": provenance.sha256(verilog),
        "recipe": f"{recipe}/{synthesis.RECIPE_VERSION}",
        "critical_path": timed.critical_path,
        "critical_path_ends": timed.ends,
        "seconds": steps.seconds,
        "host": platform.node(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
