"""From samples of one component in one arithmetic to its model, and how wrong that is.

For every metric `models.selection` chooses a polynomial, or the largest of several, by
cross-validation. The error that is reported is measured around that choice: on folds that neither
the coefficients nor the choice have seen. Of a component that is alike in all arithmetics a few
samples say how many times the one in another it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.build import Build
from models.component import ComponentModel, outside
from models.features import Array, features
from models.least_squares import solve
from models.metrics import derived, is_path, measured
from models.polynomial import CONSTANT, Polynomial
from models.selection import Folding, Indices, choose_and_fit, group, options, plan
from models.validation import Residual, magnitude, residuals, summarize
from rtl_gen.components import KINDS
from rtl_gen.formats import arithmetic

if TYPE_CHECKING:
    from characterize.sample import Sample


def component_of(sample: Sample) -> str:
    """The name of the component as it was built, of `models.build.COMPONENTS`."""
    build = Build(scratchpads=sample.scratchpads, recipe=sample.recipe)
    return build.component(sample.component)


def fit_component(
    kind: str,
    samples: Sequence[Sample],
    *,
    name: str | None = None,
    segments: Iterable[str] = (),
    reference: Sequence[Sample] = (),
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
    reference : samples of the same component in another arithmetic, of which this one is to be a
        multiple (`ALIKE`); none for polynomials of its own.

    Returns
    -------
    ComponentModel, list of Residual
        The residuals are those of the held-out samples.
    """
    name = name or samples[0].arithmetic
    known = features(kind, design_table(kind, name, samples))
    actual = measured(samples, segments)
    groups = group(known, len(samples))
    points = int(groups.max()) + 1
    if reference:
        other, _ = fit_component(
            kind, reference, segments=segments, folds=folds, repeats=repeats, seed=seed
        )
        # Its polynomials are of its sizes: here, these have other features.
        ranges = _ranges(features(kind, design_table(kind, name, reference)))
        polynomials, held = _multiples(replace(other, ranges=ranges), known, actual, groups)
        method, held_out = _method_of_multiples(points, reference[0].arithmetic)
    else:
        ranges = _ranges(known)
        polynomials, predicted, among = _polynomials(kind, known, actual, folds, repeats, seed)
        held = {metric: np.where(among, values, np.nan) for metric, values in predicted.items()}
        method, held_out = _method(points, folds, int(among.sum()), len(samples))
    clock_ns = np.array([sample.clock_ns for sample in samples])
    actual = {**actual, **derived(kind, actual, clock_ns)}
    held = {**held, **derived(kind, held, clock_ns)} if held_out else {}
    rows: list[Residual] = []
    for metric, values in actual.items():
        rows += residuals(
            [sample.id for sample in samples],
            arithmetic=name,
            component=component_of(samples[0]),
            metric=metric,
            actual=values,
            predicted=held.get(metric),
        )
    model = ComponentModel(
        samples=len(samples),
        points=points,
        ranges=ranges,
        polynomials=polynomials,
        errors={
            metric: summarize(values, held.get(metric), method) for metric, values in actual.items()
        },
    )
    return model, rows


def _multiples(
    other: ComponentModel,
    known: Mapping[str, Array],
    actual: Mapping[str, Array],
    groups: Indices,
) -> tuple[dict[str, tuple[Polynomial, ...]], dict[str, Array]]:
    """Of every metric: what it is of `other` times a factor, of least squares of the relative
    errors, and what factors of the other sizes say of each; of what `other` has nothing, the mean.
    """
    shapes = other.evaluate(known)
    polynomials: dict[str, tuple[Polynomial, ...]] = {}
    held: dict[str, Array] = {}
    for metric, values in actual.items():
        shape: Array = np.ones(values.shape)
        pieces: tuple[Polynomial, ...] = (CONSTANT,)
        if metric in shapes and np.all(shapes[metric] > 0):
            shape = np.broadcast_to(shapes[metric], values.shape)
            pieces = other.polynomials[metric]
        factor = _factor(shape, values)
        polynomials[metric] = tuple(piece.times(factor) for piece in pieces)
        if groups.max() > 0:
            rest = [groups != number for number in groups]
            held[metric] = shape * [_factor(shape[rows], values[rows]) for rows in rest]
    return polynomials, held


def _factor(shape: Array, values: Array) -> float:
    """How many times the one the other is."""
    return float(solve(shape[:, None], values, 1 / magnitude(values))[0])


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


def _method_of_multiples(points: int, reference: str) -> tuple[str, bool]:
    """The same of a multiple of what it is in the arithmetic `reference`."""
    held_out = points > 1
    how = f"leave-one-out of {points} sizes" if held_out else "not computed: one size, none is left"
    return f"{how}, {reference}'s times a factor", held_out


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
