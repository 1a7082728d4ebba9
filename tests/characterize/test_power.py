"""Power: hand counts on round numbers, and a whole PE against OpenSTA 2.6.0."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterize.activity import NetActivity, simulate
from characterize.boolean import Expression
from characterize.cells import Cell, Library, Pin
from characterize.liberty import read_library
from characterize.logic import state_names
from characterize.netlist import Netlist, read_netlist
from characterize.power import Circuit, PowerReport
from rtl_gen.errors import UserError
from tests.characterize import mini
from tests.characterize.power_reference import (
    FILLING,
    LIBERTIES,
    Reference,
    need_liberties,
    reference,
    stimulus,
)

ALL = np.uint64(2**64 - 1)
CLK, A, B, C, Y = 2, 3, 4, 5, 6
Cells = dict[str, tuple[str, dict[str, int | str]]]
Slews = dict[str, tuple[float, float]]


def measure(
    folder: Path,
    cells: Cells,
    slews: Slews,
    clock_ns: float = 1.0,
    load_pf: float = 0.0,
    **ports: str,
) -> PowerReport:
    """Power of a few cells; ports a, b, c get strings of bits, one a cycle; y is the output."""
    nets = {"clk": CLK, "a": A, "b": B, "c": C}
    inputs = {name: [nets[name]] for name in ("clk", *ports)}
    netlist = mini.netlist(folder, cells, inputs, {"y": [Y]})
    library = mini.library(folder)
    words = {
        n: np.array([[int(bit)] for bit in text], np.uint64) * ALL for n, text in ports.items()
    }
    masks = {"all": np.ones(len(next(iter(words.values()))), np.bool_)}
    activity = simulate(netlist, library, words, masks).masks["all"]
    return Circuit(netlist, library, slews, output_load_pf=load_pf).power(activity, clock_ns)


def test_flip_flop_by_hand(tmp_path: Path) -> None:
    """A cycle of 0.5 ns; D and Q change in three of four cycles; energy unit 2 fJ."""
    slews = {"u/C": (0.015, 0.03), "u/D": (0.0, 0.0), "u/Q": (0.0, 0.0)}
    cells: Cells = {"u": ("DFF", {"C": CLK, "D": A, "Q": Y})}
    report = measure(tmp_path, cells, slews, clock_ns=0.5, load_pf=0.01, a="11010")
    clock_pj = (7 + 4) / 2 * 0.002 * 2  # rise 7 between 6 and 8, fall 4, twice a cycle
    output_pj = 50 * 0.002 * 3 / 4
    assert report.total.internal_mw == pytest.approx((clock_pj + output_pj) / 0.5)
    assert report.total.switching_mw == pytest.approx(0.5 * 0.01 * 1.0**2 * 3 / 4 / 0.5)
    assert report.total.leakage_mw == pytest.approx(7e-3)
    assert report.clock_mw == pytest.approx(0.004 / 0.5)  # C V^2 f of the one clock pin
    assert report.inputs_mw == pytest.approx(0.5 * 0.002 * 3 / 4 / 0.5)
    assert report.sequential.tolist() == [True]
    assert report.total.total_mw == pytest.approx(0.194 + 0.0075 + 0.007)


def test_conditions_and_otherwise_by_hand(tmp_path: Path) -> None:
    """An AND in the states 00, 10, 11, 01, once each."""
    slews = dict.fromkeys(("u/A", "u/B", "u/Y"), (0.02, 0.02))
    cells: Cells = {"u": ("AND", {"A": A, "B": B, "Y": Y})}
    report = measure(tmp_path, cells, slews, a="0110", b="0011")
    assert report.total.leakage_mw == pytest.approx((8 / 4 + 2 / 4 + 4 / 2) * 1e-3)
    input_pj = (5 / 2 + 1 / 2) * 1 / 3  # with A and without, at B's one change in three
    # The output listens to A half of the time and A changes twice; to B as often, and once.
    output_pj = (12 * 2 / 3 + 24 * 1 / 3) * 2 / 3
    assert report.total.internal_mw == pytest.approx((input_pj + output_pj) * 0.002)


def test_inverted_edges_take_the_other_slew(tmp_path: Path) -> None:
    """An inverter's output rises when its input falls."""
    cells: Cells = {"u": ("NOT", {"A": A, "Y": Y})}
    slews = {"u/A": (0.04, 0.02), "u/Y": (0.0, 0.0)}
    report = measure(tmp_path, cells, slews, load_pf=0.002, a="0101")
    assert report.total.internal_mw == pytest.approx((10 + 2) / 2 * 0.002)


