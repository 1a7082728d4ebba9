"""The composition of an accelerator from its components, held against whole ones.

Both sides leave the memories out, which take the same number in both: the whole one has ports in
their place, the prediction has memories that cost nothing and answer at once. Both are of settled
values: what glitches add is a factor of its own (`models.glitches`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from explore.cost import layer_costs
from models.build import Build
from models.component import PARTS
from models.features import features, means
from models.ppa import PpaModel
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.schedule import schedule

if TYPE_CHECKING:
    from characterize.whole_store import Whole

#: What is compared -> its bars in percent: mean and worst over the accelerators of one PE type.
BARS = {"area_um2": (2.0, 5.0), "power_mw": (5.0, 10.0), "min_period_ns": (5.0, 10.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the composition says of an accelerator that runs a layer, memories aside.

    Parameters
    ----------
    area_um2, power_mw, min_period_ns : of the whole accelerator.
    inside_range : whether the models were fitted on designs around it.
    area_by, power_by, idle_by : kind of component -> of all its instances; while the layer runs,
        and while nothing does.
    period_by : as of `models.ppa.Ppa`: what the period is the longest of.
    """

    area_um2: float
    power_mw: float
    min_period_ns: float
    inside_range: bool
    area_by: Mapping[str, float]
    power_by: Mapping[str, float]
    idle_by: Mapping[str, float]
    period_by: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One accelerator: measured whole, and predicted in each of the ways.

    Parameters
    ----------
    whole : the measurement.
    predictions : way ("composed", from components measured at this very size; "fitted", from the
        models of the technology) -> prediction.
    """

    whole: Whole
    predictions: Mapping[str, Prediction]

    def actual(self, quantity: str) -> float:
        """The measurement, by the name it has in a `Prediction`."""
        match quantity:
            case "area_um2":
                return self.whole.total_area_um2
            case "power_mw":
                return self.whole.total_power_mw
            case _:
                return self.whole.min_period_ns

    def error_percent(self, way: str, quantity: str) -> float:
        """Signed: above zero where the prediction is too large."""
        predicted: float = getattr(self.predictions[way], quantity)
        return 100 * (predicted / self.actual(quantity) - 1)

    @property
    def arithmetic(self) -> str:
        """The PE type."""
        return str(self.whole.config["arithmetic"])


def predict(
    model: PpaModel, config: AcceleratorConfig, layer: Layer, *, clock_ns: float, recipe: str
) -> Prediction:
    """Compose an accelerator that runs `layer` at a clock of `clock_ns`.

    Raises
    ------
    UserError
        When the model lacks the arithmetic, or the way the accelerator is built.
    """
    model = settled_logic(model)
    build = Build(scratchpads=config.scratchpads, recipe=recipe)
    ppa = model.predict(config, build=build)
    costs = layer_costs(ppa, config, layer)
    # At the clock of the measurement, though the logic be slower: energies do not depend on it.
    dynamic_j = sum(float(joules) for part, joules in costs.energy_by.items() if part != "leakage")
    power_mw = dynamic_j * 1e12 / (int(costs.cycles) * clock_ns) + float(ppa.leakage_mw)
    known = by_kind(model, config, build)
    counts = {kind: int(KINDS[kind].count(config)) for kind in KINDS}
    plan = schedule(config, layer)

    def mean_mw(kind: str, events: Mapping[str, float]) -> float:
        """Of all instances: what events take above idling, idling, leakage; events a cycle."""
        own, idle = known[kind], _sum(known[kind], "energy_pj.idle")
        energy = counts[kind] * idle
        energy += sum(
            rate * (_sum(own, f"energy_pj.{event}") - idle) for event, rate in events.items()
        )
        return energy / clock_ns + counts[kind] * _sum(own, "leakage_mw")

    rates = {
        kind: {
            event: float(count) / int(plan.cycles)
            for event, count in plan.events[kind].items()
            if event != "cycle"
        }
        for kind in KINDS
    }
    return Prediction(
        area_um2=float(ppa.area_um2),
        power_mw=power_mw,
        min_period_ns=float(ppa.min_period_ns),
        inside_range=bool(ppa.inside_range),
        area_by={kind: counts[kind] * _sum(known[kind], "area_um2") for kind in KINDS},
        power_by={kind: mean_mw(kind, rates[kind]) for kind in KINDS},
        idle_by={kind: mean_mw(kind, {}) for kind in KINDS},
        period_by={name: float(value) for name, value in ppa.period_by.items()},
    )


def settled_logic(model: PpaModel) -> PpaModel:
    """The same model, whose memories, on chip and off, take nothing, as do glitches."""
    technology = model.contents.technology
    nothing = {
        quantity: dict.fromkeys(terms, 0.0)
        for quantity, terms in technology.memories["coefficients"].items()
    }
    technology = replace(
        technology,
        memories={**technology.memories, "coefficients": nothing},
        dram_pj_per_bit=0.0,
        glitches={},
    )
    return PpaModel(contents=replace(model.contents, technology=technology))


def by_kind(
    model: PpaModel, config: AcceleratorConfig, build: Build
) -> dict[str, dict[str, float]]:
    """Kind -> metric (see `models.component`) -> its value for one instance."""
    fitted = model.contents.components[config.arithmetic.name]
    return {
        kind: {
            metric: float(value)
            for metric, value in fitted[build.component(kind)]
            .evaluate(features(kind, config), means(kind, config))
            .items()
        }
        for kind in KINDS
    }


def _sum(metrics: Mapping[str, float], prefix: str) -> float:
    return sum(metrics.get(f"{prefix}.{part}", 0.0) for part in PARTS)


def summary(comparisons: Sequence[Comparison], way: str) -> list[dict[str, object]]:
    """For every PE type and quantity: mean and worst absolute error in percent, and the bars."""
    rows: list[dict[str, object]] = []
    for name in sorted({one.arithmetic for one in comparisons}):
        for quantity, (mean_bar, worst_bar) in BARS.items():
            errors = [
                abs(one.error_percent(way, quantity))
                for one in comparisons
                if one.arithmetic == name and way in one.predictions
            ]
            if not errors:
                continue
            mean, worst = float(np.mean(errors)), max(errors)
            rows.append(
                {
                    "arithmetic": name,
                    "way": way,
                    "quantity": quantity,
                    "designs": len(errors),
                    "mean_percent": mean,
                    "worst_percent": worst,
                    "mean_bar": mean_bar,
                    "worst_bar": worst_bar,
                    "met": mean <= mean_bar and worst <= worst_bar,
                }
            )
    return rows
