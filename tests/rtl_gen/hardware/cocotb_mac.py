"""Simulator's side of test_mac: play the operands, one word a cycle, and record the totals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge


@cocotb.test()
async def play(dut: Any) -> None:
    """Operands go in at a falling edge; what the rising edge captured is read at the next."""
    operands = np.load(Path("operands.npy"))
    totals = np.empty((len(operands), len(dut.totals) // 8), np.uint8)
    dut.rst.value = 0
    dut.operands.value = 0
    Clock(dut.clk, 10, unit="ns").start()
    await FallingEdge(dut.clk)
    for cycle, word in enumerate(operands):
        dut.operands.value = int.from_bytes(word.tobytes(), "little")
        await FallingEdge(dut.clk)
        total = int(dut.totals.value).to_bytes(totals.shape[1], "little")
        totals[cycle] = np.frombuffer(total, np.uint8)
    np.save(Path("totals.npy"), totals)
