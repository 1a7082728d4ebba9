"""A small library, and technology files of it: `write` and `small` into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from characterize.technology import (
    Technology,
    load_technology,
)

#: Three cells and a flip-flop, with a brace and a cell's name where a careless reader stumbles.
LIBERTY = """\
library (small) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW";
  capacitive_load_unit (1, pf);
  nom_voltage : 1.0; nom_temperature : 25;
  /* cell (GHOST) { */
  cell (INV) {
    area : 1; cell_leakage_power : 1;
    pin (A) { direction : input; capacitance : 0.002;
      rise_capacitance : 0.003; max_capacitance : 1; }
    pin (Y) { direction : output; capacitance : 0; function : "!A"; timing () { }
      internal_power () { related_pin : "A"; power (scalar) { values ("0.1"); } } }
  }
  cell ("NAND2") {
    area : 2; cell_leakage_power : 1;
    user_text : "not a } brace";
    pin (A) { direction : "input"; capacitance : 0.002; }
    pin (B) { direction : input; capacitance : 0.002; }
    pin (Y) { direction : output; function : "(A B)'"; timing () { }
      internal_power () { related_pin : "A"; power (scalar) { values ("0.1"); } } }
  }
  cell (DFF) {
    area : 5; cell_leakage_power : 1;
    ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin (C) { direction : input; clock : true; capacitance : 0.002;
      internal_power () { power (scalar) { values ("0.1"); } } }
    pin (D) { direction : input; capacitance : 0.002; timing () { setup : 1; } }
    pin (Q) { direction : output; function : "IQ"; timing () { edge : 1; } }
  }
  cell (TIE1) { area : 1; cell_leakage_power : 1; pin (Y) { direction : output; function : "1"; } }
}
"""

#: A flip-flop into a latch.
LATCH = ('ff (IQ, IQN) { clocked_on : "C"; next_state', 'latch (IQ, IQN) { enable : "C"; data_in')


def content(**changes: Any) -> dict[str, Any]:
    """A technology file's content; a value of None takes the key away."""
    result = {
        "name": "small",
        "description": "Four cells",
        "corner": "typical",
        "liberty": [{"file": "small.lib"}],
        "feature_nm": 130,
        "voltage_v": 1.0,
        "temperature_c": 25,
        "clock_ns": 2,
        "driving_cell": "INV",
        "output_load_ff": 5,
        "wire_ff_per_pin": 0,
        "memory": "ihp_sg13g2",
        "dram_pj_per_bit": 20,
        "sources": {"cells": "here", "dram_pj_per_bit": "there", "wire_ff_per_pin": "nowhere"},
        **changes,
    }
    return {key: value for key, value in result.items() if value is not None}


def write(folder: Path, text: str = LIBERTY, /, **changes: Any) -> Path:
    """A technology file with its Liberty file."""
    (folder / "small.lib").write_text(text)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content(**changes)))
    return path


def small(folder: Path, text: str = LIBERTY, /, **changes: Any) -> Technology:
    """The technology of `write`."""
    return load_technology(write(folder, text, **changes))
