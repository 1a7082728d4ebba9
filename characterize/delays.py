"""Delays of every arc of a mapped netlist, as OpenSTA calculates them and writes them as SDF."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from characterize import tools
from characterize.technology import Technology
from rtl_gen.errors import ToolError

TIMEOUT_S = 600.0

#: Loads and drivers are those of `timing.SCRIPT`; the period matters to no delay.
SCRIPT = """\
{read_liberty}
read_verilog netlist.v
link_design {top}
set_cmd_units -time ns -capacitance pF -resistance kOhm -voltage V -current mA -power mW
create_clock -name clk -period {clock_ns} [get_ports -quiet clk]
foreach port [all_inputs] {{
  if {{[get_property $port full_name] eq "clk"}} continue
  set_input_delay 0 -clock clk $port
  set_driving_cell -lib_cell {driving_cell} $port
}}
set_load {output_load_pf} [all_outputs]
write_sdf -divider / -digits 6 -no_timestamp -no_version delays.sdf
exit
"""

_TIMESCALE = re.compile(r"\(TIMESCALE ([\d.]+) ?([munpf]s)\)")
_NS = {"ms": 1e6, "us": 1e3, "ns": 1.0, "ps": 1e-3, "fs": 1e-6}
_INSTANCE = re.compile(r"\(INSTANCE (\S+)\)")
_CONDITION = re.compile(r"\(COND (.*)$")
_LITERAL = re.compile(r"(\w+)\s*==\s*1'b([01])")
_TRIPLE = r"\(([-\d.e:+]*)\)"
_ARC = re.compile(rf"\((IOPATH|INTERCONNECT) (\(\w+ \S+\)|\S+) (\S+) {_TRIPLE}(?: {_TRIPLE})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """From an input pin of an instance to one of its outputs, in ns.

    Parameters
    ----------
    when : values of other pins under which it holds; empty where it always does.
    rise_ns, fall_ns : by the edge at the output; None where there is no such edge.
    """

    pin: str
    output: str
    when: Mapping[str, bool]
    rise_ns: float | None
    fall_ns: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """The arcs of every instance, and what every bit of an input port waits for its driver.

    Parameters
    ----------
    arcs : by the instance's name.
    inputs : (rise, fall) in ns by "port[bit]", or "port" where it has one bit.
    """

    arcs: Mapping[str, tuple[Arc, ...]]
    inputs: Mapping[str, tuple[float, float]]


def read_delays(
    verilog: Path,
    top: str,
    liberty: Sequence[Path],
    technology: Technology,
    *,
    workdir: Path,
    timeout: float = TIMEOUT_S,
) -> Delays:
    """The delays of a flat mapped netlist.

    Parameters
    ----------
    verilog, top, liberty : as of `timing.analyze`.
    workdir : folder for the script, the log and the SDF file.

    Raises
    ------
    ToolError
        When OpenSTA is missing, fails, takes too long or writes no delay.
    """
    workdir = workdir.absolute()
    files = {"netlist.v": verilog, **{f"cells_{i}.lib": path for i, path in enumerate(liberty)}}
    for name, path in files.items():
        if path.absolute() != workdir / name:
            (workdir / name).unlink(missing_ok=True)
            (workdir / name).symlink_to(path.absolute())
    script = SCRIPT.format(
        read_liberty="\n".join(f"read_liberty cells_{i}.lib" for i in range(len(liberty))),
        top=top,
        clock_ns=technology.clock_ns,
        driving_cell=technology.driving_cell,
        output_load_pf=technology.output_load_ff / 1000,
    )
    (workdir / "delays.tcl").write_text(script, encoding="utf-8")
    log, sdf = workdir / "delays.log", workdir / "delays.sdf"
    sdf.unlink(missing_ok=True)
    command = [str(tools.find("sta")), "-no_init", "-no_splash", "-exit", "delays.tcl"]
    done = tools.run(command, cwd=workdir, log=log, timeout=timeout)
    delays = parse_sdf(sdf.read_text(encoding="utf-8") if sdf.exists() else "")
    if not delays.arcs:
        tail = tools.last_lines(done.output)
        raise ToolError("OpenSTA wrote no delays", command=done.command, log=str(log), tail=tail)
    return delays


def parse_sdf(text: str) -> Delays:
    """The delays in an SDF file as OpenSTA writes it, one arc or condition a line.

    Its unit of time is the Liberty file's; 1 ns where it names none, as the format has it. Of the
    earliest and the latest delay the latest counts, which is what the longest path is of.
    """
    arcs: dict[str, list[Arc]] = {}
    inputs: dict[str, tuple[float, float]] = {}
    unit_ns, instance, when = 1.0, "", {}
    for line in text.splitlines():
        if found := _TIMESCALE.search(line):
            unit_ns = float(found[1]) * _NS[found[2]]
        elif found := _INSTANCE.search(line):
            instance = _plain(found[1])
        elif found := _CONDITION.search(line):
            when = _literals(found[1])
        elif found := _ARC.search(line):
            rise, fall = _latest(found[4], unit_ns), _latest(found[5], unit_ns)
            source = _plain(found[2].strip("()").split()[-1])
            if found[1] == "IOPATH":
                arc = Arc(
                    pin=source, output=_plain(found[3]), when=when, rise_ns=rise, fall_ns=fall
                )
                arcs.setdefault(instance, []).append(arc)
            elif "/" not in source:
                before = inputs.get(source, (0.0, 0.0))
                inputs[source] = max(before[0], rise or 0.0), max(before[1], fall or 0.0)
            when = {}
    return Delays(arcs={name: tuple(found) for name, found in arcs.items()}, inputs=inputs)


def _literals(condition: str) -> dict[str, bool]:
    """The pins that must have a value; a condition that is no conjunction holds always."""
    if "|" in condition:
        return {}
    return {pin: value == "1" for pin, value in _LITERAL.findall(condition)}


def _latest(triple: str | None, unit_ns: float) -> float | None:
    """The largest of minimum, typical and maximum, in ns."""
    numbers = [float(number) for number in (triple or "").split(":") if number]
    return max(numbers) * unit_ns if numbers else None


def _plain(name: str) -> str:
    """A name without SDF's escapes."""
    return re.sub(r"\\(.)", r"\1", name)
