"""Synthesis by Yosys and ABC: Verilog in, a mapped netlist out, hierarchy known to the end.

Modules are mapped one by one and flattened afterwards, so that every instance's name tells which
part of the design it belongs to: `weight_scratchpad.storage._12_`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from characterize import tools
from characterize.technology import Technology
from rtl_gen.errors import ToolError, UserError

TIMEOUT_S = 600.0

#: Memories in the design: not synthesized, `characterize.memory` knows them.
MEMORY = re.compile(r"sram_\d+x\d+")

#: What ABC does with each module, by the name of the recipe. Fast: choices, mapping for delay with
#: area recovery, then buffers and sizes for the real loads. Small: mapping for area, and buffers.
ABC_SCRIPTS = {
    "fast": "strash\ndch\nmap -B 0.9\ntopo\nbuffer -c\nupsize -c\ndnsize -c\n",
    "small": "strash\n&get -n\n&fraig -x\n&put\nscorr\ndc2\ndch -f\nstrash\n&nf\n&put\n"
    "buffer -c\ntopo\ndnsize -c\n",
}

#: Of the recipe below: a new one makes new samples.
RECIPE_VERSION = "3"

#: How products are formed (decision 13). Of signed operands by Booth's recoding: rows of an array
#: where few do (the recoded operand is the second, the weight), else summed by a tree. Of unsigned
#: ones, significands above all, only if both are wide. Yosys leaves operands under 4 bits alone.
MULTIPLIERS = """\
booth -lowpower t:$mul r:A_SIGNED=1 %i r:A_WIDTH>=8 %i r:B_WIDTH<=6 %i
booth t:$mul r:A_SIGNED=1 %i
booth t:$mul r:A_WIDTH>=16 %i r:B_WIDTH>=16 %i"""

#: The recipe. `-noabc` keeps Yosys from running ABC once per clock enable; what comes before is
#: what `synth` does before it forms products. Runs in the folder that holds its files.
RECIPE = """\
{reads}
read_verilog design.v
hierarchy -check -top {top}
proc
opt_expr
opt_clean
wreduce
peepopt
opt_clean
{multipliers}
synth -noabc -top {top}
dfflibmap {liberties}
opt
setundef -zero
{latches}
{mappings}
setundef -zero
opt_clean -purge
{ties}
attrmap -remove init
rename -enumerate
tee -q -o hierarchy.json stat -json {liberties}
flatten
splitnets
opt_clean -purge
check -mapped -assert
{finish}
tee -q -o flat.json stat -json {liberties}
write_verilog -noattr -noexpr -nohex -nodec mapped.v
write_json netlist.json
"""

_SIGNED = re.compile(r"^(\s*(?:input|output|inout|wire|reg)) signed\b", re.MULTILINE)
_REPLICATION = re.compile(r"\{\s*(\d+)\{(1'[bh]([01x]))\}\s*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """What came out of synthesis.

    Parameters
    ----------
    json : the flat mapped netlist for simulation and power (Yosys `write_json`).
    verilog : the same for OpenSTA; same names of instances.
    cells, area_um2 : of the whole design, memories aside.
    modules : Verilog module -> area in um2 of one instance of it, its submodules included.
    """

    json: Path
    verilog: Path
    cells: int
    area_um2: float
    modules: dict[str, float]


def synthesize(
    verilog: str,
    top: str,
    *,
    technology: Technology,
    liberty: Sequence[Path],
    workdir: Path,
    recipe: str = "fast",
    modules: tuple[str, str] | None = None,
    latch_map: str = "",
    finish: str = "",
    timeout: float = TIMEOUT_S,
) -> Synthesis:
    """Map `verilog` to the cells of a technology.

    Parameters
    ----------
    verilog : text of all modules.
    top : name of the top module.
    liberty : the technology's prepared files (`cell_files.prepare`).
    workdir : existing folder for all files of the run.
    recipe : one of `ABC_SCRIPTS`.
    modules : names (patterns, as Yosys has them) of modules to map by another recipe, and which.
    latch_map : Yosys' techmap of latches (`storage_cells.latch_map`).
    finish : Yosys commands, run on the flat netlist before it is written.
    timeout : seconds; ABC can hang.

    Raises
    ------
    ToolError
        When Yosys is missing, fails, takes too long, or leaves anything unmapped.
    """
    workdir = workdir.absolute()
    if not re.fullmatch(r"\w+", top, re.ASCII):
        raise UserError(f"top must be letters, digits and _, not {top!r}")
    # What is mapped is left alone by what comes after.
    mappings = [*([modules] if modules else []), ("", recipe)]
    for _, name in mappings:
        if name not in ABC_SCRIPTS:
            raise UserError(f"recipe must be one of {', '.join(ABC_SCRIPTS)}, not {name!r}")
    (workdir / "design.v").write_text(verilog, encoding="utf-8")
    for name, commands in ABC_SCRIPTS.items():
        (workdir / f"{name}.script").write_text(commands, encoding="utf-8")
    (workdir / "latches.v").write_text(latch_map, encoding="utf-8")
    (workdir / "abc.constr").write_text(
        f"set_driving_cell {technology.driving_cell}\nset_load {technology.output_load_ff:g}\n",
        encoding="utf-8",
    )
    (workdir / "synthesis.ys").write_text(
        _script(top, finish, mappings, technology, liberty, workdir)
    )
    log = workdir / "synthesis.log"
    command = tools.yosys_command("synthesis.ys")
    # Yosys keeps a cache of libraries in TMPDIR that nobody clears: with the files of the run.
    env = {"TMPDIR": str(workdir)}
    done = tools.run(command, cwd=workdir, log=log, timeout=timeout, env=env)
    flat = _statistics(workdir / "flat.json")[top]
    types: Mapping[str, int] = flat["num_cells_by_type"]
    unmapped = [name for name in types if name.startswith("$")]
    memories = sum(count for name, count in types.items() if MEMORY.fullmatch(name))
    if unmapped:
        raise ToolError(
            f"Yosys left cells unmapped: {', '.join(sorted(unmapped))}",
            command=done.command,
            log=str(log),
            tail=tools.last_lines(done.output),
        )
    mapped = workdir / "netlist.v"
    mapped.write_text(_for_opensta((workdir / "mapped.v").read_text(encoding="utf-8")))
    return Synthesis(
        json=workdir / "netlist.json",
        verilog=mapped,
        cells=int(flat["num_cells"]) - memories,
        area_um2=float(flat.get("area", 0)),  # Yosys leaves it out where there are no cells
        modules={
            name: float(module.get("area", 0))
            for name, module in _statistics(workdir / "hierarchy.json").items()
        },
    )


def _script(
    top: str,
    finish: str,
    mappings: Sequence[tuple[str, str]],
    technology: Technology,
    liberty: Sequence[Path],
    workdir: Path,
) -> str:
    names = []
    for number, path in enumerate(liberty):
        # Yosys' scripts have no quoting that holds for every path: short names, in this folder.
        name = workdir / f"cells_{number}.lib"
        if name != path.absolute():
            name.unlink(missing_ok=True)
            name.symlink_to(path.absolute())
        names.append(name.name)
    # -lib: the cells' ports and functions, without which `check` does not know what drives a net.
    reads = [f"read_liberty -lib -ignore_miss_func -ignore_miss_dir {name}" for name in names]
    ties = [
        f"hilomap -singleton {option} {tie[0]} {tie[1]}"
        for option, tie in (("-hicell", technology.tie_high), ("-locell", technology.tie_low))
        if tie is not None
    ]
    liberties = " ".join(f"-liberty {name}" for name in names)
    # Cells for scratchpads are in the library, but not for ABC to take.
    dont_use = " ".join(
        f"-dont_use {cell}" for cell in (technology.latch, technology.clock_gate) if cell
    )
    abc = f"abc {liberties} {dont_use} -constr abc.constr -script"
    return RECIPE.format(
        top=top,
        multipliers=MULTIPLIERS,
        finish=finish,
        latches="techmap -map latches.v",
        mappings="\n".join(f"{abc} {name}.script {chosen}" for chosen, name in mappings),
        reads="\n".join(reads),
        liberties=liberties,
        ties="\n".join(ties),
    )


def _for_opensta(text: str) -> str:
    """The netlist without what OpenSTA's reader calls a syntax error."""
    text = _SIGNED.sub(r"\1", text)
    return _REPLICATION.sub(lambda match: f"{match[1]}'b{match[3] * int(match[1])}", text)


def _statistics(path: Path) -> dict[str, Any]:
    """Module -> what Yosys' `stat -json` says of it."""
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
    except (OSError, ValueError) as error:
        raise ToolError(f"Yosys must leave a whole {path.name}, it did not: {error}") from error
    return {name.removeprefix("\\"): module for name, module in modules.items()}
