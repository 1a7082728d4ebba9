"""A technology: the cells to build with, at one corner, and what the flow must know beside them.

One YAML file a technology (docs/reference/technology-file.md), found by the name of one that
ships or by path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from characterize.liberty_file import LibertyFile, unset
from characterize.memory import memory_model
from characterize.technology_file import NUMBERS, SOURCED, read_fields
from rtl_gen.errors import ToolError, UserError

__all__ = [
    "NUMBERS",
    "SOURCED",
    "TECHNOLOGIES",
    "LibertyFile",
    "Technology",
    "find_technology",
    "load_technology",
    "read_technology",
    "shipped",
    "unset",
]

TECHNOLOGIES = Path(__file__).parent / "technologies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """One process at one corner.

    Parameters
    ----------
    name : letters, digits and `._-`; at one of `corners` with it: "sky130hd@slow".
    description : one line for people.
    corner : as the foundry calls it.
    liberty : files that together make the library.
    feature_nm : feature size; memories of another technology are scaled by it.
    voltage_v, temperature_c : of the corner; must be those of the Liberty files.
    clock_ns : period that samples are measured at.
    driving_cell : what drives every input; its output load in fF hangs on every output.
    wire_ff_per_pin : wire capacitance that each input pin brings to its net.
    tie_high, tie_low : (cell, pin) of constants, or None where a constant needs no cell.
    latch, clock_gate : the cells that scratchpads are built of where they are of latches or have
        gated clocks, or None. They are kept whatever `prune` says, and used for nothing else.
    prune : patterns (`*`, `?`) of cells that synthesis must not use.
    memory : name of the memory model (`characterize.memory`).
    dram_pj_per_bit : energy to move one bit to or from off-chip memory.
    install : how to get the Liberty files, one sentence or "".
    sources : where the values of `SOURCED` come from.
    corners : names of the other corners that its file has.
    """

    name: str
    description: str
    corner: str
    liberty: tuple[LibertyFile, ...]
    feature_nm: float
    voltage_v: float
    temperature_c: float
    clock_ns: float
    driving_cell: str
    output_load_ff: float
    wire_ff_per_pin: float
    tie_high: tuple[str, str] | None
    tie_low: tuple[str, str] | None
    latch: str | None
    clock_gate: str | None
    prune: tuple[str, ...]
    memory: str
    dram_pj_per_bit: float
    install: str
    sources: Mapping[str, str] = field(hash=False)
    corners: tuple[str, ...] = ()

    def memories(self) -> dict[str, Any]:
        """The coefficients of its memories, scaled where it has none of its own."""
        return memory_model(self.memory, feature_nm=self.feature_nm, voltage_v=self.voltage_v)

    def identity(self) -> dict[str, Any]:
        """All that a measurement depends on, as plain types; paths and remarks are not in it."""
        return {
            "name": self.name,
            "liberty_sha256": [file.sha256() for file in self.liberty],
            "driving_cell": self.driving_cell,
            "output_load_ff": self.output_load_ff,
            "wire_ff_per_pin": self.wire_ff_per_pin,
            "tie_high": list(self.tie_high or ()),
            "tie_low": list(self.tie_low or ()),
            "latch": self.latch,
            "clock_gate": self.clock_gate,
            "prune": list(self.prune),
        }

    def content_id(self) -> str:
        """SHA-256 of `identity`, hexadecimal."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()

    def warnings(self) -> list[str]:
        """What is not as the file expects, but no reason to stop."""
        return [
            f"{file.path} has SHA-256 {found}, not {file.expected_sha256} as in the file of "
            f"technology {self.name}: results may differ from those that ship"
            for file in self.liberty
            if file.expected_sha256 and (found := file.sha256()) != file.expected_sha256
        ]


def shipped() -> list[str]:
    """Names of the technologies that ship."""
    return sorted(path.stem for path in TECHNOLOGIES.glob("*.yaml"))


def load_technology(name_or_file: str | Path) -> Technology:
    """Read a technology (see `find_technology`) whose Liberty files are here.

    Raises
    ------
    UserError
        When there is none of that name, or the file or a pin's name breaks a rule.
    ToolError
        When a Liberty file that can be installed is not there; says how to install it.
    """
    technology = find_technology(name_or_file)
    for file in technology.liberty:
        if not file.path.is_file():
            message = f"Liberty file {file.path} of technology {technology.name} is missing"
            if names := unset(str(file.path)):
                message += f", {names[0]} is not set"
            if technology.install:
                raise ToolError(f"{message}: {technology.install}")
            raise UserError(f"{message} ({name_or_file})")
        file.check_names()
    return technology


def find_technology(name_or_file: str | Path) -> Technology:
    """Read a technology by the name of one that ships, or from a file: `NAME`, `FILE.yaml`.

    `@CORNER` after either means one of its other corners. Its Liberty files need not be there.

    Raises
    ------
    UserError
        When there is none of that name, it has no such corner, or the file breaks a rule.
    """
    whole, corner = str(name_or_file), ""
    if "@" in whole and not _is_file(whole):
        whole, _, corner = whole.rpartition("@")
        if not corner:
            raise UserError(f"corner must be named after the @, not {str(name_or_file)!r}")
    if whole in shipped():
        return read_technology(TECHNOLOGIES / f"{whole}.yaml", corner)
    if not _is_file(whole):
        raise UserError(
            f"technology must be one that ships ({', '.join(shipped())}) or a YAML file, "
            f"not {whole!r}"
        )
    return read_technology(Path(whole), corner)


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()


def read_technology(path: Path, corner: str = "") -> Technology:
    """Read a technology file, at one of its corners; its Liberty files need not be there."""
    return Technology(**read_fields(path, corner))
