"""`quidam predict`: area, clock, latency and energy of one accelerator on one network."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.table import Table

from characterize.sample import RECIPES
from explore.cost import PARTS, Costs, layer_costs, workload_costs
from explore.memory_energy import memory_figures, scaled_share
from explore.workload import Workload, load_workload, shipped
from models.build import Build
from models.ppa import Ppa, load_model
from quidam.terminal import console
from rtl_gen.config import AcceleratorConfig, load_config
from rtl_gen.errors import UserError
from rtl_gen.mapper import check

DESCRIPTION = """\
Predict one inference of a network on one accelerator, layer by layer, from fitted models.
Nothing is synthesized or simulated: it takes a fraction of a second.
"""
EPILOG = """\
example:
  quidam predict examples/configs/lightpe1.yaml --tech osu018 --workload resnet20
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "predict",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="the accelerator")
    parser.add_argument(
        "--tech", required=True, metavar="NAME|MODEL.json", help="a fitted model, or one that ships"
    )
    parser.add_argument(
        "--workload", required=True, metavar="NAME|FILE",
        help=f"a network: {', '.join(shipped())}, or a file (docs/reference/workload-file.md)",
    )  # fmt: skip
    parser.add_argument(
        "--clock-ns", type=float, metavar="NS",
        help="clock period (default: the design's shortest; never less than that)",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", choices=RECIPES, default=RECIPES[0],
        help="how hard synthesis tries for speed (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Predict and print."""
    if args.clock_ns is not None and not 0 < args.clock_ns < float("inf"):
        raise UserError(f"--clock-ns must be positive and finite, not {args.clock_ns!r}")
    config = load_config(args.config)
    workload = load_workload(args.workload)
    for layer in workload.computed:
        check(config, layer)
    build = Build(scratchpads=config.scratchpads, recipe=args.recipe)
    ppa = load_model(args.tech).predict(config, build=build)
    result = prediction(ppa, config, workload, args.clock_ns)
    if args.json:
        print(json.dumps(result))
    else:
        _print(result, config)
    return 0


def prediction(
    ppa: Ppa, config: AcceleratorConfig, workload: Workload, clock_ns: float | None = None
) -> dict[str, Any]:
    """The JSON of `quidam predict --json`: the whole network, and every layer, by the same keys."""
    figures = _figures(workload_costs(ppa, config, workload, clock_ns), config)
    memories = memory_figures(ppa, config, workload, figures["clock_ns"])
    return {
        "workload": workload.name,
        "technology": ppa.technology,
        **figures,
        "outside": sorted(ppa.outside),
        "scaled": sorted(name for name, memory in memories.items() if memory["scaled"]),
        "scaled_share": scaled_share(
            ppa, memories, energy_j=figures["energy_j"], clock_ns=figures["clock_ns"]
        ),
        "memories": memories,
        "area_um2_by": {share: float(area) for share, area in ppa.area_by.items()},
        "leakage_w_by": {share: float(mw) * 1e-3 for share, mw in ppa.leakage_by.items()},
        "layers": [
            {"name": layer.name, **_figures(layer_costs(ppa, config, layer, clock_ns), config)}
            for layer in workload.computed
        ],
    }


def _figures(costs: Costs, config: AcceleratorConfig) -> dict[str, Any]:
    return {
        "area_um2": float(costs.area_um2),
        "clock_ns": float(costs.clock_ns),
        "cycles": int(costs.cycles),
        "latency_s": float(costs.latency_s),
        "energy_j": float(costs.energy_j),
        "power_w": float(costs.power_w),
        "leakage_w": float(costs.leakage_w),
        "inside_range": bool(costs.inside_range),
        "macs": costs.macs,
        "utilization": costs.macs / (int(costs.cycles) * config.rows * config.columns),
        "energy_j_by": {part: float(costs.energy_by[part]) for part in PARTS},
    }


def _print(result: dict[str, Any], config: AcceleratorConfig) -> None:
    output = console()
    table = Table(title=f"{result['workload']} on {result['technology']}, {_config(config)}")
    table.add_column("layer")
    for title in ("cycles", "latency ms", "energy µJ", "power mW", "MACs", "utilization"):
        table.add_column(title, justify="right")
    for layer in result["layers"]:
        table.add_row(layer["name"], *_cells(layer))
    table.add_section()
    table.add_row("all", *_cells(result), style="bold")
    if result["scaled"]:
        table.caption = "latency, energy and power with scaled memories in them"
    output.print(table)
    output.print(_memories(result["memories"]))
    marks = _marks(result["scaled_share"])
    output.print(
        f"area {result['area_um2'] / 1e6:.4g} mm²{marks['area_um2']}: "
        f"{_shares(result['area_um2_by'])}\n"
        f"energy {result['energy_j'] * 1e3:.4g} mJ{marks['energy_j']}: "
        f"{_shares(result['energy_j_by'])}\n"
        f"clock {result['clock_ns']:.4g} ns ({1e3 / result['clock_ns']:.4g} MHz)"
        f"{marks['clock_ns']}, "
        f"leakage {result['leakage_w'] * 1e3:.4g} mW{marks['leakage_w']}",
        highlight=False,
    )
    for text in _warnings(result):
        output.print(f"[bold yellow]warning:[/] {text}", highlight=False)


#: Row of the table of memories -> the figure of one memory, and what it is multiplied by.
_OF_ONE = {
    "area, mm²": ("area_um2", 1e-6),
    "access, ns": ("access_ns", 1.0),
    "read, pJ": ("read_pj", 1.0),
    "write, pJ": ("write_pj", 1.0),
    "idle cycle, pJ": ("idle_pj", 1.0),
    "leakage, µW": ("leakage_mw", 1e3),
}


def _memories(memories: dict[str, dict[str, Any]]) -> Table:
    """What one of each memory is and takes, and what all of them take over the inference."""
    table = Table(title="memories: one of each; below, all of them over the inference")
    table.add_column("")
    for name, memory in memories.items():
        table.add_column(f"{name} (scaled)" if memory["scaled"] else name, justify="right")
    for title, (figure, factor) in _OF_ONE.items():
        table.add_row(title, *(f"{one[figure] * factor:.3g}" for one in memories.values()))
    table.add_section()
    table.add_row("copies", *(str(one["count"]) for one in memories.values()))
    for part in ("read", "write", "idle", "leakage"):
        joules = (one["energy_j_by"][part] for one in memories.values())
        table.add_row(f"{part}, µJ", *(f"{one * 1e6:.3g}" for one in joules))
    return table


def _marks(share: dict[str, Any]) -> dict[str, str]:
    """Figure -> what stands behind it where it comes from scaled memories."""
    marks = {
        name: f" (scaled: {part:.1%} of it)" if part else ""
        for name, part in share.items()
        if name != "clock_ns"
    }
    return {**marks, "clock_ns": " (scaled: a memory's access time)" if share["clock_ns"] else ""}


def _warnings(result: dict[str, Any]) -> list[str]:
    texts = []
    if not result["inside_range"]:
        texts.append(
            "this design lies OUTSIDE the range that the models were fitted on "
            f"({', '.join(result['outside'])}): its figures are extrapolated"
        )
    if result["scaled"]:
        texts.append(
            f"the figures of the memories ({', '.join(result['scaled'])}) are scaled from "
            f"another technology: {result['technology']} has no memory data of its own"
        )
    return texts


def _cells(figures: dict[str, Any]) -> list[str]:
    return [
        f"{figures['cycles']:,}",
        f"{figures['latency_s'] * 1e3:.4g}",
        f"{figures['energy_j'] * 1e6:.4g}",
        f"{figures['power_w'] * 1e3:.4g}",
        f"{figures['macs']:,}",
        f"{figures['utilization']:.1%}",
    ]


def _shares(parts: dict[str, float]) -> str:
    total = sum(parts.values())
    named = sorted(parts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name.replace('_', ' ')} {value / total:.1%}" for name, value in named)


def _config(config: AcceleratorConfig) -> str:
    return f"{config.arithmetic.label}, {config.rows} x {config.columns} PEs"
