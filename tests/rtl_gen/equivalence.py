"""Proof that the Verilog of a component is the netlist that Amaranth made of it, by Yosys.

Yosys reads both, and shows register by register (`equiv_induct`) that they do the same from the
same state. Registers are paired by name, so the netlist's are called as in the Verilog first.
"""

from __future__ import annotations

from pathlib import Path

from characterize import tools
from rtl_gen.backend.clean import clean
from rtl_gen.backend.module import ModuleText
from rtl_gen.backend.names import port_name
from rtl_gen.backend.rtlil import parse

#: Memories become registers, and their initial contents are left out: silicon has none.
SCRIPT = """\
read_rtlil gold.il
hierarchy -top {top}
flatten
proc
memory
opt_clean
setattr -unset init w:*
rename {top} gold
design -stash gold
read_verilog gate.v
hierarchy -top {top}
flatten
proc
memory
opt_clean
rename {top} gate
design -stash gate
design -copy-from gold gold
design -copy-from gate gate
equiv_make gold gate equiv
cd equiv
opt_clean
equiv_simple -undef
equiv_induct -undef
equiv_status -assert
"""


def prove(rtlil: str, verilog: str, top: str, folder: Path) -> str:
    """Prove the two equal; returns what Yosys says at the end.

    Raises
    ------
    ToolError
        When they are not, or can't be compared.
    """
    (folder / "gold.il").write_text(_renamed(rtlil))
    (folder / "gate.v").write_text(verilog)
    (folder / "prove.ys").write_text(SCRIPT.format(top=top))
    command = tools.yosys_command("prove.ys")
    return tools.run(command, cwd=folder, log=folder / "log", timeout=300).output


def _renamed(rtlil: str) -> str:
    """The netlist with the wires' names of the Verilog."""
    modules = parse(rtlil)
    every = {module.name: set(module.wires) for module in modules}
    clean(modules)
    names: dict[str, dict[str, str]] = {}
    for module in modules:
        kept = ModuleText(module, {}).wires
        given = {name: f"\\{kept[name]}" for name in kept if not name.startswith("$")}
        # What has gone is not to be paired with what has its name now.
        gone = {name: f"\\gone.{name}" for name in every[module.name] - kept.keys()}
        names[module.name] = {**gone, **given}
    lines, wires, pins, in_cell = [], dict[str, str](), dict[str, str](), False
    for line in rtlil.splitlines():
        words = line.split()
        match words:
            case ["module", name]:
                wires = names[name[1:]]
            case ["cell", kind, name]:
                inner = names.get(kind[1:])
                pins = inner if inner is not None else {}
                in_cell = True
                placed = inner is None and not kind.startswith("$")
                words[2] = name if name.startswith("$") else f"\\{port_name(name[1:])}"
            case ["end"]:
                in_cell = False
            case ["connect", pin, *value] if in_cell:
                fallback = f"\\{port_name(pin[1:])}" if placed else pin
                words = ["connect", pins.get(pin[1:], fallback), *_called(value, wires)]
            case ["parameter" | "attribute" | "memory", *_]:
                pass
            case _:
                words = _called(words, wires)
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _called(words: list[str], wires: dict[str, str]) -> list[str]:
    return [wires.get(_key(word), word) if word[0] in "\\$" else word for word in words]


def _key(word: str) -> str:
    return f"_{word[2:]}" if word.startswith("\\$") else word.removeprefix("\\")
