"""Emission: a config as readable Verilog, the same bytes on every run and every machine."""

from __future__ import annotations

import functools
import json
import re
import tempfile
from pathlib import Path

from amaranth import Signal
from amaranth.back import verilog
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl_gen import provenance
from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.accelerator import Accelerator
from rtl_gen.hardware.array import ProcessingArray
from rtl_gen.hardware.bank import Bank
from rtl_gen.hardware.collector import Collector
from rtl_gen.hardware.controller import Controller
from rtl_gen.hardware.memory import SinglePortMemory, memory_name
from rtl_gen.hardware.node import NetworkNode
from rtl_gen.hardware.pe import ProcessingElement
from rtl_gen.hardware.place import port_name
from rtl_gen.hardware.row import NetworkRow
from rtl_gen.schedule import memories

#: Name of the top module.
TOP = "accelerator"


def modules(config: AcceleratorConfig) -> dict[str, wiring.Component]:
    """The Verilog modules of an accelerator by name, leaf first, each a component."""
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
        TOP: Accelerator(config),
    }


def module_verilog(component: wiring.Component, name: str) -> str:
    """One component, and what lies within it, as Verilog modules `name` and `name_*`."""
    text = verilog.convert(
        component, name=name, ports=_ports(component), emit_src=False, strip_internal_attrs=True
    )
    # The first line names the converter's build; the manifest records versions instead.
    body = text.split("\n", 1)[1].strip() if text.startswith("/*") else text.strip()
    return _plain_names(_no_empty_wires(_no_power_up(body))) + "\n"


def _no_power_up(text: str) -> str:
    """Leave out the initial contents of memories: silicon has none, and nothing reads them."""
    return re.sub(r"  initial begin\n(?:    \S+\[\d+\] = \S+;\n)+  end\n", "", text)


def _no_empty_wires(text: str) -> str:
    """Leave out addresses of one-word memories: no bits, but Verilog would read two."""
    return re.sub(r"  wire \[-1:0\] \S+;\n", "", text)


def _ports(component: wiring.Component) -> dict[str, tuple[Signal, PortDirection]]:
    """Ports by name, members of members joined by one underscore: `weights_valid`."""
    return {
        port_name(path): (
            value,
            PortDirection.Input if member.flow == In else PortDirection.Output,
        )
        for path, member, value in component.signature.flatten(component)
    }


def _plain_names(text: str) -> str:
    """Turn hierarchical module names, `\\pe.mac `, into plain ones, `pe_mac`."""
    return re.sub(r"\\([A-Za-z_][\w.]*\.\w+) ", lambda match: match[1].replace(".", "_"), text)


@functools.lru_cache(maxsize=16)
def accelerator_verilog(config: AcceleratorConfig) -> str:
    """The whole accelerator in one text: a header with the parameters, then the modules.

    Byte-reproducible: it depends on the config and the version of Amaranth only.
    """
    parts = [module_verilog(component, name) for name, component in modules(config).items()]
    return "\n".join([_header(config), *parts])


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
        f"{name}.v": f"{_header(config)}\n{module_verilog(component, name)}"
        for name, component in modules(config).items()
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
    return "\n".join(lines) + "\n"
