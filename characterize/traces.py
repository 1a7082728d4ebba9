"""Traces: the inputs of the components of the array and under it while they run a real layer.

Those of the components that run the layer are in `traces_control`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from characterize.bitslice import LANES, held
from characterize.stimulus_layer import (
    LAYER,
    Contexts,
    bus_bits,
    output_limits,
    output_stage,
)
from characterize.trace import RESET_CYCLES, Trace, new_trace
from rtl_gen.cycles import OUTPUT_LATENCY
from rtl_gen.instructions import PARTS
from rtl_gen.memories import MULTIPLIER_BITS, lanes, memories
from rtl_gen.output_stage import FIELD_BITS, field_of

#: Sums that the collector's trace takes and sends, at most (but one of every filter).
COLLECTED = 96
COORDINATE = 8


def pe_trace(context: Contexts) -> Trace:
    """A PE behind its node: one filter row and output row a lane."""
    config, fields = context.config, context.at_row()
    late = RESET_CYCLES + 1 + config.mac_latency
    trace = new_trace(context.cycles + 1 + config.mac_latency)
    places = {
        "ifmap": ("activation", config.activation_bits, context.row + context.column),
        "weight": ("weight", config.weight_bits, context.row),
    }
    for name, (port, width, place) in places.items():
        group, lane = np.divmod(place, int(lanes(config.bus_bits, width)))
        bits = bus_bits(context, f"load_{name}")
        trace.put(port, lane_of(bits, lane, width), width, RESET_CYCLES)
        takes = fields[f"load_{name}"][:, None] & (fields[f"{name}_group"][:, None] == group)
        trace.put(f"{name}_write", takes, 1, RESET_CYCLES)
        trace.event(f"{name}_write", takes.all(axis=1), RESET_CYCLES)
        for side in ("write", "read"):
            address, words = f"{name}_{side}_address", getattr(config, f"{name}_words")
            trace.put(address, fields[address], _bits(words), RESET_CYCLES)
    trace.put("mac", fields["mac"], 1, RESET_CYCLES)
    trace.event("mac", fields["mac"], RESET_CYCLES)
    trace.put("accumulate", fields["mac"], 1, late)
    trace.put("first", fields["first"], 1, late)
    trace.put("drain", fields["drain"], 1, late)
    # In a layer sums drain beside multiply-accumulates, but for its very last column's. Those are
    # no event of a PE; nor do they idle, or count as the tail of another's work.
    trace.event("lone drain", fields["drain"] & ~fields["mac"], RESET_CYCLES)
    trace.put("psum_address", fields["psum_address"], _bits(config.psum_words), late)
    trace.put("psum_in", _drained(context, context.above), config.accumulator_bits, late)
    trace.constant("active", 1, 1)
    for number in range(config.weight_macros):
        # A pass's weights lie in one of the memories; the other one rests.
        words = held_words(context, "weight", context.row) if number == 0 else np.zeros((0, LANES))
        port = f"weight_sram_{number}_read_data"
        trace.put(port, words, config.weight_bits, RESET_CYCLES + 1)
    return trace


def node_trace(context: Contexts) -> Trace:
    """A node that sees every beat of the pass."""
    config, fields = context.config, context.at_row()
    trace = new_trace(context.cycles)
    data = bus_bits(context, "load_ifmap")
    trace.put("ifmap_data", data, config.bus_bits, RESET_CYCLES)
    for kind in ("weight", "ifmap"):
        trace.put(f"load_{kind}", fields[f"load_{kind}"], 1, RESET_CYCLES)
        trace.event(f"{kind}_beat", fields[f"load_{kind}"], RESET_CYCLES)
        for name in ("target", "group"):
            trace.put(f"{kind}_{name}", fields[f"{kind}_{name}"], COORDINATE, RESET_CYCLES)
    for name, value in (
        ("row_set", 0),
        ("row_tap", context.row),
        ("row_group", 0),
        ("column_set", 0),
        ("column_offset", context.column),
    ):
        trace.constant(name, value, COORDINATE)
    trace.constant("row_active", 1, 1)
    trace.constant("column_active", 1, 1)
    return trace


def row_trace(context: Contexts) -> Trace:
    """A row below others that passes on every instruction of the pass."""
    config, fields = context.config, context.at_row()
    trace = new_trace(context.cycles)
    for name in (name for names in PARTS.values() for name in names):
        kind = name.partition("_")[0]
        match name.split("_")[-1]:
            case "target" | "group":
                width = COORDINATE
            case "address":
                width = _bits(getattr(config, f"{kind}_words"))
            case _:
                width = 1
        trace.put(f"above_{name}", fields[name], width, RESET_CYCLES)
    strobe = (fields["mac"] | fields["drain"]).astype(bool)
    fresh = held(strobe[:, None] * context.fresh, strobe)
    trace.put("above_fresh", fresh, 1, RESET_CYCLES)
    for kind in ("weight", "ifmap"):
        data = bus_bits(context, f"load_{kind}")
        trace.put(f"above_{kind}_data", data, config.bus_bits, RESET_CYCLES)
        trace.event(f"{kind}_beat", fields[f"load_{kind}"], RESET_CYCLES)
    trace.event("mac", fields["mac"], RESET_CYCLES)
    for name, value in (
        ("kernel_rows", LAYER.kernel_height),
        ("sets", 1),
        ("set_index", 0),
        ("tap", context.row),
    ):
        trace.constant(name, value, COORDINATE)
    return trace


def bank_trace(context: Contexts) -> Trace:
    """A bank that gathers a column's sums, then gives up the finished ones."""
    config, drain = context.config, context.fields["drain"].astype(bool)
    sums = int(drain.sum())
    output = context.cycles + 8
    trace = new_trace(output + 2 * sums + 2)
    word = np.cumsum(drain) - drain
    captured, added = RESET_CYCLES + 1, RESET_CYCLES + 2
    trace.put("control_capture", drain, 1, captured)
    trace.put("control_odd", word & 1, 1, captured)
    trace.put("control_fresh", np.ones_like(word)[:, None] * context.fresh, 1, added)
    trace.put("control_store_even", drain & (word % 2 == 0), 1, added)
    trace.put("control_store_odd", drain & (word % 2 == 1), 1, added)
    trace.event("accumulate", drain, captured)
    trace.put("chain", _drained(context, context.total), config.accumulator_bits, captured)
    sent = np.arange(2 * sums) // 2
    trace.put("odd_output", sent & 1, 1, captured + output)
    trace.event("output", np.arange(2 * sums) % 2 == 0, captured + output)
    for odd, side in enumerate(("even", "odd")):
        read = held(_drained(context, context.earlier), drain & (word % 2 == odd))
        final = held(context.final[sent], sent % 2 == odd)
        gap = np.repeat(read[-1:], output - len(read), axis=0)
        words = np.concatenate([read, gap, final])
        trace.put(f"{side}_read", words, config.accumulator_bits, captured)
    for name, value in (
        ("column_taps", context.mapping.e),
        ("column_sets", 1),
        ("set_index", 0),
        ("tap", context.column),
        ("offset", context.column),
        ("offset_step", 1),
    ):
        trace.constant(name, value, COORDINATE)
    return trace


