"""`quidam sample`: what was measured, where each number comes from, and whether it comes again."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from characterize.sample import Failure, Sample, task_of, to_json
from characterize.sample_table import read_table
from characterize.store import open_store
from models.ppa import TRAINED, PpaModel
from quidam.terminal import console, warn
from rtl_gen.errors import UserError

EPILOG = """\
example:
  quidam sample list build/osu018
  quidam sample show build/osu018 3f2a
  quidam sample rerun build/osu018 3f2a
  quidam sample show 3f2a             of the samples of the models that ship
  quidam sample rerun osu018 3f2a

An ID may be cut short as long as only one sample begins with it.
"""

ID_DIGITS = 12


def add_parser(subparsers: Any) -> None:
    """Declare the verb and its three actions."""
    parser = subparsers.add_parser(
        "sample",
        description="Look at the samples of a store or of a model, and measure one again.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    lister = actions.add_parser("list", help="all samples and failures, one a line")
    shower = actions.add_parser(
        "show",
        help="one sample, with its manifest",
        description="Print a sample (or failure) and its manifest: commit, versions of the tools, "
        "recipe, hashes of the inputs, seed, host, time of day and seconds of every step.",
    )
    again = actions.add_parser(
        "rerun",
        help="measure one sample again and compare bit for bit",
        description="Measure a sample again and compare it bit for bit, times aside. The exit "
        "status is 0 when it is identical, else 1.",
    )
    for action in (lister, shower, again):
        action.add_argument(
            "store", metavar="STORE|MODEL", nargs="?",
            help="folder that characterize filled, model that ships, or MODEL.json with its table "
            "beside it (default: all models that ship)",
        )  # fmt: skip
        if action is not lister:
            action.add_argument("id", metavar="ID", help="of the sample, or how it begins")
        action.add_argument("--json", action="store_true", help="print the result as JSON")
    again.add_argument(
        "--tech", metavar="NAME|FILE", help="its technology (the one that ships by its name)"
    )
    again.add_argument(
        "--anyway", action="store_true", help="though tools, method or cells are others by now"
    )


def run(args: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    results = results_of(args.store)
    match args.action:
        case "list":
            return run_list(results, args.json)
        case "show":
            return run_show(find(results, args.id, args.store), args.json)
        case _:
            return run_again(find(results, args.id, args.store), args)


def results_of(place: str | None) -> list[Sample | Failure]:
    """All that a store holds, or the table of a model, or of all that ship; raises `UserError`."""
    models = {path.stem: path for path in sorted(TRAINED.glob("*.json"))}
    if place is None:
        return [sample for path in models.values() for sample in _readable(path)]
    path = Path(place)
    if place in models and not path.exists():
        return list(_table_of(models[place]))
    if path.suffix == ".json" and path.is_file():
        return list(_table_of(path))
    store = open_store(place)
    return [*store.samples(), *store.failures()]


def _readable(model: Path) -> list[Sample]:
    """The table of a model; nothing, and a warning, where it is none that holds all of a sample."""
    try:
        return _table_of(model)
    except UserError as error:
        warn(f"{model.stem} is left out: {error}")
        return []


def _table_of(model: Path) -> list[Sample]:
    shared = PpaModel.load(model).contents.manifest.get("measured")
    if not isinstance(shared, Mapping):
        raise UserError(f"{model} must say in its manifest how its samples were measured")
    return read_table(model.with_name(f"{model.stem}-samples.csv"), shared)


def find(results: Sequence[Sample | Failure], prefix: str, place: str | None) -> Sample | Failure:
    """The one result whose id begins with `prefix`.

    Parameters
    ----------
    place : where they are from, for the message.

    Raises
    ------
    UserError
        When there is none, or more than one.
    """
    found = [result for result in results if result.id.startswith(prefix.lower())]
    if len(found) != 1 or not prefix:
        many = f"{len(found)} samples begin with it" if found else "no sample begins with it"
        where = place or "the models that ship"
        raise UserError(f"ID must be that of one sample of {where}, not {prefix!r}: {many}")
    return found[0]


def run_list(results: list[Sample | Failure], as_json: bool) -> int:
    """One line a result."""
    results.sort(key=lambda result: (str(task_of(result)), result.clock_ns, result.id))
    if as_json:
        rows = [summary(result) for result in results]
        print(json.dumps({"schema": "quidam-sample-list/1", "samples": rows}))
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "component", "technology", "clock ns", "um2", "shortest ns", ""):
        table.add_column(heading, justify="right" if heading[-2:] in ("ns", "m2") else "left")
    for result in results:
        row = [result.id[:ID_DIGITS], str(task_of(result)), result.technology]
        row.append(f"{result.clock_ns:g}")
        if isinstance(result, Sample):
            row += [f"{sum(result.area_um2.values()):,.1f}", f"{result.min_period_ns:.3f}", ""]
        else:
            row += ["", "", f"failed at {result.step}: {result.message}"]
        table.add_row(*row)
    console().print(table)
    return 0


def summary(result: Sample | Failure) -> dict[str, Any]:
    """A result in a line of JSON; the numbers of a failure are null."""
    row: dict[str, Any] = {
        "id": result.id,
        **asdict(task_of(result)),
        "area_um2": None,
        "min_period_ns": None,
        "failed": None,
    }
    if isinstance(result, Sample):
        row["area_um2"] = sum(result.area_um2.values())
        row["min_period_ns"] = result.min_period_ns
    else:
        row["failed"] = {"step": result.step, "message": result.message}
    return row


def run_show(result: Sample | Failure, as_json: bool) -> int:
    """Everything that is known of a result; its JSON is the store's."""
    text = to_json(result)
    if as_json:
        print(json.dumps(json.loads(text)))
        return 0
    content = json.loads(text)
    manifest = content.pop("manifest", None)
    print("\n".join(lines(content)))
    if manifest is not None:
        print("\nmanifest")
        print("\n".join(lines(manifest, "  ")))
    return 0


def lines(content: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Nested mappings as indented lines."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}"
            yield from lines(value, indent + "  ")
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{key}"
            yield from (f"{indent}  | {line}" for line in value.splitlines())
        else:
            shown = " ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{indent}{key}  {shown}"


def run_again(sample: Sample | Failure, args: argparse.Namespace) -> int:
    """Measure again and compare; 1 when anything differs."""
    from characterize.rerun import differences, measured_again, obstacles
    from characterize.technology import load_technology
    from quidam.characterize import need_tools

    if isinstance(sample, Failure):
        message = f"ID must be that of a sample, not of the failure {sample.id[:ID_DIGITS]}"
        raise UserError(f"{message}: `quidam characterize --retry` measures failures again")
    technology = load_technology(args.tech or sample.technology)
    need_tools()
    if (why := list(obstacles(sample, technology))) and not args.anyway:
        raise UserError(
            "to give the same sample, what it depends on must be the same (--anyway measures "
            "nevertheless): " + "; ".join(why)
        )
    start = time.monotonic()
    different = differences(sample, measured_again(sample, technology))
    seconds = time.monotonic() - start
    if args.json:
        content = {"schema": "quidam-sample-rerun/1", "id": sample.id, "identical": not different}
        pairs = {key: {"then": old, "now": new} for key, (old, new) in different.items()}
        print(json.dumps({**content, "seconds": round(seconds, 3), "differences": pairs}))
        return 1 if different else 0
    for key, (old, new) in different.items():
        print(f"{key}: was {old}, now {new}")
    verdict = f"{len(different)} keys differ" if different else "identical"
    print(f"{verdict}: {task_of(sample)} in {sample.technology}, measured again in {seconds:.1f} s")
    return 1 if different else 0
