"""Words of block formats to come, a block's codes and its scale, pass wherever a word passes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from amaranth import Module
from amaranth.sim import Simulator

from rtl_gen import streams
from rtl_gen.hardware.node import NetworkNode
from rtl_gen.hardware.scratchpad import Scratchpad
from rtl_gen.memories import lanes

BUS_BITS = 512
#: Elements of a block, bits of one, bits of the scale: MXFP8, MXFP4, NVFP4.
BLOCKS = {"mxfp8": (32, 8, 8), "mxfp4": (32, 4, 8), "nvfp4": (16, 4, 8)}


def blocks(name: str, count: int) -> list[int]:
    """Words: codes from the low bits up, the scale above them."""
    elements, bits, scale_bits = BLOCKS[name]
    random = np.random.default_rng(count)
    words = []
    for _ in range(count):
        word = int(random.integers(1 << scale_bits)) << elements * bits
        for place in range(elements):
            word |= int(random.integers(1 << bits)) << place * bits
        words.append(word)
    return words


@pytest.mark.parametrize("name", BLOCKS)
def test_scale_and_data_travel_together(name: str) -> None:
    """From a beat of the stream, through the network's node, into a scratchpad and out again."""
    elements, bits, scale_bits = BLOCKS[name]
    word_bits = elements * bits + scale_bits
    count = int(lanes(BUS_BITS, word_bits))
    assert count >= 1
    words = blocks(name, 3 * count)
    beats = streams.pack(np.array(words, dtype=object).reshape(3, count), word_bits, BUS_BITS)
    config: Any = SimpleNamespace(bus_bits=BUS_BITS, activation_bits=word_bits)
    m = Module()
    m.submodules.node = node = NetworkNode(config)
    m.submodules.scratchpad = pad = Scratchpad(len(words), word_bits)
    m.d.comb += [pad.write.eq(node.ifmap_write), pad.write_data.eq(node.activation)]
    found = []

    async def drive(context: Any) -> None:
        for port in (node.load_ifmap, node.row_active, node.column_active):
            context.set(port, 1)
        for number in range(len(words)):
            beat, lane = divmod(number, count)
            context.set(node.ifmap_data, int.from_bytes(beats[beat].tobytes(), "little"))
            context.set(node.row_tap, lane)
            context.set(pad.write_address, number)
            await context.tick()
        context.set(node.load_ifmap, 0)
        for number in range(len(words)):
            context.set(pad.read_address, number)
            found.append(context.get(pad.read_data))
            await context.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert found == words
