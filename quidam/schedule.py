"""`quidam schedule`: how layers run on an accelerator, and what bounds each of them."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from explore.workload import load_workload, shipped
from quidam.terminal import console
from rtl_gen.config import AcceleratorConfig, load_config
from rtl_gen.errors import ToolError
from rtl_gen.layer import Layer, load_layer
from rtl_gen.mapper import OBJECTIVES, check
from rtl_gen.mapping import LETTERS
from rtl_gen.schedule import Schedule, schedule

#: How the table writes the folds of a filter.
SHORT = {"fold_height": "R/", "fold_width": "S/"}

DESCRIPTION = """\
Show the mapping, the cycles and the bound of every layer of a network, or of one layer: PEs
(compute) or the beats of a stream. `of ideal` is the cycles of the scarcest of them over all
cycles; `MAC` the share of the mapped PEs' cycles that multiply; `utilization` the share of all
PEs' cycles that the layer's own MACs take. With --measure every shape runs on the RTL, with
random tensors, and is compared with the golden layer and the formula.
"""
EPILOG = """\
example:
  quidam schedule examples/configs/eyeriss.yaml --workload resnet50
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One shape of a workload: under its first name, how often it occurs, and how it runs."""

    layer: Layer
    times: int
    plan: Schedule
    measured: int | None


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "schedule",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="the accelerator")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--workload", metavar="NAME|FILE", help=f"{', '.join(shipped())}, or a file")
    what.add_argument("--layer", metavar="LAYER.yaml", help="one layer")
    parser.add_argument("--objective", choices=OBJECTIVES, default="cycles")
    parser.add_argument("--measure", action="store_true", help="run every shape on the RTL")
    parser.add_argument("--seed", type=int, default=1, help="of the random tensors (default 1)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Schedule, measure if asked, print."""
    config = load_config(args.config)
    if args.layer:
        shapes: tuple[tuple[Layer, int], ...] = ((load_layer(args.layer), 1),)
        name = shapes[0][0].name
    else:
        workload = load_workload(args.workload)
        shapes, name = workload.unique(), workload.name
    for layer, _ in shapes:
        check(config, layer)
    rows = []
    for layer, times in track(
        shapes, description=f"{name}:", console=Console(stderr=True), transient=True
    ):
        plan = schedule(config, layer, objective=args.objective)
        measured = measure(config, layer, plan, args.seed) if args.measure else None
        rows.append(Row(layer=layer, times=times, plan=plan, measured=measured))
    figures = figures_of(config, rows)
    if args.json:
        print(json.dumps({"workload": name, **figures}))
    else:
        _print(name, config, Path(args.config), figures)
    return 0


def measure(config: AcceleratorConfig, layer: Layer, plan: Schedule, seed: int) -> int:
    """Cycles of the layer on the RTL.

    Raises
    ------
    ToolError
        When outputs, cycles or beats differ from the golden layer and the formula.
    """
    from characterize.regression import verify_layer

    verdict = verify_layer(config, layer, ("never", "never"), seed, plan.mapping)
    if verdict.mismatches:
        raise ToolError(f"the RTL disagrees on {layer.name!r}: {'; '.join(verdict.mismatches)}")
    return verdict.run.cycles


def figures_of(config: AcceleratorConfig, rows: list[Row]) -> dict[str, Any]:
    """What `--json` prints: every shape, and the whole."""
    layers = [_figures(config, row) for row in rows]
    total = {
        name: sum(row[name] * row["times"] for row in layers)
        for name in ("macs", "cycles", "ideal_cycles")
    }
    pes = config.rows * config.columns
    return {
        "layers": layers,
        **total,
        "of_ideal": total["ideal_cycles"] / total["cycles"],
        "utilization": total["macs"] / (total["cycles"] * pes),
    }


def _figures(config: AcceleratorConfig, row: Row) -> dict[str, Any]:
    plan, mapping = row.plan, row.plan.mapping
    cycles = int(plan.cycles)
    mapped = mapping.t * mapping.e * mapping.r * int(plan.loops.kernel_height)
    return {
        "layer": row.layer.name,
        "times": row.times,
        "mapping": {letter: int(getattr(mapping, letter)) for letter in LETTERS},
        "macs": plan.macs,
        "cycles": cycles,
        "measured_cycles": row.measured,
        "ideal_cycles": int(plan.ideal),
        "bound": plan.bound,
        "bounds": {name: int(bound) for name, bound in plan.bounds.items()},
        "of_ideal": int(plan.ideal) / cycles,
        "mac_share": int(plan.bounds["compute"]) / cycles,
        "mapped_pes": int(mapped),
        "utilization": plan.macs / (cycles * config.rows * config.columns),
    }


def _print(name: str, config: AcceleratorConfig, path: Path, figures: dict[str, Any]) -> None:
    table = Table(
        title=f"{name} on {path.stem}: {config.rows} x {config.columns} {config.arithmetic.label}",
        title_justify="left",
    )
    table.add_column("layer", no_wrap=True)
    for column in ("times", "mapping", "PEs", "cycles", "bound", "of ideal", "MAC", "utilization"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in figures["layers"]:
        letters = " ".join(
            f"{SHORT.get(letter, letter)}{value}"
            for letter, value in row["mapping"].items()
            if not (letter.startswith("fold") and value == 1)
        )
        exact = {None: "", True: " =", False: " !"}[
            None if row["measured_cycles"] is None else row["measured_cycles"] == row["cycles"]
        ]
        table.add_row(
            row["layer"],
            str(row["times"]),
            letters,
            str(row["mapped_pes"]),
            f"{row['cycles']:,}{exact}",
            row["bound"],
            *(f"{row[share]:.1%}" for share in ("of_ideal", "mac_share", "utilization")),
        )
    table.add_section()
    table.add_row(
        "all",
        *("", "", "", f"{figures['cycles']:,}", ""),
        *(f"{figures['of_ideal']:.1%}", "", f"{figures['utilization']:.1%}"),
    )
    console().print(table)
    if any(row["measured_cycles"] is not None for row in figures["layers"]):
        print("= : the RTL took exactly these cycles, and its outputs are the golden layer's")
