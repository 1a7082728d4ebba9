"""A library of a few cells with round numbers, and netlists of them: what hand counts are made on.

Units are odd on purpose: 10 ps, 2 fF, 1 V, 1 uW; so one unit of energy is 2 fJ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from characterize.cells import Library
from characterize.liberty import read_library
from characterize.netlist import Netlist, read_netlist

LIBERTY = r"""
/* a comment with a "quote and a } brace */
library (mini) {
  time_unit : "10ps"; voltage_unit : "1V"; leakage_power_unit : "1uW";
  capacitive_load_unit (2, ff);
  nom_voltage : 2.0;   // the corner below wins
  default_cell_leakage_power : 7;
  operating_conditions (slow) { voltage : 0.5 }
  operating_conditions ("typical") { process : 1; voltage : 1.0; temperature : 25.0 }
  default_operating_conditions : typical;
  power_lut_template (square) {
    variable_1 : total_output_net_capacitance;
    variable_2 : input_transition_time;
    index_1 ("1, 3");
    index_2 ("2, 4");
  }
  power_lut_template (row) { variable_1 : input_transition_time; index_1 ("2, 4"); }
  cell (NOT) {
    area : 1.5;
    cell_leakage_power : 3;
    pin (A) { direction : input; capacitance : 1; }
    pin (Y) {
      direction : output; function : "A'";
      internal_power () {
        related_pin : "A";
        rise_power (square) { values ("10, 20", \
                                      "30, 40"); }
        fall_power (scalar) { values (2) }
      }
    }
  }
  cell (AND) {
    area : 2;
    leakage_power () { when : "A&B"; value : 8; }
    leakage_power () { when : "!A !B"; value : 2; }
    leakage_power () { value : 4; }
    pin (A) { direction : input; rise_capacitance : 1; fall_capacitance : 3 }
    pin (B) {
      direction : input; capacitance : 2;
      internal_power () { when : "A"; power (row) { values ("5, 5"); } }
      internal_power () { power (row) { values ("1, 1"); } }
    }
    pin (Y) {
      direction : output; function : "A B";
      internal_power () { related_pin : "A"; power (scalar) { values ("12"); } }
      internal_power () { related_pin : "B"; power (scalar) { values ("24"); } }
    }
  }
  cell (XOR) {
    area : 3;
    pin ("A") { direction : "input"; capacitance : 1 }
    pin ("B") { direction : "input"; capacitance : 1 }
    pin ("Y") { direction : "output"; function : "(A^B)"; }
  }
  cell (MAJ) {
    pin (A) { direction : input; } pin (B) { direction : input; } pin (C) { direction : input; }
    pin (Y) {
      direction : output; function : "A B | B C | A C";
      internal_power () { related_pin : "A"; power (scalar) { values ("10"); } }
      internal_power () { related_pin : "B"; power (scalar) { values ("20"); } }
      internal_power () { related_pin : "C"; power (scalar) { values ("60"); } }
    }
  }
  cell (ONE) { pin (Y) { direction : output; function : "1"; } }
  cell (DFF) {
    area : 10;
    ff (IQ, IQN) { next_state : "D"; clocked_on : "C"; }
    pin (D) { direction : input; capacitance : 1; }
    pin (C) {
      direction : input; capacitance : 2; clock : true;
      internal_power () {
        rise_power (row) { index_1 ("1, 2"); values ("6, 8"); }
        fall_power (row) { values ("4, 4"); }
      }
    }
    pin (Q) {
      direction : output; function : "IQ";
      internal_power () { related_pin : "C"; power (scalar) { values (50); } }
    }
  }
  cell (DFFN) {
    ff (IQ, IQN) { next_state : "!D"; clocked_on : "C"; }
    pin (D) { direction : input; } pin (C) { direction : input; clock : true; }
    pin (QN) { direction : output; function : "IQ"; }
  }
  cell (DFALL) {
    ff (IQ, IQN) { next_state : "D"; clocked_on : "!C"; }
    pin (D) { direction : input; } pin (C) { direction : input; clock : true; }
    pin (Q) { direction : output; function : "IQ"; }
    pin (QN) { direction : output; function : "IQN"; }
  }
  cell (DCLEAR) {
    ff (IQ, IQN) { next_state : "D"; clocked_on : "C"; clear : "!R"; preset : "!S";
                   clear_preset_var1 : H; }
    pin (D) { direction : input; } pin (C) { direction : input; clock : true; }
    pin (R) { direction : input; } pin (S) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; }
  }
  cell (LATCH) {
    latch (IQ, IQN) { data_in : "D"; enable : "C"; }
    pin (D) { direction : input; } pin (C) { direction : input; clock : true; }
    pin (Q) {
      direction : output; function : "IQ"; timing () { related_pin : "D"; }
      internal_power () { related_pin : "C"; power (scalar) { values (30); } }
      internal_power () { related_pin : "D"; power (scalar) { values (90); } }
    }
  }
  cell (GATE) {
    area : 6;
    statetable ("C E", "IQ") { table : "L L : - : L , L H : - : H , H - : - : N"; }
    clock_gating_integrated_cell : latch_posedge;
    leakage_power () { when : "!C & !G"; value : 1; }
    leakage_power () { when : "C & !G"; value : 2; }
    leakage_power () { when : "G"; value : 4; }
    pin (IQ) { direction : internal; internal_node : "IQ"; }
    pin (C) {
      direction : input; capacitance : 2; clock_gate_clock_pin : true;
      internal_power () { when : "!E"; power (scalar) { values (10); } }
      internal_power () { when : "E"; power (scalar) { values (20); } }
    }
    pin (E) { direction : input; capacitance : 1; clock_gate_enable_pin : true; }
    pin (G) {
      direction : output; state_function : "C & IQ"; clock_gate_out_pin : true;
      internal_power () { related_pin : "C"; power (scalar) { values (40); } }
    }
  }
  cell (BANK) {
    statetable ("C E", "IQ") { table : "L L : - : L"; }
    pin (Q) { direction : output; function : "IQ"; }
  }
}
"""


def library(folder: Path) -> Library:
    """The library above, read from a file in `folder`."""
    path = folder / "mini.lib"
    path.write_text(LIBERTY)
    return read_library(path)


def netlist(
    folder: Path,
    cells: Mapping[str, tuple[str, Mapping[str, int | str]]],
    inputs: Mapping[str, Sequence[int]],
    outputs: Mapping[str, Sequence[int]],
) -> Netlist:
    """A netlist by way of Yosys's JSON: per instance its type and the bit of every pin."""
    ports = {
        name: {"direction": direction, "bits": list(bits)}
        for direction, group in (("input", inputs), ("output", outputs))
        for name, bits in group.items()
    }
    instances = {
        name: {"type": kind, "connections": {pin: [bit] for pin, bit in pins.items()}}
        for name, (kind, pins) in cells.items()
    }
    blackbox = {"attributes": {"blackbox": "00000001"}, "ports": {}, "cells": {}}
    modules = {"NOT": blackbox, "top": {"attributes": {}, "ports": ports, "cells": instances}}
    path = folder / "netlist.json"
    path.write_text(json.dumps({"modules": modules}))
    return read_netlist(path, library(folder))
