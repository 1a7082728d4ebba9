"""`Trace`: what a component's inputs are, cycle by cycle, and what happens in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize.bitslice import LANES, Bits, sliced

RESET_CYCLES = 4
IDLE_CYCLES = 64


@dataclass(slots=True)
class Trace:
    """Inputs by port, and the cycles of each event; see `stimulus.Stimulus`."""

    cycles: int
    inputs: dict[str, Bits] = field(default_factory=dict)
    events: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def put(self, name: str, values: Any, width: int, start: int = 0) -> None:
        """Drive a port from cycle `start` on: integers (T,), (T, lanes) or bits (T, lanes, width).

        Before and after, the port is 0.
        """
        bits = sliced(values, width)
        port = np.zeros((self.cycles, width), np.uint64)
        port[start : start + len(bits)] = bits
        self.inputs[name] = port

    def constant(self, name: str, value: Any, width: int) -> None:
        """Hold a port at one value, or at one a lane (lanes,), in all cycles."""
        self.put(name, np.broadcast_to(np.asarray(value), (self.cycles, LANES)), width)

    def event(self, name: str, mask: Any, start: int) -> None:
        """Say in which cycles, from `start` on, the event happens, and no other does."""
        full = np.zeros(self.cycles, dtype=bool)
        full[start : start + len(mask)] = np.asarray(mask, dtype=bool)
        self.events[name] = full


def new_trace(length: int) -> Trace:
    """A trace of `length` cycles of work after the reset, and idle ones behind."""
    cycles = RESET_CYCLES + length + IDLE_CYCLES
    trace = Trace(cycles)
    trace.put("rst", np.ones(RESET_CYCLES, dtype=np.int64), 1)
    # The pipelines have run empty by the middle of the idle cycles.
    trace.event("idle", np.ones(IDLE_CYCLES // 2, dtype=bool), cycles - IDLE_CYCLES // 2)
    return trace
