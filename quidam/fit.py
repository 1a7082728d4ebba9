"""`quidam fit`: models of power, performance and area from a store of samples."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from characterize.sample import Sample, digest
from characterize.sample_table import SHARED, write_table
from characterize.store import Store, open_store
from characterize.technology import Technology, find_technology, shipped
from models.card import headline_columns, headline_rows, write_card
from models.fit import Fit, fit, targets_ns
from models.glitches import glitch_factors
from models.model_file import TechnologyData
from models.validation import write_residuals
from quidam.terminal import console
from rtl_gen import provenance
from rtl_gen.errors import UserError

DESCRIPTION = """\
Fit polynomials of area, leakage, clock period and energy per event to the samples of a store,
component by component, and print how wrong they are on samples they have not seen.

Beside MODEL.json it writes MODEL-samples.csv (what was measured), MODEL-residuals.csv (how far
each held-out prediction was off) and the model card: MODEL.md with its plots.
"""
EPILOG = """\
example:
  quidam characterize --tech osu018 --store build/store
  quidam fit build/store -o build/model.json
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "fit",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", metavar="STORE", help="folder that `quidam characterize` filled")
    parser.add_argument(
        "-o", "--output", metavar="MODEL.json", required=True, help="the model file to write"
    )
    parser.add_argument(
        "--tech", metavar="NAME|FILE",
        help="the samples' technology (default: the one that ships under the samples' name)",
    )  # fmt: skip
    parser.add_argument(
        "--folds", type=int, default=5, metavar="K", help="of the cross-validation (default: 5)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the folds (default: 0)"
    )
    parser.add_argument(
        "--card", metavar="DIR", help="folder for the model card (default: the model's folder)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fit, write, print."""
    output = Path(args.output)
    if output.suffix != ".json":
        raise UserError(f"the model file's name must end in .json, not {args.output!r}")
    if not 0 <= args.seed < 2**31:
        raise UserError(f"--seed must be from 0 to {2**31 - 1}, not {args.seed!r}")
    store = open_store(args.store)
    samples, left_out = latest(store)
    technology = _technology(args.tech, samples)
    started = time.monotonic()
    with Console(stderr=True).status(f"fitting {len(samples)} samples"):
        result = fit(
            samples,
            _data(technology, sorted({sample.arithmetic for sample in samples})),
            folds=args.folds,
            seed=args.seed,
            manifest=_manifest(samples, technology),
        )
    seconds = time.monotonic() - started
    output.parent.mkdir(parents=True, exist_ok=True)
    files = _write(output, Path(args.card) if args.card else output.parent, result, samples)
    notes = _notes(store, left_out)
    if args.json:
        print(json.dumps(_report(result, files, seconds, notes)))
    else:
        _print(result, files, seconds, notes)
    return 0


def latest(store: Store) -> tuple[list[Sample], int]:
    """The samples measured in the way that was used last, and how many there are beside them.

    A sample's id covers tools and method, so a store that was filled before and after an upgrade
    holds both generations; a model of both would be a model of neither.

    Raises
    ------
    UserError
        When the store is empty, or holds samples of several technologies.
    """
    samples = store.samples()
    if not samples:
        raise UserError(f"store must hold at least one sample, {store.path} is empty")
    technologies = sorted({sample.technology for sample in samples})
    if len(technologies) > 1:
        raise UserError(f"store must hold samples of one technology, not {technologies!r}")
    ways: dict[str, list[Sample]] = {}
    for sample in samples:
        way = digest({key: sample.manifest.get(key) for key in SHARED})
        ways.setdefault(way, []).append(sample)

    def last_written(group: list[Sample]) -> int:
        paths = [store.path / "samples" / f"{sample.id}.json" for sample in group]
        return max(path.stat().st_mtime_ns for path in paths)

    chosen = max(ways.values(), key=last_written)
    return chosen, len(samples) - len(chosen)


def _technology(given: str | None, samples: Sequence[Sample]) -> Technology:
    """The technology file; its Liberty files are not needed any more."""
    name = samples[0].technology if given is None else given
    if given is None and name.partition("@")[0] not in shipped():
        raise UserError(
            f"--tech must be given: the samples' technology {name!r} is none that ships "
            f"({', '.join(shipped())})"
        )
    return find_technology(name)


def _data(technology: Technology, names: Iterable[str]) -> TechnologyData:
    return TechnologyData(
        name=technology.name,
        voltage_v=technology.voltage_v,
        memories=technology.memories(),
        dram_pj_per_bit=technology.dram_pj_per_bit,
        glitches=glitch_factors(technology.name.partition("@")[0], names),
    )


def _manifest(samples: Sequence[Sample], technology: Technology) -> dict[str, Any]:
    """What all samples share, and this commit."""
    return {
        "commit": provenance.commit(),
        "sources": dict(technology.sources),
        "measured": {key: samples[0].manifest.get(key) for key in SHARED},
        "clock_ns": sorted({sample.clock_ns for sample in samples}),
        "targets_ns": targets_ns(samples),
        "recipes": sorted({str(sample.manifest.get("recipe")) for sample in samples}),
        "core_minutes": round(sum(map(_seconds, samples)) / 60, 1),
    }


def _seconds(sample: Sample) -> float:
    return float(sum(sample.manifest.get("seconds", {}).values()))


def _write(output: Path, card: Path, result: Fit, samples: Sequence[Sample]) -> list[Path]:
    result.model.save(output)
    table = output.with_name(f"{output.stem}-samples.csv")
    write_table(table, samples)
    rows = output.with_name(f"{output.stem}-residuals.csv")
    write_residuals(rows, result.residuals)
    return [output, table, rows, *write_card(card, output.stem, result, samples)]


def _notes(store: Store, left_out: int) -> list[str]:
    notes = []
    if left_out:
        notes.append(f"{left_out} samples measured with other tools or another method left out")
    if failures := len(store.failures()):
        notes.append(f"{failures} points could not be measured (see {store.path / 'failures'})")
    if damaged := len(store.damaged()):
        notes.append(f"{damaged} files in {store.path} that cannot be read left out")
    return notes


def _report(
    result: Fit, files: Sequence[Path], seconds: float, notes: Sequence[str]
) -> dict[str, Any]:
    contents = result.model.contents
    return {
        "model": str(files[0]),
        "files": [str(path) for path in files],
        "technology": contents.technology.name,
        "samples": contents.manifest["samples"],
        "seconds": seconds,
        "notes": list(notes),
        "errors": {
            name: {
                kind: {metric: asdict(error) for metric, error in model.errors.items()}
                for kind, model in components.items()
            }
            for name, components in contents.components.items()
        },
    }


def _print(result: Fit, files: Sequence[Path], seconds: float, notes: Sequence[str]) -> None:
    output = console()
    technology = result.model.contents.technology.name
    table = Table(
        title=f"{technology}: error on held-out samples, mean (largest) in percent",
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for i, title in enumerate(headline_columns()[:-1]):
        table.add_column(title, justify="left" if i < 2 else "right", no_wrap=True)
    previous = ""
    for row in headline_rows(result):
        if previous and row[0] != previous:
            table.add_section()
        table.add_row(*row[:-1])
        previous = row[0]
    output.print(table)
    for note in notes:
        output.print(f"[bold yellow]note:[/] {note}", highlight=False)
    output.print(
        f"- : too few sizes to hold one out. Fitted in {seconds:.1f} s; wrote "
        f"{', '.join(str(path) for path in files)}",
        highlight=False,
        soft_wrap=True,
    )
