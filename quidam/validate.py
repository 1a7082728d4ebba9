"""`quidam validate`: whole accelerators, measured whole, against the composition that predicts."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import ToolError, UserError

if TYPE_CHECKING:
    from characterize.technology import Technology
    from characterize.whole_plan import WholePlan
    from characterize.whole_store import Whole
    from explore.composition import Comparison
    from models.build import Build
    from models.ppa import PpaModel
    from quidam.measured_before import Measured

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
    missed = args.strict and not all(row["met"] for row in content["summary"])
    return 1 if taken.failures or missed else 0


def again(args: argparse.Namespace) -> tuple[Measured, PpaModel | None, None]:
    """What was measured before, and the fitted model."""
    from characterize.technology import find_technology
    from quidam.measured_before import doubts, read_report

    technology = find_technology(args.tech)
    taken = read_report(Path(args.measured))
    if taken.technology != technology.name:
        raise UserError(
            f"--measured must be of {technology.name}, {args.measured} is of {taken.technology}"
        )
    model = fitted(args.model, technology.name, [(_config(w), w.recipe) for w in taken.wholes])
    if model is None:
        raise UserError("--measured must come with --model, where no model ships")
    for doubt in doubts(taken.wholes, technology):
        _warn(doubt)
    return taken, model, None


def anew(
    args: argparse.Namespace, workers: int
) -> tuple[Measured, PpaModel | None, list[PpaModel] | None]:
    """What the store has or is measured now, the fitted model, and each accelerator's own."""
    from characterize.technology import load_technology
    from characterize.whole_plan import DEFAULTS, load_whole_plan
    from quidam.characterize import need_tools
    from quidam.measured_before import Measured

    plan = load_whole_plan(args.plan or DEFAULTS[args.size or 4])
    technology = load_technology(args.tech)
    need_tools()
    for warning in technology.warnings():
        _warn(warning)
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


def fitted(
    name: str | None, technology: str, asked: Sequence[tuple[AcceleratorConfig, str]]
) -> PpaModel | None:
    """The fitted model to compare with, or None, which is said.

    Parameters
    ----------
    name : of a model or its file; None for the technology's that ships.
    asked : accelerators, each with the recipe of its PEs.
    """
    from models.ppa import TRAINED, load_model

    if name is None and not (TRAINED / f"{technology}.json").is_file():
        _warn(
            f"no model of {technology} ships and --model names none: "
            "only the composition is validated"
        )
        return None
    model = load_model(name or technology)
    missing = {
        f"{config.arithmetic.name} ({_build(config, recipe)})": None
        for config, recipe in asked
        if not _knows(model, config, recipe)
    }
    if missing:
        _warn(f"the model has not been fitted to {', '.join(missing)}")
    return model


def _build(config: AcceleratorConfig, recipe: str) -> Build:
    from models.build import Build

    return Build(scratchpads=config.scratchpads, recipe=recipe)


def _knows(model: PpaModel, config: AcceleratorConfig, recipe: str) -> bool:
    return _build(config, recipe) in model.builds(config.arithmetic.name)


def measured(
    plan: WholePlan, technology: Technology, folder: Path, workers: int
) -> tuple[list[Whole], dict[str, str]]:
    """All accelerators of the plan, the store's and new ones; and why any is missing, by name."""
    from characterize.cell_files import prepare
    from characterize.store import Store
    from characterize.sweep import process_pool
    from characterize.whole import measure_whole, whole_id
    from characterize.whole_plan import title
    from characterize.whole_store import WholeStore

    store, failures = WholeStore(folder), {}
    configs = {
        whole_id(one, technology, technology.clock_ns, plan.recipe): one for one in plan.configs()
    }
    missing = {id: config for id, config in configs.items() if store.get(id) is None}
    _say(f"{len(configs) - len(missing)} of {len(configs)} accelerators in the store")
    with Store(folder).writing() as scratch, process_pool(workers) as pool:
        liberty = prepare(technology, scratch)
        running = {
            pool.submit(
                measure_whole,
                config,
                technology=technology,
                liberty=liberty,
                recipe=plan.recipe,
                scratch=scratch,
            ): config
            for config in missing.values()
        }
        start = time.monotonic()
        for number, future in enumerate(as_completed(running), 1):
            name = title(running[future].to_mapping())
            try:
                store.put(future.result())
                outcome = "done"
            except (ToolError, UserError) as error:
                failures[name] = str(error)
                outcome = f"FAILED: {error}"
            minutes = (time.monotonic() - start) / 60
            _say(f"{number} of {len(running)}, {minutes:.1f} minutes: {name} {outcome}")
    found = [store.get(id) for id in configs]
    return [whole for whole in found if whole is not None], failures


def own_models(
    wholes: Sequence[Whole],
    plan: WholePlan,
    technology: Technology,
    folder: Path,
    workers: int,
) -> list[PpaModel]:
    """Of each accelerator a model of its own: of components measured at the very same sizes."""
    from characterize.store import Store
    from characterize.whole_plan import components_of
    from models.fit import fit
    from models.model_file import TechnologyData
    from quidam.workbench import workbench

    lists = [
        components_of(_config(whole), technology, technology.clock_ns, plan.recipe)
        for whole in wholes
    ]
    tasks = list({str(task): task for tasks in lists for task in tasks}.values())
    store = Store(folder)
    with workbench(technology, store, workers, retry=True) as bench:
        outcome, ids = bench.sweep(tasks)
    if outcome.failures:
        first = outcome.failures[0]
        raise ToolError(f"{first.component} of {first.arithmetic}: {first.step}: {first.message}")
    samples = {sample.id: sample for sample in store.samples()}
    by_task = {str(task): samples[id] for task, id in zip(tasks, ids, strict=True)}
    data = TechnologyData(
        name=technology.name,
        voltage_v=technology.voltage_v,
        memories=technology.memories(),
        dram_pj_per_bit=technology.dram_pj_per_bit,
        glitches={},
    )
    return [fit([by_task[str(task)] for task in own], data).model for own in lists]


def _config(whole: Whole) -> AcceleratorConfig:
    return AcceleratorConfig.from_mapping(dict(whole.config))


def compared(
    wholes: Sequence[Whole], model: PpaModel | None, exact: Sequence[PpaModel] | None
) -> list[Comparison]:
    """Each beside what the composition says of it: of the fitted model, and of its own."""
    from characterize.whole_rtl import whole_layer
    from explore.composition import Comparison, predict

    found = []
    for number, whole in enumerate(wholes):
        config = _config(whole)
        ways: dict[str, PpaModel] = {} if exact is None else {"composed": exact[number]}
        if model is not None and _knows(model, config, whole.recipe):
            ways["fitted"] = model
        predictions = {
            way: predict(
                one, config, whole_layer(config), clock_ns=whole.clock_ns, recipe=whole.recipe
            )
            for way, one in ways.items()
        }
        found.append(Comparison(whole=whole, predictions=predictions))
    return found


def _say(text: str) -> None:
    print(f"validate: {text}", file=sys.stderr, flush=True)


def _warn(text: str) -> None:
    print(f"quidam: warning: {text}", file=sys.stderr, flush=True)
