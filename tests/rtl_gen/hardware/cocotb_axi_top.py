"""Simulator's side of test_axi_top."""

from __future__ import annotations

import random
from itertools import pairwise, product
from typing import Any

import cocotb
import numpy as np

from rtl_gen.registers import COUNTERS, QUEUE_PLACES, VERSION_WORD, constants
from tests.rtl_gen.hardware.axi_ends import CHANNELS, PAUSES, Bench, begin, cycles, pauses
from tests.rtl_gen.hardware.layer_run import CONFIG, LAYERS, STREAMS, LayerRun, layer_run


async def check(bench: Bench, runs: list[LayerRun]) -> None:
    """Every frame that comes is the output of the layer whose turn it is."""
    for run in runs:
        frame = await bench.sink.recv()
        output = run.output(bytes(frame.tdata))
        np.testing.assert_array_equal(output, run.expected, err_msg=run.layer.name)
    await bench.driver.idle()


async def queue(bench: Bench, runs: list[LayerRun]) -> None:
    """Queue layers as fast as there is room, their beats right behind."""
    for run in runs:
        while (await bench.driver.status())[1] == 0:
            pass
        assert await bench.run(run.fields, run.beats) == 0, run.layer.name


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def layers_take_the_cycles_of_the_schedule(dut: Any) -> None:
    """One by one, streams never pausing: outputs, cycles and beats to the last."""
    bench = await begin(dut, dut.control)
    driver, total = bench.driver, 0
    for name, value in constants(CONFIG).items():
        assert await driver.read(name) == value, name
    await driver.write("INTERRUPT_ENABLE", 1)
    for seed, layer in enumerate(LAYERS):
        run = layer_run(layer, seed)
        await driver.command("clear")
        bench.send(run.beats)  # there when the layer begins
        assert await driver.enqueue(run.fields) == 0
        await check(bench, [run])
        assert int(dut.irq.value) == 1
        await driver.write("INTERRUPT", 1)
        assert await driver.count("LAYER_CYCLES") == run.cycles, layer.name
        for name, count in run.counts.items():
            assert await driver.count(name) == count, (layer.name, name)
        assert await driver.count("OUTPUT_STALLS") == 0
        total += run.cycles
    dut._log.info(f"checked {len(LAYERS)} layers, {total} cycles")


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_layer_follows_every_other(dut: Any) -> None:
    """At once, for all of a queue wait when the first one's beats come: nothing is left behind."""
    bench = await begin(dut, dut.control)
    driver = bench.driver
    kinds = [layer_run(layer, seed) for seed, layer in enumerate(LAYERS)]
    # A cycle in which every ordered pair is neighbours once.
    order = [one for i in range(len(kinds)) for j in range(i, len(kinds)) for one in sorted({i, j})]
    assert len(set(pairwise([*order, order[0]]))) == len(order) == len(kinds) ** 2
    order.append(order[0])
    for start in range(0, len(order) - 1, QUEUE_PLACES):
        runs = [kinds[one] for one in order[start : start + QUEUE_PLACES + 1]]
        for run in runs:
            while (await driver.status())[1] == 0:
                pass
            assert await driver.enqueue(run.fields) == 0
        for run in runs:
            bench.send(run.beats)
        await check(bench, runs)
        assert await driver.count("LAYER_CYCLES") == runs[-1].cycles


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def layers_queue_under_every_pause(dut: Any) -> None:
    bench = await begin(dut, dut.control)
    driver, ran = bench.driver, 0
    for inward, outward in product(PAUSES.values(), PAUSES.values()):
        for source in bench.sources.values():
            source.set_pause_generator(pauses(inward))
        bench.sink.set_pause_generator(pauses(outward))
        driver.pause({name: random.choice([inward, 0.0]) for name in CHANNELS})
        runs = [layer_run(layer, ran) for layer in random.sample(LAYERS, 4)]
        sending = cocotb.start_soon(queue(bench, runs))
        await check(bench, runs)
        await sending
        ran += len(runs)
        assert await driver.read("LAYERS_DONE") == ran
        for name, count in bench.watch.counts().items():
            assert await driver.count(name) == count, name
    assert set(bench.watch.counts()) == set(COUNTERS)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def it_stays_usable(dut: Any) -> None:
    """After a refused descriptor, and after a reset in any cycle of any layer."""
    bench = await begin(dut, dut.control)
    driver, aborted = bench.driver, 0
    for number in range(24):
        first, second = (layer_run(layer, number) for layer in random.sample(LAYERS, 2))
        assert await driver.enqueue({**first.fields, "version": 99}) == VERSION_WORD + 1
        bench.pause(list(PAUSES.values())[number % 3])
        assert await bench.run(first.fields, first.beats) == 0
        await cycles(dut, random.randrange(first.cycles))
        aborted += bool(dut.control.busy.value)
        await driver.command("reset")
        assert await driver.status() == (False, QUEUE_PLACES)
        assert not dut.control.busy.value
        await bench.flush()
        bench.pause(0.0)
        await cycles(dut, 4)
        assert bench.sink.idle(), "a frame has no end"
        while bench.sink.count():
            bench.sink.recv_nowait()
        await driver.command("clear")
        bench.send(second.beats)
        assert await driver.enqueue(second.fields) == 0
        await check(bench, [second])
        assert await driver.count("LAYER_CYCLES") == second.cycles
        assert [await driver.count(f"{name}_BEATS") for name in STREAMS] == list(
            second.counts.values()
        )
    assert aborted > 12
    dut._log.info(f"aborted {aborted} layers")
