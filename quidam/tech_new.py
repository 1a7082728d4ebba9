"""`quidam tech new`: a first technology file from Liberty files."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from characterize import tools
from characterize.clock_trial import Clock, estimated_clock, tried_clock
from characterize.inspect_library import inspect
from characterize.liberty import read_cells
from characterize.technology import load_technology
from characterize.technology_draft import Draft, library_name
from characterize.technology_file import NAME, NAME_RULE, NUMBERS
from quidam.terminal import warn
from rtl_gen.errors import ToolError, UserError


def write_new(args: argparse.Namespace) -> tuple[Path, Clock]:
    """Write the file that `args` ask for; its path and the clock target in it."""
    draft = drafted([Path(path) for path in args.liberty], args.name, args.feature_nm)
    target = Path(args.output or f"{draft.name or library_name(draft.files)}.yaml")
    if target.exists():
        raise UserError(f"-o must name a file that does not exist yet, not {str(target)!r}")
    clock = estimated_clock(draft.feature_nm)
    if not args.no_trial:
        clock = tried(draft, clock)
    target.write_text(draft.text(clock, target.parent), encoding="utf-8")
    return target, clock


def drafted(files: list[Path], name: str | None, feature_nm: float | None) -> Draft:
    """What the file is to say but for the clock."""
    unit, low, high = NUMBERS["feature_nm"]
    if feature_nm is None:
        raise UserError(
            "--feature-nm must be given, no Liberty file says it: the feature size of the "
            "process, such as 130; memories of another technology are scaled by it"
        )
    if not low <= feature_nm <= high:
        raise UserError(f"--feature-nm must be {low:g} to {high:g} {unit}, not {feature_nm!r}")
    if name is not None and not NAME.fullmatch(name):
        raise UserError(f"--name must be {NAME_RULE}, not {name!r}")
    library, refused = read_cells(*files)
    for cell, broken in refused.items():
        warn(f"{cell} is pruned: {broken}")
    return Draft(
        files=files,
        library=library,
        found=inspect(library, refused),
        name=name or "",
        feature_nm=feature_nm,
    )


def tried(draft: Draft, clock: Clock) -> Clock:
    """The clock by trial; the one given, and a warning, where the tools for one are missing."""
    try:
        tools.find("sta")
        tools.yosys_command("")
    except ToolError as missing:
        warn(f"the clock is a guess: {missing}")
        return clock
    print("quidam: trying the clock on a small PE (--no-trial leaves that out)", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="quidam-") as folder:
        path = Path(folder) / "trial.yaml"
        path.write_text(draft.text(clock, path.parent), encoding="utf-8")
        return tried_clock(load_technology(path))
