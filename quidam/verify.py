"""`quidam verify`: the regression that ties RTL, golden arithmetic and cycle formula together."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from characterize.regression import Verdict, random_layers, stall_pairs, verify_layer
from characterize.simulation import build
from rtl_gen.config import AcceleratorConfig, load_config
from rtl_gen.errors import ToolError, UserError

DESCRIPTION = """\
Run random layers on the RTL of each config: kernels, strides, paddings and odd shapes, with the
streams stalled never, sometimes and mostly at both ends. Every sum must equal the golden layer's,
and every cycle count the formula's plus the stalls. Without CONFIG.yaml, small arrays of every
PE type that ships are taken.
"""
#: Small arrays with awkward sizes: prime dimensions, scratchpads that just hold a kernel.
SMALL = {
    "rows": 5,
    "columns": 4,
    "ifmap_words": 10,
    "weight_words": 60,
    "psum_words": 7,
    "buffer_kib": 4,
    "bus_bits": 64,
}
TYPES = ("int16", "int8", "int4", "lightpe1", "lightpe2", "int6xint3a12")


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "verify",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("configs", metavar="CONFIG.yaml", nargs="*", help="accelerators to verify")
    parser.add_argument("--cases", type=int, default=27, help="layers a config (default 27)")
    parser.add_argument("--seed", type=int, default=1, help="of layers and tensors (default 1)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify, print a line a config, fail on the first disagreement of each."""
    if args.cases < 1:
        raise UserError(f"--cases must be at least 1, not {args.cases!r}")
    configs = [(Path(path).stem, load_config(path)) for path in args.configs] or [
        (name, AcceleratorConfig.from_mapping({"arithmetic": name, **SMALL})) for name in TYPES
    ]
    results: dict[str, list[Verdict]] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("verifying", total=len(configs) * args.cases)
        for name, config in configs:
            progress.update(task, description=f"building {name}")
            build(config)
            progress.update(task, description=f"verifying {name}")
            results[name] = []
            stalls = stall_pairs()
            for number, layer in enumerate(random_layers(config, args.cases, args.seed)):
                ends = stalls[number % len(stalls)]
                results[name].append(verify_layer(config, layer, ends, args.seed + number))
                progress.advance(task)
    figures = [_figures(name, verdicts) for name, verdicts in results.items()]
    if args.json:
        print(json.dumps({"configs": figures}))
    else:
        _print(figures)
    wrong = [
        f"{name}, {verdict.layer}: {'; '.join(verdict.mismatches)}"
        for name, verdicts in results.items()
        for verdict in verdicts
        if verdict.mismatches
    ]
    if wrong:
        raise ToolError(f"{len(wrong)} layers disagree; the first: {wrong[0]}")
    return 0


def _figures(name: str, verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "config": name,
        "layers": len(verdicts),
        "cycles": sum(verdict.run.cycles for verdict in verdicts),
        "stalls": sum(v.run.input_stalls + v.run.output_stalls for v in verdicts),
        "sums": sum(verdict.run.ofmap.size for verdict in verdicts),
        "mismatches": sum(bool(verdict.mismatches) for verdict in verdicts),
    }


def _print(figures: list[dict[str, Any]]) -> None:
    table = Table(title="RTL = golden arithmetic = cycle formula", title_justify="left")
    for name in ("config", "layers", "cycles", "stalls", "sums", "mismatches"):
        table.add_column(name, justify="left" if name == "config" else "right")
    for row in figures:
        table.add_row(
            *(value if isinstance(value, str) else f"{value:,}" for value in row.values())
        )
    Console().print(table)
