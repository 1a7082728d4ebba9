"""Control in front of a core that only moves beats, driven by cocotbext-axi's own ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rtl_gen.verilog import module_verilog
from tests.rtl_gen.hardware.beat_mover import CONFIG, ControlBench
from tests.verilated import run_cocotb


@pytest.mark.eda
def test_control_under_axi_masters(tmp_path: Path) -> None:
    log = run_cocotb(
        module_verilog(ControlBench(CONFIG), "bench"),
        toplevel="bench",
        test_module="tests.rtl_gen.hardware.cocotb_control",
        optimize="-O0",
        folder=tmp_path,
    )
    for count in ("refused # descriptors", "checked # layers", "aborted # frames"):
        assert re.search(count.replace("#", r"[1-9]\d*"), log), count
