"""Small accelerators that several tests share, each awkward in its own way."""

from __future__ import annotations

from typing import Any

from rtl_gen.config import AcceleratorConfig

#: Name -> the keys of a config file.
SMALL: dict[str, dict[str, Any]] = {
    # One PE, one channel and one filter at a time, streams of few lanes.
    "one_pe": {
        "arithmetic": "int8",
        **{"rows": 1, "columns": 1, "ifmap_words": 3, "weight_words": 3, "psum_words": 1},
        **{"buffer_kib": 1, "bus_bits": 32},
    },
    # One row: kernels are folded row by row, columns shared between output rows and filters.
    "one_row": {
        "arithmetic": "lightpe2",
        **{"rows": 1, "columns": 5, "ifmap_words": 8, "weight_words": 32, "psum_words": 4},
        **{"buffer_kib": 2, "bus_bits": 64},
    },
    # One column, so every output row is a strip; sums saturate; the buffer holds a few beats.
    "one_column": {
        "arithmetic": "int6xint3a10",
        **{"rows": 6, "columns": 1, "ifmap_words": 6, "weight_words": 18, "psum_words": 3},
        **{"buffer_kib": 1, "bus_bits": 128},
    },
    # Floating point: sums depend on the order of their additions, MACs take two cycles.
    "floats": {
        "arithmetic": "fp8_e4m3",
        **{"rows": 2, "columns": 2, "ifmap_words": 6, "weight_words": 18, "psum_words": 2},
        **{"buffer_kib": 1, "bus_bits": 64},
    },
    # Clocks of their own for all words of the scratchpads; sizes that are no powers of two.
    "gated": {
        "arithmetic": "int4",
        **{"rows": 2, "columns": 3, "ifmap_words": 5, "weight_words": 21, "psum_words": 3},
        **{"buffer_kib": 1, "bus_bits": 64, "scratchpads": "gated"},
    },
    # Latches, one of them the only word of its scratchpad.
    "latches": {
        "arithmetic": "lightpe1",
        **{"rows": 3, "columns": 2, "ifmap_words": 6, "weight_words": 6, "psum_words": 1},
        **{"buffer_kib": 1, "bus_bits": 64, "scratchpads": "latch"},
    },
    # Weights in macros, and floating point: sums come a cycle later than elsewhere.
    "macros": {
        "arithmetic": "fp8_e4m3",
        **{"rows": 3, "columns": 2, "ifmap_words": 7, "weight_words": 38, "psum_words": 3},
        **{"buffer_kib": 1, "bus_bits": 64, "scratchpads": "macro"},
    },
}


def small(name: str) -> AcceleratorConfig:
    """The config of one of `SMALL`."""
    return AcceleratorConfig.from_mapping(SMALL[name])
