"""What an exploration leaves in its folder: front.csv, PNGs, manifest.json, report.html."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explore.report import report_html
from explore.search import Exploration
from explore.table import best_by_type, fronts


def write_results(
    directory: Path, exploration: Exploration, manifest: Mapping[str, Any]
) -> list[Path]:
    """Write every file; the folder is made when missing, files of the same names are replaced.

    Returns
    -------
    list
        The files, report.html last.
    """
    # Drawing takes a second to import: only those who want pictures pay.
    from explore.plots import energy_png, pareto_png

    directory.mkdir(parents=True, exist_ok=True)
    pictures = {}
    written = [directory / "front.csv", directory / "manifest.json"]
    fronts(exploration).to_csv(written[0], index=False)
    written[1].write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    for findings in exploration.findings:
        name = findings.workload.name
        pictures[name] = [pareto_png(exploration, findings), energy_png(exploration, findings)]
        for kind, picture in zip(("pareto", "energy"), pictures[name], strict=True):
            written.append(directory / f"{kind}_{name}.png")
            written[-1].write_bytes(picture)
    written.append(directory / "report.html")
    page = report_html(exploration, pictures, manifest)
    written[-1].write_text(page, encoding="utf-8")
    return written


def summary(exploration: Exploration) -> dict[str, Any]:
    """The JSON of `quidam explore --json`: keys carry units and stay as they are.

    `front` has the non-dominated designs of every workload; its rows have the columns of
    front.csv. `best` has, by workload, what `best_by_type` says.
    """
    table = fronts(exploration)
    front = table[table["on_front"]].drop(columns="on_front")
    return {
        "designs": exploration.designs,
        "dropped": exploration.dropped,
        "seconds": exploration.seconds,
        "designs_per_second": exploration.designs_per_second,
        "technology": exploration.technology,
        "objectives": [one.name for one in exploration.objectives],
        "constraints": [str(one) for one in exploration.constraints],
        "reference": exploration.reference.name,
        "scaled": list(exploration.scaled),
        "workloads": {
            findings.workload.name: {
                "feasible": findings.feasible,
                "cannot_run": findings.cannot_run,
                "outside_range": findings.outside,
                "front": int(sum(mask.sum() for mask in findings.overall.values())),
            }
            for findings in exploration.findings
        },
        "best": {
            findings.workload.name: best_by_type(exploration, findings)
            for findings in exploration.findings
        },
        "front": front.to_dict(orient="records"),
    }
