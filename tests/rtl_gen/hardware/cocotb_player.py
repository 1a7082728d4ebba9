"""Simulator's side of `player.play`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly


def changed(words: Any) -> Any:
    """The cycles after which the word changes."""
    return np.flatnonzero((words[1:] != words[:-1]).any(axis=1))


@cocotb.test()
async def play(dut: Any) -> None:
    """Words go in at a falling edge; answers are read before the rising edge that follows."""
    with np.load(Path("inputs.npz")) as played:
        inputs = {getattr(dut, name): words for name, words in played.items()}
    outputs = json.loads(Path("outputs.json").read_text())
    cycles = len(next(iter(inputs.values())))
    answers: dict[str, Any] = {
        name: np.zeros((cycles, size), np.uint8) for name, size in outputs.items()
    }
    masks = {port: (1 << len(port)) - 1 for port in inputs}
    # A port is written in the cycles in which its word is another one.
    changes = {port: {0, *(changed(words) + 1).tolist()} for port, words in inputs.items()}
    dut.rst.value = 1
    for port in inputs:
        port.value = 0
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    for cycle in range(cycles):
        for port, words in inputs.items():
            if cycle in changes[port]:
                word = int.from_bytes(words[cycle].tobytes(), "little", signed=True)
                port.value = word & masks[port]
        await ReadOnly()
        for name, size in outputs.items():
            answer = int(getattr(dut, name).value).to_bytes(size, "little")
            answers[name][cycle] = np.frombuffer(answer, np.uint8)
        await FallingEdge(dut.clk)
    np.savez(Path("answers.npz"), **answers)
