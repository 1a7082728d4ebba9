"""Simulator's side of test_core: drivers at the streams, a monitor, a checker."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from characterize.regression import random_stage, random_tensors
from characterize.simulation import STALLS
from rtl_gen import streams
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import descriptor
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import schedule
from tests.rtl_gen.hardware.probe import expressions, scheduled


class Source:
    """Drives a stream into the accelerator; an offered beat stays until it is taken."""

    def __init__(self, dut: Any, name: str, beats: Any, stall: str) -> None:
        self.valid = getattr(dut, f"{name}_valid")
        self.ready = getattr(dut, f"{name}_ready")
        self.payload = getattr(dut, f"{name}_payload")
        self.beats = [int.from_bytes(beat.tobytes(), "little") for beat in beats]
        self.chance = STALLS[stall] / 256
        self.taken = 0
        self.stalls = 0
        self.offering = False
        self.valid.value = 0

    def drive(self) -> None:
        if not self.offering and self.taken < len(self.beats) and random.random() >= self.chance:
            self.offering = True
            self.payload.value = self.beats[self.taken]
            self.valid.value = 1

    def observe(self) -> None:
        if int(self.ready.value):
            self.stalls += not self.offering
            self.taken += self.offering
            self.offering = False

    def settle(self) -> None:
        if not self.offering:
            self.valid.value = 0


class Sink:
    """Takes beats from the accelerator, and checks that one not taken stays as it is.

    Only the layer's last beat may say so; `lasts` are the numbers of those that did.
    """

    def __init__(self, dut: Any, name: str, stall: str) -> None:
        self.valid = getattr(dut, f"{name}_valid")
        self.ready = getattr(dut, f"{name}_ready")
        self.payload = getattr(dut, f"{name}_payload")
        self.last = dut.last
        self.chance = STALLS[stall] / 256
        self.beats: list[int] = []
        self.lasts: list[int] = []
        self.stalls = 0
        self.waiting: tuple[int, int] | None = None
        self.willing = False

    def drive(self) -> None:
        self.willing = random.random() >= self.chance
        self.ready.value = int(self.willing)

    def observe(self) -> None:
        beat = (int(self.payload.value), int(self.last.value)) if int(self.valid.value) else None
        assert self.waiting in (None, beat), "a beat on offer must stay until it is taken"
        if beat is not None and self.willing:
            self.lasts += [len(self.beats)] * beat[1]
            self.beats.append(beat[0])
        self.stalls += beat is not None and not self.willing
        self.waiting = None if self.willing else beat


class Monitor:
    """Counts busy cycles, and reads the probe's counters."""

    def __init__(self, dut: Any, config: AcceleratorConfig) -> None:
        self.dut = dut
        self.names = list(expressions(config))
        self.cycles = 0

    def observe(self) -> bool:
        busy = bool(int(self.dut.busy.value))
        self.cycles += busy
        return busy

    def counts(self) -> dict[str, int]:
        return {name: int(getattr(self.dut, f"count_{name}").value) for name in self.names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A layer to run and how, tensors from a seed, stalls at the streams in and out."""

    config: AcceleratorConfig
    layer: Layer
    mapping: Mapping
    stalls: tuple[str, str]
    seed: int


class Checker:
    """What a layer must give: outputs, cycles, beats and all traffic inside."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.plan = schedule(case.config, case.layer, case.mapping)
        self.tensors = random_tensors(case.config.arithmetic, case.layer, case.seed)
        self.stage = random_stage(case.config.arithmetic, case.layer, case.seed)

    def check(self, sources: dict[str, Source], outputs: Sink, monitor: Monitor) -> None:
        config, layer, mapping = self.case.config, self.case.layer, self.case.mapping
        golden = golden_layer(config.arithmetic, layer, *self.tensors, mapping)
        if self.stage is not None:
            golden = self.stage.apply(config.arithmetic, golden)
        size = config.bus_bits // 8
        beats = np.array([list(beat.to_bytes(size, "little")) for beat in outputs.beats], np.uint8)
        dram = self.plan.words["dram"]
        moved = {
            "weight_beats": sources["weights"].taken,
            "ifmap_beats": sources["ifmaps"].taken,
            "output_beats": len(outputs.beats),
        }
        assert moved == dram, f"beats {moved}, formula {dram}"
        np.testing.assert_array_equal(streams.ofmap(config, layer, mapping, beats), golden)
        assert outputs.lasts == [len(outputs.beats) - 1]
        # Work beside a stalled stream may go on, so it costs a cycle at most.
        stalls = sum(source.stalls for source in sources.values()) + outputs.stalls
        assert self.plan.cycles <= monitor.cycles <= self.plan.cycles + stalls
        expected = {**scheduled(self.plan), "controller_run": monitor.cycles}
        counted = monitor.counts()
        wrong = {name: (counted[name], count) for name, count in expected.items()}
        wrong = {name: pair for name, pair in wrong.items() if pair[0] != pair[1]}
        assert not wrong, f"counted, formula: {wrong}"


def describe(dut: Any, checker: Checker) -> None:
    case = checker.case
    fields = descriptor(case.config, case.layer, case.mapping, checker.stage)
    for name, value in fields.items():
        getattr(dut, f"layer_{name}").value = value


async def run(dut: Any, case: Case) -> tuple[Checker, int]:
    """Run one layer to its end and check it; returns its cycles, stalls included."""
    checker = Checker(case)
    config, layer = case.config, case.layer
    describe(dut, checker)
    ifmap, weights = checker.tensors
    beats = {
        "weights": streams.weight_beats(config, layer, case.mapping, weights, checker.stage),
        "ifmaps": streams.ifmap_beats(config, layer, case.mapping, ifmap),
    }
    sources = {name: Source(dut, name, part, case.stalls[0]) for name, part in beats.items()}
    sink, monitor = Sink(dut, "outputs", case.stalls[1]), Monitor(dut, config)
    ends: list[Source | Sink] = [*sources.values(), sink]
    dut.start.value = 1
    await FallingEdge(dut.clk)
    dut.start.value = 0
    busy, limit = True, 12 * int(checker.plan.cycles) + 1000
    while busy:
        for end in ends:
            end.drive()
        await ReadOnly()
        busy = monitor.observe()
        for end in ends:
            end.observe()
        assert monitor.cycles < limit, f"still busy after {limit} cycles"
        await FallingEdge(dut.clk)
        for source in sources.values():
            source.settle()
    for _ in range(4):  # whatever still moved would be counted
        await FallingEdge(dut.clk)
    checker.check(sources, sink, monitor)
    return checker, monitor.cycles


def cases() -> list[Case]:
    content = json.loads(Path("cases.json").read_text())
    config = AcceleratorConfig.from_mapping(content["config"])
    return [
        Case(
            config=config,
            layer=Layer.from_mapping(case["layer"]),
            mapping=Mapping(**case["mapping"]),
            stalls=tuple(case["stalls"]),
            seed=case["seed"],
        )
        for case in content["cases"]
    ]


async def begin(dut: Any) -> None:
    """Clock, reset, everything quiet."""
    Clock(dut.clk, 10, unit="ns").start()
    for name in ("start", "weights_valid", "ifmaps_valid", "outputs_ready"):
        getattr(dut, name).value = 0
    await reset(dut)


async def reset(dut: Any) -> None:
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = 0


@cocotb.test()
async def layers_run_one_after_the_other(dut: Any) -> None:
    await begin(dut)
    cycles = 0
    for case in cases():
        try:
            cycles += (await run(dut, case))[1]
        except AssertionError as error:
            raise AssertionError(f"{case}: {error}") from error
    dut._log.info(f"checked {len(cases())} layers, {cycles} cycles")


@cocotb.test()
async def a_reset_in_the_middle_leaves_nothing_behind(dut: Any) -> None:
    """After any number of cycles of one layer, another one runs as if nothing had been."""
    await begin(dut)
    for number, case in enumerate(cases()[:6]):
        checker = Checker(case)
        describe(dut, checker)
        for name in ("start", "weights_valid", "ifmaps_valid", "outputs_ready"):
            getattr(dut, name).value = 1
        for _ in range(1 + number * int(checker.plan.cycles) // 6):
            await FallingEdge(dut.clk)
        dut.start.value = 0
        await reset(dut)
        await run(dut, cases()[-1 - number])
