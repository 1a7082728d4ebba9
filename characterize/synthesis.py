"""Synthesis by Yosys and ABC: Verilog in, a mapped netlist out, hierarchy known to the end.

Modules are mapped one by one, each in a copy of the process that has read the library and nothing
else, so that a module's netlist depends on its own text only. What is mapped already is taken from
a cache: of PEs that differ in one scratchpad the rest is the same. Then they are put together and
flattened, and every instance's name tells which part of the design it belongs to:
`weight_scratchpad.storage._12_`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from characterize import tools
from characterize.sample import digest
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
RECIPE_VERSION = "4"

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
opt_clean -purge
{ties}
attrmap -remove init -remove src
rename -enumerate
select {module}
write_rtlil -selected {file}.il
"""

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

_MODULE = re.compile(
    r"^(?P<box>\(\* *blackbox *\*\)\s*)?(?P<head>module (?P<name>\w+)\b[^;]*;).*?\bendmodule\b",
    re.MULTILINE | re.DOTALL,
)
#: What a module is called while it is mapped.
SELF = "self_"

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
    modules: tuple[Sequence[str], str] | None = None,
    cache: Path | None = None,
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
    modules : patterns of names of modules to map by another recipe, and which.
    cache : existing folder for mapped modules, shared by runs; None for none.
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
    patterns, other = modules or ((), recipe)
    for name in (recipe, other):
        if name not in ABC_SCRIPTS:
            raise UserError(f"recipe must be one of {', '.join(ABC_SCRIPTS)}, not {name!r}")

    def recipe_of(module: str) -> str:
        return other if any(fnmatchcase(module, one) for one in patterns) else recipe

    scripts = _scripts(technology, liberty, workdir, latch_map)
    reads, missing = _map(_modules(verilog, top), scripts, recipe_of, cache, workdir)
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
            _keep(workdir / f"{key}.il", cache / f"{key}.il")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """One module's text; its head as a black box; the modules that it places."""

    text: str
    stub: str
    black_box: bool
    places: tuple[str, ...]


def _modules(verilog: str, top: str) -> dict[str, _Module]:
    """The modules below `top`, and itself, by name."""
    texts = {match["name"]: match for match in _MODULE.finditer(verilog)}
    if top not in texts:
        raise UserError(f"top must be one of the modules {', '.join(texts) or '(none)'}, not {top}")
    placed = re.compile(rf"^\s*({'|'.join(map(re.escape, texts))})\s+[\\\w]", re.MULTILINE)
    found: dict[str, _Module] = {}
    waiting = [top]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        match = texts[name]
        places = tuple(sorted({one[1] for one in placed.finditer(match[0])} - {name}))
        found[name] = _Module(
            text=match[0],
            stub=f"(* blackbox *)\n{match['head']}\nendmodule\n",
            black_box=match["box"] is not None,
            places=places,
        )
        waiting += places
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scripts:
    """What all scripts of a run have in common; `identity` is what is not in their text."""

    liberties: str
    dont_use: str
    ties: str
    identity: Mapping[str, Any]


def _scripts(
    technology: Technology, liberty: Sequence[Path], workdir: Path, latch_map: str
) -> _Scripts:
    """Write what the scripts read, and the first of them."""
    names = []
    for number, path in enumerate(liberty):
        # Yosys' scripts have no quoting that holds for every path: short names, in this folder.
        name = workdir / f"cells_{number}.lib"
        if name != path.absolute():
            name.unlink(missing_ok=True)
            name.symlink_to(path.absolute())
        names.append(name.name)
    for recipe, commands in ABC_SCRIPTS.items():
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
    return _Scripts(
        liberties=" ".join(f"-liberty {name}" for name in names),
        dont_use=" ".join(dont_use),
        ties="\n".join(ties),
        identity={
            "technology": technology.identity(),
            "latches": latch_map,
            "yosys": tools.versions().get("yosys"),
        },
    )


def _map(
    modules: Mapping[str, _Module],
    scripts: _Scripts,
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
        )
        key = digest(
            {"text": text, "script": script, "abc": ABC_SCRIPTS[recipe], **scripts.identity}
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


def _keep(netlist: Path, place: Path) -> None:
    """Put a module's netlist into the cache, whole or not at all."""
    part = place.with_suffix(f".{os.getpid()}")
    shutil.copyfile(netlist, part)
    part.replace(place)


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
