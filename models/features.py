"""What the polynomials are polynomials of: physical sizes of each kind of component.

Fitting and predicting share this one place, and one formula serves ints and numpy arrays. A
design is anything with the fields of its kind (`KINDS[kind].fields`) and `activation_bits`,
`weight_bits`, `accumulator_bits`: a config, a table of designs, a table of samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rtl_gen.beats import mean_weight_beat_bits, weight_beat_bits
from rtl_gen.components import KINDS, Design
from rtl_gen.config import HALF_KIB_BITS, psum_sram_depth

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One size: the config fields it needs, and its value for a design or a table of them."""

    fields: tuple[str, ...]
    value: Callable[[Design], Any]


def address_bits(words: Any) -> Array:
    """Bits that number `words` words: the ceiling of log2, exact for every integer < 2**53."""
    return np.frexp(np.asarray(words, dtype=np.float64) - 1)[1].astype(np.float64)


_WORDS = ("ifmap_words", "weight_words", "psum_words")

FEATURES: dict[str, Feature] = {
    "ifmap_storage_bits": Feature(
        fields=("ifmap_words",), value=lambda d: d.ifmap_words * d.activation_bits
    ),
    "weight_storage_bits": Feature(
        fields=("weight_words",), value=lambda d: d.weight_words * d.weight_bits
    ),
    "psum_storage_bits": Feature(
        fields=("psum_words",), value=lambda d: d.psum_words * d.accumulator_bits
    ),
    "storage_bits": Feature(
        fields=_WORDS,
        value=lambda d: (
            d.ifmap_words * d.activation_bits
            + d.weight_words * d.weight_bits
            + d.psum_words * d.accumulator_bits
        ),
    ),
    "ifmap_psum_storage_bits": Feature(
        fields=("ifmap_words", "psum_words"),
        value=lambda d: d.ifmap_words * d.activation_bits + d.psum_words * d.accumulator_bits,
    ),
    "storage_words": Feature(
        fields=_WORDS, value=lambda d: d.ifmap_words + d.weight_words + d.psum_words
    ),
    "ifmap_psum_storage_words": Feature(
        fields=("ifmap_words", "psum_words"), value=lambda d: d.ifmap_words + d.psum_words
    ),
    "ifmap_address_bits": Feature(
        fields=("ifmap_words",), value=lambda d: address_bits(d.ifmap_words)
    ),
    "weight_address_bits": Feature(
        fields=("weight_words",), value=lambda d: address_bits(d.weight_words)
    ),
    "psum_address_bits": Feature(
        fields=("psum_words",), value=lambda d: address_bits(d.psum_words)
    ),
    "address_bits": Feature(
        fields=_WORDS,
        value=lambda d: (
            address_bits(d.ifmap_words) + address_bits(d.weight_words) + address_bits(d.psum_words)
        ),
    ),
    "bus_bits": Feature(fields=("bus_bits",), value=lambda d: d.bus_bits),
    "weight_beat_bits": Feature(fields=("rows", "bus_bits"), value=weight_beat_bits),
    "bus_address_bits": Feature(fields=("bus_bits",), value=lambda d: address_bits(d.bus_bits)),
    "columns": Feature(fields=("columns",), value=lambda d: d.columns),
    "column_address_bits": Feature(fields=("columns",), value=lambda d: address_bits(d.columns)),
    "sum_bits": Feature(fields=("columns",), value=lambda d: d.columns * d.accumulator_bits),
    "psum_depth_bits": Feature(
        fields=("columns", "buffer_kib"), value=lambda d: address_bits(psum_sram_depth(d))
    ),
    "ifmap_depth_bits": Feature(
        fields=("buffer_kib", "bus_bits"),
        value=lambda d: address_bits(d.buffer_kib * HALF_KIB_BITS // d.bus_bits),
    ),
}

#: Kind -> features in which its instances in an array differ, and their mean over these. Areas,
#: leakage and energies, of which an accelerator's are sums, are of the mean instance; a path is of
#: the one that has all.
MEANS: dict[str, dict[str, Callable[[Design], Any]]] = {
    "row": {"weight_beat_bits": mean_weight_beat_bits}
}

_PADS = ("ifmap", "weight", "psum")
_STORAGE = ("ifmap_storage_bits", "weight_storage_bits", "psum_storage_bits")
_ADDRESSES = ("ifmap_address_bits", "weight_address_bits", "psum_address_bits")

#: Sets of features that a polynomial may be made of. The fit chooses a set and a degree by
#: cross-validation; a component is offered the sets that its fields determine (`candidates`).
SETS: tuple[tuple[str, ...], ...] = (
    ("storage_bits",),
    ("address_bits",),
    ("storage_bits", "address_bits"),
    # A clock gate, and a place in the selection, for each word.
    ("storage_words",),
    ("storage_bits", "storage_words"),
    # An event of one scratchpad, while the others rest.
    *((f"{one}_storage_bits",) for one in _PADS),
    *((f"{one}_storage_bits", f"{one}_address_bits") for one in _PADS),
    # Where macros hold the weights.
    ("ifmap_psum_storage_bits",),
    ("ifmap_psum_storage_words",),
    ("ifmap_psum_storage_bits", "ifmap_psum_storage_words"),
    ("ifmap_psum_storage_bits", "weight_address_bits"),
    ("ifmap_storage_bits", "psum_storage_bits"),
    ("ifmap_storage_bits", "psum_storage_bits", "weight_address_bits"),
    _STORAGE,
    _ADDRESSES,
    (*_STORAGE, "address_bits"),
    (*_STORAGE, *_ADDRESSES),
    ("bus_bits",),
    ("bus_address_bits",),
    ("bus_bits", "address_bits"),
    ("bus_bits", *_ADDRESSES),
    # A beat of inputs and one of weights, in the registers of a row.
    ("weight_beat_bits",),
    ("bus_bits", "weight_beat_bits"),
    ("bus_bits", "weight_beat_bits", "address_bits"),
    ("bus_bits", "weight_beat_bits", *_ADDRESSES),
    ("columns",),
    ("sum_bits",),
    ("psum_depth_bits",),
    # The output stage's lanes go with the bus, the multiplexer before them with both.
    ("bus_bits", "psum_depth_bits"),
    ("sum_bits", "bus_bits"),
    ("sum_bits", "bus_bits", "psum_depth_bits"),
    ("ifmap_depth_bits",),
    ("bus_bits", "ifmap_depth_bits"),
    ("bus_bits", "ifmap_depth_bits", "address_bits"),
)

#: Sets with one of these come in degree 1 only: counts of what is alike add up. Six sizes of a PE
#: have so few different ones that a curve would fit by chance.
LINEAR = frozenset({"ifmap_psum_storage_bits", "ifmap_psum_storage_words"})

#: Features with paths of their own: a clock period may be the longest of these, a line in each.
PATHS = (_STORAGE, _ADDRESSES)

#: Sums of other features. A design is inside the range when what they are summed of is: the
#: corners of a box whose edges were sampled count as inside.
SUMS = frozenset({"storage_bits", "storage_words", "address_bits"}) | LINEAR

#: PE fields do not tell its scratchpads' sizes to the rest of the chip, only their addresses.
_STORES = frozenset({"pe"})


def names(kind: str) -> tuple[str, ...]:
    """The features that a kind of component has: those its fields determine."""
    fields = set(KINDS[kind].fields)
    return tuple(
        name
        for name, feature in FEATURES.items()
        if fields.issuperset(feature.fields) and (kind in _STORES or "storage" not in name)
    )


def candidates(kind: str) -> tuple[tuple[str, ...], ...]:
    """The sets of features to try for a kind of component, simplest first."""
    known = set(names(kind))
    return tuple(one for one in SETS if known.issuperset(one))


def features(kind: str, design: Design) -> dict[str, Array]:
    """Every candidate feature of one kind of component.

    Parameters
    ----------
    kind : a key of `rtl_gen.components.KINDS`.
    design : one design (ints) or a table of them (integer arrays of one shape).

    Returns
    -------
    dict
        Feature name -> float64 array of the design's shape (zero-dimensional for one design).
    """
    return {
        name: np.asarray(FEATURES[name].value(design), dtype=np.float64) for name in names(kind)
    }


def means(kind: str, design: Design) -> dict[str, Array]:
    """The features in which instances of one design differ: name -> mean, shaped as `features`."""
    return {
        name: np.asarray(mean(design), dtype=np.float64)
        for name, mean in MEANS.get(kind, {}).items()
    }
