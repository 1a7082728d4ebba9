"""How wrong a model is on those samples of a store whose sizes it was not fitted to.

    quidam characterize --tech nangate45 --store STORE \
        --plan examples/plans/highest-corner.yaml
    python scripts/fresh_errors.py models/trained/nangate45.json STORE

Mean of the errors, which shows whether the model says too much or too little, and the largest, in
percent.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from characterize.sample import Sample
from characterize.store import open_store
from models.adaptive import energies_of
from models.build import COMPONENTS
from models.fit_component import component_of
from models.fresh import fresh_errors
from models.markdown import table
from models.ppa import load_model
from rtl_gen.components import KINDS

_WAY = ("component", "arithmetic", "scratchpads", "recipe")
HEADINGS = ("area", "energy of the busiest event", "period")


def main() -> None:
    """Print a table, a row for each component of each arithmetic."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("store")
    args = parser.parse_args()
    model = load_model(args.model)
    with args.model.with_name(f"{args.model.stem}-samples.csv").open(encoding="utf-8") as stream:
        known = {_design(row) for row in csv.DictReader(stream)}
    fresh: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in open_store(args.store).samples():
        row = {**sample.parameters, **{name: getattr(sample, name) for name in _WAY}}
        if _design(row) not in known:
            fresh[sample.arithmetic, component_of(sample)].append(sample)
    rows = []
    for (arithmetic, component), samples in sorted(fresh.items()):
        kind = COMPONENTS[component]
        fitted = model.contents.components[arithmetic][component]
        errors = fresh_errors(fitted, kind, arithmetic, samples)
        found = [errors[name] for name in ("area_um2", energies_of(kind)[0], "min_period_ns")]
        words = [f"{one.mean():+.1f} ({one[np.argmax(np.abs(one))]:+.1f})" for one in found]
        rows.append([arithmetic, component, str(len(samples)), *words])
    print(table(["arithmetic", "component", "samples", *HEADINGS], rows))


def _design(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What was measured, however: a row of a table of samples."""
    return tuple(str(row[name]) for name in (*_WAY, *KINDS[row["component"]].fields))


if __name__ == "__main__":
    main()
