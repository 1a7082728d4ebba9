"""The metrics of a component: which numbers of its samples are fitted, and which follow.

Needs numpy only. Names carry their unit in front: see `models.component`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from characterize.sample_table import metrics
from models.features import Array
from rtl_gen.components import KINDS

if TYPE_CHECKING:
    from characterize.sample import Sample

PERIOD = "min_period_ns"
T = TypeVar("T")

#: What stands before the name of a segment (`rtl_gen.interfaces`).
SEGMENT = "segments_ns."


def segments_of(values: Mapping[str, T]) -> dict[str, T]:
    """Of what is there by metric, that of segments, by their own names."""
    return {
        name.removeprefix(SEGMENT): value
        for name, value in values.items()
        if name.startswith(SEGMENT)
    }


def is_path(metric: str) -> bool:
    """Whether a metric is the longest of paths."""
    return metric == PERIOD or metric.startswith(SEGMENT)


def measured(samples: Sequence[Sample], segments: Iterable[str] = ()) -> dict[str, Array]:
    """Metric -> one measured value a sample; a part that a sample does not name is zero there.

    Parameters
    ----------
    segments : names of those that are wanted.
    """
    wanted = {f"{SEGMENT}{name}" for name in segments}
    rows = [
        {
            name: value
            for name, value in metrics(sample).items()
            if name in wanted or not name.startswith(SEGMENT)
        }
        for sample in samples
    ]
    names = sorted({name for row in rows for name in row})
    return {name: np.array([row.get(name, 0.0) for row in rows]) for name in names}


def derived(kind: str, values: Mapping[str, Array], clock_ns: Array) -> dict[str, Array]:
    """Sums over parts, the power in the busiest event at the samples' clock, and fmax.

    Applied to measurements and predictions alike, so that their errors can be compared.
    """
    names = ["area_um2", "leakage_mw", *(f"energy_pj.{event}" for event in KINDS[kind].events)]
    result = {name: _total(values, name) for name in names}
    busiest = result[f"energy_pj.{KINDS[kind].events[0]}"]
    result["power_mw"] = busiest / clock_ns + result["leakage_mw"]
    # A prediction may be clipped to a period of zero: let that be a huge error, not infinity.
    result["fmax_mhz"] = 1000 / np.maximum(values[PERIOD], 1e-6)
    return result


def _total(values: Mapping[str, Array], prefix: str) -> Array:
    parts = [value for name, value in values.items() if name.startswith(f"{prefix}.")]
    return np.asarray(sum(parts, np.zeros_like(values[PERIOD])))
