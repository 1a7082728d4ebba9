"""Placing a component as an instance of its own Verilog module.

Amaranth writes a submodule out once for every time it is used; an array of 168 equal PEs would
be 168 equal modules. Components that repeat are written once, and placed by name.
"""

from typing import Any

from amaranth import ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In


def port_name(path: tuple[str | int, ...]) -> str:
    """Verilog name of a component's port: the members on the way to it, `weights_valid`."""
    return "_".join(str(part) for part in path)


def place(
    m: Module,
    component: wiring.Component,
    module: str,
    name: str,
    *,
    clocked: bool = True,
    reset: Any = None,
) -> Any:
    """Instantiate `component`, emitted elsewhere as Verilog module `module`, under `name`.

    Its reset is the one of the place, or else `reset`.

    Returns
    -------
    An interface with the component's members, ready to be wired.
    """
    ports: dict[str, Any] = {}
    interface = component.signature.create(path=(name,))
    for path, member, value in component.signature.flatten(interface):
        prefix = "i" if member.flow == In else "o"
        ports[f"{prefix}_{port_name(path)}"] = value
    if clocked:
        ports["i_clk"] = ClockSignal()
        ports["i_rst"] = ResetSignal() if reset is None else reset
    m.submodules[name] = Instance(module, **ports)
    return interface


def copy(m: Module, source: Any, target: Any, names: tuple[str, ...]) -> None:
    """Drive `target`'s members from `source`'s of the same names."""
    for name in names:
        sink: Signal = getattr(target, name)
        m.d.comb += sink.eq(getattr(source, name))
