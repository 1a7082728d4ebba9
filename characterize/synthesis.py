"""Synthesis by Yosys and ABC: Verilog in, a mapped netlist out, hierarchy known to the end.

Modules are mapped one by one, each in a copy of the process that has read the library and nothing
else, so that a module's netlist depends on its own text only. What is mapped already is taken from
a cache: of PEs that differ in one scratchpad the rest is the same. Then they are put together and
flattened, and every instance's name tells which part of the design it belongs to:
`weight_scratchpad.storage._12_`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from characterize import tools
from characterize.synthesis_modules import (
    ABC_SCRIPTS,
    keep,
    map_modules,
    modules_below,
    prepare_folder,
)
from characterize.technology import Technology
from rtl_gen.errors import ToolError, UserError

TIMEOUT_S = 600.0

#: Memories in the design: not synthesized, `characterize.memory` knows them.
MEMORY = re.compile(r"sram_\d+x\d+")

#: Of all that Yosys and ABC are told: a new one makes new samples.
RECIPE_VERSION = "5"

#: The modules together.
LINK = """\
{reads}
hierarchy -check -top {top}
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
    clock_ns: float | None = None,
    modules: tuple[Sequence[str], str] | None = None,
    cache: Path | None = None,
    latch_map: str = "",
    buffer: str = "",
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
    clock_ns : period of the clock, which the recipe "target" maps for; None for the technology's.
    modules : patterns of names of modules to map by another recipe, and which.
    cache : existing folder for mapped modules, shared by runs; None for none.
    latch_map : Yosys' techmap of latches (`storage_cells.latch_map`).
    buffer : cell behind the inputs of `BUFFERED` (`input_buffer`); "" for none.
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
    patterns, other = modules or ((), recipe)
    for name in (recipe, other):
        if name not in ABC_SCRIPTS:
            raise UserError(f"recipe must be one of {', '.join(ABC_SCRIPTS)}, not {name!r}")

    def recipe_of(module: str) -> str:
        return other if any(fnmatchcase(module, one) for one in patterns) else recipe

    scripts = prepare_folder(
        technology, liberty, workdir, latch_map, buffer, clock_ns or technology.clock_ns
    )
    reads, missing = map_modules(modules_below(verilog, top), scripts, recipe_of, cache, workdir)
    (workdir / "link.ys").write_text(
        LINK.format(top=top, reads="\n".join(reads), liberties=scripts.liberties, finish=finish)
    )
    log = workdir / "synthesis.log"
    command = tools.yosys_command("library.ys", *(f"{key}.ys" for key in missing), "link.ys")
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
    if cache is not None:
        for key in missing:
            keep(workdir / f"{key}.il", cache / f"{key}.il")
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
