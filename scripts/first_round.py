"""What the default plan's first round is enough for: evidence of decision 23.

python scripts/first_round.py [NAME ...]

Of models that ship and have been held against whole accelerators, two tables. How alike components
are in all arithmetics: how many times INT8's a metric is, at the size where that is farthest from
its mean over sizes (controllers: from 1), in percent. And whole accelerators against models of all
samples that ship, and of those that the first round has: core-minutes that these took, the worst
mean error of a PE type in percent, and how many bars are met.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from characterize.plan import load_plan
from characterize.sample import Sample, task_of
from characterize.sample_table import read_table
from characterize.technology import find_technology
from characterize.whole_store import Whole
from explore.composition import BARS, summary
from models.adaptive import energies_of
from models.fit import fit
from models.markdown import table
from models.metrics import derived, measured
from models.ppa import TRAINED, PpaModel
from quidam.validation import compared
from quidam.validation_file import read_report
from rtl_gen.components import ALIKE

REFERENCE = "int8"
ROUND = ("technology", "samples of", "number", "core-minutes", "area", "power", "period", "bars")
ALIKENESS = ("technology", "component", "area", "energy of the busiest event", "period")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    alike, rounds = [], []
    for name in args.names or sorted(path.stem for path in TRAINED.glob("*.json")):
        shipped = PpaModel.load(TRAINED / f"{name}.json")
        samples = read_table(TRAINED / f"{name}-samples.csv", shipped.contents.manifest["measured"])
        wholes = read_report(TRAINED / f"{name}-validation" / "validate.json").wholes
        alike += [[name, *words] for words in alikeness(samples)]
        for title, some in (("all", samples), ("the first round", first_round(samples, name))):
            model = fit(some, shipped.contents.technology).model
            rounds.append([name, title, *judged(some, model, wholes)])
    print(table(ALIKENESS, alike))
    print()
    print(table(ROUND, rounds))


def alikeness(samples: Sequence[Sample]) -> Iterator[list[str]]:
    """A row for each component that decision 23 is about."""
    for kind in (*ALIKE, "controller"):
        metrics = ("area_um2", energies_of(kind)[0], "min_period_ns")
        values: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
        for one in samples:
            if one.component == kind:
                found = measured([one])
                found |= derived(kind, found, np.array([one.clock_ns]))
                size = str(sorted(one.parameters.items()))
                values[one.arithmetic][size] = {name: float(found[name][0]) for name in metrics}
        words = []
        for metric in metrics:
            worst = 0.0
            for own in values.values():
                times = np.array(
                    [own[at][metric] / values[REFERENCE][at][metric] for at in sorted(own)]
                )
                usual = times.mean() if kind in ALIKE else 1.0
                worst = max(worst, float(100 * np.abs(times / usual - 1).max()))
            words.append(f"{worst:.1f}")
        yield [kind, *words]


def first_round(samples: Sequence[Sample], name: str) -> list[Sample]:
    """Those that the default plan measures first."""
    groups = load_plan().groups(find_technology(name))
    first = {task for group in groups for task in group.tasks[: group.first]}
    return [one for one in samples if task_of(one) in first]


def judged(samples: Sequence[Sample], model: PpaModel, wholes: Sequence[Whole]) -> list[str]:
    """The rest of a row: what the samples took, how wrong the model of them is, bars met."""
    seconds = sum(sum(one.manifest["seconds"].values()) for one in samples)
    rows = summary(compared(wholes, model, None), "fitted")
    worst = [
        f"{max(row['mean_percent'] for row in rows if row['quantity'] == quantity):.1f}"
        for quantity in BARS
    ]
    met = sum(row["met"] for row in rows)
    return [str(len(samples)), f"{seconds / 60:.1f}", *worst, f"{met} of {len(rows)}"]


if __name__ == "__main__":
    main()
