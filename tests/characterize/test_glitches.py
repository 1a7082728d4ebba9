"""Glitches: pulses by hand, delays by OpenSTA, and a real unit from end to end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from characterize import glitch_file
from characterize.delays import Arc, Delays, parse_sdf, read_delays
from characterize.event_netlist import event_netlist
from characterize.event_simulation import Events
from characterize.format_cost import PE
from characterize.glitch_file import Glitches
from characterize.glitches import events, map_component, measure_glitches, settled_activity
from characterize.liberty import read_library
from characterize.netlist import Netlist, read_netlist
from characterize.stimulus import CHECKED, component_config
from characterize.timing import analyze
from rtl_gen.errors import UserError
from tests.characterize import mini
from tests.characterize.osu018 import osu018

ALL = np.uint64(2**64 - 1)
CLK, A, B, Y = 2, 3, 4, 5
Cells = dict[str, tuple[str, dict[str, int | str]]]


def arc(pin: str, rise: float, fall: float, output: str = "Y", **when: bool) -> Arc:
    return Arc(pin=pin, output=output, when=when, rise_ns=rise, fall_ns=fall)


def simulated(
    folder: Path, cells: Cells, arcs: Mapping[str, tuple[Arc, ...]], **ports: str
) -> tuple[Events, Netlist]:
    """A few cells with these delays; ports a, b get strings of bits, one a cycle; y comes out."""
    nets = {"clk": CLK, "a": A, "b": B}
    netlist = mini.netlist(folder, cells, {n: [nets[n]] for n in ("clk", *ports)}, {"y": [Y]})
    library = mini.library(folder)
    inputs = {n: np.array([[int(b)] for b in text], np.uint64) * ALL for n, text in ports.items()}
    masks = {"all": np.ones(len(next(iter(inputs.values()))), np.bool_)}
    moving = event_netlist(netlist, library, Delays(arcs=arcs, inputs={}))
    settled = settled_activity(netlist, library, inputs, masks, 1)
    return events(netlist, moving, settled, masks, 0), netlist


#: y = a and not a: a pulse as wide as the inverter is slow.
HAZARD: Cells = {
    "n": ("NOT", {"A": A, "Y": 10}),
    "y": ("AND", {"A": A, "B": 10, "Y": Y}),
}


def net(netlist: Netlist, instance: str, pin: str) -> int:
    return next(i.pins[pin] for i in netlist.instances if i.name == instance)


@pytest.mark.parametrize(
    ("inverter", "gate", "toggles", "filtered", "settle_ns"),
    [
        (0.2, 0.3, 0, 1, 0.2),  # shorter than the gate's delay: it dies in it
        (0.4, 0.3, 2, 0, 0.7),  # longer: it passes, and its end comes as late as the gate is slow
    ],
)
def test_a_pulse_passes_if_it_is_longer_than_the_gate_is_slow(
    tmp_path: Path, inverter: float, gate: float, toggles: int, filtered: int, settle_ns: float
) -> None:
    arcs = {
        "n": (arc("A", inverter, inverter),),
        "y": (arc("A", gate, gate), arc("B", gate, gate)),
    }
    seen, netlist = simulated(tmp_path, HAZARD, arcs, a="0111")
    out = net(netlist, "y", "Y")
    assert seen.toggles["all"][out] == toggles
    assert seen.filtered[out] == filtered
    assert seen.settle_ns == pytest.approx(settle_ns)
    assert not seen.settled[:, out].any()


def test_rise_and_fall_have_delays_of_their_own(tmp_path: Path) -> None:
    """The pulse ends 0.4 after it began; a gate that rises in 0.3 lets it through, in 0.5 not."""
    for rise, fall, expected in ((0.3, 0.9, 2), (0.5, 0.1, 0)):
        arcs = {"n": (arc("A", 0.1, 0.4),), "y": (arc("A", rise, fall), arc("B", rise, fall))}
        seen, netlist = simulated(tmp_path, HAZARD, arcs, a="01")
        assert seen.toggles["all"][net(netlist, "y", "Y")] == expected


def test_a_taken_back_change_leaves_nothing_behind(tmp_path: Path) -> None:
    """After a pulse that died, the next change takes its full delay: where Icarus' own specify
    paths let it come early, at the time of the first."""
    cells: Cells = {
        "n": ("NOT", {"A": A, "Y": 10}),
        "m": ("NOT", {"A": 10, "Y": 11}),
        "x": ("XOR", {"A": 10, "B": 11, "Y": 12}),  # falls and rises again
        "y": ("NOT", {"A": 12, "Y": Y}),
    }
    arcs = {
        "n": (arc("A", 0.1, 0.1),),
        "m": (arc("A", 0.2, 0.2),),
        "x": (arc("A", 0.05, 0.05), arc("B", 0.05, 0.05)),
        "y": (arc("A", 0.19, 0.19),),
    }
    seen, netlist = simulated(tmp_path, cells, arcs, a="01")
    # x is 0 from 0.15 to 0.35: 0.2, longer than 0.19, so y is 1 from 0.34 to 0.54.
    assert seen.toggles["all"][net(netlist, "y", "Y")] == 2
    assert seen.settle_ns == pytest.approx(0.54)
    arcs["y"] = (arc("A", 0.21, 0.1),)
    seen, netlist = simulated(tmp_path, cells, arcs, a="01")
    assert seen.toggles["all"][net(netlist, "y", "Y")] == 0
    assert seen.settle_ns == pytest.approx(0.35)


def test_an_arc_under_a_condition_overrules_the_one_without(tmp_path: Path) -> None:
    cells: Cells = {"y": ("XOR", {"A": A, "B": B, "Y": Y})}
    arcs = {"y": (arc("A", 0.5, 0.6), arc("A", 0.1, 0.2, B=True), arc("B", 0.7, 0.7))}
    for a, b, expected in (
        ("01", "00", 0.5),
        ("10", "00", 0.6),
        ("10", "11", 0.1),
        ("01", "11", 0.2),
    ):
        seen, _ = simulated(tmp_path, cells, arcs, a=a, b=b)
        assert seen.settle_ns == pytest.approx(expected)


def test_flip_flops_take_what_stood_before_the_edge(tmp_path: Path) -> None:
    """Two in a row: a word moves one place a cycle, however fast the first is."""
    cells: Cells = {
        "p": ("DFF", {"C": CLK, "D": A, "Q": 10}),
        "q": ("DFFN", {"C": CLK, "D": 10, "QN": Y}),
    }
    arcs = {"p": (arc("C", 0.0, 0.0, "Q"),), "q": (arc("C", 0.3, 0.3, "QN"),)}
    seen, netlist = simulated(tmp_path, cells, arcs, a="0110100")
    assert "".join(map(str, seen.settled[:, net(netlist, "p", "Q")])) == "0011010"
    assert "".join(map(str, seen.settled[:, net(netlist, "q", "QN")])) == "1110010"
    assert seen.toggles["all"][net(netlist, "q", "QN")] == 3
    assert seen.settle_ns == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ({"u": ("LATCH", {"C": CLK, "D": A, "Q": Y})}, "must be gates and flip-flops"),
        ({"u": ("DFALL", {"C": CLK, "D": A, "Q": Y})}, "at the clock's rising edge, not as u"),
        ({"u": ("DCLEAR", {"C": CLK, "D": A, "R": A, "S": "1", "Q": Y})}, "no set or reset, u"),
        ({"u": ("AND", {"A": CLK, "B": A, "Y": Y})}, "clock must go to flip-flops only, not to u"),
        ({"u": ("NOT", {"A": A, "Y": Y})}, "OpenSTA must give delays to u/Y"),
    ],
)
def test_what_cannot_be_simulated_is_refused(tmp_path: Path, cells: Cells, rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        simulated(tmp_path, cells, {}, a="01")


def test_a_reset_that_is_tied_off_is_none(tmp_path: Path) -> None:
    cells: Cells = {
        "t": ("ONE", {"Y": 10}),
        "u": ("DCLEAR", {"C": CLK, "D": A, "R": 10, "S": "1", "Q": Y}),
    }
    seen, netlist = simulated(tmp_path, cells, {"u": (arc("C", 0.1, 0.2, "Q"),)}, a="0100")
    assert seen.settled[:, net(netlist, "u", "Q")].tolist() == [0, 0, 1, 0]


def test_another_settled_value_is_an_error(tmp_path: Path) -> None:
    """An event-driven netlist whose gates are all inverted can't pass for the right one."""
    netlist = mini.netlist(tmp_path, HAZARD, {"a": [A]}, {"y": [Y]})
    library = mini.library(tmp_path)
    arcs = {"n": (arc("A", 0.1, 0.1),), "y": (arc("A", 0.1, 0.1), arc("B", 0.1, 0.1))}
    inputs = {"a": np.array([[0], [1], [0]], np.uint64)}
    masks = {"all": np.ones(3, np.bool_)}
    settled = settled_activity(netlist, library, inputs, masks, 1)
    moving = event_netlist(netlist, library, Delays(arcs=arcs, inputs={}))
    wrong = moving._replace(tables=1 - moving.tables)
    with pytest.raises(UserError, match="must settle as without, not differ first in cycle 1"):
        events(netlist, wrong, settled, masks, 0)


