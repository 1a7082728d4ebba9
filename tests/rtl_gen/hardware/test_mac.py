"""MACs without an EDA tool: in Amaranth's simulator; and the operands of test_mac_exhaustive."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from rtl_gen.formats import ARITHMETICS, arithmetic, format_named
from rtl_gen.hardware.mac import mac_for
from tests.rtl_gen.hardware.mac_lanes import Lane
from tests.rtl_gen.hardware.mac_stimulus import corners

PAIRS = 200


@pytest.mark.parametrize(
    "name",
    [
        *ARITHMETICS,
        *("int6xint3", "int8a16", "lightpe2a17", "uint8xtern", "int8xapot5", "bitsparse2"),
        *("fp8_e4m3", "fp8_e5m2afp16", "bf16xint8"),
    ],
)
def test_macs_equal_the_golden_arithmetic(name: str) -> None:
    lane = Lane(arith=arithmetic(name))
    streams = lane.streams(1, PAIRS, PAIRS, 0, np.random.default_rng(3))
    component, totals = lane.component(), []
    delayed = {port: lane.delayed(port, codes, lane.latency) for port, codes in streams.items()}

    async def play(context: Any) -> None:
        for numbers in zip(*delayed.values(), strict=True):
            for port, number in zip(delayed, numbers, strict=True):
                context.set(getattr(component, port), int(number))
            totals.append(context.get(component.total))
            await context.tick()

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(play)
    simulator.run()
    got = np.array(totals[lane.latency :])
    assert got.size == PAIRS
    np.testing.assert_array_equal(got, lane.golden(streams))
    np.testing.assert_array_equal(got, lane.others(streams))


@pytest.mark.parametrize(
    "name", ["int8", "uint8xint8", "lightpe2", "int8xtern", "bin", "fp8_e4m3", "fp8_e4m3xfp4_e2m1"]
)
def test_short_operands_meet_in_every_pair(name: str) -> None:
    lane = Lane(arith=arithmetic(name))
    streams = lane.streams(0, 1 << 16, 1 << 16, 0, np.random.default_rng(4))
    pairs = set(zip(streams["activation"].tolist(), streams["weight"].tolist(), strict=True))
    assert len(pairs) == lane.arith.activation.codes().size * lane.arith.weight.codes().size


@pytest.mark.parametrize("name", ["fp32", "fp16", "bf16xint8", "int16", "bitsparse4"])
def test_corners_of_wide_operands_meet_in_every_pair(name: str) -> None:
    arith = arithmetic(name)
    streams = Lane(arith=arith).streams(0, 1 << 13, 1 << 16, 0, np.random.default_rng(4))
    pairs = set(zip(streams["activation"].tolist(), streams["weight"].tolist(), strict=True))
    masks = (1 << arith.activation_bits) - 1, (1 << arith.weight_bits) - 1
    ends = product(corners(arith.activation) & masks[0], corners(arith.weight) & masks[1])
    assert pairs >= {(int(one), int(other)) for one, other in ends}


def test_corners_of_a_float_are_its_special_words() -> None:
    words = set(corners(format_named("fp32")).tolist())
    signs = (0, 0x80000000)
    specials = (0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001)
    assert words >= {sign | word for sign in signs for word in (*specials, 0x7FC00000, 0x7FFFFFFF)}


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        *(("int16", 32), ("int8", 16), ("int4", 8), ("lightpe1", 16), ("lightpe2", 17)),
        *(("int6xint3", 9), ("bitsparse2", 32), ("uint8xtern", 9)),
    ],
)
def test_the_only_register_is_as_wide_as_a_product(name: str, bits: int) -> None:
    text = rtlil.convert(mac_for(arithmetic(name)), name="mac", emit_src=False)
    registers = re.findall(r"cell \$\w*dff\w* .*?parameter \\WIDTH (\d+)", text, re.DOTALL)
    assert registers == [str(bits)]
