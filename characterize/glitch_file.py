"""What glitches were found to add, as a file: written by `quidam glitches`, some of them ship.

Reading one takes neither a simulator nor a tool, so that models can apply its factors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rtl_gen.errors import UserError

SCHEMA = "quidam-glitches/1"
SHIPPED = Path(__file__).parent / "data"
DATAPATH = "datapath"
DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Glitches:
    """What glitches add to one component in one arithmetic.

    Parameters
    ----------
    component, arithmetic, cells : what was measured, and how many instances it has.
    macs : multiply-accumulates that were looked at, of all lanes.
    settled_toggles, toggles : of all nets but the clock, per multiply-accumulate, of settled
        values and with glitches.
    energy_pj, glitching_energy_pj : by part ("datapath", "scratchpad", "clock"), of a
        multiply-accumulate as in a `Sample`, of settled values and with glitches.
    idle_pj : by part, of a cycle in which nothing happens: clock pins, mostly.
    min_period_ns : shortest clock period, by static timing. settle_ns : when the last net stood
        still in the slowest cycle.
    """

    component: str
    arithmetic: str
    cells: int
    macs: int
    settled_toggles: float
    toggles: float
    energy_pj: Mapping[str, float]
    glitching_energy_pj: Mapping[str, float]
    idle_pj: Mapping[str, float]
    min_period_ns: float
    settle_ns: float

    def factor(self, part: str = DATAPATH) -> float:
        """By how much a part's energy of a multiply-accumulate is to be multiplied."""
        return self.glitching_energy_pj[part] / self.energy_pj[part]

    def factor_above_idle(self, part: str = DATAPATH) -> float:
        """The same of what a multiply-accumulate takes above an idle cycle."""
        idle = self.idle_pj[part]
        return (self.glitching_energy_pj[part] - idle) / (self.energy_pj[part] - idle)


def to_json(technology: str, found: Sequence[Glitches], manifest: Mapping[str, Any]) -> str:
    """The file's text; numbers have six digits, which is more than they are good for."""
    content = {
        "schema": SCHEMA,
        "technology": technology,
        "manifest": dict(manifest),
        "glitches": [{**_rounded(asdict(one)), **factors(one)} for one in found],
    }
    return json.dumps(content, indent=1) + "\n"


def factors(found: Glitches) -> dict[str, float]:
    """The two factors of the datapath, for people who read the file."""
    return {
        "factor": _rounded(found.factor()),
        "factor_above_idle": _rounded(found.factor_above_idle()),
    }


def from_json(text: str, path: str | Path) -> list[Glitches]:
    """What `to_json` wrote; `path` is for messages.

    Raises
    ------
    UserError
        When the text is of another schema, lacks something, or has an energy that is no number
        above 0.
    """
    names = [item.name for item in fields(Glitches)]
    try:
        content = json.loads(text)
        if content["schema"] != SCHEMA:
            raise UserError(f"{path}: schema must be {SCHEMA}, not {content['schema']!r}")
        found = [Glitches(**{name: one[name] for name in names}) for one in content["glitches"]]
        energies = [e for one in found for e in (one.energy_pj, one.glitching_energy_pj)]
        if not all(math.isfinite(energy[DATAPATH]) and energy[DATAPATH] > 0 for energy in energies):
            raise UserError(f"{path}: energies of the datapath must be numbers above 0")
    except UserError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: must be what `quidam glitches` writes: {error!r}") from error
    return found


def shipped(technology: str) -> list[Glitches]:
    """What ships for a technology; empty where nothing was measured."""
    path = SHIPPED / f"glitches_{technology}.json"
    return from_json(path.read_text(encoding="utf-8"), path) if path.is_file() else []


def measured_technologies() -> list[str]:
    """Those that something ships for."""
    return sorted(path.stem.partition("_")[2] for path in SHIPPED.glob("glitches_*.json"))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    return value
