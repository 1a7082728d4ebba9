"""`AcceleratorConfig`: the nine fields that say which accelerator to build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rtl_gen.components import Design
from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic, arithmetic
from rtl_gen.storage import FLIPFLOP, MACRO, STORAGES, WEIGHT_MACROS
from rtl_gen.yaml_input import load_mapping

#: Half of the buffer holds input maps, half partial sums: bits of one half of a KiB.
HALF_KIB_BITS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorConfig:
    """One row-stationary accelerator.

    Parameters
    ----------
    arithmetic : number formats of activations, weights and accumulators.
    rows, columns : processing elements down and across the array.
    ifmap_words, weight_words, psum_words : words in the three scratchpads of each PE.
    buffer_kib : global buffer, KiB: one half holds input maps, one half partial sums.
    bus_bits : width of the three off-chip streams and of the on-chip network.
    scratchpads : how their words are kept, one of `storage.STORAGES`; optional.

    Raises
    ------
    UserError
        When a field breaks one of `RULES`; the message names the rule and the value.
    """

    arithmetic: Arithmetic
    rows: int
    columns: int
    ifmap_words: int
    weight_words: int
    psum_words: int
    buffer_kib: int
    bus_bits: int
    scratchpads: str = FLIPFLOP

    def __post_init__(self) -> None:
        for name in INTEGER_FIELDS:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise UserError(f"{name} must be an integer, not {value!r}")
        if self.scratchpads not in STORAGES:
            raise UserError(
                f"scratchpads must be one of {', '.join(STORAGES)}, not {self.scratchpads!r}"
            )
        for rule in RULES:
            if not rule.holds(self):
                raise UserError(f"{rule.text}, not {rule.value(self)!r}")

    @property
    def activation_bits(self) -> int:
        return self.arithmetic.activation_bits

    @property
    def weight_bits(self) -> int:
        return self.arithmetic.weight_bits

    @property
    def accumulator_bits(self) -> int:
        return self.arithmetic.accumulator_bits

    @property
    def weight_macros(self) -> int:
        """Memories in which a PE keeps its weights; 0 where they lie in a scratchpad of words."""
        return WEIGHT_MACROS if self.scratchpads == MACRO else 0

    @property
    def mac_latency(self) -> int:
        """Cycles of a product after that in which its operands are read; a macro adds one."""
        return self.arithmetic.mac_latency + (self.weight_macros > 0)

    @property
    def has_zero(self) -> bool:
        return self.arithmetic.has_zero

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> AcceleratorConfig:
        """Build from the keys of a YAML file; `arithmetic` is a name or a mapping of formats."""
        names = [field.name for field in fields(cls)]
        for key in mapping:
            if key not in names:
                raise UserError(f"config keys must be among {', '.join(names)}, not {key!r}")
        for name in ("arithmetic", *INTEGER_FIELDS):
            if name not in mapping:
                raise UserError(f"config must have the key {name!r}, it has {sorted(mapping)!r}")
        values = dict(mapping)
        values["arithmetic"] = arithmetic(values["arithmetic"])
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """The YAML form, arithmetic by name; `from_mapping` reads it back."""
        result: dict[str, Any] = {"arithmetic": self.arithmetic.name}
        result.update({name: getattr(self, name) for name in (*INTEGER_FIELDS, "scratchpads")})
        return result

    @property
    def content_id(self) -> str:
        """SHA-256 of the fields, hexadecimal: two equal configs have the same."""
        text = json.dumps(self.to_mapping(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


INTEGER_FIELDS = tuple(field.name for field in fields(AcceleratorConfig) if field.type == "int")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One law a design must keep, for a single design or a table of them (see `Design`)."""

    text: str
    holds: Callable[[Design], Any]
    value: Callable[[Design], Any]


def _between(name: str, low: int, high: int) -> Rule:
    return Rule(
        text=f"{name} must be from {low} to {high}",
        holds=lambda design: (getattr(design, name) >= low) & (getattr(design, name) <= high),
        value=lambda design: getattr(design, name),
    )


def psum_sram_depth(design: Design) -> Any:
    """Words in each of the two partial-sum memories of a column."""
    return design.buffer_kib * HALF_KIB_BITS // (2 * design.columns * design.accumulator_bits)


RULES: tuple[Rule, ...] = (
    _between("rows", 1, 64),
    _between("columns", 1, 64),
    _between("ifmap_words", 1, 256),
    _between("weight_words", 1, 2048),
    Rule(
        text="weight_words must be even and at least 4 where two macros share them",
        holds=lambda design: (
            (design.weight_macros == 0)
            | ((design.weight_words % 2 == 0) & (design.weight_words >= 4))
        ),
        value=lambda design: design.weight_words,
    ),
    _between("psum_words", 1, 256),
    _between("buffer_kib", 1, 4096),
    _between("bus_bits", 32, 1024),
    Rule(
        text="bus_bits must be a power of two",
        holds=lambda design: (design.bus_bits & (design.bus_bits - 1)) == 0,
        value=lambda design: design.bus_bits,
    ),
    Rule(
        text="bus_bits must be at least the accumulator's bits, so that a beat holds a sum",
        holds=lambda design: design.bus_bits >= design.accumulator_bits,
        value=lambda design: (design.bus_bits, design.accumulator_bits),
    ),
    Rule(
        text="buffer_kib must give every column's partial-sum memories at least one word each",
        holds=lambda design: psum_sram_depth(design) >= 1,
        value=lambda design: design.buffer_kib,
    ),
)


def legal(designs: Design) -> Any:
    """Which rows of a table of designs keep every rule: bool array of the table's shape."""
    result: Any = True
    for rule in RULES:
        result = result & rule.holds(designs)
    return result


def load_config(path: Path | str) -> AcceleratorConfig:
    """Read CONFIG.yaml.

    Raises
    ------
    UserError
        When the file is missing, is not YAML, has wrong keys, or breaks a rule.
    """
    return AcceleratorConfig.from_mapping(load_mapping(path))
