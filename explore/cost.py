"""What a workload costs on a design: time, energy and area, for millions of designs at once.

    energy = sum over kinds of component:
                 cycles x energy of an idle cycle
               + sum over events: how often x (energy of a cycle with it - of an idle one)
           + memory accesses x energy per access
           + cycles without an access, memory by memory, x energy of an idle cycle
           + off-chip beats x bus_bits x energy per bit
           + leakage x time

Events may coincide (a PE multiplies while it is loaded), so each counts what it adds to an idle
cycle; docs/explanation/power.md tells how well these add up. Where a measurement says that an event
takes less than idling, the difference stays negative: clipping it would only add a bias.

Loops run over layers (tens), kinds and events, never over designs: everything is an array with
one element a design, or a scalar where the design is one `AcceleratorConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explore.designs import Designs
from explore.memory_energy import PJ, memory_energy
from explore.workload import Workload
from rtl_gen.components import Design
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.memories import WEIGHT_SRAM
from rtl_gen.schedule import Schedule, schedule

if TYPE_CHECKING:
    from models.build import Build
    from models.ppa import Ppa, PpaModel

Floats = NDArray[np.float64]

#: Where energy goes, in the order of reports. Of components, all but `idle` is above idling:
#:   mac         datapath of the PEs, for multiplying
#:   scratchpad  scratchpads of the PEs, for reading and writing them, and the logic that fills them
#:   network     nodes and rows, for carrying words
#:   buffer      memories of the global buffer and the output stage, banks and collector around them
#:   controller  and the control registers, for running
#:   clock       the clock net, of every component in every cycle
#:   idle        what components burn in every cycle, whatever they do: mostly the clock inside
#:               their registers; and memories in every cycle without an access, since the energy
#:               of an access is all that its cycle takes
#:   leakage     of the whole chip over the whole time
#:   dram        off-chip words; the memory chip's own energy, by the technology file
PARTS = (
    "mac",
    "scratchpad",
    "network",
    "buffer",
    "controller",
    "clock",
    "idle",
    "leakage",
    "dram",
)
_BUSY_PART = {
    "node": "network",
    "row": "network",
    "bank": "buffer",
    "collector": "buffer",
    "controller": "controller",
    "control": "controller",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one inference costs; arrays of shape (n,), or () for one config.

    Parameters
    ----------
    legal : whether the design can run every layer; the rest means nothing where it can't.
    inside_range : whether the PPA model was fitted on designs around this one.
    macs : multiply-accumulates of the inference.
    cycles : clock cycles, layer after layer.
    clock_ns : clock period.
    area_um2, leakage_w : of the whole accelerator, its memories included.
    energy_by : part of `PARTS` -> joules.
    """

    legal: NDArray[np.bool_]
    inside_range: NDArray[np.bool_]
    macs: int
    cycles: NDArray[np.int64]
    clock_ns: Floats
    area_um2: Floats
    leakage_w: Floats
    energy_by: Mapping[str, Floats]

    @property
    def latency_s(self) -> Floats:
        """Seconds an inference takes."""
        return np.asarray(self.cycles * self.clock_ns * 1e-9)

    @property
    def energy_j(self) -> Floats:
        """Joules an inference takes, off-chip memory included."""
        return np.asarray(sum(self.energy_by.values()))

    @property
    def power_w(self) -> Floats:
        """Mean power: energy over time."""
        return self.energy_j / self.latency_s

    @property
    def perf(self) -> Floats:
        """Inferences per second."""
        return 1 / self.latency_s

    @property
    def perf_per_area(self) -> Floats:
        """Inferences per second and mm2."""
        return self.perf / (self.area_um2 * 1e-6)

    @property
    def edp_js(self) -> Floats:
        """Energy-delay product, joule seconds."""
        return self.energy_j * self.latency_s

    def take(self, index: Any) -> Costs:
        """The rows that a mask or an index array chooses."""
        return Costs(
            legal=self.legal[index],
            inside_range=self.inside_range[index],
            macs=self.macs,
            cycles=self.cycles[index],
            clock_ns=self.clock_ns[index],
            area_um2=self.area_um2[index],
            leakage_w=self.leakage_w[index],
            energy_by={part: joules[index] for part, joules in self.energy_by.items()},
        )


