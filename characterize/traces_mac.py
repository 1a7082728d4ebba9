"""The trace of a multiply-accumulate unit: what the one of a PE sees while it runs a real layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from characterize.bitslice import LANES
from characterize.stimulus_layer import Contexts
from characterize.trace import RESET_CYCLES, Trace, new_trace
from characterize.traces import held_words

Codes = NDArray[np.int64]


def mac_trace(context: Contexts) -> Trace:
    """Operands and addends of every multiply-accumulate, in the order of the PE's.

    Operands hold still where there is none; the addend is that of the product that arrives.
    """
    config, latency = context.config, context.config.mac_latency
    trace = new_trace(context.cycles + latency)
    activations = held_words(context, "ifmap", context.row + context.column)
    weights = held_words(context, "weight", context.row)
    trace.put("activation", activations, config.activation_bits, RESET_CYCLES)
    trace.put("weight", weights, config.weight_bits, RESET_CYCLES)
    addends = _addends(context, activations, weights)
    trace.put("addend", addends, config.accumulator_bits, RESET_CYCLES + latency)
    # Cycles in which both the multiplier and the adder are at work.
    mac = context.fields["mac"].astype(bool)
    trace.event("mac", mac[latency:] & mac[:-latency], RESET_CYCLES + latency)
    return trace


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
