"""How fast exploring is: `python -m explore.bench --tech NAME|MODEL.json` (`make bench`).

Prints designs a second of the search, and of evaluating some of the same designs one by one,
and checks that both say the same.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np

from explore.cost import evaluate
from explore.search import search
from explore.space import Space, load_space
from explore.workload import Workload, load_workload
from models.ppa import load_model

if TYPE_CHECKING:
    from models.ppa import PpaModel

#: Designs to evaluate one by one.
ONE_BY_ONE = 40


def main() -> None:
    """Measure and print, one line a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tech", required=True, metavar="NAME|MODEL.json")
    parser.add_argument("--space", default="examples/spaces/demo.yaml", metavar="SPACE.yaml")
    parser.add_argument("--workload", nargs="+", default=["resnet20", "vgg16", "resnet50"])
    args = parser.parse_args()
    model, space = load_model(args.tech), load_space(args.space)
    for name in args.workload:
        print(measure(model, space, load_workload(name)))


def measure(model: PpaModel, space: Space, workload: Workload) -> str:
    """One line: designs, designs a second together and one by one, their ratio."""
    found = search(model, space, [workload])
    designs = max((table for table, _ in space.chunks()), key=len)
    costs = evaluate(model, designs, workload)
    some = np.linspace(0, len(designs) - 1, ONE_BY_ONE).astype(int)
    started = time.perf_counter()
    alone = [evaluate(model, designs.config(int(index)), workload) for index in some]
    rate = ONE_BY_ONE / (time.perf_counter() - started)
    for index, one in zip(some, alone, strict=True):
        if one.cycles != costs.cycles[index] or (
            one.legal and not np.isclose(one.energy_j, costs.energy_j[index], rtol=1e-12)
        ):
            raise AssertionError(f"design {designs.config(int(index))} costs differ in the table")
    together = found.designs_per_second
    return (
        f"{workload.name}: {found.designs:,} designs in {found.seconds:.2f} s: "
        f"{together:,.0f} designs/s together, {rate:,.1f} designs/s one by one: "
        f"{together / rate:,.0f} times as fast"
    )


if __name__ == "__main__":
    main()
