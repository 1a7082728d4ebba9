"""Fitting: laws are recovered, and the error that is reported is honest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterize.sample import Sample
from models.build import BUILDS
from models.component import ComponentModel
from models.features import features
from models.fit import Fit, fit, targets_ns
from models.fit_component import design_table, fit_component
from models.fresh import fresh_errors
from models.validation import Residual, worst
from rtl_gen.components import KINDS
from rtl_gen.errors import UserError
from tests.models.synthetic import TECHNOLOGY, sample, sweep

METRIC = "area_um2.datapath"

PLAIN = BUILDS[0]


def pes(count: int, noise: float = 0.0, seed: int = 0) -> list[Sample]:
    return sweep(kinds=("pe",), most=count, noise=noise, seed=seed)


def held_out(samples: list[Sample], metric: str = METRIC) -> dict[str, float]:
    _, rows = fit_component("pe", samples, repeats=1)
    return {row.id: float(row.predicted or 0.0) for row in rows if row.metric == metric}


def test_a_law_without_noise_is_predicted_to_rounding() -> None:
    model, _ = fit_component("pe", pes(24), repeats=1)
    assert set(model.errors) > set(model.polynomials)
    for metric, error in model.errors.items():
        assert error.max_percent is not None
        assert error.max_percent < 1e-6, metric
        assert error.method.startswith("5-fold")


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_noise_shows_as_error_of_its_size(noise: float) -> None:
    model, _ = fit_component("pe", pes(27, noise), repeats=1)
    means = [model.errors[metric].mean_percent or 0.0 for metric in model.polynomials]
    # The mean absolute value of a normal deviate is 0.8 of its standard deviation.
    assert 0.7 * 80 * noise < np.mean(means) < 1.6 * 80 * noise


def test_held_out_predictions_have_not_seen_the_sample() -> None:
    samples = pes(16, noise=0.02)
    before = held_out(samples)
    wrong = replace(samples[5], area_um2={"datapath": 7777.0, "scratchpad": 1.0})
    after = held_out([*samples[:5], wrong, *samples[6:]])
    assert after[wrong.id] == pytest.approx(before[wrong.id], rel=1e-12)
    assert any(after[one.id] != before[one.id] for one in samples if one.id != wrong.id)


def test_a_wrong_sample_stands_at_the_top_of_the_residuals() -> None:
    samples = pes(24)
    wrong = replace(samples[7], min_period_ns=2 * samples[7].min_period_ns)
    model, rows = fit_component("pe", [*samples[:7], wrong, *samples[8:]], repeats=1)
    first = worst(rows, 1)[0]
    assert (first.id, first.metric) == (wrong.id, "fmax_mhz")
    period = worst([row for row in rows if row.metric == "min_period_ns"], 1)[0]
    assert period.id == wrong.id
    assert -60 < (period.percent or 0.0) < -40
    assert (model.errors["min_period_ns"].max_percent or 0.0) > 40
    assert (model.errors["area_um2"].max_percent or 0.0) < 1e-6


def test_energy_and_power_of_a_sample_are_sums_of_its_parts() -> None:
    samples = pes(8)
    _, rows = fit_component("pe", samples, repeats=1)
    actual = {(row.id, row.metric): row.actual for row in rows}
    one = samples[3]
    assert actual[one.id, "energy_pj.mac"] == pytest.approx(sum(one.energy_pj["mac"].values()))
    power = sum(one.energy_pj["mac"].values()) / one.clock_ns + sum(one.leakage_mw.values())
    assert actual[one.id, "power_mw"] == pytest.approx(power)
    assert actual[one.id, "fmax_mhz"] == pytest.approx(1000 / one.min_period_ns)


@pytest.mark.parametrize(
    ("widths", "method", "terms"),
    [
        ((64,), "not computed: the samples have one size, none is left to hold out", 1),
        ((32, 64), "not computed: the line joins the two sizes, none is left to check it", 2),
        ((32, 64, 128), "leave-one-out of 3 sizes, 1 of 3 samples inside", 2),
    ],
)
def test_few_samples_are_treated_honestly(widths: tuple[int, ...], method: str, terms: int) -> None:
    samples = [sample("node", "int8", {"bus_bits": bits}) for bits in widths]
    model, rows = fit_component("node", samples)
    error = model.errors[METRIC]
    assert error.method == method
    (polynomial,) = model.polynomials[METRIC]
    assert len(polynomial.coefficients) == terms
    assert (error.mean_percent is None) == (len(widths) < 3)
    # What is held out at an end of the range lies outside of the rest's.
    ends = {samples[0].id, samples[-1].id}
    assert all((row.predicted is None) == (row.id in ends) for row in rows)


def test_the_only_sample_at_an_end_of_a_range_is_no_error() -> None:
    """Twice as large as it should be; with another one at its end it is the worst of all."""
    samples = [sample("node", "int8", {"bus_bits": bits}) for bits in (32, 48, 64, 96, 128)]
    wrong = replace(samples[-1], area_um2={"datapath": 2 * samples[-1].area_um2["datapath"]})
    model, rows = fit_component("node", [*samples[:-1], wrong], folds=6)
    assert model.errors[METRIC].method == "leave-one-out of 5 sizes, 3 of 5 samples inside"
    assert {row.id for row in rows if row.predicted is None} == {samples[0].id, wrong.id}
    end = sample("node", "int8", {"bus_bits": 160})
    model, rows = fit_component("node", [*samples[:-1], wrong, end], folds=6)
    assert worst(rows, 1)[0].id == wrong.id
    assert (model.errors[METRIC].max_percent or 0.0) > 20


def test_equal_points_are_no_evidence_for_each_other() -> None:
    """A point measured five times is still one point."""
    samples = [sample("node", "int8", {"bus_bits": 64}) for _ in range(5)]
    model, _ = fit_component("node", samples)
    assert (model.samples, model.points) == (5, 1)
    assert model.errors[METRIC].mean_percent is None


def test_the_same_samples_and_seed_give_the_same_bytes(tmp_path: Path, fitted: Fit) -> None:
    samples = sweep(("int8", "lightpe1"), most=12, noise=0.01)
    again = fit(samples[::-1], TECHNOLOGY, repeats=1)
    for name, one in (("a.json", fitted), ("b.json", again)):
        one.model.save(tmp_path / name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_every_component_of_every_arithmetic_is_fitted(fitted: Fit) -> None:
    components = fitted.model.contents.components
    assert {name: tuple(kinds) for name, kinds in components.items()} == {
        "int8": tuple(map(PLAIN.component, KINDS)),
        "lightpe1": tuple(map(PLAIN.component, KINDS)),
    }


def test_what_cannot_be_fitted_is_refused() -> None:
    samples = sweep(most=3)
    with pytest.raises(UserError, match="store must hold at least one sample"):
        fit([], TECHNOLOGY)
    other = replace(samples[0], technology="other")
    with pytest.raises(UserError, match=r"one technology, not \['other', 'synthetic'\]"):
        fit([*samples[1:], other], TECHNOLOGY)
    with pytest.raises(UserError, match="technology must be that of the samples, 'synthetic'"):
        fit(samples, replace(TECHNOLOGY, name="osu018"))
    without = [one for one in samples if one.component not in ("row", "bank")]
    with pytest.raises(UserError, match=r"every component of one build for int8 .* has only"):
        fit(without, TECHNOLOGY)
    with pytest.raises(UserError, match="folds must be at least 2, not 1"):
        fit(samples, TECHNOLOGY, folds=1)
    targets = [replace(samples[0], recipe="target", clock_ns=ns) for ns in (1, 2)]
    assert targets_ns([*samples, *targets]) == [1, 2]
    with pytest.raises(UserError, match=r"must be of one clock, not of \[1, 2\] ns"):
        fit([*samples, *targets], TECHNOLOGY)


def test_errors_on_fresh_samples_have_signs_and_are_of_the_measured_value() -> None:
    samples = pes(24)
    model, _ = fit_component("pe", samples[:18], repeats=1)
    fresh = samples[18:]
    right = fresh_errors(model, "pe", fresh[0].arithmetic, fresh)
    assert {"area_um2", "energy_pj.mac", "min_period_ns", "fmax_mhz"} <= set(right)
    for name, errors in right.items():
        np.testing.assert_allclose(errors, 0, atol=1e-6, err_msg=name)
    slower = [replace(one, min_period_ns=2 * one.min_period_ns) for one in fresh]
    wrong = fresh_errors(model, "pe", fresh[0].arithmetic, slower)
    np.testing.assert_allclose(wrong["min_period_ns"], -50)
    np.testing.assert_allclose(wrong["fmax_mhz"], 100)
    np.testing.assert_allclose(wrong["area_um2"], 0, atol=1e-6)


def collectors(name: str, times: float, most: int) -> list[Sample]:
    """So many sizes of a collector that is so many times INT8's at the same size."""

    def multiple(one: Sample) -> Sample:
        own = sample("collector", name, dict(one.parameters))
        return replace(
            own,
            area_um2={part: times * value for part, value in one.area_um2.items()},
            leakage_mw={part: 2 * times * value for part, value in one.leakage_mw.items()},
            energy_pj=one.energy_pj,
            min_period_ns=one.min_period_ns / times,
            segments_ns=one.segments_ns,
        )

    known = sweep(kinds=("collector",), most=12)
    return [multiple(one) for one in known[:: len(known) // most]][:most]


def multiple_of(
    reference: list[Sample], samples: list[Sample]
) -> tuple[ComponentModel, list[Residual]]:
    return fit_component("collector", samples, name="fp32", reference=reference, repeats=1)


def test_what_is_alike_is_a_multiple_of_the_same_size_elsewhere() -> None:
    reference = sweep(kinds=("collector",), most=12)
    everywhere = collectors("fp32", 1.5, 12)
    two = [everywhere[3], everywhere[8]]
    model, rows = multiple_of(reference, two)
    assert (model.samples, model.points) == (2, 2)
    for errors in fresh_errors(model, "collector", "fp32", everywhere).values():
        assert np.abs(errors).max() < 1e-6
    area = model.errors["area_um2"]
    assert area.method == "leave-one-out of 2 sizes, int8's times a factor"
    assert area.max_percent == pytest.approx(0, abs=1e-6)
    assert {row.id for row in rows} == {one.id for one in two}
    # All of the reference's sizes are inside, in the words of this arithmetic.
    table = features("collector", design_table("collector", "fp32", everywhere))
    assert not any(beyond.any() for beyond in model.outside(table).values())


def test_an_error_of_a_factor_is_that_of_the_size_held_out() -> None:
    reference = sweep(kinds=("collector",), most=12)
    one, other = collectors("fp32", 1.0, 2)
    other = replace(other, area_um2={part: 1.1 * value for part, value in other.area_um2.items()})
    model, _ = multiple_of(reference, [one, other])
    error = model.errors["area_um2.datapath"]
    assert error.max_percent == pytest.approx(10)
    assert error.mean_percent == pytest.approx((10 + 100 * (1 - 1 / 1.1)) / 2)
    single, rows = multiple_of(reference, [other])
    assert single.errors["area_um2"].mean_percent is None
    assert single.errors["area_um2"].method.startswith("not computed: one size, none is left")
    assert all(row.predicted is None for row in rows)
    errors = fresh_errors(single, "collector", "fp32", [one])
    assert errors["area_um2.datapath"] == pytest.approx(10)


def test_what_the_other_has_nothing_of_is_the_mean() -> None:
    reference = sweep(kinds=("collector",), most=12)
    nothing = [replace(one, leakage_mw={"datapath": 0.0}) for one in reference]
    two = collectors("fp32", 1.0, 2)
    model, _ = multiple_of(nothing, two)
    (piece,) = model.polynomials["leakage_mw.datapath"]
    values = [one.leakage_mw["datapath"] for one in two]
    assert min(values) <= piece.coefficients[0] <= max(values)


def test_few_collectors_are_fitted_as_multiples_many_by_themselves() -> None:
    samples = sweep(("int8", "lightpe1"), most=12)
    others = [one for one in samples if one.component != "collector"]
    own = [one for one in samples if one.component == "collector"]
    few = [one for one in own if one.arithmetic == "int8"]
    few += [one for one in own if one.arithmetic == "lightpe1"][:2]

    def method(some: list[Sample]) -> str:
        components = fit(some, TECHNOLOGY, repeats=1).model.contents.components
        return components["lightpe1"]["collector.fast"].errors["area_um2"].method

    assert method([*others, *few]) == "leave-one-out of 2 sizes, int8's times a factor"
    assert "factor" not in method([*others, *own])
    # Nobody has enough: the line joins the two sizes, as ever.
    assert "the line joins" in method([*others, *few[:2], *few[-2:]])


def test_controllers_of_one_arithmetic_stand_for_all() -> None:
    samples = sweep(("int8", "lightpe1"), most=6)
    some = [o for o in samples if o.component != "controller" or o.arithmetic == "int8"]
    components = fit(some, TECHNOLOGY, repeats=1).model.contents.components
    one, other = (components[name]["controller.fast"] for name in ("int8", "lightpe1"))
    assert one.polynomials["area_um2.datapath"] == other.polynomials["area_um2.datapath"]