SDF = r"""
(DELAYFILE
 (CELL
  (CELLTYPE "top")
  (INSTANCE)
  (DELAY
   (ABSOLUTE
    (INTERCONNECT a[3] pad\.store\._1_/A (0.015::0.016) (0.010::0.011))
    (INTERCONNECT a[3] u/B (0.014::0.014) (0.012::0.012))
    (INTERCONNECT u/Z v/A (0.000::0.000))
   )
  )
 )
 (CELL
  (CELLTYPE "XOR2_X1")
  (INSTANCE pad\.store\._1_)
  (DELAY
   (ABSOLUTE
    (COND (B == 1'b1) && (C == 1'b0)
     (IOPATH A Z (0.038::0.040) (0.022::0.024)))
    (IOPATH (posedge CK) Q (0.5::0.6))
    (COND A == 1'b1 | B == 1'b1
     (IOPATH B Z (0.1:0.2:0.3) ()))
   )
  )
 )
)
"""


def test_sdf() -> None:
    found = parse_sdf(SDF)
    assert found.inputs == {"a[3]": (0.016, 0.012)}
    assert list(found.arcs) == ["pad.store._1_"]
    first, second, third = found.arcs["pad.store._1_"]
    assert first == arc("A", 0.04, 0.024, "Z", B=True, C=False)
    assert (second.pin, second.rise_ns, second.fall_ns) == ("CK", 0.6, None)
    assert (third.when, third.rise_ns, third.fall_ns) == ({}, 0.3, None)


