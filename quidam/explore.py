"""`quidam explore`: search a space of accelerators for the best ones for a network."""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from explore.quantities import OBJECTIVES, QUANTITIES, constraint
from explore.report import DESIGN_LEGEND, scaled_mark, short_design, warnings
from explore.results import summary, write_results
from explore.search import Exploration, Findings, search
from explore.space import Space, load_space, objectives
from explore.table import best_by_type
from explore.workload import NETWORKS, Workload, load_workload, shipped
from models.ppa import TRAINED, PpaModel, load_model
from quidam import __version__
from quidam.terminal import console
from rtl_gen import provenance
from rtl_gen.errors import UserError

DESCRIPTION = """\
Evaluate every design of a space on one or more networks and keep the Pareto front.

Writes to DIR: front.csv (every PE type's front; column on_front marks the overall one),
pareto_NETWORK.png, energy_NETWORK.png, manifest.json, and report.html, which explains itself.
"""
EPILOG = f"""\
quantities for --where:
{textwrap.fill(", ".join(QUANTITIES), 78, initial_indent="  ", subsequent_indent="  ")}

example:
  quidam explore examples/spaces/demo.yaml --workload resnet20 vgg16 --tech osu018 \\
      --where 'area_mm2 < 20' -o build/front
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "explore",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "space", metavar="SPACE.yaml", help="what to try: docs/reference/space-file.md"
    )
    parser.add_argument(
        "--workload", nargs="+", required=True, metavar="NAME|FILE",
        help=f"networks: {', '.join(shipped())}, or files (docs/reference/workload-file.md)",
    )  # fmt: skip
    parser.add_argument(
        "--tech", required=True, metavar="NAME|MODEL.json", help="a fitted model, or one that ships"
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR")
    parser.add_argument(
        "--objective", nargs="+", default=[], metavar="NAME",
        help=f"in place of the space's own: {', '.join(OBJECTIVES)}",
    )  # fmt: skip
    parser.add_argument(
        "--where", action="append", default=[], metavar="'QUANTITY < NUMBER'",
        help="a constraint beside the space's own; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--sample", type=int, metavar="N", help="try N combinations drawn at random, not all"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default 0)")
    parser.add_argument(
        "--clock-ns", type=float, metavar="NS",
        help="clock period (default: each design's shortest; never less than that)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Explore, write the folder, print the summary."""
    for name, value in (("sample", args.sample), ("clock-ns", args.clock_ns)):
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"--{name} must be positive and finite, not {value!r}")
    if args.seed < 0:
        raise UserError(f"--seed must be at least 0, not {args.seed!r}")
    space = load_space(args.space)
    model = load_model(args.tech)
    workloads = [load_workload(name) for name in args.workload]
    names = [workload.name for workload in workloads]
    if len(set(names)) < len(names):
        raise UserError(f"workloads must have different names, not {names!r}")
    exploration = _search(args, model, space, workloads)
    files = write_results(args.output, exploration, _manifest(args, model))
    if args.json:
        print(json.dumps(summary(exploration)))
    else:
        _print(exploration, files)
    return 0


def _search(
    args: argparse.Namespace, model: PpaModel, space: Space, workloads: list[Workload]
) -> Exploration:
    total = space.combinations if args.sample is None else min(args.sample, space.combinations)
    bar = Progress(
        TextColumn("exploring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("exploring", total=total)
        return search(
            model,
            space,
            workloads,
            objectives=objectives(args.objective),
            constraints=[constraint(text) for text in args.where],
            clock_ns=args.clock_ns,
            sample=args.sample,
            seed=args.seed,
            progress=lambda combinations: bar.advance(task, combinations),
        )


def _manifest(args: argparse.Namespace, model: PpaModel) -> dict[str, Any]:
    """Where the result comes from: command, versions, hashes of every input, seed."""
    model_file = Path(args.tech)
    if not model_file.is_file():
        model_file = TRAINED / f"{args.tech}.json"
    inputs = {"space": Path(args.space), "model": model_file}
    for name in args.workload:
        path = NETWORKS / f"{name}.yaml" if name in shipped() else Path(name)
        inputs[f"workload {path.stem}"] = path
    return {
        "schema": "quidam-exploration/1",
        "command": shlex.join(["quidam", *sys.argv[1:]]),
        "commit": provenance.commit(),
        "seed": args.seed,
        "versions": {
            "quidam": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pandas": pd.__version__,
        },
        "inputs_sha256": {
            role: provenance.sha256(path.read_bytes()) for role, path in inputs.items()
        },
        "model": {"file": model_file.name, **model.contents.manifest},
    }


def _print(exploration: Exploration, files: list[Path]) -> None:
    output = console()
    output.print(
        f"{exploration.designs:,} designs ({exploration.dropped:,} combinations broke a rule) on "
        f"{len(exploration.findings)} network(s) in {exploration.seconds:.2f} s: "
        f"{exploration.designs_per_second:,.0f} designs/s"
    )
    for findings in exploration.findings:
        output.print(_types(exploration, findings))
        on_front = sum(int(mask.sum()) for mask in findings.overall.values())
        names = ", ".join(one.name for one in exploration.objectives)
        output.print(f"{on_front:,} designs on the front in {names}\n")
    output.print(f"{DESIGN_LEGEND}; * extrapolated{scaled_mark(exploration)}", highlight=False)
    for text in warnings(exploration):
        output.print(f"[bold yellow]note:[/] {text}", highlight=False)
    for path in files:
        output.print(f"wrote {path}", highlight=False, soft_wrap=True)


def _types(exploration: Exploration, findings: Findings) -> Table:
    table = Table(
        title=f"{findings.workload.name} on {exploration.technology}: "
        f"PE types relative to the best {exploration.reference.label} design",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("PE type")
    table.add_column("best")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("better by", justify="right")
    table.add_column("design", no_wrap=True)
    units = {"perf_per_area": "inf./s/mm²", "energy_mj": "mJ/inf."}
    for row in best_by_type(exploration, findings):
        label = row["label"]
        for quantity, unit in units.items():
            flag = "" if row[f"{quantity}_inside_range"] else "*"
            ratio = row[f"{quantity}_relative"]
            table.add_row(
                label,
                unit,
                f"{row[quantity]:.4g}{flag}",
                "" if ratio is None else f"{ratio:.2f}x",
                short_design(row[f"{quantity}_design"]),
            )
            label = ""
    return table