def test_simultaneous_changes_are_shared_out(tmp_path: Path) -> None:
    """From 000 to 111 a majority's output changes and listens to no single input."""
    cells: Cells = {"u": ("MAJ", {"A": A, "B": B, "C": C, "Y": Y})}
    slews = dict.fromkeys(("u/A", "u/B", "u/C", "u/Y"), (0.0, 0.0))
    report = measure(tmp_path, cells, slews, a="0101", b="0101", c="0101")
    assert report.total.internal_mw == pytest.approx((10 + 20 + 60) / 3 * 0.002)


def test_parts_go_by_the_longest_prefix(tmp_path: Path) -> None:
    cells: Cells = {
        "pad.u": ("NOT", {"A": A, "Y": 10}),
        "pad.store.u": ("DFF", {"C": CLK, "D": 10, "Q": 11}),
        "u": ("NOT", {"A": 11, "Y": Y}),
    }
    slews = {f"{name}/{pin}": (0.01, 0.01) for name in cells for pin in "ADYQC"}
    report = measure(tmp_path, cells, slews, a="01101")
    parts = report.parts({"pad.": "scratchpad", "pad.store.": "storage"}, "datapath")
    assert list(parts) == ["datapath", "scratchpad", "storage"]
    assert parts["storage"] == report.of(report.sequential)
    assert parts["scratchpad"].leakage_mw == parts["datapath"].leakage_mw == pytest.approx(3e-3)
    total = sum(part.total_mw for part in parts.values())
    assert total == pytest.approx(report.total.total_mw)


def test_odd_arguments_are_refused(tmp_path: Path) -> None:
    cells: Cells = {"u": ("NOT", {"A": A, "Y": Y})}
    with pytest.raises(UserError, match="clock_ns must be positive, not 0"):
        measure(tmp_path, cells, {}, clock_ns=0, a="01")
    for slews in ({"u/Y": (0.0, 0.0)}, {"u/A": (0.0, np.inf), "u/Y": (0.0, 0.0)}):
        with pytest.raises(UserError, match="slews must have a finite rise and fall for 'u/A'"):
            measure(tmp_path, cells, slews, a="01")
    assert measure(tmp_path, cells, {}, a="00").total.internal_mw == 0  # nothing toggles


@pytest.mark.eda
def test_an_idle_flip_flop_of_nangate45(tmp_path: Path) -> None:
    """At 1 GHz, with an ideal clock, DFF_X1 takes 6.96 uW inside: the mean of its rise and fall."""
    need_liberties("nangate45")
    library = read_library(*LIBERTIES["nangate45"])
    path = tmp_path / "netlist.json"
    path.write_text(
        '{"modules": {"top": {"ports": {"clk": {"direction": "input", "bits": [2]},'
        ' "d": {"direction": "input", "bits": [3]}}, "cells": {"u": {"type": "DFF_X1",'
        ' "connections": {"CK": [2], "D": [3]}}}}}}'
    )
    netlist = read_netlist(path, library)
    masks = {"all": np.ones(4, np.bool_)}
    activity = simulate(netlist, library, {"d": np.zeros((4, 1), np.uint64)}, masks)
    report = Circuit(netlist, library, {"u/CK": (0.0, 0.0)}).power(activity.masks["all"], 1.0)
    assert report.total.internal_mw * 1e3 == pytest.approx(6.96, abs=0.005)


def pe_activity(case: Reference) -> NetActivity:
    """The PE's activity in the reference's window."""
    inputs = stimulus(case.netlist)
    cycle = np.arange(len(inputs["rst"]))
    masks = {"duty": cycle >= FILLING, "toggles": cycle > FILLING}
    seen = simulate(case.netlist, case.library, inputs, masks, lanes=1).masks
    return replace(seen["duty"], toggles=seen["toggles"].toggles)


