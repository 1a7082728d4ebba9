"""A first choice of what a technology file must say of a library, from nothing but its cells.

Every choice is by a rule that holds for any library, and comes with its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from characterize.cell_kinds import (
    constant_pin,
    inputs,
    is_buffer,
    is_inverter,
    is_plain_flip_flop,
    is_plain_latch,
    shows_data,
    unwanted,
)
from characterize.cell_patterns import patterns
from characterize.cells import Cell, Library
from characterize.liberty import CLOCK_GATES
from rtl_gen.errors import UserError

UNREADABLE = "cells that can't be read: quidam tech check says why where they are not pruned"
#: Input pins of the driving cell that hang on every output.
FANOUT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found in a library.

    Parameters
    ----------
    driving_cell : the smallest buffer, or inverter where there is none.
    driver_is_buffer : which of the two it is.
    input_ff : capacitance of its input pin.
    tie_high, tie_low : CELL/PIN, or None.
    flip_flop, latch, clock_gate : names of cells, or None.
    prune : reason -> patterns of cells that synthesis must not use.
    """

    driving_cell: str
    driver_is_buffer: bool
    input_ff: float
    tie_high: str | None
    tie_low: str | None
    flip_flop: str | None
    latch: str | None
    clock_gate: str | None
    prune: dict[str, tuple[str, ...]]

    @property
    def output_load_ff(self) -> float:
        """Input capacitance of a few driving cells, in two digits."""
        return float(f"{FANOUT * self.input_ff:.2g}")


def inspect(library: Library, refused: Collection[str] = ()) -> Inspection:
    """Choose.

    Parameters
    ----------
    refused : names of cells that can't be read (`liberty.read_cells`), to be pruned.

    Raises
    ------
    UserError : no cell can drive an input.
    """
    reasons = {name: unwanted(cell) for name, cell in library.cells.items()}
    reasons |= {name: why for name, why in _wasteful(library, reasons) if not reasons[name]}
    free = [cell for name, cell in library.cells.items() if not reasons[name]]
    driver = _driver(free)
    ties = {value: tie_cell(library, value) for value in (True, False)}
    chosen = {driver.name, *(tie.partition("/")[0] for tie in ties.values() if tie)}
    for cell in free:
        if cell.name not in chosen and (constant_pin(cell, True) or constant_pin(cell, False)):
            reasons[cell.name] = "constants, but larger than the tie cells"
    reasons |= dict.fromkeys(chosen, "") | dict.fromkeys(refused, UNREADABLE)
    flip_flops = [cell for cell in free if is_plain_flip_flop(cell)]
    rising = [cell for cell in flip_flops if _controls(cell)[0] == "pin"]
    flip_flop = _smallest(rising) or _smallest(flip_flops)
    return Inspection(
        driving_cell=driver.name,
        driver_is_buffer=is_buffer(driver),
        input_ff=inputs(driver)[0].capacitance_pf * 1000,
        tie_high=ties[True],
        tie_low=ties[False],
        flip_flop=flip_flop.name if flip_flop else None,
        latch=latch_cell(library),
        clock_gate=clock_gate_cell(library),
        prune=patterns(reasons),
    )


def tie_cell(library: Library, value: bool) -> str | None:
    """The smallest cell that gives a constant, as CELL/PIN; dont_use often stands on it."""
    cells = [cell for cell in library.cells.values() if constant_pin(cell, value)]
    cell = min(cells, key=lambda cell: (cell.area_um2, cell.name), default=None)
    return f"{cell.name}/{constant_pin(cell, value)}" if cell else None


def latch_cell(library: Library) -> str | None:
    """The smallest plain latch, open at 1 if there is one, that is not of no area."""
    cells = [cell for cell in library.cells.values() if is_plain_latch(cell) and _of_logic(cell)]
    high = [cell for cell in cells if cell.latch and cell.latch.enable.operator == "pin"]
    found = _smallest(high) or _smallest(cells)
    return found.name if found else None


def clock_gate_cell(library: Library) -> str | None:
    """The smallest clock gate of a kind that is understood; without a test pin if there is one."""
    cells = [cell for cell in library.cells.values() if cell.clock_gate in CLOCK_GATES]
    plain = [cell for cell in cells if cell.clock_gate == CLOCK_GATES[0]]
    found = _smallest(plain) or _smallest(cells)
    return found.name if found else None


def _of_logic(cell: Cell) -> bool:
    attributes = ("is_isolation_cell", "is_level_shifter", "always_on", "pad_cell")
    return not any(cell.group.text(name) == "true" for name in attributes)


def _driver(cells: Sequence[Cell]) -> Cell:
    driven = [cell for cell in cells if all(pin.capacitance_pf > 0 for pin in inputs(cell))]
    buffer = _smallest(cell for cell in driven if is_buffer(cell))
    found = buffer or _smallest(cell for cell in driven if is_inverter(cell))
    if found is None:
        raise UserError("the library must have a buffer or an inverter with area and capacitance")
    return found


def _smallest(cells: Iterable[Cell]) -> Cell | None:
    """The one of least area; cells of no area don't count, their data is not there."""
    sized = [cell for cell in cells if cell.area_um2 > 0]
    return min(sized, key=lambda cell: (cell.area_um2, cell.name), default=None)


def _wasteful(library: Library, reasons: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Flip-flops that synthesis takes because they don't invert, though one that does is smaller
    even with an inverter behind it."""
    free = [cell for name, cell in library.cells.items() if not reasons[name]]
    inverter = _smallest(cell for cell in free if is_inverter(cell))
    plain = [cell for cell in free if is_plain_flip_flop(cell)]
    for cell in plain:
        twin = _smallest(other for other in plain if _controls(other) == _controls(cell))
        if inverter is None or twin is None or shows_data(twin) or not shows_data(cell):
            continue
        if cell.area_um2 > twin.area_um2 + inverter.area_um2:
            yield cell.name, "flip-flops larger than an inverting one with an inverter"


def _controls(cell: Cell) -> tuple[object, ...]:
    store = cell.flip_flop
    assert store is not None  # plain flip-flops only come here
    return (
        store.clocked_on.operator,
        store.clear and store.clear.operator,
        store.preset and store.preset.operator,
    )
