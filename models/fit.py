"""From samples to a PPA model, each metric with the error it had on samples it never saw.

For every arithmetic, component and metric `models.selection` chooses a polynomial, or the
largest of several, by cross-validation. The error that is reported is measured around that choice:
on folds that neither the coefficients nor the choice have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import sklearn

from characterize.sample import TARGET
from models.build import COMPONENTS, Build, complete
from models.component import ComponentModel, outside
from models.features import Array, features
from models.metrics import derived, is_path, measured
from models.model_file import Contents, TechnologyData
from models.paths import needed
from models.polynomial import Polynomial
from models.ppa import PpaModel
from models.selection import Folding, choose_and_fit, group, options, plan
from models.validation import Residual, residuals, summarize
from rtl_gen.components import ANY_ARITHMETIC, KINDS
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic

if TYPE_CHECKING:
    from characterize.sample import Sample


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
            model, found = fit_component(
                kind,
                built[component],
                name=name,
                segments=segments[kind],
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


def component_of(sample: Sample) -> str:
    """The name of the component as it was built, of `models.build.COMPONENTS`."""
    build = Build(scratchpads=sample.scratchpads, recipe=sample.recipe)
    return build.component(sample.component)


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


def fit_component(
    kind: str,
    samples: Sequence[Sample],
    *,
    name: str | None = None,
    segments: Iterable[str] = (),
    folds: int = 5,
    repeats: int = 3,
    seed: int = 0,
) -> tuple[ComponentModel, list[Residual]]:
    """Fit one component in one arithmetic.

    Parameters
    ----------
    samples : of one kind and one technology, and of one arithmetic where the kind depends on it; at
        least one.
    name : of the arithmetic; None for that of the samples.
    segments : those of the samples' segments that are fitted.

    Returns
    -------
    ComponentModel, list of Residual
        The residuals are those of the held-out samples.
    """
    name = name or samples[0].arithmetic
    known = features(kind, design_table(kind, name, samples))
    actual = measured(samples, segments)
    polynomials, predicted, among = _polynomials(kind, known, actual, folds, repeats, seed)
    points = int(group(known, len(samples)).max()) + 1
    method, held_out = _method(points, folds, int(among.sum()), len(samples))
    clock_ns = np.array([sample.clock_ns for sample in samples])
    actual = {**actual, **derived(kind, actual, clock_ns)}
    predicted = {**predicted, **derived(kind, predicted, clock_ns)} if held_out else {}
    predicted = {metric: np.where(among, values, np.nan) for metric, values in predicted.items()}
    rows: list[Residual] = []
    for metric, values in actual.items():
        rows += residuals(
            [sample.id for sample in samples],
            arithmetic=name,
            component=component_of(samples[0]),
            metric=metric,
            actual=values,
            predicted=predicted.get(metric),
        )
    model = ComponentModel(
        samples=len(samples),
        points=points,
        ranges=_ranges(known),
        polynomials=polynomials,
        errors={
            metric: summarize(values, predicted.get(metric), method)
            for metric, values in actual.items()
        },
    )
    return model, rows


def _polynomials(
    kind: str,
    known: Mapping[str, Array],
    actual: Mapping[str, Array],
    folds: int,
    repeats: int,
    seed: int,
) -> tuple[dict[str, tuple[Polynomial, ...]], dict[str, Array], npt.NDArray[np.bool_]]:
    """Of every metric: the polynomials fitted to all samples, and the held-out predictions; and
    which samples lay, when they were held out, in the ranges of those that were not."""
    count = len(next(iter(actual.values())))
    everything = np.arange(count)
    groups = group(known, count)
    found = options(kind, known, count)
    whole = plan(found, everything, Folding(groups=groups, folds=folds, repeats=repeats, seed=seed))
    # Other seeds: the folds that measure the error are not the folds that chose.
    outer = Folding(groups=groups, folds=folds, repeats=1, seed=seed + 1000)
    inner = Folding(groups=groups, folds=folds, repeats=1, seed=seed + 2000)
    splits = list(outer.splits(everything))
    held = [(plan(found, train, inner), test) for train, test in splits]
    among = np.zeros(count, dtype=bool)
    for train, test in splits:
        # A model of the others is asked only what lies in their ranges.
        ranges = _ranges({name: values[train] for name, values in known.items()})
        beyond = outside({name: values[test] for name, values in known.items()}, ranges)
        among[test] = ~np.logical_or.reduce([np.zeros(len(test), dtype=bool), *beyond.values()])
    polynomials, predicted = {}, {}
    for metric, values in actual.items():
        longest = is_path(metric)
        polynomials[metric] = choose_and_fit(whole, values, longest_path=longest)[0]
        predicted[metric] = np.zeros(count)
        for chooser, test in held:
            predicted[metric][test] = choose_and_fit(chooser, values, longest_path=longest)[1][test]
    return polynomials, predicted, among


def _ranges(known: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
    return {name: (float(values.min()), float(values.max())) for name, values in known.items()}


def design_table(kind: str, name: str, samples: Sequence[Sample]) -> SimpleNamespace:
    """The samples as a table of designs of an arithmetic, for `features`."""
    numbers = arithmetic(name)
    columns = {
        field: np.array([sample.parameters[field] for sample in samples], dtype=np.int64)
        for field in KINDS[kind].fields
    }
    return SimpleNamespace(
        **columns,
        activation_bits=numbers.activation_bits,
        weight_bits=numbers.weight_bits,
        accumulator_bits=numbers.accumulator_bits,
    )


def _method(points: int, folds: int, among: int, samples: int) -> tuple[str, bool]:
    """How the error was found, and whether it could be."""
    ends = f", {among} of {samples} samples inside" if among < samples else ""
    match points:
        case 1:
            return "not computed: the samples have one size, none is left to hold out", False
        case 2:
            return "not computed: the line joins the two sizes, none is left to check it", False
        case _ if not among:
            return f"not computed: of {points} sizes, each is the only one at an end", False
        case _ if points <= folds:
            return f"leave-one-out of {points} sizes{ends}", True
        case _:
            return f"{folds}-fold of {points} sizes{ends}", True
