"""How much of a beat of weights reaches a PE, and how much of it a row of the array keeps."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterize import tools
from rtl_gen.beats import mean_weight_beat_bits, weight_beat_bits
from rtl_gen.config import AcceleratorConfig
from rtl_gen.memories import lanes
from rtl_gen.verilog import CORE, core_verilog


@given(rows=st.integers(1, 64), bus=st.sampled_from([32, 64, 128]), bits=st.integers(1, 32))
def test_the_mean_is_that_of_the_lanes_that_rows_read(rows: int, bus: int, bits: int) -> None:
    """A row keeps a lane if it or one below reads it; row `r` reads lane `r` modulo lanes."""
    count = int(lanes(bus, bits))
    kept = [len({below % count for below in range(row, rows)}) for row in range(rows)]
    design = SimpleNamespace(rows=rows, bus_bits=bus, weight_bits=bits)
    assert mean_weight_beat_bits(design) == pytest.approx(float(Fraction(sum(kept) * bits, rows)))
    assert weight_beat_bits(design) == kept[0] * bits


def test_a_table_of_designs_has_the_means_of_each() -> None:
    rows = np.array([1, 4, 9])
    table = SimpleNamespace(rows=rows, bus_bits=np.array([64, 64, 128]), weight_bits=8)
    ones = [
        SimpleNamespace(rows=int(n), bus_bits=int(bus), weight_bits=8)
        for n, bus in zip(rows, table.bus_bits, strict=True)
    ]
    assert mean_weight_beat_bits(table).tolist() == [mean_weight_beat_bits(one) for one in ones]


@pytest.mark.eda
@pytest.mark.parametrize(("name", "rows"), [("int16", 3), ("int16", 6), ("lightpe1", 4)])
def test_synthesis_removes_the_registers_that_no_row_reads(
    name: str, rows: int, tmp_path: Path
) -> None:
    """Counted in what Yosys leaves of a whole core."""
    config = AcceleratorConfig.from_mapping(
        {
            **{"arithmetic": name, "rows": rows, "columns": 2, "bus_bits": 64, "buffer_kib": 4},
            **{"ifmap_words": 4, "weight_words": 8, "psum_words": 4},
        }
    )
    (tmp_path / "design.v").write_text(core_verilog(config))
    commands = ["read_verilog design.v", f"hierarchy -top {CORE}", "proc", "flatten"]
    commands += ["simplemap", "opt_clean", "write_json design.json"]
    (tmp_path / "design.ys").write_text("\n".join(commands))
    tools.run(
        tools.yosys_command("design.ys"), cwd=tmp_path, log=tmp_path / "design.log", timeout=100.0
    )
    core = json.loads((tmp_path / "design.json").read_text())["modules"][CORE]
    stored = {
        bit
        for cell in core["cells"].values()
        if "DFF" in cell["type"]
        for bit in cell["connections"]["Q"]
    }
    kept = [
        len(stored & set(core["netnames"][f"array.row_{row}.here_weight_data"]["bits"]))
        for row in range(rows)
    ]
    assert kept[0] == weight_beat_bits(config)
    assert sum(kept) == rows * mean_weight_beat_bits(config)
