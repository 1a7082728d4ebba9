"""Many small components in one simulation: one Verilator build instead of one for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from rtl_gen.formats import Integers

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One component with an output `total`, what goes in and what must come out.

    Parameters
    ----------
    label : for messages.
    component : under test.
    operands : by port, one number a cycle; negative ones go in as two's complement.
    golden : total in every cycle but the first, from that cycle's operands and earlier ones.
    """

    label: str
    component: wiring.Component
    operands: dict[str, Integers]
    golden: Integers

    def ports(self) -> list[Signal]:
        return [getattr(self.component, name) for name in self.operands]

    def check(self, totals: Integers) -> None:
        """Compare the totals of all cycles; the first is not defined."""
        assert totals.size == self.golden.size + 1 > 1, f"{self.label}: {totals.size} cycles"
        wrong = np.flatnonzero(totals[1:] != self.golden)
        if wrong.size:
            cycle = int(wrong[0]) + 1
            recent = {name: codes[cycle - 1 : cycle + 1] for name, codes in self.operands.items()}
            raise AssertionError(
                f"{self.label}, cycle {cycle}: total {totals[cycle]}, golden "
                f"{self.golden[cycle - 1]}, operands before and now {recent}; "
                f"{wrong.size} of {self.golden.size} differ"
            )


class Bench(wiring.Component):
    """All lanes between one wide input and one wide register.

    The register keeps what the totals were just before an edge, with that cycle's operands still
    there: a MAC without its cycle of latency, or with two, would show.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        super().__init__(
            {
                "operands": In(8 * _bytes(_input_bits(lanes))),
                "totals": Out(8 * _bytes(sum(_output_bits(lanes)))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, lane in enumerate(self._lanes):
            m.submodules[f"lane_{number}"] = lane.component
        ports = Cat(port for lane in self._lanes for port in lane.ports())
        m.d.comb += ports.eq(self.operands)
        m.d.sync += self.totals.eq(Cat(lane.component.total for lane in self._lanes))
        return m


def pack(lanes: Sequence[Lane]) -> Bytes:
    """Operands of all lanes as the bytes of `Bench.operands`, (cycles, bytes), low byte first."""
    fields = [
        codes[:, None] >> np.arange(len(port)) & 1
        for lane in lanes
        for port, codes in zip(lane.ports(), lane.operands.values(), strict=True)
    ]
    return np.packbits(np.hstack(fields).astype(np.uint8), axis=1, bitorder="little")


def unpack(lanes: Sequence[Lane], words: Bytes) -> list[Integers]:
    """Signed totals of each lane from the bytes of `Bench.totals`."""
    bits = np.unpackbits(words, axis=1, bitorder="little").astype(np.int64)
    totals, first = [], 0
    for width in _output_bits(lanes):
        weights = np.int64(1) << np.arange(width)
        weights[-1] *= -1
        totals.append(bits[:, first : first + width] @ weights)
        first += width
    return totals


def _input_bits(lanes: Sequence[Lane]) -> int:
    return sum(len(port) for lane in lanes for port in lane.ports())


def _output_bits(lanes: Sequence[Lane]) -> list[int]:
    return [len(lane.component.total) for lane in lanes]


def _bytes(bits: int) -> int:
    return -(-bits // 8)
