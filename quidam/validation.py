"""What `quidam validate` holds against each other: whole accelerators measured, and predictions."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from quidam.terminal import warn
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import ToolError, UserError

if TYPE_CHECKING:
    from characterize.technology import Technology
    from characterize.whole_plan import WholePlan
    from characterize.whole_store import Whole
    from explore.composition import Comparison
    from models.build import Build
    from models.ppa import PpaModel


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
        warn(
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
        warn(f"the model has not been fitted to {', '.join(missing)}")
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
        components_of(whole.accelerator, technology, technology.clock_ns, plan.recipe)
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


def compared(
    wholes: Sequence[Whole], model: PpaModel | None, exact: Sequence[PpaModel] | None
) -> list[Comparison]:
    """Each beside what the composition says of it: of the fitted model, and of its own."""
    from characterize.whole_rtl import whole_layer
    from explore.composition import Comparison, predict

    found = []
    for number, whole in enumerate(wholes):
        config = whole.accelerator
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
