"""The processing element against a model, register by register."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from amaranth.sim import Simulator
from hypothesis import strategies as st

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.pe import ProcessingElement
from tests.rtl_gen.hardware.pe_model import STROBES, Instruction, PeModel, filling, instructions
from tests.rtl_gen.hardware.player import SideBySide, play
from tests.rtl_gen.strategies import chosen

#: One of every MAC, wrapping and saturating; scratchpads of odd sizes, of one word, of 2**n.
PES = {
    "int8": (5, 11, 3),
    "int16": (1, 7, 2),
    "int6xint3a12": (8, 16, 4),
    "lightpe1": (3, 1, 1),
    "lightpe2a17": (4, 9, 5),
    "int4a8": (7, 20, 6),
    "bf16": (3, 6, 3),
    "fp8_e4m3afp16": (6, 9, 2),
}


def pe_config(name: str) -> AcceleratorConfig:
    words = dict(zip(("ifmap_words", "weight_words", "psum_words"), PES[name], strict=True))
    array = {"rows": 1, "columns": 1, "buffer_kib": 1, "bus_bits": 64}
    return AcceleratorConfig.from_mapping({"arithmetic": name, **words, **array})


def sequence(config: AcceleratorConfig, parts: int, cycles: int) -> list[Instruction]:
    """Scratchpads filled, then `parts` stretches with strobes at rates that hypothesis chooses."""
    rates = st.fixed_dictionaries({name: st.sampled_from([0.1, 0.5, 0.9, 1.0]) for name in STROBES})
    stretches = chosen(st.tuples(rates, st.integers(0, 2**32)), parts)
    assert len(stretches) > parts // 2
    found = filling(config)
    for rate, seed in stretches:
        found += instructions(config, rate, cycles, seed)
    return found


def golden(config: AcceleratorConfig, played: list[Instruction]) -> list[int]:
    """psum_out during each cycle."""
    model, sums = PeModel(config), []
    for instruction in played:
        sums.append(model.psum_out)
        model.step(instruction)
    return sums


@pytest.mark.eda
def test_every_pe_follows_its_model(tmp_path: Path) -> None:
    configs = {name: pe_config(name) for name in PES}
    played = {name: sequence(config, 20, 50) for name, config in configs.items()}
    cycles = max(len(part) for part in played.values())
    idle = dict.fromkeys(next(iter(played.values()))[0], 0)
    inputs = {
        f"{name}__{port}": [now[port] for now in part + [idle] * (cycles - len(part))]
        for name, part in played.items()
        for port in idle
    }
    answers = play(
        SideBySide({name: ProcessingElement(config) for name, config in configs.items()}),
        inputs,
        {f"{name}__psum_out": config.accumulator_bits for name, config in configs.items()},
        toplevel="pes",
        folder=tmp_path,
    )
    for name, config in configs.items():
        mask = (1 << config.accumulator_bits) - 1
        expected = [total & mask for total in golden(config, played[name])]
        assert len(set(expected)) > 100
        got = answers[f"{name}__psum_out"][: len(expected)]
        # Before the first drain the sum is not defined.
        start = len(filling(config))
        assert got[start:] == expected[start:], name


@pytest.mark.parametrize("name", ["int8", "int4a8", "lightpe2a17", "bf16", "fp8_e4m3afp16"])
def test_the_same_law_without_an_eda_tool(name: str) -> None:
    """A short sequence, in Amaranth's own simulator."""
    config = pe_config(name)
    pe = ProcessingElement(config)
    played = sequence(config, 4, 30)
    sums = []

    async def drive(context: Any) -> None:
        for instruction in played:
            for port, word in instruction.items():
                context.set(getattr(pe, port), word)
            sums.append(context.get(pe.psum_out))
            await context.tick()

    simulator = Simulator(pe)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    start = len(filling(config))
    mask = (1 << config.accumulator_bits) - 1
    assert sums[start:] == [total & mask for total in golden(config, played)[start:]]
