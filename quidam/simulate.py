"""`quidam simulate`: one layer on the RTL."""

from __future__ import annotations

import argparse
import json
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from characterize.regression import mismatches, random_stage, random_tensors
from characterize.simulation import Run, build, simulate
from quidam.terminal import console
from rtl_gen.config import AcceleratorConfig, load_config
from rtl_gen.errors import ToolError, UserError
from rtl_gen.formats import Arithmetic, FloatAccumulator, FloatFormat
from rtl_gen.layer import Layer, load_layer
from rtl_gen.mapper import OBJECTIVES, best_mapping, check
from rtl_gen.mapping import LETTERS, Mapping, check_mapping
from rtl_gen.output_stage import OutputStage
from rtl_gen.reference import check_tensors, golden_layer

Codes = NDArray[np.int64]

#: Arrays of an output stage in an IN.npz: three by filter, three for the layer.
STAGE = ("bias", "multiplier", "shift", "zero_point", "low", "high")

DESCRIPTION = """\
Run one layer on the Verilog of an accelerator, under Verilator; compare the outputs with the golden
layer and the cycles with the formula. IN.npz holds `ifmap` (N, C, H, W) and `weights`
(M, C / groups, R, S) as encoded integers, and where the layer's output is quantized `bias`,
`multiplier` and `shift` (M) with `zero_point`, `low` and `high`; without it, random ones are drawn.
OUT.npz gets `ofmap` (N, M, E, F): raw accumulators, or codes where the output is quantized.
"""
EPILOG = """\
example:
  quidam simulate examples/configs/lightpe1.yaml examples/layers/resnet20_stage1.yaml
  quidam simulate examples/configs/int8.yaml examples/layers/resnet20_stage1.yaml \\
    --mapping p=8,q=2,r=2,t=1,e=8,f=32 --waves conv.fst
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
    parser.add_argument(
        "--mapping",
        metavar="p=N,q=N,...",
        help="force a mapping: p, q, r, t, e, f, and fold_height, fold_width where they are not 1",
    )
    parser.add_argument(
        "--objective",
        choices=OBJECTIVES,
        default="cycles",
        help="what the mapping is chosen for (default cycles)",
    )
    parser.add_argument("--waves", metavar="FILE.fst", help="write a waveform of all signals")
    parser.add_argument("--seed", type=int, default=1, help="of random tensors (default 1)")
    parser.add_argument("-o", "--output", metavar="OUT.npz", help="where to put the sums")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate, compare, print."""
    config, layer = load_config(args.config), load_layer(args.layer)
    check(config, layer)
    if args.mapping is not None:
        mapping = parse_mapping(args.mapping)
        check_mapping(config, layer, mapping)
    else:
        mapping = best_mapping(config, layer, args.objective)
    if args.tensors:
        ifmap, weights, stage = load_tensors(args.tensors, config.arithmetic, layer)
    else:
        ifmap, weights = random_tensors(config.arithmetic, layer, args.seed)
        stage = random_stage(config.arithmetic, layer, args.seed)
    check_tensors(config.arithmetic, layer, ifmap, weights)
    if stage is not None:
        stage.check(config.arithmetic, layer)
    waves = Path(args.waves) if args.waves else None
    for path in filter(None, (args.waves, args.output)):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    with console.status("building the simulation model (kept for next time)"):
        build(config, waves=waves is not None)
    with _bar(console) as bar:
        task = bar.add_task(f"simulating {layer.name}", total=None)
        start = time.perf_counter()
        result = simulate(
            config,
            layer,
            ifmap,
            weights,
            stage=stage,
            mapping=mapping,
            waves=waves,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        seconds = time.perf_counter() - start
    golden = golden_layer(config.arithmetic, layer, ifmap, weights, mapping)
    if stage is not None:
        golden = stage.apply(config.arithmetic, golden)
    wrong = mismatches(result, golden)
    if args.output:
        np.savez_compressed(args.output, ofmap=numbers_of(config.arithmetic, layer, result.ofmap))
    figures = {**figures_of(config, layer, result), "seconds": seconds, "matches": not wrong}
    if args.json:
        print(json.dumps(figures))
    else:
        _print(figures, config, layer)
    if wrong:
        raise ToolError(f"the RTL disagrees on layer {layer.name!r}: {'; '.join(wrong)}")
    return 0


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} cycles"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def parse_mapping(text: str) -> Mapping:
    """A mapping from `p=16,q=4,...`.

    Raises
    ------
    UserError
        When a letter is unknown, missing or given twice, or a number is not one.
    """
    optional = ("fold_height", "fold_width")
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        # No size of an accelerator or a layer has more than six digits.
        if name not in LETTERS or name in found or not number.isdecimal() or len(number) > 6:
            raise UserError(
                f"mapping must be {', '.join(LETTERS)} once each, as in p=16,q=4, not {part!r}"
            )
        found[name] = int(number)
    missing = [name for name in LETTERS if name not in found and name not in optional]
    if missing:
        raise UserError(f"mapping must have {', '.join(missing)}, not only {text!r}")
    return Mapping(**found)