def test_the_unit_of_an_sdf_file() -> None:
    """OpenSTA takes that of the Liberty file: ps in asap7."""
    text = SDF.replace("(DELAYFILE", "(DELAYFILE\n (TIMESCALE 1ps)")
    (first, _, _) = parse_sdf(text).arcs["pad.store._1_"]
    assert (first.rise_ns, first.fall_ns) == pytest.approx((0.04e-3, 0.024e-3))


def made(**more: object) -> Glitches:
    energies = {"energy_pj": {"datapath": 2.0}, "glitching_energy_pj": {"datapath": 3.0}}
    counts = {"cells": 5, "macs": 7, "settled_toggles": 1.5, "toggles": 2.5}
    rest = {"idle_pj": {"datapath": 1.0}, "min_period_ns": 0.5, "settle_ns": 0.4}
    named = {"component": "mac", "arithmetic": "int8"}
    return Glitches(**{**named, **counts, **energies, **rest, **more})  # type: ignore[arg-type]


def test_the_file_comes_back() -> None:
    text = glitch_file.to_json("osu018", [made()], {"seed": 0})
    assert glitch_file.from_json(text, "f") == [made()]
    assert (made().factor(), made().factor_above_idle()) == (1.5, 2.0)
    for broken in (text[:-10], text.replace("/1", "/2"), text.replace("2.0", "-2.0")):
        with pytest.raises(UserError, match=r"^f: "):
            glitch_file.from_json(broken, "f")


def test_what_ships_is_there_and_above_one() -> None:
    found = {(one.component, one.arithmetic): one for one in glitch_file.shipped("nangate45")}
    assert {"int16", "int8", "lightpe1", "lightpe2", "fp32"} <= {name for _, name in found}
    assert all(one.factor() > 1 for one in found.values())
    assert found["mac", "int16"].factor() > found["mac", "lightpe1"].factor()
    assert glitch_file.shipped("no such technology") == []


