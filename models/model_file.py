"""The model file: versioned JSON of trusted types, read strictly.

docs/reference/model-file.md describes it field by field. What is read here was perhaps written
elsewhere, so every name, type and length is checked before anything is evaluated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from characterize.memory import sram
from models.build import COMPONENTS, complete
from models.component import PARTS, ComponentModel, Error
from models.features import LINEAR, names
from models.glitches import PARTS as GLITCHING
from models.metrics import PERIOD, SEGMENT, is_path
from models.polynomial import MAX_DEGREE, Polynomial
from rtl_gen.components import KINDS
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.interfaces import INTERFACES, segment_name

SCHEMA = "quidam-ppa/3"
#: A period has a line for each scratchpad at most, and a constant.
MOST_PIECES = 4
#: No netlist is known whose nets toggle so much more often than they settle.
MOST_GLITCHES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnologyData:
    """What a model keeps of its technology, so that exploring needs no technology file.

    Parameters
    ----------
    name : of the technology the samples were measured in.
    voltage_v : supply of its corner, volt.
    memories : coefficients for `characterize.memory.sram`.
    dram_pj_per_bit : energy to move one bit to or from the off-chip memory.
    glitches : arithmetic -> by what glitches multiply the energy of a PE's multiply-accumulate
        above idling (`models.glitches.Factors`); 1 for an arithmetic that is not there.
    """

    name: str
    voltage_v: float
    memories: Mapping[str, Any]
    dram_pj_per_bit: float
    glitches: Mapping[str, Mapping[str, float | str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that a model file holds.

    Parameters
    ----------
    components : arithmetic's name -> component as built (`models.build.COMPONENTS`) -> its
        polynomials; at least one build is complete.
    manifest : where the model comes from.
    """

    technology: TechnologyData
    components: Mapping[str, Mapping[str, ComponentModel]]
    manifest: Mapping[str, Any]


