"""`quidam validate`: whole accelerators, measured whole, against the composition that predicts."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quidam.terminal import warn
from rtl_gen.errors import UserError

if TYPE_CHECKING:
    from models.ppa import PpaModel
    from quidam.validation_file import Measured

DESCRIPTION = """\
Hold the models against whole accelerators that none was fitted to: each is synthesized whole,
timed whole and simulated at gate level while it runs a real layer; area, power and shortest clock
period are compared with what the composition of its components says. Twice: composed of components
measured at the very same sizes, which shows what composing misses, and composed of the fitted
models. Memories are left out of both sides. Every result is kept in the store at once; run the
same command again, after whatever ended the last one, and it goes on.
"""
EPILOG = """\
example:
  quidam validate --tech osu018 -o build/validate/osu018
  quidam validate --tech osu018 --size 8
  quidam validate --tech osu018 --measured build/validate/osu018/validate.json

The exit status is 0 also where an error is above its bar, but with --strict; 1 where an accelerator
could not be measured.
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "validate",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tech", metavar="NAME|FILE", required=True, help="the technology")
    parser.add_argument(
        "--model", metavar="MODEL.json", help="fitted model (default: the one that ships, if any)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--plan", metavar="PLAN.yaml", help="which accelerators, instead of --size")
    which.add_argument(
        "--size", type=int, choices=(4, 8), help="rows and columns of those that ship (4)"
    )
    which.add_argument(
        "--measured",
        metavar="VALIDATE.json",
        help="hold the model against what was measured then; measure nothing (implies "
        "--fitted-only)",
    )
    parser.add_argument(
        "--store", metavar="DIR", help="folder for the results (build/validate/TECHNOLOGY)"
    )
    parser.add_argument(
        "--workers", metavar="N", type=int, help="processes at work (as many as there are cores)"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="write validate.json, .csv, .md and .png; "
        "DIR called NAME-validation goes into the card NAME.md beside it",
    )
    parser.add_argument(
        "--fitted-only",
        action="store_true",
        help="leave out the components of the very same sizes, which take as long again",
    )
    parser.add_argument("--strict", action="store_true", help="exit status 1 where a bar is missed")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, compose, compare, show."""
    from models.whole_card import refresh
    from quidam.validation import compared
    from quidam.validation_report import report, show, write

    workers = args.workers if args.workers is not None else len(os.sched_getaffinity(0))
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers!r}")
    taken, model, exact = again(args) if args.measured else anew(args, workers)
    content = report(compared(taken.wholes, model, exact), taken, model)
    if args.output:
        write(Path(args.output), content)
        if model is not None:
            refresh(Path(args.output), taken.technology, model.sha256)
    if args.json:
        print(json.dumps(content))
    else:
        show(content)
    met = content["summary"] and all(row["met"] for row in content["summary"])
    missed = args.strict and not met
    return 1 if taken.failures or missed else 0


def again(args: argparse.Namespace) -> tuple[Measured, PpaModel | None, None]:
    """What was measured before, and the fitted model."""
    from characterize.technology import find_technology
    from quidam.validation import fitted
    from quidam.validation_file import doubts, read_report

    technology = find_technology(args.tech)
    taken = read_report(Path(args.measured))
    if taken.technology != technology.name:
        raise UserError(
            f"--measured must be of {technology.name}, {args.measured} is of {taken.technology}"
        )
    model = fitted(args.model, technology.name, [(w.accelerator, w.recipe) for w in taken.wholes])
    if model is None:
        raise UserError("--measured must come with --model, where no model ships")
    for doubt in doubts(taken.wholes, technology):
        warn(doubt)
    return taken, model, None


def anew(
    args: argparse.Namespace, workers: int
) -> tuple[Measured, PpaModel | None, list[PpaModel] | None]:
    """What the store has or is measured now, the fitted model, and each accelerator's own."""
    from characterize.technology import load_technology
    from characterize.whole_plan import DEFAULTS, load_whole_plan
    from quidam.characterize import need_tools
    from quidam.validation import fitted, measured, own_models
    from quidam.validation_file import Measured

    plan = load_whole_plan(args.plan or DEFAULTS[args.size or 4])
    technology = load_technology(args.tech)
    need_tools()
    for warning in technology.warnings():
        warn(warning)
    folder = Path(args.store or Path("build") / "validate" / technology.name)
    model = fitted(args.model, technology.name, [(one, plan.recipe) for one in plan.configs()])
    if args.fitted_only and model is None:
        raise UserError("--fitted-only must come with --model, where no model ships")
    wholes, failures = measured(plan, technology, folder, workers)
    exact = None if args.fitted_only else own_models(wholes, plan, technology, folder, workers)
    taken = Measured(
        technology=technology.name,
        size=plan.size,
        plan=args.plan,
        failures=failures,
        wholes=wholes,
    )
    return taken, model, exact
