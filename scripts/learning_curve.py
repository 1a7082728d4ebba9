"""How the error of a component's model falls with the number of samples: cross-validated, and true.

    quidam characterize --tech osu018 --store STORE --plan examples/plans/curve.yaml
    quidam characterize --tech osu018 --store STORE --plan examples/plans/curve-fresh.yaml
    python scripts/learning_curve.py STORE -o docs/images/learning-curve.png

Models are fitted to the first n samples of the first plan; "fresh" is their mean error on those
samples of the second that the first has not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from characterize.plan import load_plan
from characterize.sample import Sample, task_of
from characterize.store import open_store
from characterize.technology import TECHNOLOGIES, read_technology
from models.adaptive import Errors, energies_of, errors
from models.fit_component import fit_component
from models.fresh import fresh_errors

PLANS = Path(__file__).parents[1] / "examples/plans"
METRICS = ("area", "energy", "period")


def main() -> None:
    """Print the table, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--tech", default="osu018")
    parser.add_argument("-o", "--output")
    args = parser.parse_args()
    samples = samples_of(args.store, PLANS / "curve.yaml", args.tech)
    known = {sample.id for sample in samples}
    fresh = samples_of(args.store, PLANS / "curve-fresh.yaml", args.tech)
    fresh = [sample for sample in fresh if sample.id not in known]
    rows = []
    print("samples  cross-validated area/energy/period %  fresh area/energy/period %")
    for count in range(5, len(samples) + 1):
        found, truth = errors(samples[:count]), on_fresh(samples[:count], fresh)
        rows.append((count, found, truth))
        print(f"{count:7}  {words(found):>37}  {words(truth):>26}")
    if args.output:
        draw(rows, Path(args.output))


def samples_of(store: str, plan: Path, technology: str) -> list[Sample]:
    """The samples of a plan of one group, in its order."""
    (group,) = load_plan(plan).groups(read_technology(TECHNOLOGIES / f"{technology}.yaml"))
    found = {str(task_of(sample)): sample for sample in open_store(store).samples()}
    return [found[str(task)] for task in group.tasks]


def on_fresh(samples: list[Sample], fresh: list[Sample]) -> Errors:
    """Mean errors of a model of some samples on others."""
    kind, arithmetic = samples[0].component, samples[0].arithmetic
    model = fit_component(kind, sorted(samples, key=lambda one: one.id))[0]
    found = fresh_errors(model, kind, arithmetic, fresh)

    def mean(name: str) -> float:
        return float(np.abs(found[name]).mean())

    return Errors(
        area=mean("area_um2"),
        energy=max(map(mean, energies_of(kind))),
        period=mean("min_period_ns"),
    )


def words(found: Errors) -> str:
    return " / ".join(f"{getattr(found, name):.1f}" for name in METRICS)


def draw(rows: list[tuple[int, Errors, Errors]], path: Path) -> None:
    """One panel a metric."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(10, 3), sharex=True, layout="constrained")
    counts = [count for count, _, _ in rows]
    for panel, name, bar in zip(panels, METRICS, (2, 5, 5), strict=True):
        panel.plot(counts, [getattr(found, name) for _, found, _ in rows], label="cross-validated")
        panel.plot(counts, [getattr(truth, name) for _, _, truth in rows], label="on fresh sizes")
        panel.axhline(bar, color="grey", linestyle=":", label="bar")
        panel.set(title=name, xlabel="samples", ylim=(0, None))
    panels[0].set_ylabel("mean error, %")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
