"""What stands around an accelerator in a simulation: cocotbext-axi's ends, and a watch."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from rtl_gen.registers import REGISTERS

#: Chance of a pause in a cycle.
PAUSES = {"never": 0.0, "sometimes": 0.3, "mostly": 0.8}
CHANNELS = ("aw", "w", "b", "ar", "r")


def pauses(chance: float) -> Iterator[bool]:
    while True:
        yield random.random() < chance


class Driver:
    """What software does: reads and writes registers by name."""

    def __init__(self, dut: Any, prefix: str = "s_axi_control") -> None:
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, prefix), dut.clk, dut.rst)
        self.written: dict[str, int] = {}

    def pause(self, chances: dict[str, float]) -> None:
        for interface in (self.master.write_if, self.master.read_if):
            for channel, chance in chances.items():
                if hasattr(interface, f"{channel}_channel"):
                    ends = getattr(interface, f"{channel}_channel")
                    ends.set_pause_generator(pauses(chance))

    async def read(self, name: str) -> int:
        answer = await self.master.read(REGISTERS[name].offset, 4)
        assert answer.resp == AxiResp.OKAY, name
        return int.from_bytes(answer.data, "little")

    async def write(self, name: str, value: int) -> None:
        answer = await self.master.write(REGISTERS[name].offset, value.to_bytes(4, "little"))
        assert answer.resp == AxiResp.OKAY, name
        self.written[name] = value

    async def command(self, name: str) -> None:
        bit = next(part.low for part in REGISTERS["CONTROL"].parts if part.name == name)
        await self.write("CONTROL", 1 << bit)

    async def enqueue(self, fields: dict[str, int]) -> int:
        """Write what of a descriptor is new; returns the error code."""
        for name, value in fields.items():
            register = f"LAYER_{name.upper()}"
            if self.written.get(register) != value:
                await self.write(register, value)
        await self.command("enqueue")
        return await self.read("ERROR")

    async def status(self) -> tuple[bool, int]:
        """Whether busy, and free places."""
        word = await self.read("STATUS")
        return bool(word & 1), word >> 8

    async def count(self, name: str) -> int:
        return await self.read(name) | await self.read(f"{name}_HIGH") << 32

    async def idle(self) -> None:
        while (await self.status())[0]:
            pass


#: Channel -> its payload; a valid and a ready belong to each.
LITE = {"aw": ["addr"], "w": ["data", "strb"], "b": ["resp"], "ar": ["addr"], "r": ["data", "resp"]}
AXIS = {"WEIGHT": "s_axis_weights", "IFMAP": "s_axis_ifmaps", "OUTPUT": "m_axis_outputs"}


class Channel:
    """Asserts the rules of a handshake: an offer stays, and stays the same, until it is taken."""

    def __init__(self, dut: Any, prefix: str, payload: list[str]) -> None:
        self.prefix = prefix
        self.valid, self.ready = (getattr(dut, f"{prefix}{end}") for end in ("valid", "ready"))
        self.payload = [getattr(dut, f"{prefix}{part}") for part in payload]
        self.offer: list[int] | None = None
        self.beats = self.waits_for_valid = self.waits_for_ready = 0

    def observe(self) -> None:
        """To be called once a cycle, when all signals stand."""
        valid, ready = bool(self.valid.value), bool(self.ready.value)
        now = [int(part.value) for part in self.payload] if valid else None
        assert self.offer in (None, now), f"{self.prefix}: {self.offer} became {now}"
        self.offer = now if valid and not ready else None
        self.beats += valid and ready
        self.waits_for_valid += ready and not valid
        self.waits_for_ready += valid and not ready


class Watch:
    """Observes every channel in every cycle, and counts what the counters of Control count.

    `busy` and `core_reset` are signals of `inside`.
    """

    def __init__(self, dut: Any, inside: Any) -> None:
        self.dut, self.inside = dut, inside
        self.lite = [Channel(dut, f"s_axi_control_{name}", parts) for name, parts in LITE.items()]
        self.streams = {
            name: Channel(dut, f"{prefix}_t", ["data", *(["last"] if name == "OUTPUT" else [])])
            for name, prefix in AXIS.items()
        }
        self.cycles = self.layer_cycles = self.busy_before = self.gap = 0
        self.gaps: list[int] = []  # cycles between a layer and the next
        self.cut = 0  # resets of the core while an output beat that is not the last was on offer
        self.flushing = False  # the bench resets its sources, which may withdraw an offer
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await FallingEdge(self.dut.clk)
            if self.dut.rst.value:
                continue
            for channel in (*self.lite, *self.streams.values()):
                if self.flushing and channel is not self.streams["OUTPUT"]:
                    channel.offer = None
                channel.observe()
            busy = int(self.inside.busy.value)
            if busy and not self.busy_before:
                self.layer_cycles = 0
                self.gaps.append(self.gap)
            self.gap = 0 if busy else self.gap + 1
            self.layer_cycles += busy
            self.busy_before = busy
            self.cycles += busy
            self.cut += (
                bool(self.inside.core_reset.value) and self.streams["OUTPUT"].offer is not None
            )

    def counts(self) -> dict[str, int]:
        """What the counters must show since the last reset or clear."""
        found = {"LAYER_CYCLES": self.layer_cycles, "CYCLES": self.cycles}
        for name, channel in self.streams.items():
            found[f"{name}_BEATS"] = channel.beats
            waits = channel.waits_for_ready if name == "OUTPUT" else channel.waits_for_valid
            found[f"{name}_STALLS"] = waits
        return found


@dataclass(slots=True, kw_only=True)
class Bench:
    """All that stands around the accelerator."""

    dut: Any
    driver: Driver
    watch: Watch
    sources: dict[str, AxiStreamSource]
    sink: AxiStreamSink

    def pause(self, chance: float) -> None:
        for end in (*self.sources.values(), self.sink):
            end.set_pause_generator(pauses(chance))

    def pause_sink(self, paused: bool) -> None:
        """Hold the sink, or let it take everything."""
        self.sink.clear_pause_generator()
        self.sink.pause = paused

    async def flush(self) -> None:
        """Throw away what the sources still had to send."""
        self.watch.flushing = True
        for source in self.sources.values():
            source.assert_reset()
            source.clear()
        await cycles(self.dut, 2)
        self.watch.flushing = False

    async def run(self, fields: dict[str, int], beats: dict[str, bytes]) -> int:
        """Queue a layer and send its beats; returns the error code."""
        code = await self.driver.enqueue(fields)
        if code == 0:
            self.send(beats)
        return code

    def send(self, beats: dict[str, bytes]) -> None:
        for name, source in self.sources.items():
            source.send_nowait(AxiStreamFrame(beats[name]))


async def cycles(dut: Any, count: int) -> None:
    for _ in range(count):
        await RisingEdge(dut.clk)


async def begin(dut: Any, inside: Any) -> Bench:
    """Clock, reset, and everything around; `inside` has `busy` and `core_reset` (see `Watch`)."""
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    driver = Driver(dut)
    axis = {name: AxiStreamBus.from_prefix(dut, prefix) for name, prefix in AXIS.items()}
    bench = Bench(
        dut=dut,
        driver=driver,
        watch=Watch(dut, inside),
        sources={
            name: AxiStreamSource(axis[name], dut.clk, dut.rst) for name in ("WEIGHT", "IFMAP")
        },
        sink=AxiStreamSink(axis["OUTPUT"], dut.clk, dut.rst),
    )
    for end in (*bench.sources.values(), bench.sink):
        end.log.setLevel(logging.ERROR)  # whole frames otherwise
    for interface in (driver.master.write_if, driver.master.read_if):
        interface.log.setLevel(logging.WARNING)
    await cycles(dut, 3)
    dut.rst.value = 0
    await cycles(dut, 2)
    return bench
