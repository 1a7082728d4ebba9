"""Traces: the inputs of each kind of component while it runs one channel pass of a real layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize.bitslice import LANES, Bits, held, sliced
from characterize.stimulus_layer import LAYER, Contexts, bus_bits, contexts
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, descriptor
from rtl_gen.schedule import OUTPUT_LATENCY, SETTLE, lanes, loops
from rtl_gen.streams import pack

RESET_CYCLES = 4
IDLE_CYCLES = 64
#: Sums that the collector's trace takes and sends.
COLLECTED = 64
COORDINATE = 8


@dataclass(slots=True)
class Trace:
    """Inputs by port, and the cycles of each event; see `stimulus.Stimulus`."""

    cycles: int
    inputs: dict[str, Bits] = field(default_factory=dict)
    events: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def put(self, name: str, values: Any, width: int, start: int = 0) -> None:
        """Drive a port from cycle `start` on: integers (T,), (T, lanes) or bits (T, lanes, width).

        Before and after, the port is 0.
        """
        bits = sliced(values, width)
        port = np.zeros((self.cycles, width), np.uint64)
        port[start : start + len(bits)] = bits
        self.inputs[name] = port

    def constant(self, name: str, value: Any, width: int) -> None:
        """Hold a port at one value, or at one a lane (lanes,), in all cycles."""
        self.put(name, np.broadcast_to(np.asarray(value), (self.cycles, LANES)), width)

    def event(self, name: str, mask: Any, start: int) -> None:
        """Say in which cycles, from `start` on, the event happens."""
        full = np.zeros(self.cycles, dtype=bool)
        full[start : start + len(mask)] = np.asarray(mask, dtype=bool)
        self.events[name] = full


def new_trace(length: int) -> Trace:
    """A trace of `length` cycles of work after the reset, and idle ones behind."""
    cycles = RESET_CYCLES + length + IDLE_CYCLES
    trace = Trace(cycles)
    trace.put("rst", np.ones(RESET_CYCLES, dtype=np.int64), 1)
    # The pipelines have run empty by the middle of the idle cycles.
    trace.event("idle", np.ones(IDLE_CYCLES // 2, dtype=bool), cycles - IDLE_CYCLES // 2)
    return trace


def trace(component: str, config: AcceleratorConfig) -> Trace:
    """The trace of one kind of component (a key of `rtl_gen.components.KINDS`)."""
    return _MAKERS[component](contexts(config))


def pe_trace(context: Contexts) -> Trace:
    """A PE behind its node: one taps row and output row a lane."""
    config, fields = context.config, context.fields
    trace = new_trace(context.cycles + 2)
    bits = bus_bits(context)
    tag = context.row + context.column
    activation_lanes = int(lanes(config.bus_bits, config.activation_bits))
    weight_lanes = int(lanes(config.bus_bits, config.weight_bits))
    group, row_group = tag // activation_lanes, context.row // weight_lanes
    width = config.activation_bits
    trace.put("activation", _lane_of(bits, tag % activation_lanes, width), width, RESET_CYCLES)
    width = config.weight_bits
    trace.put("weight", _lane_of(bits, context.row % weight_lanes, width), width, RESET_CYCLES)
    now = held(fields["group"], _loads(context))[:, None]
    takes = fields["load_ifmap"][:, None] & (now == group)
    trace.put("ifmap_write", takes, 1, RESET_CYCLES)
    trace.event("ifmap_write", takes.all(axis=1), RESET_CYCLES)
    takes = fields["load_weight"][:, None] & (now == row_group)
    trace.put("weight_write", takes, 1, RESET_CYCLES)
    trace.event("weight_write", takes.all(axis=1), RESET_CYCLES)
    trace.put("mac", fields["mac"], 1, RESET_CYCLES)
    trace.event("mac", fields["mac"], RESET_CYCLES)
    for name in ("ifmap_address", "weight_address"):
        trace.put(
            name,
            fields[name],
            _bits(getattr(config, name.replace("address", "words"))),
            RESET_CYCLES,
        )
    late = RESET_CYCLES + 2
    trace.put("accumulate", fields["mac"], 1, late)
    trace.put("first", fields["first"], 1, late)
    trace.put("drain", fields["drain"], 1, late)
    trace.put("psum_address", fields["psum_address"], _bits(config.psum_words), late)
    trace.put("psum_in", _drained(context, context.above), config.accumulator_bits, late)
    trace.constant("active", 1, 1)
    return trace


def node_trace(context: Contexts) -> Trace:
    """A node that sees every beat of the pass."""
    config, fields = context.config, context.fields
    trace = new_trace(context.cycles)
    loads = _loads(context)
    trace.put("data", bus_bits(context), config.bus_bits, RESET_CYCLES)
    for name in ("load_weight", "load_ifmap"):
        trace.put(name, fields[name], 1, RESET_CYCLES)
    for name in ("target", "group"):
        trace.put(name, held(fields[name], loads), COORDINATE, RESET_CYCLES)
    trace.event("beat", loads, RESET_CYCLES)
    for name, value in (
        ("row_set", 0),
        ("row_tap", context.row),
        ("weight_group", 0),
        ("column_set", 0),
        ("column_offset", context.column),
    ):
        trace.constant(name, value, COORDINATE)
    trace.constant("row_active", 1, 1)
    trace.constant("column_active", 1, 1)
    return trace


def row_trace(context: Contexts) -> Trace:
    """A row that passes on every instruction of the pass."""
    config, fields = context.config, context.fields
    trace = new_trace(context.cycles)
    loads = _loads(context)
    trace.put("above_data", bus_bits(context), config.bus_bits, RESET_CYCLES)
    for name in ("load_weight", "load_ifmap", "mac", "first", "drain"):
        trace.put(f"above_{name}", fields[name], 1, RESET_CYCLES)
    trace.put(
        "above_fresh", (fields["mac"] | fields["drain"])[:, None] * context.fresh, 1, RESET_CYCLES
    )
    for name in ("target", "group"):
        trace.put(f"above_{name}", fields[name], COORDINATE, RESET_CYCLES)
    for name in ("ifmap_address", "weight_address", "psum_address"):
        words = getattr(config, name.replace("address", "words"))
        trace.put(f"above_{name}", fields[name], _bits(words), RESET_CYCLES)
    trace.event("beat", loads, RESET_CYCLES)
    trace.event("mac", fields["mac"] | fields["drain"], RESET_CYCLES)
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
    ):
        trace.constant(name, value, COORDINATE)
    trace.constant("offset_step", 1, 2)
    return trace


def collector_trace(context: Contexts) -> Trace:
    """A collector that gathers `COLLECTED` sums of every column, then sends them."""
    config = context.config
    drain = context.fields["drain"].astype(bool)
    drain &= np.cumsum(drain) <= COLLECTED
    sums = int(drain.sum())
    groups = -(-config.columns // int(lanes(config.bus_bits, config.accumulator_bits)))
    work = int(np.flatnonzero(drain)[-1]) + 8
    length = sums * groups + OUTPUT_LATENCY
    trace = new_trace(work + length)
    trace.put("drain", drain[:work], 1, RESET_CYCLES)
    trace.put("fresh", drain[:work, None] * context.fresh, 1, RESET_CYCLES)
    trace.constant("sum_words", sums, 24)
    trace.constant("output_groups", groups, COORDINATE)
    trace.constant("outputs_ready", 1, 1)
    trace.put("output", np.ones(length, dtype=np.int64), 1, RESET_CYCLES + work)
    trace.event("output", np.ones(length, dtype=bool), RESET_CYCLES + work)
    bits = config.accumulator_bits
    words = ((context.final[:sums, :, None] >> np.arange(bits)) & 1).astype(np.uint8)
    # Other columns hold other sums: those of other lanes.
    columns = [np.roll(words, 7 * column, axis=1) for column in range(config.columns)]
    bus = np.repeat(np.concatenate(columns, axis=2), groups, axis=0)
    trace.put("sums", bus, config.columns * bits, RESET_CYCLES + work + 1)
    return trace


def controller_trace(context: Contexts) -> Trace:
    """A controller that runs a whole layer of one pass, its streams never stalling."""
    config, mapping, fields = context.config, context.mapping, context.fields
    layer = replace(LAYER, in_channels=mapping.q, out_channels=mapping.p, in_height=mapping.e)
    bound = loops(config, layer, mapping)
    values = descriptor(config, layer, mapping)
    start = RESET_CYCLES
    load = start + 1 + config.columns
    work = load + values["load_words"]
    output = work + context.cycles + config.rows + SETTLE
    end = output + values["sum_words"] * values["output_groups"] + OUTPUT_LATENCY
    trace = new_trace(end - start)
    trace.put("start", np.ones(1, dtype=np.int64), 1, start)
    trace.put("finished", np.ones(1, dtype=np.int64), 1, end - 1)
    trace.event("run", np.ones(end - start - 1, dtype=bool), start + 1)
    for name, (bits, _) in FIELDS.items():
        trace.constant(f"layer_{name}", values[name], bits)
    trace.constant("weights_valid", 1, 1)
    trace.constant("ifmaps_valid", 1, 1)
    weights = [pack(one.weights, config.weight_bits, config.bus_bits) for one in context.passes]
    trace.put("weights_payload", _beats(weights), config.bus_bits, work)
    delivered = np.cumsum(fields["load_ifmap"]) - fields["load_ifmap"]
    column = delivered // values["pass_words"]
    real = fields["load_ifmap"].astype(bool)
    real &= (column >= bound.first_column) & (column < bound.last_column)
    loaded = delivered[real]
    inputs = _beats(
        [
            pack(one.ifmaps[loaded], config.activation_bits, config.bus_bits)
            for one in context.passes
        ]
    )
    trace.put("ifmaps_payload", inputs, config.bus_bits, load)
    read = held(inputs[np.cumsum(real) - 1], real)
    trace.put("sram_data", read, config.bus_bits, work + 1)
    return trace


_MAKERS = {
    "pe": pe_trace,
    "node": node_trace,
    "row": row_trace,
    "bank": bank_trace,
    "collector": collector_trace,
    "controller": controller_trace,
}


def _bits(words: int) -> int:
    return max((words - 1).bit_length(), 1)


def _loads(context: Contexts) -> NDArray[np.bool_]:
    loads = context.fields["load_weight"] | context.fields["load_ifmap"]
    return np.asarray(loads, dtype=bool)


def _drained(context: Contexts, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """One of `sums` (sums, lanes) with every drain, held until the next: (T, lanes)."""
    drain = context.fields["drain"].astype(bool)
    return held(sums[np.cumsum(drain) - 1], drain)


def _lane_of(bits: NDArray[np.uint8], lane: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """The bus lane that each stimulus lane listens to: (T, lanes, width)."""
    place = lane[:, None] * width + np.arange(width)
    return np.take_along_axis(bits, place[None], axis=2)


def _beats(beats: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Beats of every lane as bits: (beats, lanes, bus_bits)."""
    bits = np.unpackbits(np.stack(beats, axis=1), axis=2, bitorder="little")
    return np.asarray(bits, dtype=np.uint8)
