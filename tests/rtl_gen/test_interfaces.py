"""The table of interfaces against the components themselves: no port forgotten, no way round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from amaranth.lib.wiring import In

from characterize import tools
from characterize.stimulus import hardware_for
from rtl_gen.backend.names import port_name as verilog_name
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.place import port_name
from rtl_gen.interfaces import (
    CONNECTIONS,
    INTERFACES,
    MEMORIES,
    RESET,
    End,
    inputs_in_order,
)
from rtl_gen.memories import memories
from rtl_gen.verilog import TOP, accelerator_verilog
from tests.rtl_gen.small import small

#: Verilog module -> the kind of component that it is.
MODULES = {kind: kind for kind in KINDS if kind not in ("node", "row")}
MODULES |= {"network_node": "node", "network_row": "row"}


def group_of(port: str, groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The groups that a port belongs to; one, if the table is right."""
    return [
        name
        for name, patterns in groups.items()
        if any(fnmatchcase(port, pattern) for pattern in patterns)
    ]


@pytest.mark.parametrize("name", ["gated", "macros"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_port_is_in_one_group(kind: str, name: str) -> None:
    signature = hardware_for(kind, small(name)).signature
    found: dict[str, set[str]] = {"in": set(), "out": set()}
    for path, member, _ in signature.flatten(signature.create()):
        side = "in" if member.flow == In else "out"
        table = INTERFACES[kind].inputs if side == "in" else INTERFACES[kind].outputs
        groups = group_of(verilog_name(port_name(path)), table)
        assert len(groups) == 1, f"{port_name(path)} of {kind} is in {groups}"
        found[side].update(groups)
    if name == "macros":  # with them no group is empty
        assert found == {"in": set(INTERFACES[kind].inputs), "out": set(INTERFACES[kind].outputs)}


def test_connections_name_groups_that_there_are() -> None:
    assert set(INTERFACES) == set(KINDS)
    for (kind, out), sinks in CONNECTIONS.items():
        assert out in INTERFACES[kind].outputs
        for sink, group in sinks:
            assert group == RESET or group in INTERFACES[sink].inputs
    for kind, group in MEMORIES:
        assert group in INTERFACES[kind].inputs
    assert set(MEMORIES.values()) == set(memories(small("macros")))


def test_no_path_goes_round_and_all_inputs_have_their_turn() -> None:
    order = list(inputs_in_order())
    for (kind, out), sinks in CONNECTIONS.items():
        for entry, end in INTERFACES[kind].through:
            for sink in sinks:
                if end == out and (kind, entry) in order:
                    assert order.index((kind, entry)) < order.index(sink)


@pytest.mark.eda
@pytest.mark.parametrize("name", ["gated", "macros"])
def test_connections_are_those_of_the_accelerator(name: str, tmp_path: Path) -> None:
    """Every wire from component to component, or through gates between them, is in the table, and
    all that the table names is there."""
    named = {(source, sink) for source, sinks in CONNECTIONS.items() for sink in sinks}
    assert wires(small(name), tmp_path) == named


def wires(config: AcceleratorConfig, folder: Path) -> set[tuple[End, End]]:
    """(output, input) of all pairs of groups, by Yosys' netlist of what lies between components."""
    (folder / "design.v").write_text(accelerator_verilog(config))
    commands = ["read_verilog design.v", f"hierarchy -top {TOP}", "proc"]
    commands += [f"blackbox {' '.join(MODULES)}", "flatten", "opt_clean", "write_json design.json"]
    (folder / "design.ys").write_text("\n".join(commands))
    tools.run(
        tools.yosys_command("design.ys"), cwd=folder, log=folder / "design.log", timeout=100.0
    )
    cells = json.loads((folder / "design.json").read_text())["modules"][TOP]["cells"].values()
    sinks: dict[int, list[dict[str, Any]]] = {}
    for cell in cells:
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for bit in bits:
                    sinks.setdefault(bit, []).append({**cell, "port": port})
    found = set()
    for cell in cells:
        if cell["type"] in MODULES:
            kind = MODULES[cell["type"]]
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == "output":
                    (out,) = group_of(port, INTERFACES[kind].outputs)
                    found |= {((kind, out), sink) for sink in _reached(bits, sinks)}
    return found


def _reached(bits: list[Any], sinks: dict[int, list[dict[str, Any]]]) -> set[End]:
    """The groups of inputs that nets reach, through gates but no registers and no memories."""
    waiting, seen, found = list(bits), set(bits), set()
    while waiting:
        for cell in sinks.get(waiting.pop(), ()):
            if cell["type"] in MODULES:
                kind, port = MODULES[cell["type"]], cell["port"]
                if port != "clk":
                    found |= {
                        (kind, group)
                        for group in (
                            [RESET] if port == "rst" else group_of(port, INTERFACES[kind].inputs)
                        )
                    }
            elif cell["type"].startswith("$") and "dff" not in cell["type"]:
                for name, outs in cell["connections"].items():
                    if cell["port_directions"][name] == "output":
                        waiting += [bit for bit in outs if bit not in seen]
                        seen.update(outs)
    return found
