"""What is missing or odd in one cell of a library."""

from __future__ import annotations

from collections.abc import Iterator

from characterize.boolean import pins
from characterize.cell_kinds import constant_pin
from characterize.cells import Cell, Pin
from characterize.finding import Finding, prune_line
from characterize.liberty_text import Group


def faults(cell: Cell) -> Iterator[Finding]:
    """All findings of a cell that synthesis may use; read with its `timing` groups."""
    for text in _misused(cell):
        yield Finding(severity="note", cell=cell.name, message=text, proposal=prune_line(cell.name))
    for text in _missing(cell):
        yield Finding(severity="warning", cell=cell.name, message=text)


def _misused(cell: Cell) -> Iterator[str]:
    """What keeps synthesis or simulation from using it."""
    outputs = [pin for pin in cell.pins.values() if pin.direction == "output"]
    if cell.unsupported:
        yield f"is a {cell.unsupported.replace('_', ' ')} cell: not simulated; prune it"
    elif cell.latch:
        kind = "clock gate" if cell.clock_gate else "latch"
        yield f"is a {kind} that nothing uses; prune it, or name it as the technology's"
    elif without := [pin.name for pin in outputs if pin.function is None]:
        yield f"has no function at {', '.join(without)}: synthesis can't use it"
    known = {pin.name for pin in cell.pins.values()}
    for pin in outputs:
        if pin.function is not None and not cell.sequential and pins(pin.function) - known:
            yield f"has a function of pins it lacks at {pin.name}: prune it"


def _missing(cell: Cell) -> Iterator[str]:
    """What counts as nothing in the results."""
    outputs = [pin for pin in cell.pins.values() if pin.direction == "output"]
    bare = [p.name for p in cell.pins.values() if p.direction == "input" and p.capacitance_pf <= 0]
    if bare:
        yield f"has no capacitance at {', '.join(bare)}"
    if not outputs:
        return
    if cell.area_um2 <= 0:
        yield "has no area"
    if all(_constant(cell, pin) for pin in outputs):
        return
    yield from _untimed(cell)
    if not any(pin.powers for pin in cell.pins.values()):
        yield "has no internal power"
    if not (cell.leakage_mw > 0 or any(value > 0 for _, value in cell.leakages)):
        yield "has no leakage"


def _constant(cell: Cell, pin: Pin) -> bool:
    return pin.name in (constant_pin(cell, True), constant_pin(cell, False))


def _untimed(cell: Cell) -> Iterator[str]:
    """Paths that end at such a cell are left out of every period."""
    timed = set(_timed(cell.group))
    for pin in cell.pins.values():
        if pin.direction == "output" and pin.function is not None and pin.name not in timed:
            yield f"has no delay to {pin.name}: periods leave out what is behind it"
    if cell.flip_flop is None:
        return
    data = pins(cell.flip_flop.next_state) & cell.pins.keys()
    if data and not data & timed:
        yield f"has no setup time at {', '.join(sorted(data))}: periods leave out what is before it"


def _timed(group: Group) -> Iterator[str]:
    """Pins with `timing` groups; those of a bus or bundle may have theirs inside it."""
    for part in group.named("pin", "bus", "bundle"):
        if list(part.named("timing")):
            yield from part.arguments
            yield from (name for inner in part.named("pin") for name in inner.arguments)
        yield from _timed(part)
