"""The top under AXI ends that others wrote: layers queued by descriptor, sums and exact cycles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rtl_gen.verilog import TOP, accelerator_verilog
from tests.rtl_gen.hardware.layer_run import CONFIG
from tests.verilated import run_cocotb


@pytest.mark.eda
def test_layers_over_axi(tmp_path: Path) -> None:
    log = run_cocotb(
        accelerator_verilog(CONFIG),
        toplevel=TOP,
        test_module="tests.rtl_gen.hardware.cocotb_axi_top",
        optimize="-O0",
        folder=tmp_path,
    )
    for count in ("checked # layers, # cycles", "aborted # layers"):
        assert re.search(count.replace("#", r"[1-9]\d*"), log), count
