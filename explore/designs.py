"""`Designs`: a table of designs of one arithmetic, a column for each field of a config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.build import BUILDS, Build
from rtl_gen.config import INTEGER_FIELDS, AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic
from rtl_gen.storage import MACRO, WEIGHT_MACROS

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Designs:
    """Designs as arrays of shape (n,): what `schedule` and `PpaModel.predict` take for a design.

    Parameters
    ----------
    arithmetic : of every row.
    rows, columns, ifmap_words, weight_words, psum_words, buffer_kib, bus_bits : int64 columns,
        named as the fields of `AcceleratorConfig`.
    build : which of `models.build.BUILDS` each row is of, as its place in that list.
    """

    arithmetic: Arithmetic
    rows: Integers
    columns: Integers
    ifmap_words: Integers
    weight_words: Integers
    psum_words: Integers
    buffer_kib: Integers
    bus_bits: Integers
    build: Integers

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def activation_bits(self) -> Integers:
        return np.full(len(self), self.arithmetic.activation_bits, dtype=np.int64)

    @property
    def weight_bits(self) -> Integers:
        return np.full(len(self), self.arithmetic.weight_bits, dtype=np.int64)

    @property
    def accumulator_bits(self) -> Integers:
        return np.full(len(self), self.arithmetic.accumulator_bits, dtype=np.int64)

    @property
    def weight_macros(self) -> Integers:
        in_macros = np.array([build.scratchpads == MACRO for build in BUILDS])
        return WEIGHT_MACROS * in_macros[self.build].astype(np.int64)

    @property
    def mac_latency(self) -> Integers:
        return self.arithmetic.mac_latency + (self.weight_macros > 0).astype(np.int64)

    @property
    def has_zero(self) -> NDArray[np.bool_]:
        return np.full(len(self), self.arithmetic.has_zero)

    def columns_by_name(self) -> dict[str, Integers]:
        """Field of a config -> its column, arithmetic aside."""
        return {name: getattr(self, name) for name in INTEGER_FIELDS}

    def take(self, index: NDArray[np.bool_] | Integers) -> Designs:
        """The rows that a mask or an index array chooses."""
        chosen = {name: column[index] for name, column in self.columns_by_name().items()}
        return Designs(arithmetic=self.arithmetic, build=self.build[index], **chosen)

    def builds(self) -> list[Build]:
        """How each row is built."""
        return [BUILDS[place] for place in self.build.tolist()]

    def one_build(self) -> Build:
        """How all rows are built; raises `UserError` where not all are in one way."""
        places = np.unique(self.build)
        if len(places) != 1:
            raise UserError(f"designs must be of one build, not {[BUILDS[i] for i in places]}")
        return BUILDS[int(places[0])]

    def config(self, index: int) -> AcceleratorConfig:
        """One row as a config; raises `UserError` where the row breaks a rule."""
        fields = {name: int(column[index]) for name, column in self.columns_by_name().items()}
        scratchpads = BUILDS[self.build[index]].scratchpads
        return AcceleratorConfig(arithmetic=self.arithmetic, scratchpads=scratchpads, **fields)


def concatenate_designs(tables: Sequence[Designs]) -> Designs:
    """Tables of one arithmetic, one after another."""
    columns = {
        name: np.concatenate([getattr(table, name) for table in tables]) for name in INTEGER_FIELDS
    }
    build = np.concatenate([table.build for table in tables])
    return Designs(arithmetic=tables[0].arithmetic, build=build, **columns)
