"""The array, with its rows, nodes and PEs, against the golden sums of single channel passes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.lib import wiring
from amaranth.sim import Simulator
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import descriptor
from rtl_gen.hardware.array import ProcessingArray
from rtl_gen.hardware.instruction import COORDINATE
from rtl_gen.hardware.node import NetworkNode
from rtl_gen.hardware.pe import ProcessingElement
from rtl_gen.hardware.row import NetworkRow
from rtl_gen.instructions import NAMES
from rtl_gen.streams import pack, unpack
from rtl_gen.verilog import module_verilog
from tests.rtl_gen.hardware.player import play
from tests.rtl_gen.passes import OnePass, one_passes
from tests.rtl_gen.strategies import chosen

#: Odd sizes, a bus with few lanes, sums that saturate; sizes of 2**n, a bus with many lanes.
CONFIGS = {
    "odd": {
        "arithmetic": "int8a17",
        **{"rows": 7, "columns": 3, "ifmap_words": 7, "weight_words": 21, "psum_words": 5},
        **{"buffer_kib": 1, "bus_bits": 32},
    },
    "even": {
        "arithmetic": "lightpe2",
        **{"rows": 4, "columns": 4, "ifmap_words": 8, "weight_words": 32, "psum_words": 4},
        **{"buffer_kib": 2, "bus_bits": 128},
    },
    "float": {
        "arithmetic": "fp8_e5m2",
        **{"rows": 3, "columns": 2, "ifmap_words": 6, "weight_words": 18, "psum_words": 3},
        **{"buffer_kib": 1, "bus_bits": 64},
    },
}
#: Cycles for the coordinates of rows and columns to settle, and for the last sum to come out.
SETTLE = 16
Words = dict[str, list[int]]


@pytest.mark.eda
@pytest.mark.parametrize("name", CONFIGS)
def test_a_pass_gives_its_golden_sums(name: str, tmp_path: Path) -> None:
    config = AcceleratorConfig.from_mapping(CONFIGS[name])
    passes = [
        one for one in chosen(one_passes(config, most=7), 30) if one.instructions().cycles < 600
    ]
    assert len(passes) >= 15
    fields = [one.instructions().fields for one in passes]
    assert any((both["mac"] & both["load_ifmap"]).any() for both in fields)
    played = [inputs_of(one) for one in passes]
    starts = np.cumsum([0, *(len(words["issue_mac"]) for words in played)])
    answers = play(
        array_verilog(config),
        {port: [word for words in played for word in words[port]] for port in played[0]},
        {"late_drain": 1, "late_fresh": 1, "sums": config.columns * config.accumulator_bits},
        toplevel="processing_array",
        folder=tmp_path,
    )
    for one, (start, end) in zip(passes, pairwise(starts), strict=True):
        drained = np.flatnonzero(answers["late_drain"][start:end]) + start
        # The sums of a drain stand in the cycle after.
        got = sums_of(config, [answers["sums"][cycle + 1] for cycle in drained])
        expected, known = one.sums(), one.known()
        assert len(got) == len(expected)
        np.testing.assert_array_equal(got[:, : expected.shape[1]][known], expected[known])
        fresh = {answers["late_fresh"][cycle] for cycle in drained}
        assert fresh == {int(one.number == 0)}
        # The last row obeys 1 + rows - 1 cycles after the issue, its late part when the operands
        # have been read and multiplied.
        issued = np.flatnonzero(one.instructions().fields["drain"]) + start + SETTLE
        assert drained.tolist() == (issued + config.rows + 1 + config.mac_latency).tolist()


@pytest.mark.parametrize(
    ("name", "rows", "kept"),
    [("int8", 1, 8), ("int8", 5, 40), ("int8", 8, 64), ("int8", 20, 64), ("int6", 20, 48)],
)
def test_a_row_keeps_the_weights_of_rows_that_there_are(name: str, rows: int, kept: int) -> None:
    """A beat has 8 lanes here: what no row reads is no register of any."""
    sizes = {"ifmap_words": 6, "weight_words": 18, "psum_words": 3}
    config = AcceleratorConfig.from_mapping(
        {"arithmetic": name, "rows": rows, "columns": 2, **sizes, "buffer_kib": 1, "bus_bits": 64}
    )
    row = NetworkRow(config)
    ones = (1 << 64) - 1
    seen = []

    async def bench(simulation: Any) -> None:
        for strobe, data in ((1, ones), (0, 0)):
            simulation.set(row.above.load_weight, strobe)
            simulation.set(row.above.load_ifmap, strobe)
            simulation.set(row.above.weight_data, data)
            simulation.set(row.above.ifmap_data, data)
            await simulation.tick()
            seen.append((simulation.get(row.here.weight_data), simulation.get(row.here.ifmap_data)))

    simulator = Simulator(row)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [((1 << kept) - 1, ones)] * 2


def array_verilog(config: AcceleratorConfig) -> str:
    """The array and the modules that it places."""
    parts: dict[str, wiring.Component] = {
        "pe": ProcessingElement(config),
        "network_node": NetworkNode(config),
        "network_row": NetworkRow(config),
        "processing_array": ProcessingArray(config),
    }
    return "\n".join(module_verilog(part, name) for name, part in parts.items())


def inputs_of(one: OnePass) -> Words:
    """What the array sees of a pass, from the settling of the coordinates to the last sum."""
    config, instructions = one.config, one.instructions()
    fields = {**instructions.fields, "fresh": np.full(instructions.cycles, one.number == 0)}
    quiet = [0] * SETTLE
    words = {
        f"issue_{name}": [*quiet, *fields[name].tolist(), *quiet] for name in (*NAMES, "fresh")
    }
    for kind, codes, bits in (
        ("weight", instructions.weights, config.weight_bits),
        ("ifmap", instructions.ifmaps, config.activation_bits),
    ):
        data = np.zeros((instructions.cycles, config.bus_bits // 8), np.uint8)
        data[fields[f"load_{kind}"] == 1] = pack(codes, bits, config.bus_bits)
        beats = [int.from_bytes(beat.tobytes(), "little") for beat in data]
        words[f"issue_{kind}_data"] = [*quiet, *beats, *quiet]
    cycles = len(words["issue_mac"])
    layer = descriptor(config, one.layer, one.mapping)
    place = np.arange(config.columns)
    column_set, tap = np.divmod(place, layer["column_taps"])
    constants = {
        "kernel_rows": layer["kernel_rows"],
        "sets": layer["sets"],
        "column_set": joined(column_set, COORDINATE),
        "column_offset": joined(tap * layer["offset_step"], COORDINATE),
        "column_active": joined(column_set < layer["column_sets"], 1),
    }
    return {**words, **{name: [value] * cycles for name, value in constants.items()}}


def joined(values: NDArray[Any], bits: int) -> int:
    """Values side by side, the first in the low bits."""
    return sum(int(value) << number * bits for number, value in enumerate(values))


def sums_of(config: AcceleratorConfig, words: list[int]) -> NDArray[np.int64]:
    """Signed sums of all columns, (words, columns)."""
    size = -(-config.columns * config.accumulator_bits // 8)
    beats = np.array([list(word.to_bytes(size, "little")) for word in words], np.uint8)
    patterns = unpack(beats, config.accumulator_bits, config.columns)
    return config.arithmetic.accumulator.from_bits(patterns)
