"""The trace of a multiply-accumulate unit: what the one of a PE sees while it runs a real layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from characterize.bitslice import LANES
from characterize.stimulus_layer import Contexts, bus_bits
from characterize.trace import RESET_CYCLES, Trace, new_trace
from characterize.traces import lane_of
from rtl_gen.memories import lanes

Codes = NDArray[np.int64]


def mac_trace(context: Contexts) -> Trace:
    """Operands and addends of every multiply-accumulate, in the order of the PE's.

    Operands hold still where there is none; the addend is that of the product that arrives.
    """
    config, latency = context.config, context.config.mac_latency
    trace = new_trace(context.cycles + latency)
    activations = _operands(context, "ifmap", context.row + context.column)
    weights = _operands(context, "weight", context.row)
    trace.put("activation", activations, config.activation_bits, RESET_CYCLES)
    trace.put("weight", weights, config.weight_bits, RESET_CYCLES)
    addends = _addends(context, activations, weights)
    trace.put("addend", addends, config.accumulator_bits, RESET_CYCLES + latency)
    # Cycles in which both the multiplier and the adder are at work.
    mac = context.fields["mac"].astype(bool)
    trace.event("mac", mac[latency:] & mac[:-latency], RESET_CYCLES + latency)
    return trace


def _operands(context: Contexts, name: str, place: Codes) -> Codes:
    """Words that one scratchpad gives to the MAC, (T, lanes)."""
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


def _addends(context: Contexts, activations: Codes, weights: Codes) -> Codes:
    """The partial sum that each product is added to, codes (T, lanes)."""
    numbers, fields = context.config.arithmetic, context.fields
    wide = numbers.accumulator
    products = numbers.multiply(
        numbers.activation.from_bits(activations), numbers.weight.from_bits(weights)
    )
    sums = np.zeros((context.config.psum_words, LANES), dtype=products.dtype)
    found = np.zeros((context.cycles, LANES), dtype=products.dtype)
    for cycle in np.flatnonzero(fields["mac"]):
        address = fields["psum_address"][cycle]
        if fields["first"][cycle]:
            sums[address] = 0
        found[cycle] = sums[address]
        sums[address] = numbers.add(sums[address], products[cycle])
    return wide.encode(found)
