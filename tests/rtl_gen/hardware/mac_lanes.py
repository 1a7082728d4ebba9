"""MACs and adders beside what they must say: the golden arithmetic, and others' arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gfloat import round_ndarray
from numpy.typing import NDArray

from rtl_gen.formats import Arithmetic, FloatAccumulator, FloatFormat
from rtl_gen.hardware.mac import adder_for, mac_for
from tests.rtl_gen.formats import outside
from tests.rtl_gen.hardware import mac_harness
from tests.rtl_gen.hardware.mac_stimulus import addends, operand_pairs, sums

Patterns = NDArray[np.int64]
#: Port -> bit patterns; pair number i at place i of each.
Streams = dict[str, Patterns]


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of a lane.

    Parameters
    ----------
    pairs : of operands checked, each with an addend: against the golden arithmetic, and that of
        `oracle`.
    errors : the first difference in each part; none is none.
    """

    oracle: str
    pairs: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A MAC, or the adder of its sums."""

    arith: Arithmetic
    adder: bool = False

    @property
    def name(self) -> str:
        return f"adder_{self.arith.name}" if self.adder else self.arith.name

    @property
    def latency(self) -> int:
        return 0 if self.adder else self.arith.mac_latency

    @property
    def pair_bits(self) -> int:
        """Of both operands together."""
        if self.adder:
            return 2 * self.arith.accumulator_bits
        return self.arith.activation_bits + self.arith.weight_bits

    @property
    def oracle(self) -> str:
        """Whose arithmetic `others` is."""
        wide = self.arith.accumulator
        if not isinstance(wide, FloatAccumulator):
            return "numpy int64"
        if wide.format.saturating or wide.format.name not in outside.DTYPES:
            return f"gfloat {wide.format.name}"
        kind = outside.DTYPES[wide.format.name]
        return f"{kind.__module__.partition('.')[0]} {kind.__name__}"

    def component(self) -> Any:
        return adder_for(self.arith) if self.adder else mac_for(self.arith)

    def streams(
        self, first: int, count: int, limit: int, turn: int, rng: np.random.Generator
    ) -> Streams:
        """Operands and addends of `count` pairs; see `mac_stimulus`."""
        arith, wide = self.arith, self.arith.accumulator
        if self.adder:
            number = first + np.arange(count)
            if 1 << 2 * wide.bits <= limit:
                right = _pattern(number >> wide.bits, wide.bits)
                return {"left": _pattern(number, wide.bits), "right": right}
            right = sums(wide, count, rng)
            left = addends(wide, wide.decode(right), turn, rng)
            return {"left": _pattern(left, wide.bits), "right": _pattern(right, wide.bits)}
        activations, weights = operand_pairs(arith, first, count, limit, rng)
        if 1 << self.pair_bits + wide.bits <= limit:
            pairs = arith.activation.codes().size * arith.weight.codes().size
            addend = (first + np.arange(count)) // pairs
        else:
            addend = addends(wide, arith.multiply(activations, weights), turn, rng)
        return {
            "addend": _pattern(addend, wide.bits),
            "activation": _pattern(activations, arith.activation_bits),
            "weight": _pattern(weights, arith.weight_bits),
        }

    def delayed(self, port: str, stream: Patterns, longest: int) -> Patterns:
        """An addend meets its product when that comes; the last one comes out `longest` later."""
        before = self.latency if port == "addend" else 0
        return np.pad(stream, (before, longest - before))

    def golden(self, streams: Streams) -> Patterns:
        """Totals by the golden arithmetic."""
        arith, wide = self.arith, self.arith.accumulator
        left, *operands = streams.values()
        if self.adder:
            right = wide.decode(wide.from_bits(operands[0]))
        else:
            formats = (arith.activation, arith.weight)
            right = arith.multiply(
                *(f.from_bits(o) for f, o in zip(formats, operands, strict=True))
            )
        total = arith.add(wide.decode(wide.from_bits(left)), right)
        return _pattern(wide.encode(total), wide.bits)

    def others(self, streams: Streams) -> Patterns:
        """Totals by the oracle."""
        wide = self.arith.accumulator
        sum_name = wide.format.name if isinstance(wide, FloatAccumulator) else f"int{wide.bits}"
        names = [sum_name, self.arith.activation.name, self.arith.weight.name]
        if self.adder:
            names[1:] = [sum_name]
        numbers = [outside.numbers(*pair) for pair in zip(names, streams.values(), strict=True)]
        with np.errstate(all="ignore"):
            if not isinstance(wide, FloatAccumulator):
                total = numbers[0] + math.prod(numbers[1:])
                return _pattern(wide.nearest(total) if wide.saturating else total, wide.bits)
            if self.oracle.startswith("gfloat"):
                return _gfloat_total(wide.format, numbers)
            kind = outside.DTYPES[sum_name]
            total = numbers[0].astype(kind) + math.prod(n.astype(kind) for n in numbers[1:])
        assert total.dtype == kind
        return outside.patterns(total)


def _gfloat_total(fmt: FloatFormat, numbers: list[NDArray[Any]]) -> Patterns:
    """In float64, where no product loses a digit and a sum is rounded as if it did not."""
    left, *operands = (number.astype(np.float64) for number in numbers)
    info, right = outside.GFLOAT[fmt.name], operands[0]
    if len(operands) == 2:
        right = round_ndarray(info, right * operands[1], sat=fmt.saturating)
    total = round_ndarray(info, left + right, sat=fmt.saturating)
    return outside.gfloat_patterns(fmt.name, total)


def check(
    lanes: Iterable[Lane], folder: Path, *, turns: int, count: int, limit: int, seed: int
) -> dict[str, Report]:
    """Play `turns` times `count` pairs through every lane, in one model, and compare all totals.

    Parameters
    ----------
    limit : where there are at most so many pairs all are played, from the first on; where there are
        at most so many pairs and addends together, so are those.
    """
    by_name = {lane.name: lane for lane in lanes}
    reports = {name: Report(oracle=lane.oracle) for name, lane in by_name.items()}
    model = mac_harness.build({n: lane.component() for n, lane in by_name.items()}, folder)
    # A lane's operands do not depend on which others there are.
    rngs = {name: np.random.default_rng([seed, *name.encode()]) for name in by_name}
    longest = max(lane.latency for lane in by_name.values())
    for turn in range(turns):
        played = {
            name: lane.streams(turn * count, count, limit, turn, rngs[name])
            for name, lane in by_name.items()
        }
        totals = model.play(
            {
                f"{name}_{port}": lane.delayed(port, stream, longest)
                for name, lane in by_name.items()
                for port, stream in played[name].items()
            }
        )
        for name, lane in by_name.items():
            total = totals[f"{name}_total"][lane.latency :][:count]
            _compare(lane, played[name], total, reports[name])
    return reports


def _compare(lane: Lane, streams: Streams, total: Patterns, report: Report) -> None:
    golden = lane.golden(streams)
    _difference("golden", golden, lane, streams, total, report)
    report.pairs += int(total.size)
    _difference(lane.oracle, lane.others(streams), lane, streams, total, report)


def _difference(
    whose: str, wanted: Patterns, lane: Lane, streams: Streams, total: Patterns, report: Report
) -> None:
    assert wanted.size == total.size > 0
    wrong = np.flatnonzero(wanted != total)
    if wrong.size:
        given = {port: hex(stream[wrong[0]]) for port, stream in streams.items()}
        report.errors.append(
            f"{lane.name}: total {total[wrong[0]]:#x}, {whose} {wanted[wrong[0]]:#x}, of {given}; "
            f"{wrong.size} of {total.size} differ"
        )


def _pattern(codes: Patterns, bits: int) -> Patterns:
    return codes & (1 << bits) - 1
