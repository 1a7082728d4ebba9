"""Simulator's side of test_verilated: one test that passes and one that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def the_output_is_the_complement(dut: Any) -> None:
    dut.data.value = 5
    await Timer(1, "ns")
    assert int(dut.result.value) == 10


@cocotb.test(skip=not Path("fail").exists())
async def a_planted_failure(dut: Any) -> None:
    await Timer(1, "ns")
    assert int(dut.result.value) == int(dut.data.value), "planted"
