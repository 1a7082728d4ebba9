"""`quidam simulate`: one layer on the RTL."""

from __future__ import annotations

import argparse
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from characterize.regression import mismatches, random_tensors
from characterize.simulation import Run, build, simulate
from rtl_gen.config import AcceleratorConfig, load_config
from rtl_gen.errors import ToolError, UserError
from rtl_gen.layer import Layer, load_layer
from rtl_gen.reference import check_tensors, golden_layer
from rtl_gen.schedule import check

Codes = NDArray[np.int64]

DESCRIPTION = """\
Run one layer on the Verilog of an accelerator, under Verilator; compare the sums with the golden
layer and the cycles with the formula. IN.npz holds `ifmap` (1, C, H, W) and `weights`
(M, C, R, S) as encoded integers; without it, random ones are drawn. OUT.npz gets `ofmap`
(1, M, E, F), the raw accumulators.
"""
EPILOG = """\
example:
  quidam simulate examples/configs/lightpe1.yaml examples/layers/resnet20_stage1.yaml
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "simulate",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="the accelerator")
    parser.add_argument("layer", metavar="LAYER.yaml", help="the layer")
    parser.add_argument("--tensors", metavar="IN.npz", help="the layer's input and weights")
    parser.add_argument("--seed", type=int, default=1, help="of random tensors (default 1)")
    parser.add_argument("-o", "--output", metavar="OUT.npz", help="where to put the sums")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate, compare, print."""
    config, layer = load_config(args.config), load_layer(args.layer)
    check(config, layer)
    if args.tensors:
        ifmap, weights = load_tensors(args.tensors)
    else:
        ifmap, weights = random_tensors(config.arithmetic, layer, args.seed)
    check_tensors(config.arithmetic, layer, ifmap, weights)
    console = Console(stderr=True)
    with console.status("building the simulation model (kept for next time)"):
        build(config)
    with console.status(f"simulating {layer.name}"):
        start = time.perf_counter()
        result = simulate(config, layer, ifmap, weights)
        seconds = time.perf_counter() - start
    golden = golden_layer(config.arithmetic, layer, ifmap, weights, result.schedule.mapping)
    wrong = mismatches(result, golden)
    if args.output:
        np.savez_compressed(args.output, ofmap=result.ofmap)
    figures = {**figures_of(config, layer, result), "seconds": seconds, "matches": not wrong}
    if args.json:
        print(json.dumps(figures))
    else:
        _print(figures, config, layer)
    if wrong:
        raise ToolError(f"the RTL disagrees on layer {layer.name!r}: {'; '.join(wrong)}")
    return 0


def load_tensors(path: str) -> tuple[Codes, Codes]:
    """`ifmap` and `weights` of an IN.npz.

    Raises
    ------
    UserError
        When the file is no readable npz, or holds other arrays.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as data:
            tensors = {name: np.asarray(data[name]) for name in data.files}
    except TypeError as error:  # a single array
        raise UserError(f"{path} must be an npz archive, not one array") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} must be a readable npz file: {error}") from error
    if "bias" in tensors:
        raise UserError("a bias must wait for the output stage, which this version does not have")
    if set(tensors) != {"ifmap", "weights"}:
        raise UserError(f"{path} must hold ifmap and weights, not {sorted(tensors)!r}")
    for name, tensor in tensors.items():
        if not np.issubdtype(tensor.dtype, np.integer):
            raise UserError(f"{name} must hold encoded integers, not {tensor.dtype}")
    return tensors["ifmap"].astype(np.int64), tensors["weights"].astype(np.int64)


def figures_of(config: AcceleratorConfig, layer: Layer, result: Run) -> dict[str, Any]:
    """What `quidam simulate --json` prints of a run."""
    schedule = result.schedule
    mapping = schedule.mapping
    return {
        "layer": layer.name,
        "cycles": result.cycles,
        "predicted_cycles": int(schedule.cycles),
        "macs": schedule.macs,
        "utilization": schedule.macs / (result.cycles * config.rows * config.columns),
        "mapping": {letter: int(getattr(mapping, letter)) for letter in "pqrte"},
        "beats": result.beats,
        "words": {
            level: {name: int(count) for name, count in words.items()}
            for level, words in schedule.words.items()
        },
    }


def _print(figures: dict[str, Any], config: AcceleratorConfig, layer: Layer) -> None:
    verdict = "equal to the golden layer and the formula" if figures["matches"] else "WRONG"
    table = Table(
        title=f"{layer.name} on {config.rows} x {config.columns} "
        f"{config.arithmetic.label}: {verdict}",
        title_justify="left",
    )
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("cycles measured", f"{figures['cycles']:,}")
    table.add_row("cycles predicted", f"{figures['predicted_cycles']:,}")
    table.add_row("MACs", f"{figures['macs']:,}")
    table.add_row("utilization", f"{figures['utilization']:.1%}")
    letters = " ".join(f"{letter}={value}" for letter, value in figures["mapping"].items())
    table.add_row("mapping", letters)
    for level, words in figures["words"].items():
        for name, count in words.items():
            table.add_row(f"{level} {name.replace('_', ' ')}", f"{count:,}")
    table.add_row("simulated cycles / s", f"{figures['cycles'] / figures['seconds']:,.0f}")
    Console().print(table)
