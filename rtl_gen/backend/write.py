"""From a netlist's text to the text of its Verilog modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtl_gen.backend.clean import clean
from rtl_gen.backend.module import ModuleText
from rtl_gen.backend.names import port_name
from rtl_gen.backend.rtlil import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What a netlist does not say of a module.

    Parameters
    ----------
    what : one line, for the reader. states : wire -> code -> name, for its state machines.
    """

    what: str = ""
    states: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def write(rtlil: str, notes: Mapping[str, Notes]) -> dict[str, str]:
    """Verilog module -> its text, the outermost first.

    Parameters
    ----------
    rtlil : what `amaranth.back.rtlil` has written. notes : by the netlist's names of modules.

    Raises
    ------
    ValueError
        On a construct that is not known here: nothing is left out silently.
    """
    modules = parse(rtlil)
    clean(modules)
    texts = {}
    for module in modules:
        note = notes.get(module.name, Notes())
        name = port_name(module.name)
        head = [f"// {note.what}"] if note.what else []
        texts[name] = "\n".join([*head, *ModuleText(module, note.states).lines(name)]) + "\n"
    return texts
