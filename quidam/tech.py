"""`quidam tech`: the technologies that ship, and what is missing or odd in one's own."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from characterize.cell_check import Finding, examine
from characterize.technology import TECHNOLOGIES, load_technology, read_technology, shipped

EPILOG = """\
example:
  quidam tech list
  quidam tech check my_process.yaml

How to write a technology file: docs/how-to/new-technology.md.
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb and its two actions."""
    parser = subparsers.add_parser(
        "tech",
        description="List the technologies that ship, or check a technology file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    lister = actions.add_parser("list", help="the technologies that ship, and whether each is here")
    lister.add_argument("--json", action="store_true", help="print the list as JSON")
    checker = actions.add_parser(
        "check",
        help="read a technology and its Liberty files; say what is missing or odd",
        description="Read a technology file and its Liberty files, and say cell by cell what is "
        "missing or odd. The exit status is 1 when it can't be characterized.",
    )
    checker.add_argument("file", metavar="NAME|FILE", help="a technology file, or one that ships")
    checker.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    return run_list(args) if args.action == "list" else run_check(args)


def run_list(args: argparse.Namespace) -> int:
    """List the technologies that ship."""
    technologies = [read_technology(TECHNOLOGIES / f"{name}.yaml") for name in shipped()]
    here = {t.name: all(file.path.is_file() for file in t.liberty) for t in technologies}
    if args.json:
        rows = [
            {
                "name": technology.name,
                "description": technology.description,
                "feature_nm": technology.feature_nm,
                "voltage_v": technology.voltage_v,
                "installed": here[technology.name],
                "install": technology.install,
            }
            for technology in technologies
        ]
        print(json.dumps({"schema": "quidam-tech-list/1", "technologies": rows}))
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("name", "Liberty files", "description"):
        table.add_column(title)
    for technology in technologies:
        state = "here" if here[technology.name] else "missing"
        table.add_row(technology.name, state, technology.description)
    Console().print(table)
    for technology in technologies:
        if not here[technology.name]:
            print(f"for {technology.name}, {technology.install}")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Check one technology; 1 when it can't be characterized."""
    technology = load_technology(args.file)
    findings = examine(technology)
    ok = not any(finding.severity == "error" for finding in findings)
    if args.json:
        content = {"schema": "quidam-tech-check/1", "technology": technology.name, "ok": ok}
        print(json.dumps({**content, "findings": [asdict(finding) for finding in findings]}))
        return 0 if ok else 1
    for finding in findings:
        print(_line(finding))
    count = len(findings)
    verdict = "can be characterized" if ok else "can't be characterized"
    print(f"{technology.name}: {verdict}; {count} finding{'' if count == 1 else 's'}")
    return 0 if ok else 1


def _line(finding: Finding) -> str:
    return f"{finding.severity}: {f'{finding.cell} ' if finding.cell else ''}{finding.message}"
