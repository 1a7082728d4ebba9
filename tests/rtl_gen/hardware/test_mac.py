"""MACs and adders bit for bit against the golden arithmetic."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from rtl_gen.formats import ARITHMETICS, Accumulator, Arithmetic, Format, Integers, arithmetic
from rtl_gen.hardware.mac import adder_for, mac_for
from tests.rtl_gen.hardware.lanes import Bench, Lane, pack, unpack
from tests.verilated import run_cocotb

#: Two 8-bit operands have this many pairs.
PAIRS = 1 << 16
#: Every operand pair occurs; in int4a8 and int2a4 every pair with every addend.
EXHAUSTIVE = (
    *("int8", "int4", "int2", "int6xint3", "lightpe1", "lightpe2", "int5xpot2"),
    *("int8a16", "int8a20", "int4a8", "int2a4", "lightpe1a16", "lightpe2a17"),
)
#: Too many pairs: all pairs of corners, then random ones.
SAMPLED = ("int16", "int16a32", "int12xint9")
#: Every pair of addends in int4a8 and int2a4, corners and random ones in the others.
ADDERS = ("int4a8", "int2a4", "int4", "int16", "lightpe2a17")


@pytest.mark.eda
def test_macs_and_adders_equal_the_golden_arithmetic(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    lanes = [
        *(mac_lane(arithmetic(name), PAIRS, rng) for name in EXHAUSTIVE + SAMPLED),
        *(adder_lane(arithmetic(name), PAIRS, rng) for name in ADDERS),
    ]
    np.save(tmp_path / "operands.npy", pack(lanes))
    run_cocotb(
        Bench(lanes),
        toplevel="mac_bench",
        test_module="tests.rtl_gen.hardware.cocotb_mac",
        folder=tmp_path,
    )
    totals = unpack(lanes, np.load(tmp_path / "totals.npy"))
    for lane, got in zip(lanes, totals, strict=True):
        lane.check(got)


@pytest.mark.parametrize("name", [*ARITHMETICS, "int6xint3", "int8a16", "lightpe2a17"])
def test_the_same_law_without_an_eda_tool(name: str) -> None:
    """Fewer pairs, in Amaranth's own simulator."""
    lane = mac_lane(arithmetic(name), 200, np.random.default_rng(3))
    totals = []

    async def play(context: Any) -> None:
        for operands in zip(*lane.operands.values(), strict=True):
            for port, number in zip(lane.ports(), operands, strict=True):
                context.set(port, int(number))
            totals.append(context.get(lane.component.total))
            await context.tick()

    simulator = Simulator(lane.component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(play)
    simulator.run()
    lane.check(np.array(totals))


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("int16", 32),
        ("int8", 16),
        ("int4", 8),
        ("lightpe1", 16),
        ("lightpe2", 17),
        ("int6xint3", 9),
    ],
)
def test_the_only_register_is_as_wide_as_a_product(name: str, bits: int) -> None:
    text = rtlil.convert(mac_for(arithmetic(name)), name="mac", emit_src=False)
    registers = re.findall(r"cell \$\w*dff\w* .*?parameter \\WIDTH (\d+)", text, re.DOTALL)
    assert registers == [str(bits)]


def mac_lane(arith: Arithmetic, pairs: int, rng: np.random.Generator) -> Lane:
    """A MAC under `pairs` pairs of operands; a last cycle shows the last product."""
    activations, weights = operand_pairs(arith, pairs + 1, rng)
    addends = np.roll(addend_sequence(arith, pairs + 1, rng), 1)
    products = arith.multiply(activations[:-1], weights[:-1])
    return Lane(
        label=f"MAC of {arith.name}",
        component=mac_for(arith),
        operands={"activation": activations, "weight": weights, "addend": addends},
        golden=arith.add(addends[1:], products),
    )


def adder_lane(arith: Arithmetic, pairs: int, rng: np.random.Generator) -> Lane:
    """An adder of accumulator values, which has no latency."""
    left = accumulator_values(arith.accumulator, pairs + 1, rng)
    right = accumulator_values(arith.accumulator, pairs + 1, rng)
    if arith.accumulator_bits <= 8:
        values = np.arange(arith.accumulator.minimum, arith.accumulator.maximum + 1)
        left, right = np.resize(list(product(values, values)), (pairs + 1, 2)).T
    return Lane(
        label=f"adder of {arith.name}",
        component=adder_for(arith),
        operands={"left": left, "right": right},
        golden=arith.add(left[1:], right[1:]),
    )


def operand_pairs(
    arith: Arithmetic, count: int, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Every pair, again and again, where `count` has room for it; else corners, then random."""
    codes = arith.activation.codes(), arith.weight.codes()
    if codes[0].size * codes[1].size <= count:
        activations, weights = np.resize(list(product(*codes)), (count, 2)).T
        return activations, weights
    corners = np.array(list(product(corner_codes(arith.activation), corner_codes(arith.weight))))
    activations, weights = (rng.choice(codes_, count) for codes_ in codes)
    activations[: len(corners)], weights[: len(corners)] = corners.T
    return activations, weights


def corner_codes(fmt: Format) -> Integers:
    """Both ends of the codes and their middle: zero and its neighbours, or where the sign turns."""
    codes = fmt.codes()
    middle = codes.size // 2
    return codes[[0, 1, middle - 1, middle, middle + 1, -2, -1]]


def addend_sequence(arith: Arithmetic, count: int, rng: np.random.Generator) -> Integers:
    """Addends that meet every pair of `operand_pairs`, all of them where there is room."""
    accumulator = arith.accumulator
    pairs = arith.activation.codes().size * arith.weight.codes().size
    if pairs << accumulator.bits <= count:
        return np.arange(count) // pairs % (1 << accumulator.bits) + accumulator.minimum
    return accumulator_values(accumulator, count, rng)


def accumulator_values(accumulator: Accumulator, count: int, rng: np.random.Generator) -> Integers:
    """Half of them near the ends and zero, where sums clip, wrap or change sign."""
    low, high = accumulator.minimum, accumulator.maximum
    corners = rng.choice([low, low + 1, -1, 0, 1, high - 1, high], count)
    return np.where(rng.random(count) < 0.5, corners, rng.integers(low, high + 1, count))
