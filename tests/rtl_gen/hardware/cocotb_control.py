"""Simulator's side of test_control."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiResp, AxiStreamFrame

from rtl_gen.descriptor import FIELDS, VERSION
from rtl_gen.registers import (
    ADDRESS_BITS,
    COUNTERS,
    KEEP,
    MAGIC,
    QUEUE_FULL,
    QUEUE_PLACES,
    READ,
    REGISTERS,
    TOO_WIDE_BIT,
    VERSION_WORD,
    bounds,
    constants,
)
from tests.rtl_gen.hardware.axi_ends import CHANNELS, PAUSES, Bench, Driver, begin, cycles, pauses
from tests.rtl_gen.hardware.beat_mover import BYTES, CONFIG, Moved


def words(frame: AxiStreamFrame) -> list[bytes]:
    data = bytes(frame.tdata)
    return [data[start : start + BYTES] for start in range(0, len(data), BYTES)]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def the_registers_say_what_this_is(dut: Any) -> None:
    bench = await begin(dut, dut)
    resting = {"STATUS": QUEUE_PLACES << 8, **constants(CONFIG)}
    for name in REGISTERS:
        assert await bench.driver.read(name) == resting.get(name, 0), name


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def other_addresses_are_refused(dut: Any) -> None:
    """Whatever is not a register, and writes to those that can only be read."""
    bench = await begin(dut, dut)
    master = bench.driver.master
    by_offset = {register.offset: register for register in REGISTERS.values()}
    end = max(by_offset) + 4
    far = [*random.sample(range(end, 1 << ADDRESS_BITS, 4), 40), (1 << ADDRESS_BITS) - 4]
    for offset in (*range(0, end, 4), *far):
        register = by_offset.get(offset)
        answer = await master.read(offset, 4)
        assert (answer.resp == AxiResp.OKAY) == (register is not None), hex(offset)
        if register is None or register.access == READ:
            answer = await master.write(offset, b"\xff\xff\xff\xff")
            assert answer.resp == AxiResp.SLVERR, hex(offset)
    resting = {"STATUS": QUEUE_PLACES << 8, **constants(CONFIG)}
    for name in REGISTERS:
        assert await bench.driver.read(name) == resting.get(name, 0), name


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def bytes_are_written_one_by_one(dut: Any) -> None:
    """Any strobes, address and data in any order, answers taken late, against a model."""
    bench = await begin(dut, dut)
    write, registers = bench.driver.master.write_if, REGISTERS
    names = [name for name in registers if name.startswith("LAYER_") and name not in COUNTERS]
    names = [name for name in names if registers[name].access == KEEP]
    assert len(names) == len(FIELDS) + 1
    model = dict.fromkeys(names, 0)
    for number in range(600):
        if number % 100 == 0:
            bench.driver.pause({name: random.choice(list(PAUSES.values())) for name in CHANNELS})
        name = random.choice(names)
        strobe, word = random.choice([15, 15, random.randrange(16)]), random.getrandbits(32)
        word >>= random.choice([0, 16, 20, 24])
        address = write.aw_channel._transaction_obj()
        address.awaddr = registers[name].offset + random.randrange(4)
        data = write.w_channel._transaction_obj()
        data.wdata, data.wstrb = word, strobe
        sends = [write.aw_channel.send(address), write.w_channel.send(data)]
        random.shuffle(sends)
        for send in sends:
            await send
            await cycles(dut, random.choice([0, 0, 3]))
        answer = await write.b_channel.recv()
        assert answer.bresp == AxiResp.OKAY
        model[name] = written(registers[name].parts[0].width, model[name], word, strobe)
        looked = random.choice([name, random.choice(names)])
        assert await bench.driver.read(looked) == model[looked], looked
    assert any(word >> TOO_WIDE_BIT for word in model.values())
    assert not all(word >> TOO_WIDE_BIT for word in model.values())


def written(bits: int, before: int, word: int, strobe: int) -> int:
    """What a field's register reads after a write."""
    mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
    value = (before & ~mask | word & mask) & ((1 << bits) - 1)
    too_wide = (word & mask) >> bits != 0 or (strobe != 15 and before >> TOO_WIDE_BIT != 0)
    return value | too_wide << TOO_WIDE_BIT


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def transfers_may_be_outstanding(dut: Any) -> None:
    """Many writes and reads begun before the first is answered: none is lost or overtaken."""
    bench = await begin(dut, dut)
    master = bench.driver.master
    registers = [REGISTERS[f"LAYER_{name.upper()}"] for name in FIELDS]
    for paused in ((), CHANNELS, *((name,) for name in CHANNELS)):
        bench.driver.pause({name: 0.8 if name in paused else 0.0 for name in CHANNELS})
        model = {register.offset: random.getrandbits(1) for register in registers}
        offsets = random.sample(sorted(model), 20)
        writes = [master.init_write(at, model[at].to_bytes(4, "little")) for at in offsets]
        reads = [master.init_read(REGISTERS["ID"].offset, 4) for _ in writes]
        for event in (*writes, *reads):
            await event.wait()
            assert event.data.resp == AxiResp.OKAY
        assert {event.data.data for event in reads} == {MAGIC.to_bytes(4, "little")}
        reads = [master.init_read(at, 4) for at in offsets]
        for at, event in zip(offsets, reads, strict=True):
            await event.wait()
            assert int.from_bytes(event.data.data, "little") == model[at], hex(at)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_field_is_checked(dut: Any) -> None:
    """One beyond each bound is refused by its own code, and nothing else has changed."""
    bench = await begin(dut, dut)
    driver, layer = bench.driver, Moved()
    names = dict(enumerate(FIELDS)) | {VERSION_WORD: "version"}
    assert await driver.enqueue({**layer.fields, "version": VERSION + 1}) == VERSION_WORD + 1
    await driver.write("LAYER_VERSION", VERSION)
    refused = 1
    for number, (low, high) in bounds(CONFIG).items():
        register = f"LAYER_{names[number].upper()}"
        for value in (low - 1, high + 1, high + 2**31):
            if 0 <= value < 2**32:
                await driver.write("INTERRUPT", 3)
                await driver.write(register, value)
                await driver.command("enqueue")
                assert await driver.read("ERROR") == number + 1, (register, value)
                assert await driver.read("INTERRUPT") == 2
                refused += 1
        await driver.write(register, layer.fields[names[number]])
    assert refused > 2 * len(FIELDS)
    order = [VERSION_WORD, *range(len(FIELDS))]
    for _ in range(20):  # of several, the first one counts
        bad = random.sample(order, 3)
        for number in bad:
            await driver.write(f"LAYER_{names[number].upper()}", 2**30)
        await driver.command("enqueue")
        assert await driver.read("ERROR") == min(bad, key=order.index) + 1
        for number in bad:
            name = names[number]
            await driver.write(f"LAYER_{name.upper()}", layer.fields[name])
    assert await driver.status() == (False, QUEUE_PLACES)
    assert not dut.busy.value
    assert bench.watch.cycles == 0
    checking = cocotb.start_soon(cycles_high(dut, dut.control.checking))
    assert await bench.run(layer.fields, layer.beats) == 0
    assert await checking == len(FIELDS) + 3
    assert words(await bench.sink.recv()) == layer.frame
    await driver.idle()
    assert await driver.read("LAYERS_DONE") == 1
    dut._log.info(f"refused {refused} descriptors")


