"""Results of operators cut to the bits that are read."""

from __future__ import annotations

from rtl_gen.backend.rtlil import CUTTABLE, Bits, Module, Switch, cut
from rtl_gen.backend.walk import statements


def narrow(module: Module) -> None:
    """Let nameless results have no more bits than are read; that goes on to their operands."""
    makers = {c.ports["Y"][0].text: c for c in module.cells if c.kind in CUTTABLE}
    makers = {name: cell for name, cell in makers.items() if name.startswith("$")}
    changed = True
    while changed:
        changed = False
        read = _highest(module)
        for name, cell in makers.items():
            wire, most = module.wires[name], read[name]
            if most < wire.width:
                changed = True
                wire.width = most
                cell.parameters["WIDTH" if cell.kind == "$mux" else "Y_WIDTH"] = most
                cell.ports["Y"] = (Bits(name, most),)
                for side in "A" if cell.kind == "$shl" else "AB":
                    if side in cell.ports:
                        cell.ports[side] = cut(cell.ports[side], most)
                        cell.parameters[f"{side}_WIDTH"] = sum(b.width for b in cell.ports[side])


def _highest(module: Module) -> dict[str, int]:
    """Wire -> how many of its low bits hold all that are read."""
    values = [value for cell in module.cells for value in cell.inputs.values()]
    values += [assign.value for assign in module.connections]
    for body in module.processes:
        for statement in statements(body):
            values.append(statement.test if isinstance(statement, Switch) else statement.value)
    read: dict[str, int] = {}
    for bits in (bits for value in values for bits in value if not bits.constant):
        read[bits.text] = max(read.get(bits.text, 0), bits.low + bits.width)
    return read
