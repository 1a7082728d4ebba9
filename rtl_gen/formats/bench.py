"""How fast formats are: `python -m rtl_gen.formats.bench` prints millions of values a second."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from rtl_gen.formats.format import Format
from rtl_gen.formats.named import format_named

#: Every format of at most 8 bits, but of families only some, and a few wider ones.
NAMES = (
    *("int8", "int4", "uint8", "bin", "tern", "pot1", "pot2", "pot2e3", "apot4", "apot5"),
    *("fp8_e5m2", "fp8_e4m3", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1"),
    *("int16", "bitsparse2", "fp16", "bf16", "fp32"),
)
VALUES = 4_000_000


def rate(call: Callable[[], object]) -> float:
    """Millions of values a second: the best of three."""
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return VALUES / best / 1e6


def rates(fmt: Format) -> tuple[float, float, float]:
    """Of encode, decode and quantize."""
    real = np.random.default_rng(0).standard_normal(VALUES)
    codes = fmt.quantize(real)[0]
    values = fmt.decode(codes)
    return (
        rate(lambda: fmt.encode(values)),
        rate(lambda: fmt.decode(codes)),
        rate(lambda: fmt.quantize(real)),
    )


def main() -> None:
    table = Table(title="million values / s", title_justify="left")
    table.add_column("format")
    for name in ("bits", "encode", "decode", "quantize"):
        table.add_column(name, justify="right")
    for name in NAMES:
        fmt = format_named(name)
        table.add_row(name, str(fmt.bits), *(f"{one:.0f}" for one in rates(fmt)))
    Console().print(table)


if __name__ == "__main__":
    main()
