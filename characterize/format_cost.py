"""What a number format costs: its multiply-accumulate unit, and a PE with scratchpads around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from characterize.event_energy import DATAPATH, SCRATCHPAD
from characterize.sample import Sample, Task
from characterize.technology import Technology
from rtl_gen.formats import arithmetic

#: The PE that is measured, and whose operands its MAC sees: four channels of a window of 6 columns,
#: 8 filters. They divide those of the stimulus layer, so that no word of weights is a filler.
PE = {"ifmap_words": 24, "weight_words": 96, "psum_words": 8}
#: What others are compared with.
REFERENCES = ("int16", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatCost:
    """One arithmetic in one technology, from two samples.

    Parameters
    ----------
    mac_area_um2, mac_period_ns : of the multiply-accumulate unit alone.
    mac_energy_pj : of it, of one multiply-accumulate, clock included.
    datapath_area_um2, scratchpad_area_um2, pe_period_ns : of a PE; its datapath is the MAC, the
        adder down the column, and operand registers.
    datapath_energy_pj, scratchpad_energy_pj : of a PE's multiply-accumulate; the energy of the
        clock net is the scratchpads', which have most of the flip-flops.
    samples : ids of the two.
    """

    arithmetic: str
    mac_area_um2: float
    mac_energy_pj: float
    mac_period_ns: float
    datapath_area_um2: float
    scratchpad_area_um2: float
    datapath_energy_pj: float
    scratchpad_energy_pj: float
    pe_period_ns: float
    samples: tuple[str, str]

    @property
    def pe_area_um2(self) -> float:
        return self.datapath_area_um2 + self.scratchpad_area_um2

    @property
    def pe_energy_pj(self) -> float:
        return self.datapath_energy_pj + self.scratchpad_energy_pj


def tasks(names: Iterable[str], technology: Technology) -> list[Task]:
    """What is to be measured for some arithmetics, the largest first."""
    found = [
        Task(
            component=component,
            arithmetic=name,
            parameters=PE,
            technology=technology.name,
            clock_ns=technology.clock_ns,
        )
        for name in dict.fromkeys(arithmetic(name).name for name in names)
        for component in ("pe", "mac")
    ]
    # PEs take longest, and wide ones of them.
    bits = {task.arithmetic: arithmetic(task.arithmetic).weight_bits for task in found}
    return sorted(found, key=lambda task: (task.component != "pe", -bits[task.arithmetic]))


def costs(names: Iterable[str], samples: Iterable[Sample]) -> list[FormatCost]:
    """The costs of those arithmetics that have both samples, in the order of `names`."""
    found: Mapping[tuple[str, str], Sample] = {
        (sample.arithmetic, sample.component): sample for sample in samples
    }
    return [
        _cost(name, found[name, "mac"], found[name, "pe"])
        for name in names
        if (name, "mac") in found and (name, "pe") in found
    ]


def _cost(name: str, mac: Sample, pe: Sample) -> FormatCost:
    energy = pe.energy_pj["mac"]
    return FormatCost(
        arithmetic=name,
        mac_area_um2=sum(mac.area_um2.values()),
        mac_energy_pj=sum(mac.energy_pj["mac"].values()),
        mac_period_ns=mac.min_period_ns,
        datapath_area_um2=pe.area_um2[DATAPATH],
        scratchpad_area_um2=pe.area_um2[SCRATCHPAD],
        datapath_energy_pj=energy[DATAPATH],
        scratchpad_energy_pj=energy[SCRATCHPAD] + energy["clock"],
        pe_period_ns=pe.min_period_ns,
        samples=(mac.id, pe.id),
    )
