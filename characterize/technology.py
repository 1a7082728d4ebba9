"""A technology: the cells to build with, at one corner, and what the flow must know beside them.

One YAML file a technology (docs/reference/technology-file.md), found by the name of one that
ships or by path.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from characterize.memory import memory_model
from rtl_gen.errors import ToolError, UserError
from rtl_gen.yaml_input import load_mapping

TECHNOLOGIES = Path(__file__).parent / "technologies"

#: Numbers of a technology file: key -> unit, lowest and highest sensible value. The limits are
#: there to catch a wrong unit (0.18 for 180 nm, 10000 ps for 10 ns), not to judge a process.
NUMBERS = {
    "feature_nm": ("nm", 1.0, 5000.0),
    "voltage_v": ("V", 0.1, 10.0),
    "temperature_c": ("degrees Celsius", -273.0, 300.0),
    "clock_ns": ("ns", 0.01, 1000.0),
    "output_load_ff": ("fF", 0.0, 10000.0),
    "wire_ff_per_pin": ("fF", 0.0, 1000.0),
    "dram_pj_per_bit": ("pJ", 0.0, 1000.0),
}
#: Values that come from outside the Liberty file and must say from where.
SOURCED = ("cells", "dram_pj_per_bit", "wire_ff_per_pin")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_CELL = re.compile(r"\w+", re.ASCII)
_GLOB = re.compile(r"[\w*?]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class LibertyFile:
    """A Liberty file, plain or .gz, and the SHA-256 of its bytes that was expected, or ""."""

    path: Path
    expected_sha256: str

    def sha256(self) -> str:
        """Of the bytes that are there."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """One process at one corner.

    Parameters
    ----------
    name : letters, digits and `._-`.
    description : one line for people.
    corner : as the foundry calls it.
    liberty : files that together make the library.
    feature_nm : feature size; memories of another technology are scaled by it.
    voltage_v, temperature_c : of the corner; must be those of the Liberty files.
    clock_ns : period that samples are measured at.
    driving_cell : what drives every input; its output load in fF hangs on every output.
    wire_ff_per_pin : wire capacitance that each input pin brings to its net.
    tie_high, tie_low : (cell, pin) of constants, or None where a constant needs no cell.
    prune : patterns (`*`, `?`) of cells that synthesis must not use.
    memory : name of the memory model (`characterize.memory`).
    dram_pj_per_bit : energy to move one bit to or from off-chip memory.
    install : how to get the Liberty files, one sentence or "".
    sources : where the values of `SOURCED` come from.
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
    prune: tuple[str, ...]
    memory: str
    dram_pj_per_bit: float
    install: str
    sources: Mapping[str, str] = field(hash=False)

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
    """Read a technology by the name of one that ships, or from a file.

    Raises
    ------
    UserError
        When there is none of that name, or the file breaks a rule.
    ToolError
        When a Liberty file that can be installed is not there; says how to install it.
    """
    path = Path(name_or_file)
    if str(name_or_file) in shipped():
        path = TECHNOLOGIES / f"{name_or_file}.yaml"
    elif path.suffix not in (".yaml", ".yml") and not path.is_file():
        raise UserError(
            f"technology must be one that ships ({', '.join(shipped())}) or a YAML file, "
            f"not {str(name_or_file)!r}"
        )
    technology = read_technology(path)
    for file in technology.liberty:
        if not file.path.is_file():
            message = f"Liberty file {file.path} of technology {technology.name} is missing"
            if names := unset(str(file.path)):
                message += f", {names[0]} is not set"
            if technology.install:
                raise ToolError(f"{message}: {technology.install}")
            raise UserError(f"{message} ({path})")
    return technology


def unset(path: str) -> list[str]:
    """Environment variables in a path that have no value."""
    return [name for name in re.findall(r"\$\{?(\w+)", path) if not os.environ.get(name)]


def read_technology(path: Path) -> Technology:
    """Read a technology file; its Liberty files need not be there."""
    return _Reader(path, load_mapping(path)).technology()


