"""How many sizes of a PE models need: whole accelerators against models of the first 3, 4, ... .

python scripts/fewer_sizes.py [NAME ...]

Of models that ship and have been held against whole accelerators: fits to part of their samples,
in the default plan's order, all other components as they are. A row a technology and number of
sizes: core-minutes that these samples took, worst mean error of a PE type in percent, bars met.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from characterize.plan import load_plan
from characterize.sample import Sample, task_of
from characterize.sample_table import read_table
from characterize.technology import find_technology
from characterize.whole_rtl import whole_layer
from explore.composition import BARS, predict
from models.fit import fit
from models.markdown import table
from models.ppa import TRAINED, PpaModel
from rtl_gen.components import WITH_SCRATCHPADS
from rtl_gen.config import AcceleratorConfig

HEADINGS = ("technology", "sizes", "samples", "core-minutes", "area", "power", "period", "bars met")


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 4, 5, 6])
    args = parser.parse_args()
    rows = []
    for name in args.names or sorted(path.stem for path in TRAINED.glob("*.json")):
        model = PpaModel.load(TRAINED / f"{name}.json")
        measured = model.contents.manifest["measured"]
        samples = read_table(TRAINED / f"{name}-samples.csv", measured)
        report = json.loads(Path(TRAINED / f"{name}-validation/validate.json").read_text())
        for count in args.sizes:
            some = first_sizes(samples, name, count)
            part = fit(some, model.contents.technology).model
            rows.append([name, str(count), *words(some, errors(part, report["designs"]))])
    print(table(HEADINGS, rows))


def first_sizes(samples: Sequence[Sample], name: str, count: int) -> list[Sample]:
    """Those of PEs among the first points of the default plan, and all of other components."""
    groups = load_plan().groups(find_technology(name))
    first = {
        task
        for group in groups
        for task in group.tasks[:count]
        if task.component in WITH_SCRATCHPADS
    }
    return [one for one in samples if one.component != "pe" or task_of(one) in first]


def errors(model: PpaModel, designs: Sequence[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Quantity -> PE type -> absolute errors in percent of its accelerators."""
    found: dict[str, dict[str, list[float]]] = {quantity: {} for quantity in BARS}
    for design in designs:
        config = AcceleratorConfig.from_mapping(design["config"])
        layer = whole_layer(config)
        said = predict(model, config, layer, clock_ns=design["clock_ns"], recipe="fast")
        for quantity, types in found.items():
            error = 100 * abs(getattr(said, quantity) / design["whole"][quantity] - 1)
            types.setdefault(config.arithmetic.name, []).append(error)
    return found


def words(samples: Sequence[Sample], found: dict[str, dict[str, list[float]]]) -> list[str]:
    """The rest of a row."""
    seconds = sum(sum(one.manifest["seconds"].values()) for one in samples)
    worst = [f"{max(map(np.mean, types.values())):.1f}" for types in found.values()]
    met = [
        np.mean(one) <= BARS[quantity][0] and max(one) <= BARS[quantity][1]
        for quantity, types in found.items()
        for one in types.values()
    ]
    return [str(len(samples)), f"{seconds / 60:.1f}", *worst, f"{sum(met)} of {len(met)}"]


if __name__ == "__main__":
    main()
