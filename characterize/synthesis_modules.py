"""Modules for synthesis: taken apart, named by all that their netlists depend on, mapped or found.

A module is mapped in a copy of the process that has read the library and nothing else, the modules
that it places being black boxes (docs/decisions/0019-modules-are-mapped-alone.md).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from characterize import tools
from characterize.cells import Library
from characterize.sample import digest
from characterize.technology import Technology
from rtl_gen.errors import UserError
from rtl_gen.interfaces import INTERFACES

#: Modules that are mapped as one with all below them, since paths go back and forth between those
#: within a cycle: ABC, which takes every input to be there at the clock's edge, would put the last
#: of them first (docs/decisions/0022-what-sets-the-clock.md).
TOGETHER = ("controller",)
#: Module -> inputs (patterns) that get a buffer each: those that a register drives in many places.
BUFFERED = {"pe": INTERFACES["pe"].inputs["order"]}

#: What ABC does with each module, by the name of the recipe. Fast: choices, mapping for delay with
#: area recovery, then buffers and sizes for the real loads. Small: mapping for area, and buffers.
#: Target: as fast, but area is recovered as far as `{target_ps}` allows.
ABC_SCRIPTS = {
    "fast": "strash\ndch\nmap -B 0.9\ntopo\nbuffer -c\nupsize -c\ndnsize -c\n",
    "small": "strash\n&get -n\n&fraig -x\n&put\nscorr\ndc2\ndch -f\nstrash\n&nf\n&put\n"
    "buffer -c\ntopo\ndnsize -c\n",
    "target": "strash\ndch\nmap -B 0.9 -D {target_ps}\ntopo\nbuffer -c\nupsize -c -D {target_ps}\n"
    "dnsize -c -D {target_ps}\n",
}
#: Of the clock period, what is left for ABC's target: a flip-flop and other modules on the path
#: take time, too, which ABC does not see.
TARGET_SHARE = 0.8

#: How products are formed (decision 13). Of signed operands by Booth's recoding: rows of an array
#: where few do (the recoded operand is the second, the weight), else summed by a tree. Of unsigned
#: ones, significands above all, only if both are wide. Yosys leaves operands under 4 bits alone.
MULTIPLIERS = """\
booth -lowpower t:$mul r:A_SIGNED=1 %i r:A_WIDTH>=8 %i r:B_WIDTH<=6 %i
booth t:$mul r:A_SIGNED=1 %i
booth t:$mul r:A_WIDTH>=16 %i r:B_WIDTH>=16 %i"""

#: Before all: the cells' ports and functions, without which `check` knows no driver of a net.
LIBRARY = "read_liberty -lib -ignore_miss_func -ignore_miss_dir"

#: The recipe, of one module; those below it are black boxes. `-noabc` keeps Yosys from running ABC
#: once per clock enable; what comes before is what `synth` does before it forms products. Runs in
#: the folder that holds its files.
RECIPE = """\
read_verilog {file}.v
hierarchy -check -top {module}
proc
opt_expr
flatten
opt_clean
wreduce
peepopt
opt_clean
{multipliers}
synth -noabc -top {module}
dfflibmap {liberties}
opt
setundef -zero
techmap -map latches.v
abc {liberties} {dont_use} -constr abc.constr -script {recipe}.script
setundef -zero
{buffers}
opt_clean -purge
{ties}
attrmap -remove init -remove src
rename -enumerate
select {module}
write_rtlil -selected {file}.il
"""

_MODULE = re.compile(
    r"^(?P<box>\(\* *blackbox *\*\)\s*)?(?P<head>module (?P<name>\w+)\b[^;]*;).*?\bendmodule\b",
    re.MULTILINE | re.DOTALL,
)
#: What a module is called while it is mapped.
SELF = "self_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module's text, and those of all that is mapped with it; its head as a black box; the
    modules that it places."""

    text: str
    stub: str
    black_box: bool
    places: tuple[str, ...]


def input_buffer(technology: Technology, library: Library) -> str:
    """What Yosys' `iopadmap` is told of the driving cell, "" where that is no buffer."""
    cell = library.cell(technology.driving_cell)
    outputs = [pin for pin in cell.pins.values() if pin.direction == "output"]
    if len(outputs) != 1 or outputs[0].function is None or outputs[0].function.operator != "pin":
        return ""
    return f"-inpad {cell.name} {outputs[0].name}:{outputs[0].function.name}"


