"""PEs mapped for speed, for several clocks, and for area: the table of decision 21.

.venv/bin/python scripts/clock_targets.py nangate45 int8 int16 fp32
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from characterize.cell_files import prepare
from characterize.measure import measure
from characterize.sample import TARGET, Failure, Sample, Task
from characterize.technology import load_technology
from models.adaptive import energies_of
from models.markdown import table

SIZES = {"ifmap_words": 12, "weight_words": 48, "psum_words": 8}
#: Clocks in shares of the shortest period that mapping for speed reaches.
SHARES = (1.0, 1.25, 1.5, 2.0, 3.0)


def main(name: str, arithmetics: list[str]) -> None:
    technology = load_technology(name)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        liberty = prepare(technology, Path(folder))

        def measured(arithmetic: str, recipe: str, clock_ns: float) -> Sample:
            task = Task(
                component="pe",
                arithmetic=arithmetic,
                parameters=SIZES,
                technology=name,
                clock_ns=clock_ns,
                scratchpads="gated",
                recipe=recipe,
            )
            sample = measure(task, "none", technology=technology, liberty=liberty)
            if isinstance(sample, Failure):
                raise SystemExit(f"{task}: {sample.message}")
            return sample

        for one in arithmetics:
            fast = measured(one, "fast", technology.clock_ns)
            found = {"fast": fast}
            for share in SHARES:
                clock_ns = round(share * fast.min_period_ns, 2)
                found[f"target, {clock_ns:g} ns"] = measured(one, TARGET, clock_ns)
            found["small"] = measured(one, "small", technology.clock_ns)
            rows += [[one, way, *_figures(sample)] for way, sample in found.items()]
    print(table(["PE", "recipe", "area um2", "multiply-accumulate pJ", "period ns"], rows))


def _figures(sample: Sample) -> list[str]:
    busiest = energies_of("pe")[0].removeprefix("energy_pj.")
    area = sum(sample.area_um2.values())
    energy = sum(sample.energy_pj[busiest].values())
    return [f"{area:,.0f}", f"{energy:.2f}", f"{sample.min_period_ns:.3f}"]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
