"""A whole accelerator from its components: area, clock, leakage, energy per event.

One evaluation a metric for a whole table of designs; needs numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from characterize.memory import sram
from models.build import Build, complete
from models.component import PARTS, ComponentModel
from models.features import Array, features, means
from models.glitches import EVENT, KIND, Factors
from models.glitches import PARTS as GLITCHING
from models.metrics import PERIOD, segments_of
from models.model_file import Contents, read, text, write
from models.paths import Segments, path_periods
from rtl_gen import provenance
from rtl_gen.components import KINDS, Design
from rtl_gen.errors import UserError
from rtl_gen.memories import WEIGHT_SRAM, memories
from rtl_gen.storage import MACRO

#: Models that ship: TRAINED / NAME.json.
TRAINED = Path(__file__).parent / "trained"

#: Where the area and leakage of each kind's parts are booked; "*" is every part.
SHARES: dict[str, tuple[tuple[str, str], ...]] = {
    "pe_datapath": (("pe", "datapath"),),
    "pe_scratchpad": (("pe", "scratchpad"),),
    "network": (("node", "*"), ("row", "*"), ("collector", "*")),
    "buffer_logic": (("bank", "*"),),
    "controller": (("controller", "*"), ("control", "*")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ppa:
    """Predicted power, performance and area; every array has the shape of the design table.

    Parameters
    ----------
    technology : name.
    area_um2, leakage_mw : of the whole accelerator, memories included.
    area_by, leakage_by : the same by share (the keys of `SHARES`, and "buffer_sram").
    min_period_ns : the longest of `period_by`.
    period_by : kind of component -> its period alone; memory -> its access time; "KIND.INPUTS" ->
        of the paths from other components that end there (`models.paths`).
    segments_ns : kind of component -> segment of such paths -> what it takes there.
    energy_pj : kind -> event -> part -> energy of one instance in one cycle of the event, what
        glitches add to a multiply-accumulate included.
    memories : name (as in `rtl_gen.memories.memories`) -> what `characterize.memory.sram` says of
        one memory: `read_pj`, `write_pj`, `leakage_mw`, `area_um2`, `access_ns`, whether they are
        `scaled` from another technology, and from which `source`; and their `count`.
    dram_pj_per_bit : off-chip.
    inside_range : whether every feature of every component lies in its fitted range. Memories
        of any size are built of macros that lie in theirs.
    outside : "FEATURE of KIND" -> where it does not; only those that are outside somewhere.
    """

    technology: str
    area_um2: Array
    area_by: dict[str, Array]
    min_period_ns: Array
    period_by: dict[str, Array]
    segments_ns: Segments
    leakage_mw: Array
    leakage_by: dict[str, Array]
    energy_pj: dict[str, dict[str, dict[str, Array]]]
    memories: dict[str, dict[str, Any]]
    dram_pj_per_bit: float
    inside_range: npt.NDArray[np.bool_]
    outside: dict[str, npt.NDArray[np.bool_]]

    @property
    def logic_period_ns(self) -> Array:
        """What the shortest period would be if memories answered at once."""
        at_once = {name: np.zeros(np.shape(self.min_period_ns)) for name in self.memories}
        alone = [self.period_by[kind] for kind in KINDS]
        return _longest([*alone, *path_periods(self.segments_ns, at_once).values()])


@dataclass(frozen=True, slots=True, kw_only=True)
class PpaModel:
    """The models of one technology."""

    contents: Contents

    @classmethod
    def load(cls, path: Path | str) -> PpaModel:
        """Read a model file; `UserError` when it is not one."""
        return cls(contents=read(path))

    def save(self, path: Path | str) -> None:
        """Write the model file."""
        write(path, self.contents)

    @property
    def sha256(self) -> str:
        """Of the file that `save` writes."""
        return provenance.sha256(text(self.contents))

    @property
    def arithmetics(self) -> tuple[str, ...]:
        """Names of the arithmetics that were characterized."""
        return tuple(sorted(self.contents.components))

    def builds(self, arithmetic: str) -> list[Build]:
        """The ways to build designs of an arithmetic that were characterized."""
        return complete(self.contents.components.get(arithmetic, ()))

    def predict(
        self, design: Design, arithmetic: str | None = None, build: Build | None = None
    ) -> Ppa:
        """Predict one design or a table of designs of one arithmetic, built in one way.

        Parameters
        ----------
        design : an `AcceleratorConfig`, or an object with its integer fields and
            `activation_bits`, `weight_bits`, `accumulator_bits`, `weight_macros` as int64 arrays
            of one shape.
        arithmetic : name; None for the config's own.
        build : None for the config's own scratchpads, by the first recipe.

        Raises
        ------
        UserError
            When the model has not been fitted to the arithmetic, or to the build.
        """
        name = design.arithmetic.name if arithmetic is None else arithmetic
        if name not in self.contents.components:
            raise UserError(
                f"arithmetic must be one the model was fitted to "
                f"({', '.join(self.arithmetics)}), not {name!r}"
            )
        build = Build(scratchpads=design.scratchpads) if build is None else build
        if build not in self.builds(name):
            known_builds = "; ".join(map(str, self.builds(name)))
            raise UserError(
                f"scratchpads and recipe must be among those that the model of "
                f"{self.contents.technology.name} was fitted to for {name} ({known_builds}), "
                f"not {build}"
            )
        if np.any((design.weight_macros > 0) != (build.scratchpads == MACRO)):
            raise UserError(
                f"build must keep weights as the design does ({design.weight_macros} macros a PE), "
                f"not {build}"
            )
        shape = np.shape(design.rows)
        known = {kind: features(kind, design) for kind in KINDS}
        fitted = self.contents.components[name]
        models = {kind: fitted[build.component(kind)] for kind in KINDS}
        metrics = {
            kind: _broadcast(models[kind].evaluate(known[kind], means(kind, design)), shape)
            for kind in KINDS
        }
        chips = self._memories(design)
        area_by, leakage_by = (
            _shares(metrics, quantity, design, chips) for quantity in ("area_um2", "leakage_mw")
        )
        outside = _outside(models, known, shape)
        access = {name: np.broadcast_to(chip["access_ns"], shape) for name, chip in chips.items()}
        segments = {kind: segments_of(values) for kind, values in metrics.items()}
        alone = {kind: values[PERIOD] for kind, values in metrics.items()}
        period_by = {**alone, **access, **path_periods(segments, access)}
        return Ppa(
            technology=self.contents.technology.name,
            area_um2=_sum(area_by),
            area_by=area_by,
            min_period_ns=_longest(period_by.values()),
            period_by=period_by,
            segments_ns=segments,
            leakage_mw=_sum(leakage_by),
            leakage_by=leakage_by,
            energy_pj=_with_glitches(
                {kind: _energies(kind, metrics[kind]) for kind in KINDS},
                self.contents.technology.glitches.get(name, {}),
            ),
            memories=chips,
            dram_pj_per_bit=self.contents.technology.dram_pj_per_bit,
            inside_range=~np.logical_or.reduce([np.zeros(shape, dtype=bool), *outside.values()]),
            outside=outside,
        )

    def _memories(self, design: Design) -> dict[str, dict[str, Any]]:
        return {
            name: {
                **sram(self.contents.technology.memories, memory.depth, memory.width),
                "count": memory.count,
            }
            for name, memory in memories(design).items()
        }


def load_model(name_or_path: Path | str) -> PpaModel:
    """Load a model file, or a model that ships by its name.

    Raises
    ------
    UserError
        When there is neither such a file nor such a model.
    """
    path = Path(name_or_path)
    shipped = {file.stem: file for file in sorted(TRAINED.glob("*.json"))}
    if str(name_or_path) in shipped and not path.is_file():
        return PpaModel.load(shipped[str(name_or_path)])
    if not path.is_file():
        if "@" in path.name:
            name = str(name_or_path)
            raise UserError(
                f"no model of the corner {name!r} ships: measure it (quidam characterize --tech "
                f"{name} --store DIR), fit it (quidam fit DIR -o MODEL.json), and give MODEL.json"
            )
        raise UserError(
            f"model must be a file, or a model that ships ({', '.join(shipped) or 'none does'}), "
            f"not {str(name_or_path)!r}"
        )
    return PpaModel.load(path)


def _broadcast(metrics: Mapping[str, Array], shape: tuple[int, ...]) -> dict[str, Array]:
    """A component without features of its own has one value for all designs."""
    return {metric: np.broadcast_to(values, shape) for metric, values in metrics.items()}


def _longest(periods: Iterable[Array]) -> Array:
    return np.asarray(np.maximum.reduce(list(periods)))


def _shares(
    metrics: Mapping[str, Mapping[str, Array]],
    quantity: str,
    design: Design,
    chips: Mapping[str, Mapping[str, Any]],
) -> dict[str, Array]:
    """Book area or leakage, all instances together."""
    result: dict[str, Array] = {}
    for share, booked in SHARES.items():
        total = np.zeros(np.shape(design.rows))
        for kind, part in booked:
            for one in PARTS if part == "*" else (part,):
                value = metrics[kind].get(f"{quantity}.{one}", 0.0)
                total = total + KINDS[kind].count(design) * value
        result[share] = total
    result["buffer_sram"] = np.zeros(np.shape(design.rows))
    for name, chip in chips.items():
        share = "pe_scratchpad" if name == WEIGHT_SRAM else "buffer_sram"
        result[share] = result[share] + chip["count"] * chip[quantity]
    return result


def _sum(parts: Mapping[str, Array]) -> Array:
    return np.asarray(sum(parts.values()), dtype=np.float64)


def _energies(kind: str, metrics: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    return {
        event: {
            part: metrics[f"energy_pj.{event}.{part}"]
            for part in PARTS
            if f"energy_pj.{event}.{part}" in metrics
        }
        for event in KINDS[kind].events
    }


def _with_glitches(
    energy_pj: dict[str, dict[str, dict[str, Array]]], factors: Factors
) -> dict[str, dict[str, dict[str, Array]]]:
    """The same, but for what a PE's multiply-accumulate takes above idling."""
    busy, idle = energy_pj[KIND][EVENT], energy_pj[KIND]["idle"]
    more = {
        part: idle[part] + float(factors.get(part, 1.0)) * (busy[part] - idle[part])
        for part in GLITCHING
        if part in busy
    }
    of_kind = {**energy_pj[KIND], EVENT: {**busy, **more}}
    return {**energy_pj, KIND: of_kind}


def _outside(
    models: Mapping[str, ComponentModel],
    known: Mapping[str, Mapping[str, Array]],
    shape: tuple[int, ...],
) -> dict[str, npt.NDArray[np.bool_]]:
    found = {
        f"{name} of {kind}": where
        for kind in KINDS
        for name, where in models[kind].outside(known[kind]).items()
    }
    return {place: np.broadcast_to(where, shape) for place, where in found.items() if where.any()}