def numbers_of(arithmetic: Arithmetic, layer: Layer, ofmap: Codes) -> np.ndarray[Any, Any]:
    """What OUT.npz holds of codes: floating-point numbers as such (float32), else the codes."""
    if not arithmetic.is_float:
        return ofmap
    kept = arithmetic.accumulator if layer.output == "raw" else arithmetic.activation
    return kept.decode(ofmap).astype(np.float32)


def load_tensors(
    path: str, arithmetic: Arithmetic, layer: Layer
) -> tuple[Codes, Codes, OutputStage | None]:
    """`ifmap`, `weights` and, where the output is quantized, the output stage of an IN.npz.

    Arrays of floating-point formats hold their numbers, all others codes.

    Raises
    ------
    UserError
        When the file is no readable npz, or holds other arrays, or numbers that a format has not.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as data:
            tensors = {name: np.asarray(data[name]) for name in data.files}
    except TypeError as error:  # a single array
        raise UserError(f"{path} must be an npz archive, not one array") from error
    # RuntimeError: an archive that is encrypted, or compressed in a way that is not known.
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} must be a readable npz file: {error}") from error
    wanted = {"ifmap", "weights"} | (set(STAGE) if layer.output == "quantized" else set())
    if set(tensors) != wanted:
        raise UserError(
            f"{path} must hold {', '.join(sorted(wanted))} for a layer of {layer.output} output, "
            f"not {sorted(tensors)!r}"
        )
    formats = {
        **{"ifmap": arithmetic.activation, "weights": arithmetic.weight},
        **{"bias": arithmetic.accumulator, "low": arithmetic.activation},
        **{"high": arithmetic.activation},
    }
    codes = {name: _codes(name, tensor, formats.get(name)) for name, tensor in tensors.items()}
    for name in STAGE[3:]:
        if name in codes and codes[name].size != 1:
            raise UserError(f"{name} must be one number, not of shape {codes[name].shape}")
    stage = None
    if layer.output == "quantized":
        bias, multiplier, shift = (codes[name] for name in STAGE[:3])
        zero_point, low, high = (int(codes[name].item()) for name in STAGE[3:])
        stage = OutputStage(
            bias=bias, multiplier=multiplier, shift=shift, zero_point=zero_point, low=low, high=high
        )
    return codes["ifmap"], codes["weights"], stage


def _codes(name: str, tensor: np.ndarray[Any, Any], fmt: Any) -> Codes:
    """Codes of an array: it holds them, or numbers where its format is floating-point."""
    if isinstance(fmt, FloatFormat | FloatAccumulator):
        if not np.issubdtype(tensor.dtype, np.floating):
            raise UserError(f"{name} must hold floating-point numbers, not {tensor.dtype}")
        try:
            return fmt.encode(tensor)
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
    # Larger than int64 would become another number.
    if not (np.issubdtype(tensor.dtype, np.integer) and np.can_cast(tensor.dtype, np.int64)):
        raise UserError(f"{name} must hold encoded integers, not {tensor.dtype}")
    return tensor.astype(np.int64)


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
        "ideal_cycles": int(schedule.ideal),
        "bound": schedule.bound,
        "bounds": {name: int(cycles) for name, cycles in schedule.bounds.items()},
        "mapping": {letter: int(getattr(mapping, letter)) for letter in LETTERS},
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
    table.add_row("ideal of the mapping", f"{figures['ideal_cycles']:,} ({figures['bound']})")
    table.add_row("MACs", f"{figures['macs']:,}")
    table.add_row("utilization", f"{figures['utilization']:.1%}")
    letters = " ".join(f"{letter}={value}" for letter, value in figures["mapping"].items())
    table.add_row("mapping", letters)
    for level, words in figures["words"].items():
        for name, count in words.items():
            table.add_row(f"{level} {name.replace('_', ' ')}", f"{count:,}")
    table.add_row("simulated cycles / s", f"{figures['cycles'] / figures['seconds']:,.0f}")
    console().print(table)
