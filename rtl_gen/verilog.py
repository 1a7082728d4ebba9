"""Emission: a config as readable Verilog, the same bytes on every run and every machine."""

from __future__ import annotations

import functools
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Fragment, Signal
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl_gen import provenance
from rtl_gen.backend.write import Notes, write
from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.accelerator import Accelerator
from rtl_gen.hardware.array import ProcessingArray
from rtl_gen.hardware.bank import Bank
from rtl_gen.hardware.collector import Collector
from rtl_gen.hardware.control import Control
from rtl_gen.hardware.controller import Controller
from rtl_gen.hardware.core import Core
from rtl_gen.hardware.memory import SinglePortMemory, memory_name
from rtl_gen.hardware.node import NetworkNode
from rtl_gen.hardware.pe import ProcessingElement
from rtl_gen.hardware.place import port_name
from rtl_gen.hardware.row import NetworkRow
from rtl_gen.memories import memories
from rtl_gen.storage import storage_modules

#: What every file says of clock and reset.
RESET = (
    "//",
    "// One clock, clk. rst is synchronous and active high: hold it for a cycle or more. It sets",
    "// all state that decides what happens next; words of memories and scratchpads, and products",
    "// on their way to a sum, have no reset and are not used before they are written.",
)

#: Name of the top module, and of the core below it.
TOP = "accelerator"
CORE = "core"


def core_modules(config: AcceleratorConfig) -> dict[str, wiring.Component]:
    """The Verilog modules of the core by name, leaf first, each a component."""
    srams = {
        memory_name(int(shape.depth), int(shape.width)): SinglePortMemory(
            int(shape.depth), int(shape.width)
        )
        for shape in memories(config).values()
    }
    return {
        **srams,
        "pe": ProcessingElement(config),
        "network_node": NetworkNode(config),
        "network_row": NetworkRow(config),
        "processing_array": ProcessingArray(config),
        "bank": Bank(config),
        "collector": Collector(config),
        "controller": Controller(config),
        CORE: Core(config),
    }


def modules(config: AcceleratorConfig) -> dict[str, wiring.Component]:
    """The Verilog modules of an accelerator by name, leaf first, each a component."""
    return {**core_modules(config), "control": Control(config), TOP: Accelerator(config)}


def module_verilog(component: wiring.Component, name: str) -> str:
    """One component, and what lies within it, as Verilog modules `name` and `name_*`."""
    return "\n".join(module_texts(component, name).values())


def module_texts(component: wiring.Component, name: str) -> dict[str, str]:
    """The same, a text a module: module `name` first."""
    ports = _ports(component)
    fragment = Fragment.get(component, None)
    text, wires = rtlil.convert_fragment(fragment, ports, name, emit_src=False)
    return write(text, dict(_notes(fragment, (name,), wires)))


def _notes(
    fragment: Fragment, path: tuple[str, ...], wires: Mapping[Any, tuple[str, ...]]
) -> Iterator[tuple[str, Notes]]:
    """What the netlist does not say: what each module is, and the names of states."""
    states = {
        wires[machine._data["signal"]][-1]: {n: state for state, n in machine.encoding.items()}
        for machine in fragment.generated.values()
        if hasattr(machine, "encoding")
    }
    lines = (getattr(fragment.origins[0], "__doc__", "") or "") if fragment.origins else ""
    yield ".".join(path), Notes(what=lines.partition("\n")[0], states=states)
    for part, name, _ in fragment.subfragments:
        yield from _notes(part, (*path, name), wires)


def _ports(component: wiring.Component) -> dict[str, tuple[Signal, PortDirection]]:
    """Ports by name, members of members joined by one underscore: `weights_valid`."""
    return {
        port_name(path): (
            value,
            PortDirection.Input if member.flow == In else PortDirection.Output,
        )
        for path, member, value in component.signature.flatten(component)
    }


@functools.lru_cache(maxsize=16)
def core_verilog(config: AcceleratorConfig) -> str:
    """The core and all below it in one text (see `accelerator_verilog`)."""
    return "\n".join([_header(config), *_texts(config, core_modules(config)).values()])


@functools.lru_cache(maxsize=16)
def accelerator_verilog(config: AcceleratorConfig) -> str:
    """The whole accelerator in one text: a header with the parameters, then the modules.

    Byte-reproducible: it depends on the config and the version of Amaranth only.
    """
    return "\n".join([_header(config), *_texts(config, modules(config)).values()])


def _texts(config: AcceleratorConfig, components: Mapping[str, wiring.Component]) -> dict[str, str]:
    """Verilog by module name, leaf first."""
    texts = storage_modules(config)
    for name, component in components.items():
        texts.update(module_texts(component, name))
    return texts


def emit(config: AcceleratorConfig, folder: Path) -> list[Path]:
    """Write one file a module, `filelist.f` and `manifest.json`; returns the files.

    Everything is written beside the folder first, so that a full disk leaves no half of it. A
    file of an earlier emission that this one does not have is removed.

    Raises
    ------
    OSError
        When the folder can't be written.
    """
    texts = {
        f"{name}.v": f"{_header(config)}\n{text}"
        for name, text in _texts(config, modules(config)).items()
    }
    texts["filelist.f"] = "".join(f"{name}\n" for name in texts)
    manifest = {
        "schema": "quidam-verilog/1",
        "config": config.to_mapping(),
        "config_id": config.content_id,
        "top": TOP,
        "commit": provenance.commit(),
        "versions": provenance.generator_versions(),
        "sha256": {name: provenance.sha256(text) for name, text in texts.items()},
    }
    texts["manifest.json"] = json.dumps(manifest, indent=1) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    stale = _emitted_before(folder) - set(texts)
    with tempfile.TemporaryDirectory(prefix=".emitting-", dir=folder) as temporary:
        for name, text in texts.items():
            (Path(temporary) / name).write_text(text)
        for name in texts:
            (Path(temporary) / name).replace(folder / name)
    for name in stale:
        (folder / name).unlink(missing_ok=True)
    return [folder / name for name in texts]


def _emitted_before(folder: Path) -> set[str]:
    try:
        names = dict(json.loads((folder / "manifest.json").read_text())["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if re.fullmatch(r"\w+\.v", name)}


def _header(config: AcceleratorConfig) -> str:
    lines = ["// QUIDAM row-stationary accelerator", "//"]
    lines += [f"//   {key}: {value}" for key, value in config.to_mapping().items()]
    return "\n".join([*lines, *RESET]) + "\n"
