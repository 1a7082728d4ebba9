"""Processing elements in the model card: samples of one size, built alike, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.build import BUILDS, Build
from models.glitches import EVENT, KIND, PARTS, Factors
from models.markdown import table
from rtl_gen.components import KINDS
from rtl_gen.storage import MACRO

if TYPE_CHECKING:
    from characterize.sample import Sample

#: What others are compared with.
REFERENCE = "int16"

HEAD = (
    "arithmetic",
    *("datapath um2", "scratchpads um2"),
    *("datapath pJ", "scratchpads pJ", "clock pJ", "sum pJ", "with glitches pJ"),
    "min period ns",
    *(f"{REFERENCE}: area", "energy"),
)


def elements(samples: Sequence[Sample]) -> dict[Build, list[Sample]]:
    """Of each build and arithmetic one PE, all of one size if there is such a size: the middle one.

    Builds without a PE are left out.
    """
    sizes: dict[Build, dict[str, dict[tuple[int, ...], Sample]]] = {}
    for sample in (one for one in samples if one.component == KIND):
        build = Build(scratchpads=sample.scratchpads, recipe=sample.recipe)
        size = tuple(sample.parameters[field] for field in KINDS[KIND].fields)
        sizes.setdefault(build, {}).setdefault(sample.arithmetic, {})[size] = sample
    every = [set(of_one) for of_build in sizes.values() for of_one in of_build.values()]
    common = set.intersection(*every) if every else set()
    return {
        build: [_middle(sizes[build][name], common) for name in sorted(sizes[build])]
        for build in BUILDS
        if build in sizes
    }


def _middle(known: Mapping[tuple[int, ...], Sample], among: set[tuple[int, ...]]) -> Sample:
    """The one nearest the middle of the sizes' ranges, on logarithmic scales."""
    ordered = sorted(among or known)
    logs = np.log(np.array(ordered, dtype=np.float64))
    far = np.square(logs - (logs.min(axis=0) + logs.max(axis=0)) / 2).sum(axis=1)
    return known[ordered[int(np.argmin(far))]]


def element_size(sample: Sample) -> str:
    """A PE's scratchpads, in the order of `KINDS`: a stored sample's keys have another."""
    return " / ".join(str(sample.parameters[field]) for field in KINDS[KIND].fields)


def element_section(samples: Sequence[Sample], glitches: Mapping[str, Factors]) -> str:
    """A table a build.

    Parameters
    ----------
    glitches : of the model's technology; arithmetics that are not there show no glitches.
    """
    parts = []
    for build, chosen in elements(samples).items():
        alike = len({element_size(one) for one in chosen}) == 1
        size = f", {element_size(chosen[0])} ifmap / weight / psum words" if alike else ""
        parts.append(f"### {build}{size}")
        if build.scratchpads == MACRO:
            parts.append("Without the weights' two macros, which the memory model adds.")
        parts.append(table(HEAD, _rows(chosen, glitches)))
    return "\n\n".join(parts)


def _rows(chosen: Sequence[Sample], glitches: Mapping[str, Factors]) -> list[tuple[str, ...]]:
    of_reference = [one for one in chosen if one.arithmetic == REFERENCE]
    rows = []
    for sample in chosen:
        area, energy = _area(sample), sample.energy_pj[EVENT]
        factors = glitches.get(sample.arithmetic)
        with_glitches = f"{_glitching(sample, factors):.3g}" if factors else ""
        ratios = [
            f"{value:.2f}x"
            for one in of_reference
            for value in (
                _area(one) / area,
                sum(one.energy_pj[EVENT].values()) / sum(energy.values()),
            )
        ]
        rows.append(
            (
                sample.arithmetic,
                *(f"{sample.area_um2.get(part, 0.0):,.0f}" for part in PARTS),
                *(f"{energy.get(part, 0.0):.3g}" for part in (*PARTS, "clock")),
                f"{sum(energy.values()):.3g}",
                with_glitches,
                f"{sample.min_period_ns:.2f}",
                *(ratios or ("", "")),
            )
        )
    return rows


def _area(sample: Sample) -> float:
    return sum(sample.area_um2.values())


def _glitching(sample: Sample, factors: Factors) -> float:
    """Energy of a multiply-accumulate with what glitches add to it."""
    busy, idle = sample.energy_pj[EVENT], sample.energy_pj["idle"]
    more = sum(
        (float(factors[part]) - 1) * (busy[part] - idle[part]) for part in PARTS if part in busy
    )
    return sum(busy.values()) + more