def modules_below(verilog: str, top: str) -> dict[str, Module]:
    """The modules below `top`, and itself, by name."""
    texts = {match["name"]: match for match in _MODULE.finditer(verilog)}
    if top not in texts:
        raise UserError(f"top must be one of the modules {', '.join(texts) or '(none)'}, not {top}")
    placed = re.compile(rf"^\s*({'|'.join(map(re.escape, texts))})\s+[\\\w]", re.MULTILINE)

    def places(name: str) -> set[str]:
        return {one[1] for one in placed.finditer(texts[name][0])} - {name}

    found: dict[str, Module] = {}
    waiting = [top]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        within = [name]
        if name in TOGETHER:
            for inner in within:
                whole = (one for one in sorted(places(inner)) if texts[one]["box"] is None)
                within += (one for one in whole if one not in within)
        outside = set().union(*map(places, within)) - set(within)
        found[name] = Module(
            text="\n".join(texts[one][0] for one in within),
            stub=f"(* blackbox *)\n{texts[name]['head']}\nendmodule\n",
            black_box=texts[name]["box"] is not None,
            places=tuple(sorted(outside)),
        )
        waiting += found[name].places
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What all scripts of a run have in common.

    `buffer` names the cell of `BUFFERED` to `iopadmap`, `abc` is ABC's script by recipe, `identity`
    is what is not in their text.
    """

    liberties: str
    dont_use: str
    ties: str
    buffer: str
    abc: Mapping[str, str]
    identity: Mapping[str, Any]


def prepare_folder(
    technology: Technology,
    liberty: Sequence[Path],
    workdir: Path,
    latch_map: str,
    buffer: str,
    clock_ns: float,
) -> Common:
    """Write what the scripts read, and the first of them."""
    names = []
    for number, path in enumerate(liberty):
        # Yosys' scripts have no quoting that holds for every path: short names, in this folder.
        name = workdir / f"cells_{number}.lib"
        if name != path.absolute():
            name.unlink(missing_ok=True)
            name.symlink_to(path.absolute())
        names.append(name.name)
    target_ps = round(1000 * TARGET_SHARE * clock_ns)
    abc = {recipe: text.format(target_ps=target_ps) for recipe, text in ABC_SCRIPTS.items()}
    for recipe, commands in abc.items():
        (workdir / f"{recipe}.script").write_text(commands, encoding="utf-8")
    (workdir / "latches.v").write_text(latch_map, encoding="utf-8")
    (workdir / "abc.constr").write_text(
        f"set_driving_cell {technology.driving_cell}\nset_load {technology.output_load_ff:g}\n",
        encoding="utf-8",
    )
    (workdir / "library.ys").write_text("".join(f"{LIBRARY} {name}\n" for name in names))
    # Cells for scratchpads are in the library, but not for ABC to take.
    dont_use = [f"-dont_use {cell}" for cell in (technology.latch, technology.clock_gate) if cell]
    ties = [
        f"hilomap -singleton {option} {tie[0]} {tie[1]}"
        for option, tie in (("-hicell", technology.tie_high), ("-locell", technology.tie_low))
        if tie is not None
    ]
    return Common(
        liberties=" ".join(f"-liberty {name}" for name in names),
        dont_use=" ".join(dont_use),
        ties="\n".join(ties),
        buffer=buffer,
        abc=abc,
        identity={
            "technology": technology.identity(),
            "latches": latch_map,
            "yosys": tools.versions().get("yosys"),
        },
    )


def map_modules(
    modules: Mapping[str, Module],
    scripts: Common,
    recipe_of: Callable[[str], str],
    cache: Path | None,
    workdir: Path,
) -> tuple[list[str], list[str]]:
    """Take modules from the cache, and write the scripts that map those that are not there.

    Modules that differ in their names only are one.

    Returns
    -------
    list of str
        The commands that read all modules, mapped.
    list of str
        Keys of the modules to map, KEY.ys being the script and KEY.il what it makes: SHA-256 of all
        that a netlist depends on.
    """
    reads, missing = [], []
    seen: set[str] = set()
    for name, module in modules.items():
        if module.black_box:
            (workdir / f"{name}.v").write_text(module.stub, encoding="utf-8")
            reads.append(f"read_verilog {name}.v")
            continue
        own = re.sub(rf"^(.*?\bmodule ){name}\b", rf"\1{SELF}", module.text, count=1, flags=re.S)
        text = "\n".join([own, *(modules[one].stub for one in module.places), ""])
        recipe = recipe_of(name)
        script = RECIPE.format(
            module=SELF,
            file="{file}",
            recipe=recipe,
            multipliers=MULTIPLIERS,
            liberties=scripts.liberties,
            dont_use=scripts.dont_use,
            ties=scripts.ties,
            buffers=_buffers(scripts.buffer, BUFFERED.get(name, ())),
        )
        key = digest(
            {"text": text, "script": script, "abc": scripts.abc[recipe], **scripts.identity}
        )
        reads += [f"read_rtlil {key}.il", f"rename {SELF} {name}"]
        kept = None if cache is None else cache / f"{key}.il"
        if key in seen:
            continue
        seen.add(key)
        (workdir / f"{key}.v").write_text(text, encoding="utf-8")
        if kept is not None and kept.is_file():
            shutil.copyfile(kept, workdir / f"{key}.il")
        else:
            (workdir / f"{key}.ys").write_text(script.replace("{file}", key), encoding="utf-8")
            missing.append(key)
    return reads, missing


def _buffers(cell: str, inputs: Sequence[str]) -> str:
    """The command that puts a buffer behind inputs of the module that is being mapped."""
    if not cell or not inputs:
        return ""
    return f"iopadmap -bits {cell} {' '.join(f'{SELF}/w:{one}' for one in inputs)}"


def keep(netlist: Path, place: Path) -> None:
    """Put a module's netlist into the cache, whole or not at all."""
    part = place.with_suffix(f".{os.getpid()}")
    shutil.copyfile(netlist, part)
    part.replace(place)