async def cycles_high(dut: Any, signal: Any) -> int:
    """How long a signal is high, from its next rise on."""
    await RisingEdge(signal)
    await FallingEdge(dut.clk)
    count = 0
    while signal.value:
        count += 1
        await FallingEdge(dut.clk)
    return count


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def layers_queue_and_run(dut: Any) -> None:
    """Under every pause at every end, reads beside the writes; counters as the watch counts."""
    bench = await begin(dut, dut)
    driver, ran = bench.driver, 0
    reads = cocotb.start_soon(read_for_ever(driver))
    for inward, outward in product(PAUSES.values(), PAUSES.values()):
        for source in bench.sources.values():
            source.set_pause_generator(pauses(inward))
        bench.sink.set_pause_generator(pauses(outward))
        driver.pause({name: random.choice([inward, 0.0]) for name in CHANNELS})
        layers = await fill_the_queue(bench)
        while len(layers) < 9:
            # A descriptor written before is queued faster than its layer runs.
            layer = Moved(random.choice([layers[-1].fields, None]))
            if await bench.run(layer.fields, layer.beats) == 0:
                layers.append(layer)
        for layer in layers:
            assert words(await bench.sink.recv()) == layer.frame
        await driver.idle()
        ran += len(layers)
        assert await driver.read("LAYERS_DONE") == ran
        assert await driver.status() == (False, QUEUE_PLACES)
        for name, count in bench.watch.counts().items():
            assert await driver.count(name) == count, name
    assert min(bench.watch.gaps) == 3
    assert not reads.done()
    reads.cancel()
    assert not dut.moved.value, "the descriptor changed under a busy core"
    await driver.command("clear")
    for name in (*COUNTERS, "LAYERS_DONE"):
        assert await driver.read(name) == 0, name
    dut._log.info(f"checked {ran} layers")


async def fill_the_queue(bench: Bench) -> list[Moved]:
    """One layer runs, for want of beats, and as many wait as can; one more is refused."""
    layers = [Moved() for _ in range(QUEUE_PLACES + 1)]
    for number, layer in enumerate(layers):
        assert await bench.driver.enqueue(layer.fields) == 0
        while number == 0 and (await bench.driver.status())[1] < QUEUE_PLACES:
            pass
    assert await bench.driver.status() == (True, 0)
    await bench.driver.write("INTERRUPT", 3)
    assert await bench.driver.enqueue(layers[0].fields) == QUEUE_FULL
    assert await bench.driver.read("INTERRUPT") == 2
    assert await bench.driver.status() == (True, 0)
    for layer in layers:
        bench.send(layer.beats)
    return layers


