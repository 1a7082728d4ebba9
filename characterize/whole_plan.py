"""Which accelerators to measure whole: a plan in YAML, and the components that each is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from characterize.sample import RECIPES, Task
from characterize.technology import Technology
from rtl_gen.components import KINDS, WITH_SCRATCHPADS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.storage import FLIPFLOP
from rtl_gen.yaml_input import load_mapping

#: Size (rows and columns) -> the plan that ships for it.
DEFAULTS = {size: Path(__file__).parent / f"whole_{size}x{size}.yaml" for size in (4, 8)}

#: What one of a plan's memories says: fields of the config.
MEMORY = ("ifmap_words", "weight_words", "psum_words", "buffer_kib", "scratchpads")


@dataclass(frozen=True, slots=True, kw_only=True)
class WholePlan:
    """Every arithmetic with every choice of memories.

    Parameters
    ----------
    arithmetics : names.
    size : rows, and columns.
    bus_bits : of the config, the same in all.
    memories : the fields of `MEMORY` of each choice.
    recipe : of the PEs' synthesis.
    """

    arithmetics: tuple[str, ...]
    size: int
    bus_bits: int
    memories: tuple[Mapping[str, Any], ...]
    recipe: str = RECIPES[0]

    def configs(self) -> list[AcceleratorConfig]:
        """The accelerators, those of an arithmetic behind one another; raises `UserError`."""
        return [
            AcceleratorConfig.from_mapping(
                {
                    "arithmetic": name,
                    "rows": self.size,
                    "columns": self.size,
                    "bus_bits": self.bus_bits,
                    **memory,
                }
            )
            for name in self.arithmetics
            for memory in self.memories
        ]


def load_whole_plan(path: Path | str) -> WholePlan:
    """Read a plan; raises `UserError` where it breaks a rule."""
    content = load_mapping(Path(path))
    known = {item.name for item in fields(WholePlan)}
    if not known - {"recipe"} <= set(content) <= known:
        raise UserError(f"{path}: keys must be {sorted(known)}, not {sorted(content)}")
    if content.get("recipe", RECIPES[0]) not in RECIPES:
        raise UserError(f"{path}: recipe must be one of {', '.join(RECIPES)}")
    names, memories = content["arithmetics"], content["memories"]
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise UserError(f"{path}: arithmetics must be a list of names, not {names!r}")
    if not isinstance(memories, list) or not memories or not all(map(_is_memory, memories)):
        raise UserError(
            f"{path}: memories must be a list of {{{', '.join(MEMORY)}}}, not {memories!r}"
        )
    lists = {"arithmetics": tuple(names), "memories": tuple(memories)}
    plan = WholePlan(**{**content, **lists})
    try:
        plan.configs()
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return plan


def _is_memory(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == set(MEMORY)


def components_of(
    config: AcceleratorConfig, technology: Technology, clock_ns: float, recipe: str
) -> list[Task]:
    """The components of an accelerator, each at exactly its sizes, to be measured alone."""
    return [
        Task(
            component=kind,
            arithmetic=config.arithmetic.name,
            parameters={field: int(getattr(config, field)) for field in KINDS[kind].fields},
            technology=technology.name,
            clock_ns=clock_ns,
            scratchpads=config.scratchpads if kind in WITH_SCRATCHPADS else FLIPFLOP,
            recipe=recipe if kind in WITH_SCRATCHPADS else RECIPES[0],
        )
        for kind in KINDS
    ]


def title(config: Mapping[str, Any]) -> str:
    """An accelerator in a few words: arithmetic, array, scratchpads."""
    words = "/".join(str(config[name]) for name in MEMORY[:3])
    built = "" if config["scratchpads"] == FLIPFLOP else f" {config['scratchpads']}"
    return f"{config['arithmetic']} {config['rows']}x{config['columns']} {words}{built}"
