"""A netlist as straight-line code for the simulator: two-input gates in order, and registers.

Every cell function is lowered to gates `((a ^ p) & (b ^ q)) ^ r` and `a ^ b ^ r`, where p, q and r
are inversions: no branch, and no limit to the number of a cell's inputs. What a latch shows is such
a function too, of its enable, its data and what it held before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from characterize.boolean import Expression, evaluate
from characterize.cells import Cell, FlipFlop, Latch, Library
from characterize.netlist import ONE, ZERO, Netlist
from rtl_gen.errors import UserError

#: The first columns of a gate; inversions of the three and whether it is an xor come after them.
_LEFT, _RIGHT, _TARGET = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic:
    """Straight-line code over `values` values, the first of which are the netlist's nets.

    Parameters
    ----------
    gates : (gates, 7), ordered so that operands come before their use; columns left, right,
        target, the inversions of the three, and exclusive or.
    clocking : (some gates,), which of them, in order, decide on the clocks of registers.
    registers : (flip-flops, 3): the value it holds, the value it takes, the one that rises when it
        takes it.
    kept : (latches and flip-flops with asynchronous inputs, 2): the value it holds, and the one
        that it shows and so holds from then on.
    reset : (flip-flops,), what each holds where its data input was 0; complemented storage holds 1.
    owners : (flip-flops,), the instance each belongs to.
    state_pins : per instance, the values whose joint state tells all of its conditions: its inputs,
        then what it stores.
    one_phase : whether nothing but the clock itself changes when the clock falls.
    """

    values: int
    gates: NDArray[np.int64]
    clocking: NDArray[np.int64]
    registers: NDArray[np.int64]
    kept: NDArray[np.int64]
    reset: NDArray[np.bool_]
    owners: NDArray[np.int64]
    state_pins: tuple[tuple[int, ...], ...]
    one_phase: bool


def state_names(cell: Cell) -> tuple[str, ...]:
    """What `Logic.state_pins` holds of an instance of this cell, by name."""
    inputs = tuple(pin.name for pin in cell.pins.values() if pin.direction == "input")
    store = cell.flip_flop or cell.latch
    return (*inputs, store.state) if store else inputs


class _Template:
    """One cell lowered: gates over slots; 0 is the constant, then pins, register, temporaries."""

    def __init__(self, cell: Cell) -> None:
        if cell.unsupported:
            raise UserError(
                f"cell {cell.name} must be a gate, a flip-flop or a latch: {cell.unsupported}"
            )
        self.slots = {"": 0, **{name: i for i, name in enumerate(cell.pins, 1)}}
        self.pins = len(self.slots) - 1
        self.count = len(self.slots)
        self.gates: list[tuple[int, ...]] = []
        self.known: dict[str, Expression] = {}
        self.register: tuple[int, int, int] | None = None
        self.kept: tuple[int, int] | None = None
        self.reset = False
        if cell.flip_flop is not None:
            self._flip_flop(cell.flip_flop)
        if cell.latch is not None:
            self._latch(cell.latch)
        for pin in cell.pins.values():
            if pin.direction == "output":
                if pin.function is None:
                    raise UserError(f"pin {cell.name}/{pin.name} must have a function")
                self._assign(pin.function, self.slots[pin.name])
        self.state_slots = [self.slots[name] for name in state_names(cell)]

    def _flip_flop(self, store: FlipFlop) -> None:
        held, taken, clock = self._new(), self._new(), self._new()
        self.slots["held"] = held
        self.slots[store.state] = held
        if store.clear or store.preset:
            # Asynchronous: the pins rule what is seen at once, and what is left after the edge.
            self._keep(store, _pin("held"), held)
        self.known[store.inverse] = Expression("not", (_pin(store.state),))
        self._assign(store.clocked_on, clock)
        self._assign(_forced(store, store.next_state), taken)
        self.register = (held, taken, clock)
        zeros = {**dict.fromkeys(self.slots, False), store.inverse: True}
        self.reset = bool(evaluate(store.next_state, zeros))

    def _latch(self, store: Latch) -> None:
        held = self.slots["held"] = self._new()
        shut = Expression("and", (Expression("not", (store.enable,)), _pin("held")))
        through = Expression("and", (store.enable, store.data))
        self._keep(store, Expression("or", (through, shut)), held)
        if store.inverse:
            self.known[store.inverse] = Expression("not", (_pin(store.state),))

    def _keep(self, store: FlipFlop | Latch, shown: Expression, held: int) -> None:
        """What the storage shows at once under its asynchronous inputs, it also holds from then."""
        state = self._new()
        self._assign(_forced(store, shown), state)
        self.slots[store.state] = state
        self.kept = (held, state)

    def _new(self) -> int:
        self.count += 1
        return self.count - 1

    def _assign(self, expression: Expression, target: int) -> None:
        slot, flip = self._lower(expression)
        self.gates.append((slot, slot, target, flip, flip, 0, 0))

    def _lower(self, expression: Expression) -> tuple[int, int]:
        """Where the expression's value stands, and whether it stands there inverted."""
        match expression.operator:
            case "pin" if expression.name in self.known:
                return self._lower(self.known[expression.name])
            case "pin":
                return self.slots[expression.name], 0
            case "constant":
                return 0, int(expression.name)
            case "not":
                slot, flip = self._lower(expression.operands[0])
                return slot, 1 - flip
        (left, p), (right, q) = (self._lower(operand) for operand in expression.operands)
        target = self._new()
        if expression.operator == "xor":
            self.gates.append((left, right, target, 0, 0, p ^ q, 1))
            return target, 0
        either = int(expression.operator == "or")  # a | b = !(!a & !b)
        self.gates.append((left, right, target, p ^ either, q ^ either, 0, 0))
        return target, either


