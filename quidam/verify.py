"""`quidam verify`: RTL = golden arithmetic = cycle formula, on random layers or a whole network."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from characterize.network_run import NetworkVerdict, StepVerdict, predicted_cycles, run_network
from characterize.regression import Verdict, random_layers, stall_pairs, verify_layer
from characterize.simulation import build
from quidam.terminal import console
from rtl_gen.config import AcceleratorConfig, load_config
from rtl_gen.errors import ToolError, UserError
from rtl_gen.network import Network, check_network
from rtl_gen.network_file import load_network

DESCRIPTION = """\
Run random layers on the RTL of each config: kernels, strides, paddings and odd shapes, with the
streams stalled never, sometimes and mostly at both ends. Every sum must equal the golden layer's,
and every cycle count the formula's plus the stalls. Without CONFIG.yaml, small arrays of every
PE type that ships are taken.

With --network, run a quantized network instead, layer after layer, over all its test images: every
output must equal the golden network's, so its accuracy is the same number.
"""
EPILOG = """\
example:
  quidam verify --network digits examples/configs/int8.yaml
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
TYPES = ("fp32", "fp8_e4m3", "int16", "int8", "int4", "lightpe1", "lightpe2", "int6xint3a12")


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "verify",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("configs", metavar="CONFIG.yaml", nargs="*", help="accelerators to verify")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--cases", type=int, default=27, help="layers a config (default 27)")
    what.add_argument(
        "--network", metavar="NAME|FILE.yaml", help="a quantized network: digits, or a file"
    )
    parser.add_argument("--seed", type=int, default=1, help="of layers and tensors (default 1)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify, print a line a config or a step, fail on the first disagreement of each."""
    if args.cases < 1:
        raise UserError(f"--cases must be at least 1, not {args.cases!r}")
    network = load_network(args.network) if args.network else None
    names = TYPES if network is None else (network.arithmetic.name,)
    configs = [(Path(path).stem, load_config(path)) for path in args.configs] or [
        (name, AcceleratorConfig.from_mapping({"arithmetic": name, **SMALL})) for name in names
    ]
    if network is None:
        return _run_layers(args, configs)
    return _run_network(args, configs, network)


def _run_layers(args: argparse.Namespace, configs: list[tuple[str, AcceleratorConfig]]) -> int:
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
    console().print(table)


def _run_network(
    args: argparse.Namespace, configs: list[tuple[str, AcceleratorConfig]], network: Network
) -> int:
    for _, config in configs:
        check_network(config, network)
    results: list[tuple[str, AcceleratorConfig, NetworkVerdict]] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for name, config in configs:
            task = progress.add_task(f"building {name}", total=predicted_cycles(config, network))
            build(config)
            progress.update(task, description=f"{network.name} on {name}")
            verdict = run_network(config, network, progress=partial(_report, progress, task))
            results.append((name, config, verdict))
    figures = [_network_figures(name, config, verdict) for name, config, verdict in results]
    if args.json:
        images = {"network": network.name, "images": len(network.images)}
        print(json.dumps({**images, "configs": figures}))
    else:
        for row in figures:
            _print_network(row, network)
    wrong = [
        f"{name}, step {step.name!r}: {'; '.join(step.mismatches)}"
        for name, _, verdict in results
        for step in verdict.steps
        if step.mismatches
    ]
    if wrong:
        raise ToolError(f"{len(wrong)} steps disagree; the first: {wrong[0]}")
    return 0


def _report(progress: Progress, task: TaskID, cycles: int) -> None:
    progress.update(task, completed=cycles)


def _network_figures(
    name: str, config: AcceleratorConfig, verdict: NetworkVerdict
) -> dict[str, Any]:
    """What `--json` prints of a network on one config."""
    steps = [_step_figures(config, step) for step in verdict.steps]
    totals = ("outputs", "cycles", "predicted_cycles", "bytes_read", "bytes_written")
    return {
        "config": name,
        "accuracy": verdict.accuracy,
        "golden_accuracy": verdict.golden_accuracy,
        **{total: sum(step[total] for step in steps) for total in totals},
        "mismatches": sum(bool(step["mismatches"]) for step in steps),
        "steps": steps,
    }


def _step_figures(config: AcceleratorConfig, step: StepVerdict) -> dict[str, Any]:
    """Cycles of the accelerator, and bytes that it or the host moved."""
    if step.run is not None:
        beats, width = step.run.beats, config.bus_bits // 8
        read = (beats["weight_beats"] + beats["ifmap_beats"]) * width
        written = beats["output_beats"] * width
    else:
        assert step.host is not None
        width = -(-config.activation_bits // 8)
        read, written = step.host.words_read * width, step.host.words_written * width
    return {
        "step": step.name,
        "where": "host" if step.run is None else "accelerator",
        "outputs": step.outputs,
        "cycles": step.run.cycles if step.run else 0,
        "predicted_cycles": int(step.run.schedule.cycles) if step.run else 0,
        "bytes_read": read,
        "bytes_written": written,
        "mismatches": list(step.mismatches),
    }


def _print_network(figures: dict[str, Any], network: Network) -> None:
    title = (
        f"{network.name} on {figures['config']}, {len(network.images)} images: "
        f"{figures['accuracy']:.2%} right on the RTL, golden {figures['golden_accuracy']:.2%}"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("step")
    for name in ("outputs", "cycles", "predicted", "KiB in", "KiB out", "wrong"):
        table.add_column(name, justify="right")
    for step in figures["steps"]:
        _add_row(table, step["step"], step, len(step["mismatches"]))
    _add_row(table, "all", figures, figures["mismatches"])
    console().print(table)


def _add_row(table: Table, name: str, figures: dict[str, Any], wrong: int) -> None:
    cycles = [f"{figures[key]:,}" for key in ("cycles", "predicted_cycles")]
    if figures.get("where") == "host":
        cycles = ["on the host", ""]
    sizes = [f"{figures[key] / 1024:,.0f}" for key in ("bytes_read", "bytes_written")]
    table.add_row(name, f"{figures['outputs']:,}", *cycles, *sizes, str(wrong))