def text(contents: Contents) -> str:
    """The file's text; the same contents give the same."""
    mapping = {"schema": SCHEMA, **asdict(contents)}
    return json.dumps(mapping, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write(path: Path | str, contents: Contents) -> None:
    """Write the file."""
    Path(path).write_text(text(contents), encoding="utf-8")


def read(path: Path | str) -> Contents:
    """Read and check the file.

    Raises
    ------
    UserError
        When it can't be read, is not JSON, is of another schema, or breaks it anywhere; the
        message names the place.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} must be a readable model file: {error}") from error
    try:
        content = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} must be valid JSON: {error}") from error
    reader = _Reader(str(path))
    top = reader.mapping(content, "the file")
    if top.get("schema") != SCHEMA:
        raise UserError(f"{path}: schema must be {SCHEMA!r}, not {top.get('schema')!r}")
    reader.keys(top, ("schema", "technology", "components", "manifest"), "the file")
    return reader.contents(top)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


class _Reader:
    """Turns checked JSON into types; every refusal names the file and the place in it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def refuse(self, where: str, rule: str, value: object) -> NoReturn:
        raise UserError(f"{self.path}: {where} must be {rule}, not {value!r:.80}")

    def mapping(self, value: object, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.refuse(where, "a mapping", value)
        return value

    def keys(self, value: dict[str, Any], expected: tuple[str, ...], where: str) -> None:
        if set(value) != set(expected):
            self.refuse(f"the keys of {where}", f"{sorted(expected)!r:.400}", sorted(value))

    def items(self, value: object, where: str) -> list[Any]:
        if not isinstance(value, list):
            self.refuse(where, "a list", value)
        return value

    def text(self, value: object, where: str) -> str:
        if not isinstance(value, str):
            self.refuse(where, "text", value)
        return value

    def number(self, value: object, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            self.refuse(where, "a finite number", value)
        return float(value)

    def count(self, value: object, where: str, high: int = 10**9) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
            self.refuse(where, f"an integer from 0 to {high}", value)
        return value

    def contents(self, top: dict[str, Any]) -> Contents:
        components = self.mapping(top["components"], "components")
        if not components:
            self.refuse("components", "of at least one arithmetic", components)
        for name in components:
            if arithmetic(name).name != name:
                self.refuse("an arithmetic", arithmetic(name).name, name)
        return Contents(
            technology=self.technology(top["technology"]),
            components={name: self.kinds(value, name) for name, value in components.items()},
            manifest=self.mapping(top["manifest"], "manifest"),
        )

    def technology(self, value: object) -> TechnologyData:
        found = self.mapping(value, "technology")
        self.keys(found, tuple(TechnologyData.__slots__), "technology")
        memories = self.mapping(found["memories"], "memories")
        try:
            sram(memories, 64, 16)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from error
        return TechnologyData(
            name=self.text(found["name"], "technology name"),
            voltage_v=self.number(found["voltage_v"], "voltage_v"),
            memories=memories,
            dram_pj_per_bit=self.number(found["dram_pj_per_bit"], "dram_pj_per_bit"),
            glitches={
                name: self.factors(value, f"glitches of {name}")
                for name, value in self.mapping(found["glitches"], "glitches").items()
            },
        )

    def factors(self, value: object, where: str) -> dict[str, float | str]:
        found = self.mapping(value, where)
        self.keys(found, (*GLITCHING, "from"), where)
        factors: dict[str, float | str] = {
            part: self.number(found[part], where) for part in GLITCHING
        }
        for part in GLITCHING:
            if not 1 <= found[part] <= MOST_GLITCHES:
                self.refuse(f"{where}, {part},", f"from 1 to {MOST_GLITCHES}", found[part])
        return factors | {"from": self.text(found["from"], where)}

    def kinds(self, value: object, where: str) -> dict[str, ComponentModel]:
        found = self.mapping(value, where)
        for name in found:
            if name not in COMPONENTS:
                self.refuse(f"a component of {where}", f"one of {', '.join(COMPONENTS)}", name)
        if not complete(found):
            self.refuse(f"the components of {where}", "all of at least one build", sorted(found))
        return {
            name: self.component(one, COMPONENTS[name], f"{where} {name}")
            for name, one in found.items()
        }

    def component(self, value: object, kind: str, where: str) -> ComponentModel:
        found = self.mapping(value, where)
        self.keys(found, tuple(ComponentModel.__slots__), where)
        polynomials = self.mapping(found["polynomials"], f"{where} polynomials")
        self.metrics(polynomials, kind, f"{where} polynomials")
        fitted = {n: self.pieces(v, n, kind, f"{where} {n}") for n, v in polynomials.items()}
        ranges = self.mapping(found["ranges"], f"{where} ranges")
        used = {name for pieces in fitted.values() for one in pieces for name in one.features}
        # Files from before a model could have the other ones are as good.
        wanted = tuple(n for n in names(kind) if n not in LINEAR or n in used or n in ranges)
        self.keys(ranges, wanted, f"{where} ranges")
        errors = self.mapping(found["errors"], f"{where} errors")
        return ComponentModel(
            samples=self.count(found["samples"], f"{where} samples"),
            points=self.count(found["points"], f"{where} points"),
            ranges={n: self.range(v, f"{where} range of {n}") for n, v in ranges.items()},
            polynomials=fitted,
            errors={n: self.error(v, f"{where} error of {n}") for n, v in errors.items()},
        )

    def metrics(self, found: dict[str, Any], kind: str, where: str) -> None:
        heads = ["area_um2", "leakage_mw", *(f"energy_pj.{event}" for event in KINDS[kind].events)]
        allowed = {PERIOD, *(f"{head}.{part}" for head in heads for part in PARTS)}
        allowed |= {f"{SEGMENT}{segment_name(*one)}" for one in INTERFACES[kind].segments()}
        for name in found:
            if name not in allowed:
                self.refuse(where, f"of the metrics {sorted(allowed)!r:.400}", name)
        for head in (PERIOD, *heads):
            if not any(name == head or name.startswith(f"{head}.") for name in found):
                self.refuse(where, f"complete: {head} is missing", sorted(found))

    def range(self, value: object, where: str) -> tuple[float, float]:
        pair = self.items(value, where)
        if len(pair) != 2:
            self.refuse(where, "[lowest, highest]", pair)
        low, high = (self.number(one, where) for one in pair)
        if low > high:
            self.refuse(where, "[lowest, highest]", pair)
        return low, high

    def pieces(self, value: object, metric: str, kind: str, where: str) -> tuple[Polynomial, ...]:
        found = self.items(value, where)
        if not 1 <= len(found) <= (MOST_PIECES if is_path(metric) else 1):
            self.refuse(f"the polynomials of {where}", "one, or for a path a few", len(found))
        return tuple(self.polynomial(one, kind, where) for one in found)

    def polynomial(self, value: object, kind: str, where: str) -> Polynomial:
        found = self.mapping(value, where)
        self.keys(found, tuple(Polynomial.__slots__), where)
        used = tuple(
            self.text(one, f"{where} feature")
            for one in self.items(found["features"], f"{where} features")
        )
        for name in used:
            if name not in names(kind):
                self.refuse(f"{where} feature", f"one of {names(kind)!r:.400}", name)
        exponents = tuple(
            tuple(
                self.count(one, f"{where} exponent", MAX_DEGREE) for one in self.items(row, where)
            )
            for row in self.items(found["exponents"], f"{where} exponents")
        )
        coefficients = tuple(
            self.number(one, f"{where} coefficient")
            for one in self.items(found["coefficients"], f"{where} coefficients")
        )
        if len(coefficients) != len(exponents) or any(len(row) != len(used) for row in exponents):
            self.refuse(
                f"{where} exponents",
                "one row a coefficient and one column a feature",
                (len(exponents), len(coefficients), len(used)),
            )
        return Polynomial(features=used, exponents=exponents, coefficients=coefficients)

    def error(self, value: object, where: str) -> Error:
        found = self.mapping(value, where)
        self.keys(found, tuple(Error.__slots__), where)
        mean, largest = (
            None if found[key] is None else self.number(found[key], f"{where} {key}")
            for key in ("mean_percent", "max_percent")
        )
        method = self.text(found["method"], f"{where} method")
        return Error(mean_percent=mean, max_percent=largest, method=method)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond float
        return False