#: A chain with loads of its own, in cells of osu018: instance, cell, input, output.
CHAIN = (
    ("u1", "BUFX2", "a", "b"),
    ("u2", "INVX1", "b", "c"),
    ("u3", "INVX8", "c", "d"),
    ("u4", "INVX1", "d", "e"),
    ("u5", "INVX1", "d", "f"),
    ("u6", "INVX4", "d", "g"),
    ("u7", "BUFX4", "e", "y"),
)


@pytest.mark.eda
def test_a_chain_takes_as_long_as_opensta_says(tmp_path: Path) -> None:
    """Both of its edges, of which the slower one is what timing analysis finds."""
    technology, liberty = osu018(tmp_path)
    lines = [f"  {cell} {name} ( .A({a}), .Y({y}) );" for name, cell, a, y in CHAIN]
    wires = "  wire b, c, d, e, f, g;"
    text = ["module chain(clk, a, y);", "  input clk, a; output y;", wires, *lines, "endmodule\n"]
    verilog = tmp_path / "chain.v"
    verilog.write_text("\n".join(text))
    bits = {"clk": 2, **{name: 3 + i for i, name in enumerate("abcdefgy")}}
    ports = {n: ("output" if n == "y" else "input", [bits[n]]) for n in ("clk", "a", "y")}
    module = {
        "ports": {n: {"direction": way, "bits": nets} for n, (way, nets) in ports.items()},
        "cells": {
            name: {"type": cell, "connections": {"A": [bits[a]], "Y": [bits[y]]}}
            for name, cell, a, y in CHAIN
        },
    }
    (tmp_path / "chain.json").write_text(json.dumps({"modules": {"chain": module}}))
    library = read_library(*liberty)
    netlist = read_netlist(tmp_path / "chain.json", library)
    place = (verilog, "chain", liberty, technology)
    timed = analyze(*place, clock_ns=10, cells=len(CHAIN), workdir=tmp_path)
    moving = event_netlist(netlist, library, read_delays(*place, workdir=tmp_path))
    inputs = {"a": np.array([[0], [1], [0]], np.uint64)}
    masks = {"all": np.ones(3, np.bool_)}
    seen = events(netlist, moving, settled_activity(netlist, library, inputs, masks, 1), masks, 0)
    assert seen.settle_ns == pytest.approx(timed.min_period_ns, abs=2e-5)
    assert seen.toggles["all"].sum() == 2 * 8


@pytest.mark.eda
def test_the_stages_of_a_real_path_take_as_long_as_opensta_says(tmp_path: Path) -> None:
    """Stage by stage along the critical path of a multiplier, from its report and from the arcs."""
    technology, liberty = osu018(tmp_path)
    config = component_config("mac", "int8", PE)
    mapped = map_component("mac", config, technology, liberty, tmp_path)
    delays = parse_sdf((tmp_path / "delays.sdf").read_text())
    pins = {instance.name: instance.pins for instance in mapped.netlist.instances}
    stages = re.findall(
        r"^ +([\d.]+) +[\d.]+ ([v^]) (\S+)/(\w+) \((?!DFF)(\w+)\)$",
        mapped.timing.critical_path,
        flags=re.MULTILINE,
    )
    assert len(stages) > 10
    for (_, _, driver, output, _), (said, edge, name, to, cell) in pairwise(stages):
        waits = [
            one.rise_ns if edge == "^" else one.fall_ns
            for one in delays.arcs[name]
            if one.output == to and pins[name][one.pin] == pins[driver][output]
        ]
        # The SDF file has one delay where an exclusive or has two, by the edge at its input.
        close = {"rel": 0.06} if cell[0] == "X" else {"rel": 0, "abs": 2e-6}
        assert float(said) == pytest.approx(max(filter(None, waits)), **close)


@pytest.mark.eda
def test_a_real_unit(tmp_path: Path) -> None:
    """INT4 in osu018: it settles to the same values, glitches, and is ready in a clock period."""
    technology, liberty = osu018(tmp_path)
    found = measure_glitches(
        "mac", "int4", technology=technology, liberty=liberty, workdir=tmp_path, lanes=CHECKED[:2]
    )
    assert found.macs > 1000
    assert 1.1 < found.toggles / found.settled_toggles < 1.7
    assert 1.1 < found.factor() < found.factor_above_idle() < 1.6
    assert found.glitching_energy_pj["clock"] == found.energy_pj["clock"] > 0
    assert 0.5 < found.settle_ns / found.min_period_ns < 1.5
