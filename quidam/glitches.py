"""`quidam glitches`: what glitches add to the energy of a datapath, by event-driven simulation."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from quidam.terminal import console, warn
from rtl_gen import provenance
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic

if TYPE_CHECKING:
    from characterize.glitch_file import Glitches
    from characterize.technology import Technology

#: One of every family.
ARITHMETICS = ("int16", "int8", "int4", "lightpe1", "lightpe2", "bitsparse2", "fp32", "bf16")
DESCRIPTION = """\
Measure what glitches add to the energy of a multiply-accumulate, which every other figure leaves
out: the mapped netlist is simulated event by event, with the delay of every arc as OpenSTA
calculates it, and with zero delay, under the same stimulus. Of the multiply-accumulate unit alone,
and of a processing element (PE) with scratchpads of flip-flops.
"""
EPILOG = """\
example:
  quidam glitches --tech osu018 --arithmetics int8,lightpe1
  quidam glitches --tech osu018 -o build/glitches/osu018
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "glitches",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tech", metavar="NAME|FILE", required=True, help="the technology")
    parser.add_argument(
        "--arithmetics",
        metavar="A,B,...",
        default=",".join(ARITHMETICS),
        help="which arithmetics (%(default)s)",
    )
    parser.add_argument(
        "--components", metavar="mac,pe", default="mac,pe", help="of what (%(default)s)"
    )
    parser.add_argument(
        "--words",
        metavar="I,W,P",
        default="24,96,8",
        help="of the PE's scratchpads for inputs, weights and sums (%(default)s)",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="write glitches.json, .csv, .md and .png"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure one after the other, and show."""
    from characterize.cell_files import prepare
    from characterize.glitch_file import to_json
    from characterize.glitches import COMPONENTS, measure_glitches
    from characterize.technology import load_technology
    from quidam.characterize import need_tools

    names = list(dict.fromkeys(arithmetic(name).name for name in args.arithmetics.split(",")))
    components = list(dict.fromkeys(args.components.split(",")))
    if unknown := set(components) - set(COMPONENTS):
        raise UserError(f"--components must be of {', '.join(COMPONENTS)}, not {sorted(unknown)}")
    parameters = sizes(args.words)
    technology = load_technology(args.tech)
    need_tools()
    for warning in technology.warnings():
        warn(warning)
    found: list[Glitches] = []
    with tempfile.TemporaryDirectory(prefix="quidam-") as folder:
        liberty = prepare(technology, Path(folder) / "cells")
        for component in components:
            for name in names:
                print(f"quidam: {component} of {name} in {technology.name}", file=sys.stderr)
                work = Path(folder) / f"{component}-{name}"
                work.mkdir()
                found.append(
                    measure_glitches(
                        component,
                        name,
                        technology=technology,
                        liberty=liberty,
                        workdir=work,
                        parameters=parameters,
                    )
                )
    text = to_json(technology.name, found, manifest(technology, names, components, args.words))
    if args.output:
        write(Path(args.output), technology.name, found, text)
    if args.json:
        print(json.dumps(json.loads(text)))
    else:
        _print(technology.name, found)
    return 0


def sizes(text: str) -> dict[str, int]:
    """The words of the three scratchpads."""
    words = text.split(",")
    if len(words) != 3 or not all(word.isdecimal() and int(word) for word in words):
        raise UserError(f"--words must be three numbers above 0, not {text!r}")
    fields = ("ifmap_words", "weight_words", "psum_words")
    return dict(zip(fields, map(int, words), strict=True))


def manifest(
    technology: Technology, names: Sequence[str], components: Sequence[str], words: str
) -> dict[str, Any]:
    """Where the numbers come from."""
    from characterize.identity import TOOLS, method_sha256
    from characterize.stimulus import CHECKED
    from characterize.synthesis import RECIPE_VERSION
    from characterize.tools import versions

    options = {"arithmetics": ",".join(names), "components": ",".join(components), "words": words}
    chosen = " ".join(f"--{name} {value}" for name, value in options.items())
    return {
        "command": f"quidam glitches --tech {technology.name} {chosen}",
        "commit": provenance.commit(),
        "tools": {name: versions().get(name) for name in TOOLS},
        "technology": technology.identity(),
        "method_sha256": method_sha256(),
        "recipe": f"fast/{RECIPE_VERSION}",
        "lanes": list(CHECKED),
    }


#: Headings -> what stands below.
COLUMNS = ("cells", "MACs", "toggles", "with", "x", "pJ", "with ", "x datapath", "x above idle")


def rows(found: Sequence[Glitches]) -> list[list[str]]:
    """The table: component and arithmetic, then what `COLUMNS` names."""
    return [
        [
            one.component,
            one.arithmetic,
            f"{one.cells:,}",
            f"{one.macs:,}",
            f"{one.settled_toggles:,.0f}",
            f"{one.toggles:,.0f}",
            f"{one.toggles / one.settled_toggles:.2f}",
            f"{one.energy_pj['datapath']:.3g}",
            f"{one.glitching_energy_pj['datapath']:.3g}",
            f"{one.factor():.2f}",
            f"{one.factor_above_idle():.2f}",
        ]
        for one in found
    ]


def write(folder: Path, technology: str, found: Sequence[Glitches], text: str) -> None:
    """The file, the table as CSV and Markdown, and the picture."""
    from models.glitch_plots import plot_glitches

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "glitches.json").write_text(text, encoding="utf-8")
    with (folder / "glitches.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["component", "arithmetic", "part", "energy_pj", "glitching_energy_pj"])
        for one in found:
            for part, energy in one.energy_pj.items():
                line = (one.component, one.arithmetic, part)
                writer.writerow([*line, energy, one.glitching_energy_pj[part]])
    lines = [
        f"| component | arithmetic | {' | '.join(COLUMNS)} |",
        "|---|---" + "|---:" * len(COLUMNS) + "|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in rows(found)]
    (folder / "glitches.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    plot_glitches(folder / "glitches.png", technology, [asdict(one) for one in found])


def _print(technology: str, found: Sequence[Glitches]) -> None:
    table = Table(title=f"glitches in {technology}, per multiply-accumulate", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("arithmetic", no_wrap=True)
    for heading in COLUMNS:
        table.add_column(heading, justify="right")
    for row in rows(found):
        table.add_row(*row)
    console().print(table)
