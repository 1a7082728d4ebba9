"""How glitches of a multiply-accumulate unit depend on delays, and where in the logic they are.

Run with an environment in which nangate45's Liberty file is found:

    .venv/bin/python scripts/glitch_sensitivity.py nangate45 int16 int8 lightpe1 fp32

Prints what glitches multiply the energy above idling by: with OpenSTA's delays, with each changed
at random by up to 20%, and with 20 ps for all; then toggles per net with and without, by level.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from characterize.cell_files import prepare
from characterize.event_energy import DATAPATH, IDLE
from characterize.event_netlist import INPUTS, OUTPUT, PINS, EventNetlist
from characterize.format_cost import PE
from characterize.glitches import (
    EVENT,
    cycle_energies,
    event_masks,
    events,
    map_component,
    of_lanes,
    settled_activity,
    with_glitches,
)
from characterize.stimulus import CHECKED, component_config, stimulus_for
from characterize.technology import Technology, load_technology

LANES = CHECKED[:1]
#: Where ranges of levels begin.
LEVELS = (1, 5, 10, 15, 20, 30)


def levels(net: EventNetlist, nets: int) -> NDArray[np.int64]:
    """How many gates a net has between itself and registers or inputs, at most; (nets,)."""
    level = np.zeros(nets, np.int64)
    for _ in net.gates:
        before = level.copy()
        for gate in net.gates[net.registers :]:
            pins = net.pins[gate[PINS] : gate[PINS] + gate[INPUTS]]
            level[gate[OUTPUT]] = level[pins].max(initial=-1) + 1
        if (level == before).all():
            break
    return level


def show(technology: Technology, liberty: tuple[Path, ...], name: str, folder: Path) -> None:
    """One unit."""
    config = component_config("mac", name, PE)
    mapped = map_component("mac", config, technology, liberty, folder)
    stimulus = of_lanes(stimulus_for("mac", config), LANES)
    masks = event_masks("mac", stimulus)
    inputs = stimulus.inputs
    settled = settled_activity(mapped.netlist, mapped.library, inputs, masks, len(LANES))
    idle, quiet = (
        cycle_energies(mapped, settled.masks[event])[DATAPATH] for event in (IDLE, EVENT)
    )
    real = mapped.moving.delays
    changed = real * np.random.default_rng(0).uniform(0.8, 1.2, len(real))
    tried = {
        "OpenSTA's delays": real,
        "up to 20% off": changed.astype(np.int64),
        "20 ps for all": np.where(real > 0, 20_000, 0),
    }
    for title, delays in tried.items():
        moving = mapped.moving._replace(delays=delays)
        runs = [events(mapped.netlist, moving, settled, masks, lane) for lane in range(len(LANES))]
        loud = with_glitches(settled, runs, moving)[EVENT]
        factor = (cycle_energies(mapped, loud)[DATAPATH] - idle) / (quiet - idle)
        print(f"{name:10} {title:18} x {factor:.3f}")
        if delays is real:
            toggles = loud.toggles
    level = levels(mapped.moving, mapped.netlist.nets)
    for low, high in zip(LEVELS, (*LEVELS[1:], level.max() + 1), strict=True):
        here = (level >= low) & (level < high)
        if here.any():
            ratio = toggles[here].sum() / settled.masks[EVENT].toggles[here].sum()
            print(f"{name:10} levels {low} to {high - 1}: {here.sum()} nets, toggles x {ratio:.2f}")


def main() -> None:
    technology = load_technology(sys.argv[1])
    with TemporaryDirectory() as folder:
        liberty = prepare(technology, Path(folder) / "cells")
        for name in sys.argv[2:]:
            work = Path(folder) / name
            work.mkdir()
            show(technology, liberty, name, work)


if __name__ == "__main__":
    main()
