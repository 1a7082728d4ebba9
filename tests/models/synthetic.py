"""Samples from a law that is known: what a sweep might measure, without measuring anything.

`from tests.models.synthetic import sweep, TECHNOLOGY`. Numbers are of the order of a 180 nm
process; noise is multiplicative and seeded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np

from characterize.sample import Sample
from models.features import Array, features
from models.model_file import TechnologyData
from rtl_gen.components import KINDS
from rtl_gen.formats import arithmetic
from rtl_gen.interfaces import FALL, INTERFACES, segment_name

#: Field -> the values of a small sweep.
GRID: dict[str, tuple[int, ...]] = {
    "rows": (3, 8, 14),
    "columns": (4, 8, 14),
    "ifmap_words": (8, 12, 24),
    "weight_words": (32, 96, 224),
    "psum_words": (8, 16, 24),
    "buffer_kib": (16, 64, 128),
    "bus_bits": (32, 64, 128),
}

#: (kind, metric, features, product of the operands' bits) -> value.
Law = Callable[[str, str, Mapping[str, Array], int], Any]


def law(kind: str, metric: str, known: Mapping[str, Array], operand_bits: int) -> Any:
    """Linear in storage and address bits, as flip-flop scratchpads nearly are."""
    storage = known.get("storage_bits", np.zeros(1))
    control = sum((known[n] for n in ("address_bits", "bus_bits", "sum_bits") if n in known), 4.0)
    match metric.split("."):
        case ["min_period_ns"]:
            return 2.0 + 0.02 * operand_bits**0.5 + 0.05 * control
        case ["segments_ns", segment]:
            # Short, but for the way of an order into a PE: longer than any component alone.
            alone = law(kind, "min_period_ns", known, operand_bits)
            return 10.0 + alone if segment == "order>clock" else 0.2
        case ["area_um2", "scratchpad"]:
            return 150.0 * storage + 800.0 * known["address_bits"]
        case ["area_um2", _]:
            return 90.0 * operand_bits + 120.0 * control
        case ["leakage_mw", part]:
            return 1e-8 * law(kind, f"area_um2.{part}", known, operand_bits)
        case ["energy_pj", _, "clock"]:
            return 0.03 * storage + 0.02 * control
        case ["energy_pj", "idle", _]:
            return 0.001 * control
        case ["energy_pj", _, "scratchpad"]:
            return 0.01 * storage + 0.2 * known["address_bits"]
        case _:
            return 0.05 * operand_bits + 0.03 * control


def sweep(
    arithmetics: Sequence[str] = ("int8",),
    *,
    grid: Mapping[str, Sequence[int]] = GRID,
    kinds: Sequence[str] = tuple(KINDS),
    most: int = 24,
    noise: float = 0.0,
    seed: int = 0,
    law: Law = law,
) -> list[Sample]:
    """Samples of every kind in every arithmetic.

    Parameters
    ----------
    grid : field -> values; of the points of the grid, `most` are drawn for each kind.
    noise : standard deviation of the factor, 1 being the law itself.
    """
    random = np.random.default_rng(seed)
    found = []
    for name in arithmetics:
        for kind in kinds:
            fields = KINDS[kind].fields
            points = list(product(*(grid[field] for field in fields)))
            if len(points) > most:
                drawn = random.choice(len(points), size=most, replace=False)
                points = [points[i] for i in sorted(drawn)]
            for point in points:
                parameters = dict(zip(fields, point, strict=True))
                found.append(sample(kind, name, parameters, law, noise, random))
    return found


def sample(
    kind: str,
    name: str,
    parameters: dict[str, int],
    law: Law = law,
    noise: float = 0.0,
    random: np.random.Generator | None = None,
) -> Sample:
    """One sample that obeys the law, noise aside."""
    numbers = arithmetic(name)
    bits = ("activation_bits", "weight_bits", "accumulator_bits")
    design = SimpleNamespace(**parameters, **{one: getattr(numbers, one) for one in bits})
    known = features(kind, design)
    operand_bits = numbers.activation_bits * numbers.weight_bits

    def value(metric: str) -> float:
        factor = 1.0 if random is None else random.normal(1.0, noise)
        return float(np.squeeze(law(kind, metric, known, operand_bits)) * factor)

    parts = ("datapath", "scratchpad") if kind == "pe" else ("datapath",)
    identity = f"{kind} {name} {sorted(parameters.items())}"
    return Sample(
        id=hashlib.sha256(identity.encode()).hexdigest(),
        component=kind,
        arithmetic=name,
        parameters=parameters,
        technology=TECHNOLOGY.name,
        clock_ns=10.0,
        scratchpads="flipflop",
        recipe="fast",
        area_um2={part: value(f"area_um2.{part}") for part in parts},
        leakage_mw={part: value(f"leakage_mw.{part}") for part in parts},
        energy_pj={
            event: {part: value(f"energy_pj.{event}.{part}") for part in (*parts, "clock")}
            for event in KINDS[kind].events
        },
        min_period_ns=value("min_period_ns"),
        segments_ns={
            name: value(f"segments_ns.{name}")
            for name in (segment_name(*one) for one in INTERFACES[kind].segments())
            if not name.endswith(FALL)
        },
        cells=100,
        manifest={"generator": "tests/models/synthetic.py"},
    )


#: A memory of the order of what a 180 nm process has, periphery to cells.
MEMORIES: dict[str, Any] = {
    "scaled": True,
    "source": "made up for tests",
    "range": {"depth": [16, 8192], "width": [8, 128]},
    "coefficients": {
        "area_um2": {"one": 25000.0, "width": 600.0, "bits": 6.0},
        "read_pj": {"one": 18.0, "width": 1.5, "bits": 0.002},
        "write_pj": {"one": 22.0, "width": 2.0, "bits": 0.002},
        "idle_pj": {"one": 0.02},
        "leakage_mw": {"bits": 2e-8},
        "access_ns": {"one": 4.0, "sqrt_depth": 0.05},
    },
}

TECHNOLOGY = TechnologyData(
    name="synthetic", voltage_v=1.8, memories=MEMORIES, dram_pj_per_bit=20.0, glitches={}
)


def table(name: str, count: int, *, seed: int = 0) -> SimpleNamespace:
    """A table of `count` designs drawn from the grid."""
    random = np.random.default_rng(seed)
    numbers = arithmetic(name)
    columns = {field: random.choice(np.array(values), count) for field, values in GRID.items()}
    bits = ("activation_bits", "weight_bits", "accumulator_bits")
    for one in bits:
        columns[one] = np.full(count, getattr(numbers, one))
    return SimpleNamespace(**columns, scratchpads="flipflop", weight_macros=0)
