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
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize import storage_cells, synthesis, timing, tools
from characterize.activity import Activity, simulate
from characterize.cells import Library
from characterize.event_energy import ALL, event_energies, event_spans, parts_of
from characterize.identity import TOOLS, config_of, method_sha256, storage_of
from characterize.liberty import read_library
from characterize.netlist import Netlist, read_netlist
from characterize.power import Circuit
from characterize.sample import Failure, Sample, Task, failed
from characterize.stimulus import Stimulus, hardware_for, stimulus_for
from characterize.synthesis_modules import input_buffer
from characterize.technology import Technology
from rtl_gen import provenance
from rtl_gen.components import MEASURED
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import ToolError, UserError
from rtl_gen.interfaces import INTERFACES
from rtl_gen.storage import CLOCK_GATE_NAME
from rtl_gen.verilog import module_verilog

#: Measuring draws nothing at random; the layer of the stimulus was trained from this seed
#: (scripts/make_stimulus_layer.py).
STIMULUS_SEED = 0


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
    id : of `identity.sample_id`.
    liberty : the prepared files of the technology (`cell_files.prepare`).
    scratch : existing folder for temporary files; None for the system's.
    """
    steps = Steps()
    try:
        with tempfile.TemporaryDirectory(prefix="quidam-", dir=scratch) as folder:
            cache = run_cache(scratch)
            return _measure(task, id, technology, tuple(liberty), Path(folder), cache, steps)
    except (ToolError, UserError) as error:
        log = error.tail if isinstance(error, ToolError) else ""
        return failed(task, id, steps.current, str(error), log)
    except Exception as error:
        # A fault of ours must not end a sweep of hours: it is kept, with its traceback.
        log = tools.last_lines(traceback.format_exc())
        return failed(task, id, steps.current, repr(error), log)


def run_cache(scratch: Path | None) -> Path | None:
    """Where the measurements of a run find what one of them has done already for them all: modules
    mapped, answers of the RTL."""
    if scratch is None:
        return None
    folder = scratch / "shared"
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
        config = config_of(task)
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
            clock_ns=task.clock_ns,
            cache=cache,
            latch_map=storage_cells.latch_map(technology, library),
            buffer=input_buffer(technology, library),
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
        stimulus = stimulus_for(task.component, config, cache)
    with steps.step("activity"):
        spans = event_spans(stimulus, MEASURED[task.component].events)
        activity = _activity(netlist, library, stimulus, spans)
    with steps.step("equivalence"):
        check_outputs(activity, stimulus)
    with steps.step("power"):
        circuit = Circuit(netlist, library, timed.slews)
        reports = {
            name: circuit.power(seen, task.clock_ns) for name, seen in activity.masks.items()
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
        energy_pj=event_energies(reports, parts, task.clock_ns, stimulus, spans),
        min_period_ns=round(timed.min_period_ns, 6),
        segments_ns=timed.segments_ns,
        cells=mapped.cells,
        manifest=_manifest(task, technology, verilog, mapped, timed, steps),
    )


def _verilog(
    task: Task, config: AcceleratorConfig, technology: Technology, library: Library
) -> str:
    """The component, and below it what the technology has for a clock gate."""
    modules = storage_of(task, config)
    if CLOCK_GATE_NAME in modules:
        modules[CLOCK_GATE_NAME] = storage_cells.clock_gate_verilog(technology, library)
    component = module_verilog(hardware_for(task.component, config), task.component)
    return "\n".join([component, *modules.values()])


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