def difference(case: Reference, report: PowerReport) -> float:
    """How far the total is from OpenSTA 2.6.0's, relative."""
    return report.total.total_mw / (case.power["total"]["total_w"] * 1e3) - 1


@pytest.mark.eda
@pytest.mark.parametrize(
    ("technology", "low", "high"),
    [
        ("osu018", -0.01, 0.01),
        ("osu035", -0.01, 0.01),
        ("sky130hd", -0.01, 0.01),
        # Joint states: D and Q of a flip-flop mostly agree, which costs the clock pin more.
        ("asap7", 0.01, 0.025),
        # The same, and Q and QN are complements.
        ("nangate45", 0.08, 0.13),
        # "Otherwise" groups, and a reset pin tied to 1 that 2.6.0 takes to be at 0.
        ("ihp130", -0.40, -0.35),
    ],
)
def test_a_whole_pe(technology: str, low: float, high: float) -> None:
    case = reference(technology)
    report = Circuit(case.netlist, case.library, case.slews).power(pe_activity(case), case.clock_ns)
    assert low < difference(case, report) < high
    assert report.clock_mw > 0.05 * report.total.total_mw
    expected = case.power["total"]["switching_w"] * 1e3
    assert report.total.switching_mw == pytest.approx(expected, rel=0.09)


@pytest.mark.eda
@pytest.mark.parametrize("technology", ["osu018", "osu035", "sky130hd", "asap7", "ihp130"])
def test_what_differs_is_understood(technology: str) -> None:
    """With OpenSTA 2.6.0's own approximations put in, its flip-flop power comes out to 0.02%."""
    case = reference(technology)
    activity = independent(case.netlist, case.library, pe_activity(case))
    library = like_opensta(case.library)
    report = Circuit(case.netlist, library, case.slews).power(activity, case.clock_ns)
    assert abs(difference(case, report)) < 0.006
    expected = case.power["sequential"]
    ours = report.of(report.sequential)
    assert ours.internal_mw == pytest.approx(expected["internal_w"] * 1e3, rel=2e-4)
    assert ours.leakage_mw == pytest.approx(expected["leakage_w"] * 1e3, rel=2e-4)


def independent(netlist: Netlist, library: Library, activity: NetActivity) -> NetActivity:
    """The activity with the pins of a cell taken as independent, and tied pins as always 0."""
    duty = activity.duty.copy()
    for instance in netlist.instances:
        cell = library.cells[instance.type]
        if all(pin.direction == "output" for pin in cell.pins.values()):
            duty[[*instance.pins.values()]] = 0.0
    states = activity.states.copy()
    for number, instance in enumerate(netlist.instances):
        cell = library.cells[instance.type]
        stored = next((n for pin, n in instance.pins.items() if pin in ("Q", "QN")), 0)
        ones = [duty[instance.pins.get(name, stored)] for name in state_names(cell)]
        probability = np.ones(1)
        for one in ones:
            probability = np.concatenate([probability * (1 - one), probability * one])
        first, after = activity.first_state[number : number + 2]
        states[first:after] = probability
    return replace(activity, duty=duty, states=states)


def like_opensta(library: Library) -> Library:
    """The library with groups without condition added to conditional ones, and its capacitances
    the larger of rise and fall."""

    def changed(cell: Cell, pin: Pin) -> Pin:
        conditional = {group.related_pin for group in pin.powers if group.when}
        always = Expression("constant", name="1")
        powers = tuple(
            replace(group, when=group.when or always) if group.related_pin in conditional else group
            for group in pin.powers
        )
        said = next(group for group in cell.group.named("pin") if pin.name in group.arguments)
        edges = [said.text(f"{edge}_capacitance", "0") for edge in ("rise", "fall")]
        largest = max(float(edge) * library.capacitance_pf for edge in edges)
        return replace(pin, powers=powers, capacitance_pf=max(largest, pin.capacitance_pf))

    cells = {
        name: replace(cell, pins={pin.name: changed(cell, pin) for pin in cell.pins.values()})
        for name, cell in library.cells.items()
    }
    return replace(library, cells=cells)