def collector_trace(context: Contexts) -> Trace:
    """A collector that gathers sums of every column, then sends them through the output stage."""
    config, mapping = context.config, context.mapping
    room = min(COLLECTED, 2 * int(memories(config)["psum_sram"].depth))
    columns = max(room // mapping.p, 1)
    drain = context.fields["drain"].astype(bool)
    drain &= np.cumsum(drain) <= columns * mapping.p
    sums = int(drain.sum())
    groups = -(-config.columns // int(lanes(config.bus_bits, config.accumulator_bits)))
    work = int(np.flatnonzero(drain)[-1]) + 8
    length = sums * groups
    trace = new_trace(work + length + OUTPUT_LATENCY["quantized"])
    trace.put("drain", drain[:work], 1, RESET_CYCLES)
    trace.put("fresh", drain[:work, None] * context.fresh, 1, RESET_CYCLES)
    trace.event("accumulate", drain[:work], RESET_CYCLES)
    codes, limits = config.arithmetic.activation, output_limits(config)
    for name, value, width in (
        *(("sum_words", sums, 24), ("filters", mapping.p, 9), ("quantized", 1, 1)),
        *(("column_taps", config.columns, COORDINATE), ("column_sets", 1, COORDINATE)),
        ("tap_groups", groups, COORDINATE),
        *((name, field_of(codes, code, name), FIELD_BITS) for name, code in limits.items()),
    ):
        trace.constant(f"layer_{name}", value, width)
    trace.constant("send_words", sums, 24)
    trace.constant("outputs_ready", 1, 1)
    start = RESET_CYCLES + work
    trace.put("send", np.ones(1, dtype=np.int64), 1, start - 1)
    trace.put("final", np.ones(length, dtype=np.int64), 1, start - 1)
    trace.event("output", np.ones(length, dtype=bool), start)
    # What was read for a step stands there in the next cycle, and until something else is read.
    end = trace.cycles - (start + 1)
    word = np.minimum(np.arange(end) // groups, sums - 1)
    parameters = _parameters(context)[word % mapping.p]
    trace.put("parameter_data", parameters, parameters.shape[2], start + 1)
    bits = config.accumulator_bits
    words = ((context.final[:sums, :, None] >> np.arange(bits)) & 1).astype(np.uint8)
    # Other columns hold other sums: those of other lanes.
    chips = [np.roll(words, 7 * column, axis=1) for column in range(config.columns)]
    trace.put("sums", np.concatenate(chips, axis=2)[word], config.columns * bits, start + 1)
    return trace


def _parameters(context: Contexts) -> NDArray[np.uint8]:
    """Words of the parameter memory as bits, (filters, lanes, width)."""
    config, mapping = context.config, context.mapping
    width = int(memories(config)["parameter_sram"].width)
    found = np.zeros((mapping.p, LANES, width), np.uint8)
    for lane in range(LANES):
        stage = output_stage(config, context.final[:, lane].reshape(-1, mapping.p).T)
        scale = stage.multiplier | (stage.shift << MULTIPLIER_BITS)
        for number, first in ((stage.bias, 0), (scale, config.accumulator_bits)):
            count = (config.accumulator_bits, width - config.accumulator_bits)[first > 0]
            bits = number[:, None] >> np.arange(count) & 1
            found[:, lane, first : first + count] = bits
    return found


def _bits(words: int) -> int:
    return max((words - 1).bit_length(), 1)


def _drained(context: Contexts, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """One of `sums` (sums, lanes) with every drain, held until the next: (T, lanes)."""
    drain = context.fields["drain"].astype(bool)
    return held(sums[np.cumsum(drain) - 1], drain)


def lane_of(bits: NDArray[np.uint8], lane: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """The bus lane that each stimulus lane listens to: (T, lanes, width)."""
    place = lane[:, None] * width + np.arange(width)
    return np.take_along_axis(bits, place[None], axis=2)


def held_words(context: Contexts, name: str, place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Words that one scratchpad gives to the MAC, (T, lanes); each stays until the next."""
    config, fields = context.config, context.fields
    bits = {"ifmap": config.activation_bits, "weight": config.weight_bits}[name]
    group, lane = np.divmod(place, int(lanes(config.bus_bits, bits)))
    data = lane_of(bus_bits(context, f"load_{name}"), lane, bits).astype(np.int64)
    words = data @ (np.int64(1) << np.arange(bits, dtype=np.int64))
    takes = (fields[f"load_{name}"] != 0)[:, None] & (fields[f"{name}_group"][:, None] == group)
    kept = np.zeros((getattr(config, f"{name}_words"), LANES), dtype=np.int64)
    found = np.zeros((context.cycles, LANES), dtype=np.int64)
    for cycle in range(context.cycles):
        if fields["mac"][cycle]:
            found[cycle] = kept[fields[f"{name}_read_address"][cycle]]
        elif cycle:
            found[cycle] = found[cycle - 1]
        address = fields[f"{name}_write_address"][cycle]
        kept[address] = np.where(takes[cycle], words[cycle], kept[address])
    return found
