"""Accelerators that an earlier `quidam validate` measured, read back from its `validate.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from characterize.technology import Technology
from characterize.whole_store import Whole
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import ToolError, UserError

SCHEMA = "quidam-validate/2"
#: What reading a file that is no report may raise.
WRONG = (
    OSError,
    ArithmeticError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Accelerators that were measured whole.

    Parameters
    ----------
    technology : its name; size : rows and columns; plan : file that named the accelerators, or
        None for the one that ships; failures : accelerator -> why it was not measured.
    wholes : the accelerators; of their power by component the total only.
    """

    technology: str
    size: int
    plan: str | None
    failures: Mapping[str, str]
    wholes: Sequence[Whole]


def read_report(path: Path) -> Measured:
    """Read a `validate.json`; `UserError` when it is not one, or lacks a number."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}, not {content['schema']!r}")
        return Measured(
            technology=str(content["technology"]),
            size=_count(content["size"]),
            plan=content["plan"],
            failures=dict(content["failures"]),
            wholes=[_whole(one, content) for one in content["designs"]],
        )
    except WRONG as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else error
        raise UserError(
            f"--measured must be a validate.json that quidam validate wrote, not {path}: {why}"
        ) from error


def _whole(design: Mapping[str, Any], content: Mapping[str, Any]) -> Whole:
    from characterize.whole_power import GLUE

    found = {kind: own["whole"] for kind, own in design["by_component"].items()}
    if set(found) != {*KINDS, GLUE}:
        raise ValueError(
            f"by_component must have {', '.join(KINDS)} and {GLUE}, not {', '.join(found)}"
        )
    for quantity in ("area_um2", "power_mw"):
        _positive(sum(_number(own[quantity]) for own in found.values()))
    return Whole(
        id=str(design["id"]),
        config=AcceleratorConfig.from_mapping(design["config"]).to_mapping(),
        technology=str(content["technology"]),
        clock_ns=_positive(design["clock_ns"]),
        recipe=str(design["recipe"]),
        cycles=_count(design["cycles"]),
        lanes=_count(design["lanes"]),
        area_um2={kind: _number(own["area_um2"]) for kind, own in found.items()},
        power_mw={kind: {"total": _number(own["power_mw"])} for kind, own in found.items()},
        idle_mw={kind: {"total": _number(own["idle_mw"])} for kind, own in found.items()},
        min_period_ns=_positive(design["whole"]["min_period_ns"]),
        cells=_count(design["cells"]),
        manifest={
            "critical_path_ends": list(design["critical_path_ends"]),
            "tools": dict(content["manifest"]["tools"]),
            "technology": dict(content["manifest"]["technology"]),
        },
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"a measured number must be finite and not negative, not {value!r}")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"a count must be a whole number, not {value!r}")
    return value


def _positive(value: object) -> float:
    if not _number(value):
        raise ValueError(f"a total or a period must be above 0, not {value!r}")
    return _number(value)


def doubts(wholes: Sequence[Whole], technology: Technology) -> Iterator[str]:
    """Why the measurements may not be of what is here: other RTL, method, tools or cells.

    Parameters
    ----------
    technology : whose Liberty files need not be there; then only that is said.
    """
    from characterize.whole import whole_id

    others = []
    for whole in wholes:
        try:
            id = whole_id(whole.accelerator, technology, whole.clock_ns, whole.recipe)
        except (OSError, ToolError, UserError) as error:
            yield f"whether RTL, tools and cells are still the same was not checked: {error}"
            return
        others += [whole.id[:12]] if id != whole.id else []
    if others:
        yield (
            f"{len(others)} of {len(wholes)} accelerators were measured of other RTL, by another "
            f"method or tools, or on other cells than these: {', '.join(others)}"
        )
