"""The memories of an accelerator, and how many words a beat of the bus carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rtl_gen.components import Design
from rtl_gen.config import HALF_KIB_BITS, psum_sram_depth

#: Bits of an output's multiplier and of its shift (see `rtl_gen.output_stage`).
MULTIPLIER_BITS = 16
SHIFT_BITS = 6
#: The memory, by its name in `memories`, that belongs to a PE.
WEIGHT_SRAM = "weight_sram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`count` single-port memories of `depth` words of `width` bits."""

    depth: Any
    width: Any
    count: Any


def lanes(bus_bits: Any, word_bits: Any) -> Any:
    """Words a beat carries: the largest power of two of them that fits, 0 if none does."""
    count = bus_bits // word_bits
    for shift in (1, 2, 4, 8):
        count = count | (count >> shift)
    return count - (count >> 1)


def weight_pass_words(design: Design) -> Any:
    """Words of weights that a pass may have: all of a PE's, or those of one of its macros."""
    return design.weight_words // (design.weight_macros + (design.weight_macros == 0))


def memories(design: Design) -> dict[str, Memory]:
    """All single-port memories: the global buffer's two halves, the output stage's parameters
    (bias, multiplier and shift of every filter of a group), and the weights of PEs of macros."""
    found = {
        "ifmap_sram": Memory(
            depth=design.buffer_kib * HALF_KIB_BITS // design.bus_bits,
            width=design.bus_bits,
            count=design.rows**0,
        ),
        "psum_sram": Memory(
            depth=psum_sram_depth(design),
            width=design.accumulator_bits,
            count=2 * design.columns,
        ),
        "parameter_sram": Memory(
            depth=design.columns * design.psum_words,
            width=design.accumulator_bits + MULTIPLIER_BITS + SHIFT_BITS,
            count=2 * design.rows**0,
        ),
    }
    if np.any(design.weight_macros):
        found[WEIGHT_SRAM] = Memory(
            depth=weight_pass_words(design),
            width=design.weight_bits,
            count=design.weight_macros * design.rows * design.columns,
        )
    return found
