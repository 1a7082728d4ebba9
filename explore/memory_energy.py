"""What the memories of a design take: reading, writing, idling and leaking, memory by memory.

Memories have one port, so there is an access a cycle at most; a cycle without one is idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explore.workload import Workload
from rtl_gen.components import Design
from rtl_gen.schedule import Schedule, schedule

if TYPE_CHECKING:
    from models.ppa import Ppa

PJ = 1e-12
#: Figures of one memory, as `characterize.memory.sram` names them.
FIGURES = ("area_um2", "read_pj", "write_pj", "idle_pj", "leakage_mw", "access_ns")


def memory_energy(ppa: Ppa, plan: Schedule) -> dict[str, dict[str, Any]]:
    """Memory -> "read", "write" and "idle" -> joules of all its copies, over a layer."""
    spent = {}
    for name, memory in ppa.memories.items():
        reads, writes = plan.words[name]["reads"], plan.words[name]["writes"]
        idle = plan.cycles * memory["count"] - reads - writes
        spent[name] = {
            "read": reads * memory["read_pj"] * PJ,
            "write": writes * memory["write_pj"] * PJ,
            "idle": idle * memory["idle_pj"] * PJ,
        }
    return spent


def memory_figures(
    ppa: Ppa, design: Design, workload: Workload, clock_ns: float
) -> dict[str, dict[str, Any]]:
    """What each memory of one design is, and what it takes over an inference.

    Returns
    -------
    dict
        Memory -> `count`; `scaled` and its `source`; `FIGURES` of one of them; `energy_j_by`:
        "read", "write", "idle", "leakage" -> joules of all of them.
    """
    energy = {
        name: dict.fromkeys(("read", "write", "idle", "leakage"), 0.0) for name in ppa.memories
    }
    for layer, times in workload.unique():
        plan = schedule(design, layer)
        seconds = float(plan.cycles) * clock_ns * 1e-9
        for name, spent in memory_energy(ppa, plan).items():
            memory = ppa.memories[name]
            leaked = float(memory["count"] * memory["leakage_mw"]) * 1e-3 * seconds
            for part, joules in {**spent, "leakage": leaked}.items():
                energy[name][part] += times * float(joules)
    return {
        name: {
            "count": int(np.asarray(memory["count"])),
            "scaled": bool(memory["scaled"]),
            "source": str(memory["source"]),
            **{figure: float(memory[figure]) for figure in FIGURES},
            "energy_j_by": energy[name],
        }
        for name, memory in ppa.memories.items()
    }


def scaled_share(
    ppa: Ppa, memories: dict[str, dict[str, Any]], *, energy_j: float, clock_ns: float
) -> dict[str, Any]:
    """How much of a prediction comes from memories that were scaled from another technology.

    Parameters
    ----------
    memories : of `memory_figures`.
    energy_j, clock_ns : of the whole inference, and at which clock.

    Returns
    -------
    dict
        `area_um2`, `leakage_w`, `energy_j` -> part of the whole that is scaled, 0 to 1;
        `clock_ns` -> whether the clock is as slow as it is for a scaled memory's access time, alone
        or with the path behind it.
    """
    scaled = [memory for memory in memories.values() if memory["scaled"]]
    area = sum(memory["count"] * memory["area_um2"] for memory in scaled)
    leakage = sum(memory["count"] * memory["leakage_mw"] for memory in scaled)
    energy = sum(sum(memory["energy_j_by"].values()) for memory in scaled)
    return {
        "area_um2": area / float(ppa.area_um2),
        "leakage_w": leakage / float(ppa.leakage_mw),
        "energy_j": energy / energy_j,
        "clock_ns": bool(scaled)
        and float(ppa.logic_period_ns) < clock_ns <= float(ppa.min_period_ns),
    }
