"""The cycle formula: ONE for an `AcceleratorConfig` (Python ints) and a table of designs (arrays).

The explorer runs over millions of designs what the RTL obeys to the cycle. Slots, passes and why
each term stands here are told in docs/explanation/schedule.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rtl_gen.components import Design
from rtl_gen.layer import Layer
from rtl_gen.mapping import Loops, Mapping

#: Cycles from the last instruction of a pass to the last write of its sums, rows and the latency
#: of a MAC aside: feed, row, operands, sum out, then bank read, add, write (see hardware/bank.py).
SETTLE = 5
#: Cycles from the last step of the sender to the last beat taken from the output stream.
OUTPUT_LATENCY = {"raw": 3, "quantized": 7}
#: Cycles from the drain of a sum until its word may be read again: the shortest last slot.
BANK_TURNAROUND = 5


def total_cycles(design: Design, layer: Layer, mapping: Mapping, bound: Loops) -> Any:
    """Cycles from the first busy one to the last, streams never stalling.

    Setting up, the first weights and window, all passes, then the last sums' way out.
    """
    groups, _ = counts(bound)
    passes, quantized = bound.passes, layer.output == "quantized"
    single = passes == 1
    settle = settle_cycles(design)

    def length(send: bool, last: Any, follows: bool) -> Any:
        """Of a pass: whether it sends, is its group's last, and another follows."""
        parameters = np.where(last, 2 * mapping.t * mapping.p, 0) if quantized else 0
        return _pass(design, mapping, bound, send, parameters, follows)

    # Of the passes between the first and the final one: those that send (the first of a group),
    # those in a group's middle, and those that end a group.
    sending = np.maximum(groups - np.where(single, 2, 1), 0)
    middle = np.where(single, 0, groups * (passes - 2))
    ending = np.where(single, 0, groups - 1)
    inner = (
        sending * length(True, single, True)
        + middle * length(False, False, True)
        + ending * length(False, True, True)
    )
    first = np.where(groups * passes == 1, 0, length(False, single, True))
    sends = single & (groups > 1)
    final = np.where(sends, length(True, True, False), length(False, True, False))
    fill = np.maximum(_weights(mapping, bound), bound.kernel_width * _delivery(mapping, bound))
    output = (
        mapping.p + settle + mapping.f * sent_steps(mapping, bound) + OUTPUT_LATENCY[layer.output]
    )
    return design.columns + fill + first + inner + final + output


def settle_cycles(design: Design) -> Any:
    """Cycles until the last sums of a pass are in the banks."""
    return design.rows + design.mac_latency + SETTLE


def counts(bound: Loops) -> tuple[Any, Any]:
    """Groups of sums, and passes, of the whole layer."""
    groups = bound.strips * bound.tiles * bound.filter_groups
    return groups, groups * bound.passes


def slot_macs(mapping: Mapping, bound: Loops) -> Any:
    """MACs of a PE for one output column."""
    return mapping.p * mapping.q * bound.kernel_width


def _delivery(mapping: Mapping, bound: Loops) -> Any:
    """Beats of one column of a pass."""
    return mapping.q * mapping.r * bound.ifmap_groups


def _weights(mapping: Mapping, bound: Loops) -> Any:
    """Beats of the weights of a pass."""
    return slot_macs(mapping, bound) * mapping.t * bound.weight_groups


def sent_steps(mapping: Mapping, bound: Loops) -> Any:
    """Steps of the sender for one output column."""
    return mapping.p * bound.output_groups


def _pass(
    design: Design, mapping: Mapping, bound: Loops, send: bool, parameters: Any, follows: bool
) -> Any:
    """Cycles of one pass: f slots, each as long as the slowest of what runs beside it."""
    compute, column = slot_macs(mapping, bound), _delivery(mapping, bound)
    sent = sent_steps(mapping, bound) if send else 0
    settled = mapping.p + settle_cycles(design) + sent if send else 0
    weights = parameters + (_weights(mapping, bound) if follows else 0)

    def delivered(new: Any, ahead: Any) -> Any:
        return np.maximum(compute, ahead * column) + (new - ahead) * column

    step = np.maximum(delivered(bound.column_step, bound.ahead_step), mapping.p + 1)
    window = delivered(bound.kernel_width, bound.ahead_window) if follows else compute
    last = np.maximum(window, np.maximum(mapping.p + 1, BANK_TURNAROUND))
    # Weights follow the last slot's multiply-accumulates through the scratchpad.
    last = np.maximum(last, np.where(bound.double_weights, 0, weights))
    slots = (
        np.maximum(step, settled)
        + (mapping.f - 2) * np.maximum(step, sent)
        + np.maximum(last, sent)
    )
    slots = np.where(mapping.f == 1, np.maximum(last, settled), slots)
    return np.where(bound.double_weights, np.maximum(slots, weights), slots)
