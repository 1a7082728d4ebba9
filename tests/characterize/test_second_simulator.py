"""A second simulator, of others: Icarus, on the netlist and cell models that Yosys writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from characterize import synthesis
from characterize.activity import Words, simulate
from characterize.cell_files import prepare
from characterize.cells import Library
from characterize.delays import Delays, read_delays
from characterize.event_netlist import event_netlist
from characterize.event_simulation import simulate_events
from characterize.format_cost import PE
from characterize.glitches import EVERY_NET, settled_activity
from characterize.liberty import read_library
from characterize.netlist import Netlist, read_netlist
from characterize.stimulus import CHECKED, component_config, hardware_for, stimulus_for
from characterize.technology import LibertyFile, Technology
from characterize.timing import analyze
from characterize.trace import RESET_CYCLES
from rtl_gen.verilog import module_verilog
from tests.characterize.gate_bench import delayed_toggles, nets_of, output_pins, settled_values
from tests.characterize.power_reference import LIBERTIES, need_liberties
from tests.icarus import needs_icarus

pytestmark = [pytest.mark.eda, needs_icarus]

#: Driving cell, tie cells, cells to leave out: what a netlist takes.
CELLS: dict[str, tuple[str, str, str, str]] = {
    "osu018": ("BUFX2", "", "", ""),
    "osu035": ("BUFX2", "", "", ""),
    "nangate45": ("BUF_X1", "LOGIC1_X1/Z", "LOGIC0_X1/Z", "CLKGATE* SDF* TBUF* TINV* TLAT* DL*"),
    "sky130hd": (
        "sky130_fd_sc_hd__buf_1",
        "sky130_fd_sc_hd__conb_1/HI",
        "sky130_fd_sc_hd__conb_1/LO",
        "*probe* *lpflow_* *sdf* *sedf* *edf* *dlclk* *ebuf* *einv* *dlx* *dlr*",
    ),
    "ihp130": (
        "sg13g2_buf_4",
        "sg13g2_tiehi/L_HI",
        "sg13g2_tielo/L_LO",
        "*lgcp* *slgcp* *sighold* *dfrbp_2 *sdf* *ebufn* *einvn* *dlh*",
    ),
    "asap7": (
        "BUFx2_ASAP7_75t_R",
        "TIEHIx1_ASAP7_75t_R/H",
        "TIELOx1_ASAP7_75t_R/L",
        "*x1p* *xp* SDF* ICG* DFFHQx4* DFFHQNx2* DFFHQNx3* DLL* DHL*",
    ),
}
#: Cycles of a run: the reset, a few idle ones, and products from the first on.
CYCLES = 250

STRETCH = 10


def technology(name: str) -> Technology:
    """The technology, as far as synthesis needs it; skips the test where its files are missing."""
    need_liberties(name)
    driving, high, low, prune = CELLS[name]
    ties = [tuple(tie.split("/")) if tie else None for tie in (high, low)]
    library = read_library(*LIBERTIES[name])
    return Technology(
        name=name,
        description=name,
        corner="typical",
        liberty=tuple(LibertyFile(path=path, expected_sha256="") for path in LIBERTIES[name]),
        feature_nm=100,
        voltage_v=library.voltage_v,
        temperature_c=library.temperature_c,
        clock_ns=10,
        driving_cell=driving,
        output_load_ff=5,
        wire_ff_per_pin=0,
        tie_high=ties[0],
        tie_low=ties[1],
        latch=None,
        clock_gate=None,
        prune=tuple(prune.split()),
        memory="ihp_sg13g2",
        dram_pj_per_bit=1,
        install="",
        sources={},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The multiply-accumulate unit of INT8 in one technology, and what it sees in one lane."""

    technology: Technology
    liberty: tuple[Path, ...]
    library: Library
    verilog: Path
    netlist: Netlist
    inputs: dict[str, Words]
    settled: Words


@pytest.fixture(scope="module")
def macs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    """Gives a technology's case, made once for all tests."""
    return cache(lambda name: mac(name, tmp_path_factory.mktemp(name)))