def evaluate(
    model: PpaModel,
    design: Designs | AcceleratorConfig,
    workload: Workload,
    clock_ns: float | None = None,
    build: Build | None = None,
) -> Costs:
    """Costs of one inference of `workload` on a table of designs, or on one config.

    Parameters
    ----------
    build : None for the design's own.
    clock_ns : None for each design's own minimum period; else that period, or the design's
        minimum where it is longer.

    Raises
    ------
    UserError
        When the model lacks the arithmetic, or no design can run a layer (`check_layer`).
    """
    if build is None and isinstance(design, Designs):
        build = design.one_build()
    ppa = model.predict(design, design.arithmetic.name, build)
    return workload_costs(ppa, design, workload, clock_ns)


def workload_costs(
    ppa: Ppa, design: Design, workload: Workload, clock_ns: float | None = None
) -> Costs:
    """`evaluate` with the prediction at hand: several workloads need it only once."""
    total: Costs | None = None
    for layer, times in workload.unique():
        one = layer_costs(ppa, design, layer, clock_ns)
        total = _add(total, one, times)
    assert total is not None  # a workload has at least one layer
    return total


def layer_costs(ppa: Ppa, design: Design, layer: Layer, clock_ns: float | None = None) -> Costs:
    """Costs of one layer."""
    plan = schedule(design, layer)
    period = np.maximum(ppa.min_period_ns, 0.0 if clock_ns is None else clock_ns)
    seconds = plan.cycles * period * 1e-9
    energy = _event_energy(ppa, plan)
    for name, spent in memory_energy(ppa, plan).items():
        part = "scratchpad" if name == WEIGHT_SRAM else "buffer"
        energy[part] = energy[part] + spent["read"] + spent["write"]
        energy["idle"] = energy["idle"] + spent["idle"]
    energy["leakage"] = np.asarray(ppa.leakage_mw * 1e-3 * seconds)
    beats = sum(plan.words["dram"].values())
    energy["dram"] = np.asarray(beats * design.bus_bits * ppa.dram_pj_per_bit * PJ)
    return Costs(
        legal=np.asarray(plan.legal),
        inside_range=np.asarray(ppa.inside_range),
        macs=plan.macs,
        cycles=np.asarray(plan.cycles),
        clock_ns=np.asarray(period),
        area_um2=np.asarray(ppa.area_um2),
        leakage_w=np.asarray(ppa.leakage_mw * 1e-3),
        energy_by={part: energy[part] for part in PARTS},
    )


def _add(total: Costs | None, one: Costs, times: int) -> Costs:
    energy = {part: joules * times for part, joules in one.energy_by.items()}
    if total is not None:
        energy = {part: total.energy_by[part] + joules for part, joules in energy.items()}
    return Costs(
        legal=one.legal if total is None else total.legal & one.legal,
        inside_range=one.inside_range,
        macs=one.macs * times + (0 if total is None else total.macs),
        cycles=one.cycles * times + (0 if total is None else total.cycles),
        clock_ns=one.clock_ns,
        area_um2=one.area_um2,
        leakage_w=one.leakage_w,
        energy_by=energy,
    )


def _event_energy(ppa: Ppa, plan: Schedule) -> dict[str, Floats]:
    """Joules by part of `PARTS`, of everything that components do cycle by cycle."""
    energy: dict[str, Any] = dict.fromkeys(PARTS, 0.0)
    for kind, counts in plan.events.items():
        of_kind = ppa.energy_pj[kind]
        for event, count in counts.items():
            # A cycle that nothing else is said of is an idle one.
            spent = "idle" if event == "cycle" else event
            for part, picojoules in of_kind[spent].items():
                above = picojoules if event == "cycle" else picojoules - of_kind["idle"][part]
                energy[part_of(kind, spent, part)] += count * above * PJ
    return {part: np.asarray(joules) for part, joules in energy.items()}


def part_of(kind: str, event: str, part: str) -> str:
    """Which of `PARTS` an energy of a component counts as."""
    if part == "clock":
        return "clock"
    if event == "idle":
        return "idle"
    if kind == "pe":
        return "mac" if (event, part) == ("mac", "datapath") else "scratchpad"
    return _BUSY_PART[kind]


def concatenate_costs(tables: Sequence[Costs]) -> Costs:
    """Costs of one workload, one table after another."""
    joined = {
        name: np.concatenate([getattr(table, name) for table in tables])
        for name in ("legal", "inside_range", "cycles", "clock_ns", "area_um2", "leakage_w")
    }
    energy = {part: np.concatenate([one.energy_by[part] for one in tables]) for part in PARTS}
    return Costs(macs=tables[0].macs, energy_by=energy, **joined)
