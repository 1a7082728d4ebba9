"""`quidam tech`: the technologies that ship, what is missing or odd in one's own, a first file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import yaml
from rich.table import Table

from characterize.cell_check import examine
from characterize.finding import Finding
from characterize.technology import (
    TECHNOLOGIES,
    Technology,
    load_technology,
    read_technology,
    shipped,
)
from quidam.terminal import console

EPILOG = """\
example:
  quidam tech list
  quidam tech new my_cells.lib.gz --feature-nm 130 -o my_process.yaml
  quidam tech check my_process.yaml

How to write a technology file: docs/how-to/new-technology.md.
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb and its three actions."""
    parser = subparsers.add_parser(
        "tech",
        description="List the technologies that ship; write or check a technology file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    lister = actions.add_parser("list", help="the technologies that ship, and whether each is here")
    lister.add_argument("--json", action="store_true", help="print the list as JSON")
    checker = actions.add_parser(
        "check",
        help="read a technology and its Liberty files; say what is missing or odd",
        description="Read a technology file and its Liberty files, say cell by cell what is "
        "missing or odd, and propose lines that would mend it. The exit status is 1 when it can't "
        "be characterized.",
    )
    checker.add_argument(
        "file", metavar="NAME|FILE", help="a technology file, or one that ships; @CORNER after it"
    )
    checker.add_argument("--json", action="store_true", help="print the findings as JSON")
    _add_new(actions)


def _add_new(actions: Any) -> None:
    parser = actions.add_parser(
        "new",
        help="write a first technology file by inspection of Liberty files",
        description="Write a first technology file by inspection of the Liberty files (plain or "
        ".gz) that together make a library, and check it. A small PE is synthesized to find a "
        "clock target.",
    )
    parser.add_argument("liberty", metavar="LIBERTY", nargs="+", help="the library at one corner")
    parser.add_argument(
        "--feature-nm", metavar="N", type=float, help="feature size of the process (required)"
    )
    parser.add_argument("-o", dest="output", metavar="FILE.yaml", help="what to write (NAME.yaml)")
    parser.add_argument("--name", metavar="NAME", help="of the technology (the library's)")
    parser.add_argument("--no-trial", action="store_true", help="guess the clock target")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    if args.action == "list":
        return run_list(args)
    return run_new(args) if args.action == "new" else run_check(args)


def run_list(args: argparse.Namespace) -> int:
    """List the technologies that ship."""
    technologies = [read_technology(TECHNOLOGIES / f"{name}.yaml") for name in shipped()]
    if args.json:
        rows = [_row(technology) for technology in technologies]
        print(json.dumps({"schema": "quidam-tech-list/1", "technologies": rows}))
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("name", "Liberty files", "other corners", "description"):
        table.add_column(title)
    for technology in technologies:
        state = "here" if _here(technology) else "missing"
        corners = ", ".join(f"@{corner}" for corner in technology.corners) or "-"
        table.add_row(technology.name, state, corners, technology.description)
    console().print(table)
    for technology in technologies:
        if not _here(technology):
            print(f"for {technology.name}, {technology.install}")
    return 0


def _row(technology: Technology) -> dict[str, Any]:
    path = TECHNOLOGIES / f"{technology.name}.yaml"
    corners = [read_technology(path, corner) for corner in technology.corners]
    return {
        "name": technology.name,
        "description": technology.description,
        "feature_nm": technology.feature_nm,
        "voltage_v": technology.voltage_v,
        "temperature_c": technology.temperature_c,
        "installed": _here(technology),
        "install": technology.install,
        "corners": [
            {
                "name": corner.name,
                "voltage_v": corner.voltage_v,
                "temperature_c": corner.temperature_c,
                "installed": _here(corner),
            }
            for corner in corners
        ],
    }


def _here(technology: Technology) -> bool:
    return all(file.path.is_file() for file in technology.liberty)


def run_new(args: argparse.Namespace) -> int:
    """Write a technology file and check it; 1 when it can't be characterized."""
    from quidam.tech_new import write_new  # measures: the other actions need none of that

    path, clock = write_new(args)
    if not args.json:
        print(f"{path}: clock_ns {clock.ns:g}: {clock.source}")
    return _report(load_technology(path), str(path), args.json)


def run_check(args: argparse.Namespace) -> int:
    """Check one technology; 1 when it can't be characterized."""
    return _report(load_technology(args.file), args.file, args.json)


def _report(technology: Technology, file: str, as_json: bool) -> int:
    findings = examine(technology)
    ok = not any(finding.severity == "error" for finding in findings)
    if as_json:
        content = {"schema": "quidam-tech-check/1", "technology": technology.name, "file": file}
        rows = [asdict(finding) for finding in findings]
        print(json.dumps({**content, "ok": ok, "findings": rows}))
        return 0 if ok else 1
    for finding in findings:
        print(_line(finding))
    if proposals := list(proposed(findings)):
        print("lines of the technology file that would mend it:")
        print("\n".join(f"  {line}" for line in proposals))
    count = len(findings)
    verdict = "can be characterized" if ok else "can't be characterized"
    print(f"{technology.name}: {verdict}; {count} finding{'' if count == 1 else 's'}")
    return 0 if ok else 1


def _line(finding: Finding) -> str:
    return f"{finding.severity}: {f'{finding.cell} ' if finding.cell else ''}{finding.message}"


def proposed(findings: Sequence[Finding]) -> Iterator[str]:
    """The lines that findings propose; all cells to prune in one list."""
    lines = dict.fromkeys(finding.proposal for finding in findings if finding.proposal)
    yield from (line for line in lines if not line.startswith("prune: "))
    cells = [cell for line in lines if line.startswith("prune: ") for cell in _cells(line)]
    if cells:
        yield "prune:  # and what is there"
        yield from (f"- {cell}" for cell in cells)


def _cells(line: str) -> list[str]:
    cells: list[str] = yaml.safe_load(line)["prune"]
    return cells