def _pin(name: str) -> Expression:
    return Expression("pin", name=name)


def _forced(store: FlipFlop | Latch, value: Expression) -> Expression:
    """The value under the asynchronous inputs."""
    clear = Expression("not", (store.clear,)) if store.clear else Expression("constant", name="1")
    preset = store.preset or Expression("constant", name="0")
    if store.both:
        return Expression("or", (Expression("and", (value, clear)), preset))
    return Expression("and", (Expression("or", (value, preset)), clear))


@dataclass(frozen=True, slots=True)
class _Block:
    """All instances of one cell type, lowered together."""

    gates: NDArray[np.int64]
    registers: NDArray[np.int64]
    kept: NDArray[np.int64]
    reset: NDArray[np.bool_]
    owners: NDArray[np.int64]
    gate_owners: NDArray[np.int64]
    state: NDArray[np.int64]


def _block(netlist: Netlist, cell: Cell, numbers: list[int], first: int) -> tuple[_Block, int]:
    """The instances `numbers` of this cell as code, and the first value left free by them."""
    template = _Template(cell)
    pins = np.array([[netlist.instances[n].pins[pin] for pin in cell.pins] for n in numbers])
    shape = len(numbers), template.count - 1 - template.pins
    own = np.arange(first, first + shape[0] * shape[1]).reshape(shape)
    slots = np.hstack([np.full((len(numbers), 1), ZERO), pins, own])
    code = np.array(template.gates, np.int64).reshape(-1, 7)
    gates = np.broadcast_to(code, (len(numbers), *code.shape)).copy()
    gates[:, :, : _TARGET + 1] = slots[:, code[:, : _TARGET + 1]]
    registers, kept = np.zeros((0, 3), np.int64), np.zeros((0, 2), np.int64)
    if template.register is not None:
        registers = slots[:, template.register]
    if template.kept is not None:
        kept = slots[:, template.kept]
    return _Block(
        gates=gates.reshape(-1, 7),
        registers=registers,
        kept=kept,
        reset=np.full(len(registers), template.reset),
        owners=np.array(numbers if len(registers) else [], np.int64),
        gate_owners=np.repeat(numbers, len(code)),
        state=slots[:, template.state_slots],
    ), int(first + own.size)


