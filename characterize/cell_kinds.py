"""What a cell is for, as its Liberty group tells: whether synthesis may use it, and as what.

The rules know attributes and functions, no library. Where an attribute is often left out, the
words that libraries name such cells with are taken instead; they are all in `WORDS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from characterize.boolean import Expression, pins, truth_table
from characterize.cells import Cell, Pin

#: Attribute that is "true" on cells that are not for logic -> what they are.
ATTRIBUTES = {
    "pad_cell": "pads",
    "is_pad": "pads",
    "is_level_shifter": "level shifters",
    "is_isolation_cell": "isolation cells",
    "always_on": "cells on the supply that stays on",
    "is_macro_cell": "macros",
}
#: Attributes whose presence alone says it.
PRESENT = {"switch_cell_type": "power switches", "retention_cell": "retention cells"}
#: What names of cells hold that no attribute tells from others.
WORDS = {
    "probe": "probes for measuring, by their name",
    "spare": "spare cells, by their name",
    "tap": "taps, by their name",
    "antenna": "antenna cells, by their name",
}
#: A drive between none and two that is not one: `x0p5`, `xp33`, `x1p5`.
FRACTION = re.compile(r"(?<=[A-Za-z\d])x[01]?p\d")
#: ASAP7's are a fifth smaller in a PE, but left out by OpenROAD's flow, as hard to route.
FRACTIONAL = "fractional drives, by their name: smaller, but hard to route"


def unwanted(cell: Cell) -> str:
    """Why synthesis must not pick this cell, as words that fit many cells; "" where it may."""
    # What a cell is comes first: dont_use often stands on fillers and clock gates as well.
    return next((why for rule in (_by_kind, _by_word, _by_build) for why in rule(cell)), "")


def _by_word(cell: Cell) -> Iterator[str]:
    said = cell.group.attributes
    yield from (why for name, why in ATTRIBUTES.items() if said.get(name, [""])[-1] == "true")
    yield from (why for name, why in PRESENT.items() if name in said)
    name = re.sub(r"[\d_]", " ", cell.name.lower())
    yield from (why for word, why in WORDS.items() if re.search(rf"(?<![a-z]){word}", name))


def _by_kind(cell: Cell) -> Iterator[str]:
    if not outputs(cell):
        yield "fillers, taps, antenna cells and the like: no output"
    if cell.group.text("clock_gating_integrated_cell"):
        yield "clock gates; one that `clock_gate` names stays for scratchpads"
    if cell.unsupported == "three_state":
        yield "tri-state cells"
    if cell.unsupported:
        yield f"cells that are not simulated: {cell.unsupported.replace('_', ' ')}"


def _by_build(cell: Cell) -> Iterator[str]:
    if cell.latch:
        yield "latches; one that `latch` names stays for scratchpads"
    if any(pin.function is None for pin in outputs(cell)):
        yield "cells without a function"
    if cell.flip_flop and is_scan(cell):
        yield "scan flip-flops"
    elif cell.flip_flop and len(pins(cell.flip_flop.next_state)) > 1:
        yield "flip-flops with more than a data input"
    known = {*cell.pins, *_nodes(cell)}
    if any(pin.function and pins(pin.function) - known for pin in outputs(cell)):
        yield "cells whose function names pins that they lack"
    if FRACTION.search(cell.name):
        yield FRACTIONAL
    if cell.group.text("dont_use") == "true":
        yield "the library says dont_use"


def outputs(cell: Cell) -> list[Pin]:
    """Its output pins."""
    return [pin for pin in cell.pins.values() if pin.direction in ("output", "inout")]


def inputs(cell: Cell) -> list[Pin]:
    """Its input pins."""
    return [pin for pin in cell.pins.values() if pin.direction == "input"]


def is_scan(cell: Cell) -> bool:
    """Whether the cell says that it has a scan input, or has a selection as its next state."""
    marks = [
        pin.text(name)
        for pin in cell.group.named("pin")
        for name in ("nextstate_type", "signal_type")
    ]
    if any(cell.group.named("test_cell")) or any("scan" in mark for mark in marks):
        return True
    store = cell.flip_flop
    return store is not None and len(pins(store.next_state) - {store.state, store.inverse}) == 3


def is_buffer(cell: Cell) -> bool:
    """Whether it is one input, one output, and nothing between."""
    return _passes(cell, "pin")


def is_inverter(cell: Cell) -> bool:
    """Whether it is one input, one output, and an inversion between."""
    return _passes(cell, "not")


def _passes(cell: Cell, operator: str) -> bool:
    ins, outs = inputs(cell), outputs(cell)
    if cell.sequential or len(ins) != 1 or len(outs) != 1 or len(cell.pins) != 2:
        return False
    function = outs[0].function
    return (
        function is not None and function.operator == operator and pins(function) == {ins[0].name}
    )


def constant_pin(cell: Cell, value: bool) -> str:
    """The pin at which a cell without inputs gives this value, or ""."""
    if inputs(cell):
        return ""
    for pin in outputs(cell):
        function = pin.function
        if function is not None and not pins(function) and truth_table(function, ())[0] == value:
            return pin.name
    return ""


def is_plain_latch(cell: Cell) -> bool:
    """Whether it is one enable, one data pin, and an output that is not inverted."""
    store = cell.latch
    if store is None or cell.clock_gate or cell.unsupported or store.clear or store.preset:
        return False
    shows = any(pin.function == Expression("pin", name=store.state) for pin in outputs(cell))
    return shows and store.data.operator == "pin" and len(pins(store.enable)) == 1


def is_plain_flip_flop(cell: Cell) -> bool:
    """Whether it is a clock, one data pin and at most a clear or a preset: what RTL maps to."""
    store = cell.flip_flop
    return store is not None and not cell.unsupported and len(pins(store.next_state)) == 1


def shows_data(cell: Cell) -> bool:
    """Whether a plain flip-flop gives at one of its outputs what its data pin was, not inverted."""
    store = cell.flip_flop
    if store is None:
        return False
    name = store.inverse if store.next_state.operator == "not" else store.state
    return any(pin.function == Expression("pin", name=name) for pin in outputs(cell))


def _nodes(cell: Cell) -> set[str]:
    store = cell.flip_flop or cell.latch
    return {store.state, store.inverse} if store else set()
