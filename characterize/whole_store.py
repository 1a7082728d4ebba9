"""What is kept of accelerators that were measured whole: `DIR/whole/ID.json`, a file each."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rtl_gen.config import AcceleratorConfig

SCHEMA = "quidam-whole/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole accelerator in one technology, measured while it runs `whole_layer`; no memories.

    Parameters
    ----------
    id : of `whole_id`.
    config : as `AcceleratorConfig.to_mapping` gives it.
    cycles : that the layer takes; lanes : on how many images.
    area_um2 : kind of component (of `rtl_gen.components.KINDS`, and "glue") -> of all instances.
    power_mw : the same -> "leakage", "internal", "switching", "clock" -> mean over the layer.
    idle_mw : the same after the layer, when nothing happens.
    min_period_ns : shortest clock period where memories put out and take their words at the edge.
    cells : instances.
    manifest : versions, hashes, seconds, and the ends of the slowest path.
    """

    id: str
    config: Mapping[str, Any]
    technology: str
    clock_ns: float
    recipe: str
    cycles: int
    lanes: int
    area_um2: Mapping[str, float]
    power_mw: Mapping[str, Mapping[str, float]]
    idle_mw: Mapping[str, Mapping[str, float]]
    min_period_ns: float
    cells: int
    manifest: Mapping[str, Any]

    @property
    def accelerator(self) -> AcceleratorConfig:
        """What was measured."""
        return AcceleratorConfig.from_mapping(dict(self.config))

    @property
    def total_area_um2(self) -> float:
        """Of all components."""
        return sum(self.area_um2.values())

    @property
    def total_power_mw(self) -> float:
        """Of all components, leakage and clock included."""
        return sum(sum(parts.values()) for parts in self.power_mw.values())


def to_json(whole: Whole) -> str:
    """The file's text."""
    return json.dumps({"schema": SCHEMA, **asdict(whole)}, indent=1, sort_keys=True) + "\n"


def from_json(text: str) -> Whole:
    """Read what `to_json` wrote.

    Raises
    ------
    ValueError
        When the text is cut short, of another schema, or lacks something.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise ValueError(f"schema must be {SCHEMA}")
    names = {item.name for item in fields(Whole)}
    if set(content) != names:
        raise ValueError(f"keys must be {sorted(names)}, not {sorted(content)}")
    return Whole(**content)


class WholeStore:
    """Whole accelerators by id, beside the samples of the same folder.

    Parameters
    ----------
    path : the folder; made when something is first put into it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path) / "whole"

    def get(self, id: str) -> Whole | None:
        """What was measured, or None where nothing is, or it can't be read."""
        try:
            found = from_json((self.path / f"{id}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.id == id else None

    def put(self, whole: Whole) -> Path:
        """Keep a measurement."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / f"{whole.id}.json"
        temporary = path.with_name(f".writing-{path.name}")
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(to_json(whole))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        return path
