"""What a sweep keeps: a measured component, or why it could not be measured."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from rtl_gen.components import MEASURED
from rtl_gen.interfaces import INTERFACES, segment_name
from rtl_gen.storage import FLIPFLOP, STORAGES

SCHEMA = "quidam-sample/3"

#: What synthesis maps for: speed, area, or a clock (`synthesis_modules.ABC_SCRIPTS`).
RECIPES = ("fast", "small", "target")
#: The one whose samples depend on the clock.
TARGET = RECIPES[2]
#: Ways to build a PE: name, as plans and spaces have it -> (scratchpads, recipe).
WAYS = {f"{storage}.{recipe}": (storage, recipe) for recipe in RECIPES for storage in STORAGES}

T = TypeVar("T", "Sample", "Failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to measure: one component in one arithmetic and technology (by name), at one clock.

    Parameters
    ----------
    scratchpads : how those of a PE keep their words (`rtl_gen.storage.STORAGES`).
    recipe : one of `RECIPES`.
    """

    component: str
    arithmetic: str
    parameters: Mapping[str, int] = field(hash=False)  # equal, but not hashed: a mapping
    technology: str
    clock_ns: float
    scratchpads: str = FLIPFLOP
    recipe: str = RECIPES[0]

    def __str__(self) -> str:
        values = "/".join(str(self.parameters[name]) for name in MEASURED[self.component].fields)
        built = [] if self.scratchpads == FLIPFLOP else [self.scratchpads]
        built += [] if self.recipe == RECIPES[0] else [self.recipe]
        return (
            " ".join([self.arithmetic, self.component, values, *built]).replace("  ", " ").rstrip()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One component in one technology, measured.

    Parameters
    ----------
    id : SHA-256 of all it depends on, hexadecimal (see `identity.sample_id`).
    parameters : the fields that `MEASURED[component]` names.
    scratchpads, recipe : as of `Task`.
    area_um2, leakage_mw : by part: "datapath" (logic and pipeline registers), "scratchpad" (a
        PE's storage and its selection).
    energy_pj : event -> part -> average dynamic energy of a cycle in that event; the part "clock"
        is what the clock net's switching takes (flip-flops' own clock energy is in their part).
    min_period_ns : shortest clock period, of the component alone.
    segments_ns : parts of paths that go on in other components (`rtl_gen.interfaces`): "word>clock"
        -> ns.
    cells : number of instances.
    manifest : versions, hashes, seconds, and the area of every module.
    """

    id: str
    component: str
    arithmetic: str
    parameters: Mapping[str, int]
    technology: str
    clock_ns: float
    scratchpads: str
    recipe: str
    area_um2: Mapping[str, float]
    leakage_mw: Mapping[str, float]
    energy_pj: Mapping[str, Mapping[str, float]]
    min_period_ns: float
    segments_ns: Mapping[str, float]
    cells: int
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A component that could not be measured: the step that failed, why, the end of its log."""

    id: str
    component: str
    arithmetic: str
    parameters: Mapping[str, int]
    technology: str
    clock_ns: float
    scratchpads: str
    recipe: str
    step: str
    message: str
    log: str


def task_of(result: Sample | Failure) -> Task:
    """The task whose result it is."""
    return Task(
        component=result.component,
        arithmetic=result.arithmetic,
        parameters=result.parameters,
        technology=result.technology,
        clock_ns=result.clock_ns,
        scratchpads=result.scratchpads,
        recipe=result.recipe,
    )


def failed(task: Task, id: str, step: str, message: str, log: str = "") -> Failure:
    """The record of a task that failed."""
    return Failure(
        id=id,
        component=task.component,
        arithmetic=task.arithmetic,
        parameters=dict(task.parameters),
        technology=task.technology,
        clock_ns=task.clock_ns,
        scratchpads=task.scratchpads,
        recipe=task.recipe,
        step=step,
        message=message,
        log=log,
    )


def to_json(result: Sample | Failure) -> str:
    """The file's text; the same result gives the same text."""
    return json.dumps({"schema": SCHEMA, **asdict(result)}, indent=1, sort_keys=True) + "\n"


def from_json(text: str, kind: type[T]) -> T:
    """Read what `to_json` wrote.

    Raises
    ------
    ValueError
        When the text is cut short, of another schema, or lacks something.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise ValueError(f"schema must be {SCHEMA}")
    names = {item.name for item in fields(kind)}
    if set(content) != names:
        raise ValueError(f"keys must be {sorted(names)}, not {sorted(content)}")
    if content["component"] not in MEASURED:
        raise ValueError(f"component must be one of {', '.join(MEASURED)}")
    if kind is Sample:
        _check_numbers(content)
    return kind(**content)


def _check_numbers(content: Mapping[str, Any]) -> None:
    kind = MEASURED[content["component"]]
    if set(content["parameters"]) != set(kind.fields):
        raise ValueError(
            f"parameters of {content['component']} must be {', '.join(kind.fields)}, "
            f"not {', '.join(content['parameters'])}"
        )
    if set(content["energy_pj"]) != set(kind.events):
        raise ValueError(f"events must be {kind.events}")
    values = [content["min_period_ns"], content["clock_ns"], content["cells"]]
    known = INTERFACES.get(content["component"])
    names = {segment_name(*one) for one in known.segments()} if known else set()
    if not names.issuperset(content["segments_ns"]):
        raise ValueError(f"segments must be among {sorted(names)}")
    values += content["segments_ns"].values()
    for parts in (content["area_um2"], content["leakage_mw"], *content["energy_pj"].values()):
        values += parts.values()
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise ValueError("areas, energies and times must be finite numbers")


def digest(content: Any) -> str:
    """SHA-256 of plain data, hexadecimal; order of keys does not matter."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