def compile_logic(netlist: Netlist, library: Library, clock_port: str) -> Logic:
    """The netlist's cells as ordered gates and registers.

    Raises
    ------
    UserError : a cell that is no gate, flip-flop or latch, a flip-flop whose clock does not come
        from `clock_port`, a net without or with two drivers, a combinational loop.
    """
    by_type: dict[str, list[int]] = {}
    for number, instance in enumerate(netlist.instances):
        by_type.setdefault(instance.type, []).append(number)
    blocks: list[_Block] = []
    state_pins: list[tuple[int, ...]] = [()] * len(netlist.instances)
    values = netlist.nets
    for name, numbers in by_type.items():
        cell = library.cell(name)
        block, values = _block(netlist, cell, numbers, values)
        blocks.append(block)
        for number, row in zip(numbers, block.state.tolist(), strict=True):
            state_pins[number] = tuple(row)
    registers = np.concatenate([np.zeros((0, 3), np.int64), *(b.registers for b in blocks)])
    kept = np.concatenate([np.zeros((0, 2), np.int64), *(b.kept for b in blocks)])
    gates = np.concatenate([np.zeros((0, 7), np.int64), *(b.gates for b in blocks)])
    gate_owners = np.concatenate([np.zeros(0, np.int64), *(b.gate_owners for b in blocks)])
    held = np.union1d(registers[:, 0], kept[:, 0])
    gates = gates[_order(netlist, gates, gate_owners, held, values)]
    owners = np.concatenate([np.zeros(0, np.int64), *(b.owners for b in blocks)])
    clock = netlist.ports[clock_port].nets if clock_port in netlist.ports else gates[:0, 0]
    reads = gates[np.isin(gates[:, : _RIGHT + 1], clock).any(axis=1)]
    straight = np.isin(reads[:, _TARGET], registers[:, 2]) & ~reads[:, _TARGET + 1 :].any(axis=1)
    return Logic(
        values=values,
        gates=gates,
        clocking=_clocking(netlist, gates, registers, owners, clock, values),
        registers=registers,
        kept=kept,
        reset=np.concatenate([np.zeros(0, np.bool_), *(b.reset for b in blocks)]),
        owners=owners,
        state_pins=tuple(state_pins),
        one_phase=bool(straight.all()) and not len(kept),
    )


def _clocking(
    netlist: Netlist,
    gates: NDArray[np.int64],
    registers: NDArray[np.int64],
    owners: NDArray[np.int64],
    clock: NDArray[np.int64],
    values: int,
) -> NDArray[np.int64]:
    """The gates that the registers' clocks depend on, in order; all must hang on the clock."""
    wanted = np.zeros(values, np.bool_)
    wanted[registers[:, 2]] = True
    clocked = np.zeros(values, np.bool_)
    clocked[clock] = True
    chosen = np.zeros(len(gates), np.bool_)
    for gate in range(len(gates) - 1, -1, -1):
        if wanted[gates[gate, _TARGET]]:
            chosen[gate] = True
            wanted[gates[gate, : _RIGHT + 1]] = True
    for left, right, target in gates[chosen, : _TARGET + 1].tolist():
        clocked[target] = clocked[left] or clocked[right]
    if len(lost := np.nonzero(~clocked[registers[:, 2]])[0]):
        name = netlist.instances[int(owners[lost[0]])].name
        raise UserError(f"clocks must come from the clock's port, which {name}'s does not")
    return np.nonzero(chosen)[0]


def _order(
    netlist: Netlist,
    gates: NDArray[np.int64],
    owners: NDArray[np.int64],
    held: NDArray[np.int64],
    values: int,
) -> NDArray[np.int64]:
    """The order in which every gate comes after the gates that drive it; (gates,)."""
    left, right, target = gates[:, _LEFT], gates[:, _RIGHT], gates[:, _TARGET]
    ready = np.zeros(values, np.bool_)
    ready[[ZERO, ONE]] = ready[held] = True
    for port in netlist.ports.values():
        if port.direction == "input":
            ready[port.nets] = True

    def name(gate: int) -> str:
        return netlist.instances[int(owners[gate])].name

    driver = np.full(values, -1)
    driver[target] = np.arange(len(gates))
    if len(twice := np.nonzero(ready[target] | (driver[target] != np.arange(len(gates))))[0]):
        raise UserError(f"a net must have one driver, not {name(twice[0])} and another")
    for operand in (left, right):
        if len(open_ := np.nonzero(~ready[operand] & (driver[operand] < 0))[0]):
            raise UserError(f"a net must have a driver, which an input of {name(open_[0])} lacks")
    order = [np.zeros(0, np.int64)]
    waiting = np.arange(len(gates))
    while len(waiting):
        can = ready[left[waiting]] & ready[right[waiting]]
        if not can.any():
            break
        order.append(waiting[can])
        ready[target[order[-1]]] = True
        waiting = waiting[~can]
    if len(waiting):
        path: list[int] = []
        gate = int(waiting[0])
        while gate not in path:  # backwards from a gate that waits, always to one that waits
            path.append(gate)
            gate = int(driver[left[gate] if not ready[left[gate]] else right[gate]])
        loop = list(dict.fromkeys(name(gate) for gate in reversed(path[path.index(gate) :])))
        raise UserError(f"logic must have no combinational loop, not {' -> '.join(loop[:8])}")
    return np.concatenate(order)