class _Reader:
    """Turns the YAML into a Technology; every error names file, key, rule and value."""

    KEYS = (
        *("name", "description", "corner", "liberty", "install", "driving_cell"),
        *("tie_high", "tie_low", "prune", "memory", "sources", *NUMBERS),
    )
    OPTIONAL = ("install", "prune", "tie_high", "tie_low")

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self.path = path
        self.content = content

    def technology(self) -> Technology:
        for key in self.content:
            if key not in self.KEYS:
                raise self._error("keys", f"be among {', '.join(self.KEYS)}", key)
        for key in self.KEYS:
            if key not in self.content and key not in self.OPTIONAL:
                raise UserError(f"{self.path}: must have the key {key!r}")
        return Technology(
            name=self._text("name", _NAME, "letters, digits, '.', '_' and '-'"),
            description=self._text("description"),
            corner=self._text("corner"),
            liberty=self._liberty(),
            driving_cell=self._text("driving_cell", _CELL, "the name of a cell"),
            tie_high=self._tie("tie_high"),
            tie_low=self._tie("tie_low"),
            prune=self._prune(),
            memory=self._text("memory", _NAME, "the name of a memory model"),
            install=self._text("install") if self.content.get("install") else "",
            sources=self._sources(),
            **{key: self._number(key) for key in NUMBERS},
        )

    def _text(self, key: str, pattern: re.Pattern[str] | None = None, rule: str = "text") -> str:
        value = self.content[key]
        if not isinstance(value, str) or not value.strip():
            raise self._error(key, f"be {rule}", value)
        if pattern is not None and not pattern.fullmatch(value):
            raise self._error(key, f"be {rule}", value)
        return value.strip()

    def _number(self, key: str) -> float:
        value = self.content[key]
        unit, low, high = NUMBERS[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not low <= value <= high:
            raise self._error(key, f"be a number of {unit} from {low:g} to {high:g}", value)
        return float(value)

    def _liberty(self) -> tuple[LibertyFile, ...]:
        value = self.content["liberty"]
        rule = "be a list of mappings with the keys file and, if known, sha256"
        if not isinstance(value, list) or not value:
            raise self._error("liberty", rule, value)
        files = []
        for item in value:
            if not isinstance(item, dict) or not {"file"} <= set(item) <= {"file", "sha256"}:
                raise self._error("liberty", rule, item)
            digest = item.get("sha256", "")
            if not isinstance(digest, str) or not re.fullmatch("([0-9a-f]{64})?", digest):
                raise self._error("sha256", "be 64 hexadecimal digits, quoted", digest)
            files.append(LibertyFile(path=self._path(item["file"]), expected_sha256=digest))
        return tuple(files)

    def _path(self, value: object) -> Path:
        if not isinstance(value, str) or not value:
            raise self._error("file", "be a path", value)
        # Variables that are not set stay as they are: such a file is missing.
        expanded = Path(os.path.expandvars(value)).expanduser()
        return expanded if unset(value) else self.path.parent / expanded

    def _tie(self, key: str) -> tuple[str, str] | None:
        value = self.content.get(key)
        if value is None:
            return None
        match = re.fullmatch(r"(\w+)/(\w+)", str(value), re.ASCII)
        if match is None:
            raise self._error(key, "be CELL/PIN, or null", value)
        return match[1], match[2]

    def _prune(self) -> tuple[str, ...]:
        value = self.content.get("prune") or []
        if not isinstance(value, list):
            raise self._error("prune", "be a list of patterns of cell names", value)
        for item in value:
            if not isinstance(item, str) or not _GLOB.fullmatch(item):
                raise self._error("prune", "hold patterns of cell names (*, ?)", item)
        return tuple(value)

    def _sources(self) -> dict[str, str]:
        value = self.content["sources"]
        if not isinstance(value, dict) or set(value) != set(SOURCED):
            raise self._error("sources", f"say where {', '.join(SOURCED)} come from", value)
        for key, text in value.items():
            if not isinstance(text, str) or not text.strip():
                raise self._error(f"sources: {key}", "be text", text)
        return {key: value[key].strip() for key in SOURCED}

    def _error(self, key: str, rule: str, value: object) -> UserError:
        return UserError(f"{self.path}: {key} must {rule}, not {value!r}")
