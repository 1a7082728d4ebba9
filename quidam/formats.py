"""`quidam formats`: the number formats, and what each costs in a technology."""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from quidam.terminal import console, warn
from rtl_gen.errors import UserError
from rtl_gen.formats import CATALOGUE, arithmetic

DESCRIPTION = """\
List the arithmetics that are compared; with --tech, measure what each costs: the
multiply-accumulate unit alone, and a processing element with scratchpads of 24, 96 and 8 words.
Any arithmetic can be named. What is in the store is not measured again.
"""
EPILOG = """\
example:
  quidam formats
  quidam formats --tech osu018 -o build/formats/osu018
  quidam formats int16 int8 int8xint4 bf16xint4 --tech osu018
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "formats",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="ARITHMETIC", help="instead of all listed")
    parser.add_argument("--tech", metavar="NAME|FILE", help="measure in this technology")
    parser.add_argument(
        "--store", metavar="DIR", help="folder for the samples (build/formats/TECHNOLOGY)"
    )
    parser.add_argument(
        "--workers", metavar="N", type=int, help="processes at work (as many as there are cores)"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="write formats.csv, formats.md and formats.png"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """List, or measure and compare."""
    every = [name for names in CATALOGUE.values() for name in names]
    names = [arithmetic(name).name for name in args.names or every]
    if args.tech is None:
        if args.output or args.store or args.workers:
            raise UserError("--output, --store and --workers must come with --tech")
        return _list(names, args.json)
    return _measure(names, args)


def _list(names: Sequence[str], as_json: bool) -> int:
    rows = [described(name) for name in names]
    if as_json:
        print(json.dumps({"schema": "quidam-formats/1", "formats": rows}))
        return 0
    table = Table(title="number formats (docs/reference/formats.md)", title_justify="left")
    for heading in ("arithmetic", "", "activation", "weight", "bits", "latency"):
        table.add_column(heading, no_wrap=heading == "arithmetic")
    for row in rows:
        pair = (row["activation"], row["weight"])
        table.add_row(row["arithmetic"], row["label"], *pair, _bits(row), str(row["mac_latency"]))
    console().print(table)
    return 0


def described(name: str) -> dict[str, Any]:
    """What an arithmetic is: its formats, their bits, and the cycles of a multiply-accumulate."""
    arith = arithmetic(name)
    return {
        "arithmetic": name,
        "activation": arith.activation.name,
        "weight": arith.weight.name,
        "activation_bits": arith.activation_bits,
        "weight_bits": arith.weight_bits,
        "accumulator_bits": arith.accumulator_bits,
        "mac_latency": arith.mac_latency,
        "label": arith.label,
    }


def _measure(names: Sequence[str], args: argparse.Namespace) -> int:
    from characterize.format_cost import costs, tasks
    from characterize.store import Store
    from characterize.technology import load_technology
    from quidam.characterize import damage, measured, need_tools

    workers = args.workers if args.workers is not None else len(os.sched_getaffinity(0))
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers!r}")
    technology = load_technology(args.tech)
    need_tools()
    store = Store(args.store or Path("build") / "formats" / technology.name)
    for warning in (*technology.warnings(), *damage(store)):
        warn(warning)
    outcome, ids = measured(tasks(names, technology), technology, store, workers, retry=True)
    found = costs(names, [sample for sample in store.samples() if sample.id in ids])
    rows = [{**described(cost.arithmetic), **asdict(cost), **ratios(cost, found)} for cost in found]
    if args.output:
        write(Path(args.output), technology.name, rows)
    if args.json:
        failures = [asdict(failure) for failure in outcome.failures]
        content = {"schema": "quidam-formats/1", "technology": technology.name}
        print(json.dumps({**content, "formats": rows, "failures": failures}))
    else:
        _print(technology.name, rows)
        for failure in outcome.failures:
            message = f"{failure.arithmetic} {failure.component}: {failure.step}: {failure.message}"
            print(f"failed: {message}")
    return 1 if outcome.failures else 0


#: What is compared with the references.
COMPARED = ("mac_area_um2", "mac_energy_pj", "pe_area_um2", "pe_energy_pj")


def ratios(cost: Any, found: Sequence[Any]) -> dict[str, float | None]:
    """Sums of a PE, and how many times those of INT16 and INT8 a cost is; None without them."""
    from characterize.format_cost import REFERENCES

    result: dict[str, float | None] = {
        "pe_area_um2": cost.pe_area_um2,
        "pe_energy_pj": cost.pe_energy_pj,
    }
    by_name = {one.arithmetic: one for one in found}
    for name in REFERENCES:
        for what in COMPARED:
            key = f"{what.rpartition('_')[0]}_vs_{name}"
            base = by_name.get(name)
            result[key] = getattr(cost, what) / getattr(base, what) if base else None
    return result


def write(folder: Path, technology: str, rows: Sequence[dict[str, Any]]) -> None:
    """The table as CSV and Markdown, and the picture."""
    from models.format_plots import plot_formats

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "formats.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else ["arithmetic"])
        writer.writeheader()
        writer.writerows({**row, "samples": " ".join(row["samples"])} for row in rows)
    (folder / "formats.md").write_text(_markdown(technology, rows))
    plot_formats(folder / "formats.png", technology, rows)


#: Tables -> headings -> what stands below: a key of the row, and how it is written.
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "the multiply-accumulate unit alone": {
        "um2": ("mac_area_um2", ",.0f"),
        "x INT16": ("mac_area_vs_int16", ".2f"),
        "x INT8": ("mac_area_vs_int8", ".2f"),
        "pJ": ("mac_energy_pj", ".3g"),
        "x  INT16": ("mac_energy_vs_int16", ".2f"),
        "x  INT8": ("mac_energy_vs_int8", ".2f"),
        "ns": ("mac_period_ns", ".2f"),
        "cycles": ("mac_latency", "d"),
    },
    "a PE with scratchpads of 24 / 96 / 8 words": {
        "datapath um2": ("datapath_area_um2", ",.0f"),
        "pads um2": ("scratchpad_area_um2", ",.0f"),
        "x INT16": ("pe_area_vs_int16", ".2f"),
        "datapath pJ": ("datapath_energy_pj", ".3g"),
        "pads pJ": ("scratchpad_energy_pj", ".3g"),
        "x  INT16": ("pe_energy_vs_int16", ".2f"),
        "ns": ("pe_period_ns", ".2f"),
    },
}


def _cells(row: dict[str, Any], columns: dict[str, tuple[str, str]]) -> list[str]:
    return ["-" if row[key] is None else format(row[key], how) for key, how in columns.values()]


def _bits(row: dict[str, Any]) -> str:
    return f"{row['activation_bits']}x{row['weight_bits']}+{row['accumulator_bits']}"


def _markdown(technology: str, rows: Sequence[dict[str, Any]]) -> str:
    lines = []
    for title, columns in TABLES.items():
        lines += [f"## {technology}: {title}", ""]
        lines.append(f"| arithmetic | bits | {' | '.join(columns)} |")
        lines.append("|---|---" + "|---:" * len(columns) + "|")
        for row in rows:
            cells = " | ".join(_cells(row, columns))
            lines.append(f"| `{row['arithmetic']}` | {_bits(row)} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def _print(technology: str, rows: Sequence[dict[str, Any]]) -> None:
    for title, columns in TABLES.items():
        table = Table(title=f"number formats in {technology}: {title}", title_justify="left")
        table.add_column("arithmetic", no_wrap=True)
        for heading in columns:
            table.add_column(heading, justify="right")
        for row in rows:
            table.add_row(row["arithmetic"], *_cells(row, columns))
        console().print(table)