def mac(name: str, folder: Path) -> Case:
    """Synthesized, and simulated here with zero delay; settled values are (cycles, nets)."""
    tech = technology(name)
    liberty = prepare(tech, folder / "cells")
    config = component_config("mac", "int8", PE)
    mapped = synthesis.synthesize(
        module_verilog(hardware_for("mac", config), "mac"),
        "mac",
        technology=tech,
        liberty=liberty,
        workdir=folder,
    )
    library = read_library(*liberty)
    netlist = read_netlist(mapped.json, library)
    stimulus = stimulus_for("mac", config)
    first = int(np.argmax(stimulus.events["mac"]))
    cycles = np.r_[:RESET_CYCLES, first - RESET_CYCLES : first + CYCLES - 2 * RESET_CYCLES]
    inputs = {
        port: words[cycles] >> np.uint64(CHECKED[0])
        for port, words in stimulus.inputs.items()
        if port in netlist.ports
    }
    masks = {"all": np.ones(CYCLES, np.bool_)}
    activity = settled_activity(netlist, library, inputs, masks, 1)
    return Case(
        technology=tech,
        liberty=liberty,
        library=library,
        verilog=mapped.verilog,
        netlist=netlist,
        inputs=inputs,
        settled=activity.outputs[EVERY_NET] & np.uint64(1),
    )


@pytest.mark.parametrize("name", CELLS)
def test_settled_values_and_toggles(name: str, macs: Callable[[str], Case], tmp_path: Path) -> None:
    """Every output of every cell, in every cycle: what Icarus sees is what is counted here."""
    case = macs(name)
    pins = output_pins(case.netlist, case.library)
    args = (case.netlist, case.verilog, case.liberty, case.inputs, pins)
    theirs = settled_values(tmp_path, *args)
    known = int(np.nonzero((theirs != "0") & (theirs != "1"))[0].max(initial=-1)) + 1
    assert known <= 8  # the reset, and registers that get their first value behind it
    nets = nets_of(case.netlist, pins)
    assert (theirs[known:] == case.settled[known:, nets].astype(str)).all()
    masks = {"counted": np.arange(CYCLES) > known}
    ours = simulate(case.netlist, case.library, case.inputs, masks, lanes=1).masks["counted"]
    counted = (theirs[known + 1 :] != theirs[known:-1]).sum(axis=0)
    assert counted.sum() > 100 * CYCLES
    assert np.array_equal(np.rint(ours.toggles[nets] * ours.cycles), counted)


def one_delay(delays: Delays) -> tuple[Delays, dict[tuple[str, str], tuple[int, int]]]:
    """Every output with the longest of its arcs' delays, whichever input changes, as `assign
    #(rise, fall)` has it: for the simulator here, and in fs for Icarus.

    They are stretched: in whole fs, asap7's short ones would meet in ties, whose order is free.
    """
    longest: dict[tuple[str, str], tuple[float, float]] = {}
    for name, arcs in delays.arcs.items():
        for arc in arcs:
            rise, fall = longest.get((name, arc.output), (0.0, 0.0))
            here = STRETCH * (arc.rise_ns or 0), STRETCH * (arc.fall_ns or 0)
            longest[name, arc.output] = max(rise, here[0]), max(fall, here[1])
    arcs = {
        name: tuple(
            replace(
                arc,
                when={},
                rise_ns=longest[name, arc.output][0],
                fall_ns=longest[name, arc.output][1],
            )
            for arc in found
        )
        for name, found in delays.arcs.items()
    }
    in_fs = {key: (round(r * 1e6), round(f * 1e6)) for key, (r, f) in longest.items()}
    return Delays(arcs=arcs, inputs={}), in_fs


@pytest.mark.parametrize("name", CELLS)
def test_glitches(name: str, macs: Callable[[str], Case], tmp_path: Path) -> None:
    """With one delay an output, every output toggles as often under Icarus, pulse by pulse."""
    case = macs(name)
    pins = output_pins(case.netlist, case.library)
    place = (case.verilog, "mac", case.liberty, case.technology)
    delays, in_fs = one_delay(read_delays(*place, workdir=tmp_path))
    moving = event_netlist(case.netlist, case.library, delays)
    launch = int(moving.input_delays[0, 0])
    assert (moving.input_delays == launch).all()
    args = (case.netlist, case.verilog, case.liberty, case.inputs, pins)
    theirs = delayed_toggles(tmp_path, *args, in_fs, launch)
    start = 8
    masks = {"counted": np.arange(CYCLES) > start}
    values = case.settled.astype(np.uint8)
    ours = simulate_events(moving, values[0], values[:, moving.inputs], masks)
    nets = nets_of(case.netlist, pins)
    assert np.array_equal(ours.toggles["counted"][nets], theirs[-1] - theirs[start])
    settled = np.abs(np.diff(values[start:, nets].astype(int), axis=0)).sum()
    assert ours.toggles["counted"][nets].sum() > 1.2 * settled  # there are glitches to agree on
    assert ours.filtered.sum() > 1000
    timed = analyze(*place, clock_ns=10, cells=len(case.netlist.instances), workdir=tmp_path)
    assert 0.5 < ours.settle_ns / STRETCH / timed.min_period_ns < 1.5
