"""From samples to a PPA model, each metric with the error it had on samples it never saw.

Every component of every arithmetic has a model of its own (`models.fit_component`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn

from characterize.sample import TARGET
from models.build import COMPONENTS, complete
from models.component import ComponentModel
from models.fit_component import component_of, fit_component
from models.model_file import Contents, TechnologyData
from models.paths import needed
from models.ppa import PpaModel
from models.validation import Residual
from rtl_gen.components import ALIKE, ANY_ARITHMETIC, KINDS
from rtl_gen.errors import UserError

if TYPE_CHECKING:
    from characterize.sample import Sample


#: Of fewer sizes nothing can be held out: two are joined by the line.
FEWEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted model, and how it did on what it had not seen: one row a sample and metric."""

    model: PpaModel
    residuals: list[Residual]


def fit(
    samples: Sequence[Sample],
    technology: TechnologyData,
    *,
    folds: int = 5,
    repeats: int = 3,
    seed: int = 0,
    manifest: Mapping[str, Any] | None = None,
) -> Fit:
    """Fit every component, as it was built, in every arithmetic that the samples hold.

    Parameters
    ----------
    samples : of one technology, with every kind of component for each arithmetic.
    technology : what the model keeps of it.
    folds, repeats, seed : of the cross-validation that chooses (see `selection.Folding`).
    manifest : kept in the model file, beside what is known here.

    Raises
    ------
    UserError
        When there are no samples, they are of another technology, or a component is missing.
    """
    if folds < 2:
        raise UserError(f"folds must be at least 2, not {folds!r}")
    ordered = sorted(samples, key=lambda sample: sample.id)
    _check(ordered, technology.name)
    components: dict[str, dict[str, ComponentModel]] = {}
    rows: list[Residual] = []
    for name in sorted({sample.arithmetic for sample in ordered}):
        components[name] = {}
        built: dict[str, list[Sample]] = {}
        own = _of(name, ordered)
        for sample in own:
            built.setdefault(component_of(sample), []).append(sample)
        segments = _needed(own)
        for component in (one for one in COMPONENTS if one in built):
            kind = COMPONENTS[component]
            some = built[component]
            model, found = fit_component(
                kind,
                some,
                name=name,
                segments=segments[kind],
                reference=_reference(component, some, ordered),
                folds=folds,
                repeats=repeats,
                seed=seed,
            )
            components[name][component] = model
            rows += found
    contents = Contents(
        technology=technology,
        components=components,
        manifest={
            **(manifest or {}),
            "samples": len(ordered),
            "samples_sha256": ids_sha256(ordered),
            "scikit_learn": sklearn.__version__,
            "numpy": np.__version__,
            "folds": folds,
            "repeats": repeats,
            "seed": seed,
        },
    )
    return Fit(model=PpaModel(contents=contents), residuals=rows)


def ids_sha256(samples: Sequence[Sample]) -> str:
    """SHA-256 of the samples' ids, sorted, one a line."""
    text = "".join(f"{name}\n" for name in sorted(sample.id for sample in samples))
    return hashlib.sha256(text.encode()).hexdigest()


def _check(samples: Sequence[Sample], technology: str) -> None:
    if not samples:
        raise UserError("store must hold at least one sample, it is empty")
    found = sorted({sample.technology for sample in samples})
    if len(found) > 1:
        raise UserError(f"store must hold samples of one technology, not {found!r}")
    if found != [technology]:
        raise UserError(f"technology must be that of the samples, {found[0]!r}, not {technology!r}")
    if len(clocks := targets_ns(samples)) > 1:
        raise UserError(
            f"samples of the recipe {TARGET!r} must be of one clock, not of {clocks!r} ns: "
            "each target takes a store and a model of its own"
        )
    for name in sorted({sample.arithmetic for sample in samples}):
        have = {component_of(sample) for sample in _of(name, samples)}
        if not complete(have):
            raise UserError(
                f"store must hold samples of every component of one build for {name} "
                f"({', '.join(KINDS)}), it has only {', '.join(sorted(have))}"
            )


def targets_ns(samples: Sequence[Sample]) -> list[float]:
    """The clocks for which PEs were mapped by the recipe `TARGET`."""
    return sorted({sample.clock_ns for sample in samples if sample.recipe == TARGET})


def _of(arithmetic: str, samples: Sequence[Sample]) -> list[Sample]:
    """The samples that models of one arithmetic are fitted to."""
    return [
        sample
        for sample in samples
        if sample.arithmetic == arithmetic or sample.component in ANY_ARITHMETIC
    ]


def _reference(component: str, own: Sequence[Sample], samples: Sequence[Sample]) -> list[Sample]:
    """What samples of an arithmetic, too few for polynomials, are a multiple of: the samples of the
    same component in the arithmetic that has most sizes; none where there is no need, or no such.
    """
    if COMPONENTS[component] not in ALIKE or _sizes(own) >= FEWEST:
        return []
    others: dict[str, list[Sample]] = {}
    for sample in samples:
        if component_of(sample) == component:
            others.setdefault(sample.arithmetic, []).append(sample)
    most = max(sorted(others), key=lambda name: _sizes(others[name]))
    return others[most] if _sizes(others[most]) >= FEWEST else []


def _sizes(samples: Sequence[Sample]) -> int:
    return len({tuple(sorted(sample.parameters.items())) for sample in samples})


def _needed(samples: Sequence[Sample]) -> dict[str, set[str]]:
    """Kind -> the segments that the longest path of an accelerator of one arithmetic may have."""
    lowest = {
        kind: min(sample.min_period_ns for sample in samples if sample.component == kind)
        for kind in KINDS
    }
    highest: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    for sample in samples:
        known = highest.get(sample.component, {})
        for name, value in sample.segments_ns.items():
            known[name] = max(value, known.get(name, 0.0))
    return needed(highest, max(lowest.values()))