async def read_for_ever(driver: Driver) -> None:
    while True:
        assert await driver.read("ID") == MAGIC


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def interrupts_stay_until_cleared(dut: Any) -> None:
    bench = await begin(dut, dut)
    driver = bench.driver
    for enabled in (0, 1, 2, 3):
        await driver.write("INTERRUPT_ENABLE", enabled)
        layer = Moved()
        await bench.run(layer.fields, layer.beats)
        await bench.sink.recv()
        await driver.idle()
        assert await driver.read("INTERRUPT") == 1
        assert int(dut.irq.value) == (enabled & 1)
        await driver.write("LAYER_VERSION", VERSION + 1)
        await driver.command("enqueue")
        assert await driver.read("INTERRUPT") == 3
        assert int(dut.irq.value) == (enabled != 0)
        await driver.write("INTERRUPT", 1)
        assert await driver.read("INTERRUPT") == 2
        assert int(dut.irq.value) == enabled >> 1
        await driver.write("INTERRUPT", 2)
        assert await driver.read("INTERRUPT") == 0
        assert int(dut.irq.value) == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def no_interrupt_is_lost_to_a_clear(dut: Any) -> None:
    """Software clears all the time; a layer that is done in that very cycle stays pending."""
    bench = await begin(dut, dut)
    met = cocotb.start_soon(clears_met(dut))
    while not met.done():
        layer = Moved()
        await bench.run(layer.fields, layer.beats)
        while dut.busy.value:
            await bench.driver.write("INTERRUPT", 1)
        await bench.sink.recv()
    assert await met == 5


async def clears_met(dut: Any) -> int:
    """Wait until a clear has met the end of a layer five times."""
    inside, count = dut.control, 0
    while count < 5:
        await FallingEdge(dut.clk)
        if inside.done.value:
            written = bool(inside.port.write.value)
            count += (
                written and int(inside.port.address.value) == REGISTERS["INTERRUPT"].offset // 4
            )
            await FallingEdge(dut.clk)
            assert int(inside.pending.value) & 1
    return count


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_reset_aborts_and_leaves_it_usable(dut: Any) -> None:
    """At any moment: frames before it are whole, one that has begun ends, the next layer runs."""
    bench = await begin(dut, dut)
    driver = bench.driver
    aborted = 0
    for number in range(60):
        bench.pause(list(PAUSES.values())[number % 3])
        await driver.command("clear")
        layers = [Moved()]
        layers += [Moved(layers[0].fields) for _ in range(random.randrange(QUEUE_PLACES))]
        for layer in layers:
            assert await bench.run(layer.fields, layer.beats) == 0
        while number % 2 and not dut.m_axis_outputs_tvalid.value and dut.busy.value:
            await cycles(dut, 1)
        await cycles(dut, random.randrange(1, 60))
        bench.pause_sink(number % 4 == 1)
        await driver.command("reset")
        assert await driver.status() == (False, QUEUE_PLACES)
        assert not dut.busy.value
        await bench.flush()
        done = await driver.read("LAYERS_DONE")
        after = Moved(layers[0].fields)
        assert await bench.run(after.fields, after.beats) == 0
        await cycles(dut, 200)  # the next layer's beats wait behind what is left
        bench.pause_sink(False)
        await driver.idle()
        await cycles(dut, 4)
        assert bench.sink.idle(), "a frame has no end"
        frames = [words(bench.sink.recv_nowait()) for _ in range(bench.sink.count())]
        assert frames.pop() == after.frame
        assert await driver.read("LAYERS_DONE") == done + 1
        assert frames[:done] == [layer.frame for layer in layers[:done]]
        if len(frames) > done:
            (rest,) = frames[done:]
            # One more beat than the core gave ends the frame.
            assert rest[:-1] == layers[done].frame[: len(rest) - 1]
            aborted += 1
    assert not dut.moved.value, "the descriptor changed under a busy core"
    await driver.write("CONTROL", 0b011)  # of enqueue and reset, the reset wins
    await cycles(dut, 2 * len(FIELDS))
    assert await driver.status() == (False, QUEUE_PLACES)
    assert aborted > 10
    assert bench.watch.cut > 5
    dut._log.info(f"aborted {aborted} frames")


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def counters_carry_into_the_high_half(dut: Any) -> None:
    bench = await begin(dut, dut)
    for name in COUNTERS:
        getattr(dut.control, f"count_{name.lower()}").value = (5 << 32) - 3
    await cycles(dut, 2)
    low = await bench.driver.read("CYCLES")
    layer = Moved()
    await bench.run(layer.fields, layer.beats)
    await bench.sink.recv()
    await bench.driver.idle()
    assert low == 2**32 - 3
    assert await bench.driver.read("CYCLES_HIGH") == 4, "not as when the low half was read"
    expected = bench.watch.counts()
    for name in COUNTERS:
        start = 0 if name == "LAYER_CYCLES" else (5 << 32) - 3
        assert await bench.driver.count(name) == start + expected[name], name
