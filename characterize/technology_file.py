"""The YAML of a technology file: its keys, their rules, and the values they give at one corner."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from characterize.liberty_file import LibertyFile, locate
from rtl_gen.errors import UserError
from rtl_gen.yaml_input import load_mapping

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
#: What a technology may be called.
NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
NAME_RULE = "letters, digits, '.', '_' and '-'"
_CELL = re.compile(r"\w+", re.ASCII)
_GLOB = re.compile(r"[\w*?]+", re.ASCII)
#: What a corner says in place of the file's own values, and what it may say.
CORNER_KEYS = ("liberty", "voltage_v", "temperature_c")
CORNER_OPTIONS = ("clock_ns",)


def read_fields(path: Path, corner: str = "") -> dict[str, Any]:
    """The fields of `technology.Technology` that a file gives, at a corner or at its own.

    Raises
    ------
    UserError : the file breaks a rule, in whatever corner, or has no corner of this name.
    """
    content = load_mapping(path)
    reader = _Reader(str(path), content)
    corners = reader.corners()
    if corner and corner not in corners:
        known = ", ".join(corners) or "it has none"
        raise UserError(f"{path}: corner must be one of the file's ({known}), not {corner!r}")
    fields = reader.fields()
    others = {name: values.fields() for name, values in corners.items()}
    if corner:
        fields = {**others[corner], "name": f"{fields['name']}@{corner}"}
    return {**fields, "corners": tuple(corners)}


class _Reader:
    """Turns the YAML into values; every error names file, key, rule and value."""

    KEYS = (
        *("name", "description", "corner", "liberty", "install", "driving_cell"),
        *("tie_high", "tie_low", "latch", "clock_gate", "prune", "memory", "sources", "corners"),
        *NUMBERS,
    )
    OPTIONAL = ("install", "prune", "tie_high", "tie_low", "latch", "clock_gate", "corners")

    def __init__(self, where: str, content: Mapping[str, Any]) -> None:
        self.where = where
        self.folder = Path(where).parent
        self.content = content

    def corners(self) -> dict[str, _Reader]:
        """Corner -> reader of the file as it is there."""
        value = self.content.get("corners")
        if value is None:
            return {}
        if not isinstance(value, dict) or not value:
            raise self._error("corners", "be a mapping of names to mappings", value)
        corners = {}
        for name, said in value.items():
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise self._error("corners", f"have names of {NAME_RULE}", name)
            known = {*CORNER_KEYS, *CORNER_OPTIONS}
            if not isinstance(said, dict) or not set(CORNER_KEYS) <= set(said) <= known:
                rule = f"have the keys {', '.join(CORNER_KEYS)} and, if wanted, clock_ns"
                raise self._error(f"corners: {name}", rule, said)
            corners[name] = _Reader(self.where, {**self.content, **said, "corner": name})
        return corners

    def fields(self) -> dict[str, Any]:
        """The fields of a technology but `corners`."""
        for key in self.content:
            if key not in self.KEYS:
                raise self._error("keys", f"be among {', '.join(self.KEYS)}", key)
        for key in self.KEYS:
            if key not in self.content and key not in self.OPTIONAL:
                raise UserError(f"{self.where}: must have the key {key!r}")
        return {
            "name": self._text("name", NAME, NAME_RULE),
            "description": self._text("description"),
            "corner": self._text("corner"),
            "liberty": self._liberty(),
            "driving_cell": self._text("driving_cell", _CELL, "the name of a cell"),
            "tie_high": self._tie("tie_high"),
            "tie_low": self._tie("tie_low"),
            "latch": self._optional_cell("latch"),
            "clock_gate": self._optional_cell("clock_gate"),
            "prune": self._prune(),
            "memory": self._memory(),
            "install": self._text("install") if self.content.get("install") else "",
            "sources": self._sources(),
            **{key: self._number(key) for key in NUMBERS},
        }

    def _text(self, key: str, pattern: re.Pattern[str] | None = None, rule: str = "text") -> str:
        value = self.content[key]
        if not isinstance(value, str) or not value.strip():
            raise self._error(key, f"be {rule}", value)
        if pattern is not None and not pattern.fullmatch(value):
            raise self._error(key, f"be {rule}", value)
        return value.strip()

    def _memory(self) -> str:
        """The name of a memory model, or the path of its file."""
        if str(self.content["memory"]).endswith(".yaml"):
            return str((self.folder / self._text("memory")).absolute())
        return self._text("memory", NAME, "the name of a memory model, or a file NAME.yaml")

    def _optional_cell(self, key: str) -> str | None:
        if self.content.get(key) is None:
            return None
        return self._text(key, _CELL, "the name of a cell, or null")

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
            path = self._path(item["file"], digest)
            files.append(LibertyFile(path=path, expected_sha256=digest))
        return tuple(files)

    def _path(self, value: object, sha256: str) -> Path:
        given = value if isinstance(value, list) else [value]
        candidates = [text for text in given if isinstance(text, str) and text]
        if not given or len(candidates) < len(given):
            raise self._error("file", "be a path, or a list of paths", value)
        return locate(candidates, self.folder, sha256)

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
        return UserError(f"{self.where}: {key} must {rule}, not {value!r}")
