"""What is chosen of a library by inspection: each rule on cells made for it, and six libraries."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterize.cell_kinds import FRACTIONAL, unwanted
from characterize.cell_patterns import patterns
from characterize.cells import Library
from characterize.inspect_library import Inspection, inspect
from characterize.liberty import read_library
from rtl_gen.errors import UserError
from tests.characterize.power_reference import LIBERTIES, need_liberties

HEAD = """\
library (made) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW";
  capacitive_load_unit (1, pf); nom_voltage : 1.0; nom_temperature : 25;
"""


def cell(name: str, area: float, function: str, ins: str = "A", more: str = "", y: str = "") -> str:
    """One cell with an output Y."""
    pins = "".join(f"pin ({pin}) {{ direction : input; capacitance : 0.002; }}\n" for pin in ins)
    said = f'function : "{function}";' if function else ""
    return (
        f"cell ({name}) {{ area : {area}; {more}\n{pins}"
        f"pin (Y) {{ direction : output; {said} {y} }} }}\n"
    )


def flip_flop(name: str, area: float, next_state: str, function: str, **more: str) -> str:
    """A flip-flop on the rising edge of C."""
    group = f'ff (IQ, IQN) {{ clocked_on : "C"; next_state : "{next_state}"; }}'
    ins = more.get("ins", "CD")
    return cell(name, area, function, ins, group + more.get("more", ""))


LATCH = 'latch (IQ, IQN) {{ enable : "{}"; data_in : "D"; {} }}'
#: What a plain library has.
PLAIN = [
    cell("INV_X1", 1, "!A"),
    cell("BUF_X2", 3, "A"),
    cell("BUF_X1", 2, "A"),
    cell("NAND2_X1", 2, "!(A B)", "AB"),
    flip_flop("DFF_X1", 5, "D", "IQ"),
]


def library(folder: Path, *cells: str) -> Library:
    path = folder / "made.lib"
    path.write_text(HEAD + "".join([*PLAIN, *cells]) + "}\n")
    return read_library(path)


def inspected(folder: Path, *cells: str) -> Inspection:
    return inspect(library(folder, *cells))


def test_a_plain_library(tmp_path: Path) -> None:
    found = inspected(tmp_path)
    assert (found.driving_cell, found.input_ff, found.output_load_ff) == ("BUF_X1", 2.0, 8.0)
    assert found.driver_is_buffer
    assert (found.tie_high, found.tie_low) == (None, None)
    assert (found.flip_flop, found.latch, found.clock_gate) == ("DFF_X1", None, None)
    assert found.prune == {}


def test_without_a_buffer_an_inverter_drives(tmp_path: Path) -> None:
    path = tmp_path / "made.lib"
    path.write_text(HEAD + PLAIN[0] + "}\n")
    found = inspect(read_library(path))
    assert (found.driving_cell, found.driver_is_buffer) == ("INV_X1", False)
    path.write_text(HEAD + PLAIN[3] + "}\n")
    with pytest.raises(UserError, match="must have a buffer or an inverter"):
        inspect(read_library(path))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (cell("CLKBUF", 1, "A", more="dont_use : true;"), "the library says dont_use"),
        (cell("PADIN", 9, "A", more="pad_cell : true;"), "pads"),
        (cell("SHIFT", 9, "A", more="is_level_shifter : true;"), "level shifters"),
        (cell("ISO", 9, "A", more="is_isolation_cell : true; dont_use : true;"), "isolation cells"),
        (cell("KEEP", 9, "A", more="always_on : true;"), "cells on the supply that stays on"),
        (cell("HEADER", 9, "A", more="switch_cell_type : coarse_grain;"), "power switches"),
        (cell("PROBEC_8", 9, "A"), "probes for measuring, by their name"),
        (cell("XTAPCELL_X1", 9, "A"), ""),
        (cell("X_TAPCELL_X1", 9, "A"), "taps, by their name"),
        (cell("TBUF", 9, "A", "AE", y='three_state : "!E";'), "tri-state cells"),
        (cell("ODD", 9, ""), "cells without a function"),
        (cell("GHOST", 9, "A B"), "cells whose function names pins that they lack"),
        (cell("NANDx1p5", 1, "!(A B)", "AB"), FRACTIONAL),
        (cell("NANDxp33_75t", 1, "!(A B)", "AB"), FRACTIONAL),
        (cell("NANDx2p5", 1, "!(A B)", "AB"), ""),
        (
            cell("DLAT", 4, "IQ", "GD", LATCH.format("G", "")),
            "latches; one that `latch` names stays for scratchpads",
        ),
        (
            flip_flop("SDFF", 6, "(D !E) + (S E)", "IQ", ins="CDES"),
            "scan flip-flops",
        ),
        (
            flip_flop("TDFF", 6, "D", "IQ", more="test_cell () { }"),
            "scan flip-flops",
        ),
        (
            flip_flop("EDFF", 6, "(D E) + (IQ !E)", "IQ", ins="CDE"),
            "flip-flops with more than a data input",
        ),
        (
            cell("TABLE", 9, "IQ", "AB", 'statetable ("A B", "IQ") { table : "L - : - : N"; }'),
            "cells that are not simulated: statetable",
        ),
        ("cell (FILL) { area : 1; }\n", "fillers, taps, antenna cells and the like: no output"),
    ],
)
def test_a_cell_that_synthesis_must_not_pick(tmp_path: Path, text: str, reason: str) -> None:
    made = library(tmp_path, text)
    (name,) = made.cells.keys() - read_plain(tmp_path)
    assert unwanted(made.cells[name]) == reason
    globs = {why: [fnmatchcase(name, g) for g in gs] for why, gs in inspect(made).prune.items()}
    assert globs == ({reason: [True]} if reason else {})


def read_plain(folder: Path) -> set[str]:
    path = folder / "plain.lib"
    path.write_text(HEAD + "".join(PLAIN) + "}\n")
    return set(read_library(path).cells)


def test_the_smallest_tie_cells_are_taken_though_not_for_use(tmp_path: Path) -> None:
    both = "cell (TIE) {{ area : 3; {} pin (H) {{ direction : output; function : {}; }} {} }}\n"
    low = 'pin (L) { direction : output; function : "0"; }'
    tie = both.format("dont_use : true;", '"1"', low)
    spare = both.replace("TIE", "LARGE").replace("area : 3", "area : 30").format("", '"1"', "")
    found = inspected(tmp_path, tie, spare)
    assert (found.tie_high, found.tie_low) == ("TIE/H", "TIE/L")
    assert found.prune == {"constants, but larger than the tie cells": ("LARGE",)}


def test_a_latch_must_be_plain_and_have_an_area(tmp_path: Path) -> None:
    def latch(name: str, area: float, enable: str = "G", more: str = "") -> str:
        return cell(name, area, "IQ", "GDR", LATCH.format(enable, more))

    none = latch("LAT", 0)
    clear = latch("LATR", 3, more='clear : "R";')
    assert inspected(tmp_path, none, clear).latch is None
    low, high = latch("LATN", 3, "!G"), latch("LATH", 4)
    assert inspected(tmp_path, none, clear, low).latch == "LATN"
    assert inspected(tmp_path, none, clear, low, high).latch == "LATH"


def test_a_flip_flop_that_an_inverting_one_beats(tmp_path: Path) -> None:
    inverting = flip_flop("DFFN", 3, "!D", "IQ")
    found = inspected(tmp_path, inverting)  # DFF_X1 has 5, DFFN and INV_X1 have 4
    why = "flip-flops larger than an inverting one with an inverter"
    assert found.prune == {why: ("DFF_X1",)}
    assert found.flip_flop == "DFFN"
    assert inspected(tmp_path, inverting.replace("area : 3", "area : 4")).prune == {}


names = st.text("ABX12_", min_size=1, max_size=6)


@given(st.dictionaries(names, st.sampled_from(["", "", "pads", "latches", FRACTIONAL]), min_size=1))
def test_patterns_match_all_that_they_should_and_nothing_wanted(reasons: dict[str, str]) -> None:
    reasons = {f"{n}x1p5" if why == FRACTIONAL else n: why for n, why in reasons.items()}
    found = patterns(reasons)
    for why, globs in found.items():
        for glob in globs:
            matched = {name for name in reasons if fnmatchcase(name, glob)}
            assert matched
            assert not any(reasons[name] == "" for name in matched)
        unmatched = [n for n in reasons if not any(fnmatchcase(n, glob) for glob in globs)]
        assert not any(reasons[name] == why for name in unmatched)
    assert set(found) == set(reasons.values()) - {""}


#: Driving cell, ties, flip-flop, latch and clock gate of six libraries, as flow.md found them.
SKY, ASAP = "sky130_fd_sc_hd__", "_ASAP7_75t_R"
CHOICES: dict[str, tuple[str | None, ...]] = {
    "osu018": ("BUFX2", None, None, "DFFPOSX1", None, None),
    "osu035": ("BUFX2", None, None, "DFFPOSX1", None, None),
    "nangate45": ("BUF_X1", "LOGIC1_X1/Z", "LOGIC0_X1/Z", "DFF_X1", "DLH_X1", "CLKGATE_X1"),
    "sky130hd": tuple(
        SKY + name for name in ("buf_1", "conb_1/HI", "conb_1/LO", "dfxtp_1", "dlxtp_1", "dlclkp_1")
    ),
    "ihp130": tuple(
        f"sg13g2_{name}"
        for name in ("buf_1", "tiehi/L_HI", "tielo/L_LO", "dfrbpq_1", "dlhq_1", "lgcp_1")
    ),
    "asap7": (
        *(f"BUFx2{ASAP}", f"TIEHIx1{ASAP}/H", f"TIELOx1{ASAP}/L"),
        *(f"DFFHQNx1{ASAP}", f"DHLx1{ASAP}", f"ICGx1{ASAP}"),
    ),
}
#: Cells that flow.md prunes, found here by rule.
PRUNED = {
    "osu018": ["TBUFX1", "LATCH"],
    "osu035": ["PADVDD", "PADINOUT", "TBUFX2"],
    "nangate45": ["FILLCELL_X8", "ANTENNA_X1", "CLKGATETST_X4", "SDFFRS_X1", "TINV_X1", "TLAT_X1"],
    "sky130hd": [
        SKY + name
        for name in ("probe_p_8", "probec_p_8", "lpflow_isobufsrc_1", "sdfxtp_1", "edfxtp_1")
    ],
    "ihp130": ["sg13g2_slgcp_1", "sg13g2_sighold", "sg13g2_sdfrbp_1", "sg13g2_einvn_4"],
    "asap7": [
        name + ASAP
        for name in ("NAND2x1p5", "INVxp33", "SDFHx1", "ICGx1", "DFFHQx4", "HB1xp67", "DLLx1")
    ],
}


@functools.cache
def real(name: str) -> Library:
    return read_library(*LIBERTIES[name])


@pytest.mark.parametrize("name", list(CHOICES))
def test_six_libraries_by_the_same_rules(name: str) -> None:
    need_liberties(name)
    found = inspect(real(name))
    chosen = (found.driving_cell, found.tie_high, found.tie_low)
    assert (*chosen, found.flip_flop, found.latch, found.clock_gate) == CHOICES[name]
    globs = [glob for globs in found.prune.values() for glob in globs]
    pruned = {c for c in real(name).cells if any(fnmatchcase(c, glob) for glob in globs)}
    assert set(PRUNED[name]) <= pruned
    used = {cell.partition("/")[0] for cell in CHOICES[name][:4] if cell}
    assert used.isdisjoint(pruned)
    assert {c.name for c in real(name).cells.values() if unwanted(c)} - used <= pruned
    assert len(pruned) < 0.6 * len(real(name).cells)
