"""Static timing of a mapped netlist by OpenSTA: shortest clock period, critical path, pin slews.

OpenSTA's timing and slews are used, its power is not (docs/explanation says why). The clock comes
without delay to the component; through its clock gates it is propagated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from characterize import tools
from characterize.technology import Technology
from rtl_gen.errors import ToolError
from rtl_gen.interfaces import CLOCK, FALL, RESET, Interfaces, segment_name

TIMEOUT_S = 600.0
#: Part of the period that is as good as no time.
INSTANT = 1e-4

_SLACK = re.compile(r"^\s*(-?[\d.]+)\s+slack \((MET|VIOLATED)\)$", re.MULTILINE)

#: Runs in the folder that holds its files, under names of ours: nothing of the user's is pasted
#: into it but what `_word` has checked. OpenSTA says nothing when a file can't be read or a
#: cell is unknown; hence the counts, which `analyze` compares.
SCRIPT = """\
{read_liberty}
read_verilog netlist.v
link_design {top}
set_cmd_units -time ns -capacitance pF -resistance kOhm -voltage V -current mA -power mW
set clock_ports [get_ports -quiet clk]
if {{[llength $clock_ports] == 0}} {{
  create_clock -name clk -period {clock_ns}
}} else {{
  create_clock -name clk -period {clock_ns} $clock_ports
}}
set_propagated_clock [all_clocks]
set inputs {{}}
foreach port [all_inputs] {{
  if {{[get_property $port full_name] eq "clk"}} continue
  set_driving_cell -lib_cell {driving_cell} $port
  lappend inputs $port
}}
set_load {output_load_pf} [all_outputs]
puts "QUIDAM cells [llength [get_cells -quiet *]]"
set latches [all_registers -level_sensitive -data_pins]
set falling [all_registers -fall_clock [all_clocks] -edge_triggered -data_pins]
{segments}
if {{[llength $inputs]}} {{set_input_delay 0 -clock clk $inputs}}
set_output_delay 0 -clock clk [all_outputs]
proc quidam_slew {{stream thing vertices}} {{
  set vertex [lindex $vertices 0]
  if {{$vertex ne "NULL" && $vertex ne ""}} {{
    set rise [lindex [$vertex slews rise] 0]
    set fall [lindex [$vertex slews fall] 0]
    puts $stream "[get_full_name $thing] $rise $fall"
  }}
}}
set full {{}}
if {{[llength $falling]}} {{
  set full [list -rise_from [all_clocks] -rise_to [all_clocks]]
  foreach half {{-fall_from -fall_to}} {{
    puts "QUIDAM path half"
    report_checks -path_delay max -format full -digits 6 $half [all_clocks]
  }}
}}
if {{[llength $latches]}} {{
  # Every latch that is open has no slack to spare, however fast: only what is behind it tells.
  puts "QUIDAM path full"
  set ends [concat [all_registers -edge_triggered -data_pins] [all_outputs]]
  report_checks -path_delay max -format full -digits 6 -to $ends
}}
set stream [open slews.txt w]
foreach pin [get_pins -hierarchical *] {{
  if {{[$pin is_driver]}} {{quidam_slew $stream $pin [$pin vertices]}}
}}
foreach port [all_inputs] {{
  quidam_slew $stream $port [[sta::find_pin [get_full_name $port]] vertices]
}}
close $stream
if {{[llength $latches]}} {{
  # How long a latch must be open, which is half of the period: closed at once, it says so.
  puts "QUIDAM path latches"
  create_clock -name clk -period {clock_ns} -waveform {{0 {instant}}} $clock_ports
  set_propagated_clock [all_clocks]
  report_checks -path_delay max -format full -digits 6 -to $latches
  create_clock -name clk -period {clock_ns} $clock_ports
  set_propagated_clock [all_clocks]
  set_false_path -to $latches
}}
puts "QUIDAM path full"
report_checks -path_delay max -format full -digits 6 {{*}}$full
exit
"""

#: What the table of interfaces asks for: paths from registers to outputs while the inputs belong to
#: no clock, then paths from inputs to registers while nobody waits for the outputs, then ways
#: through. Groups of ports are Tcl variables of our own names.
SEGMENTS = """\
proc quidam_ports {{ports pattern}} {{
  set found {{}}
  foreach port $ports {{
    if {{[regexp $pattern [get_property $port full_name]]}} {{lappend found $port}}
  }}
  return $found
}}
proc quidam_segment {{name args}} {{
  foreach ports $args {{if {{![llength $ports]}} return}}
  puts "QUIDAM segment $name"
  report_checks -path_delay max -format full -digits 6 {{*}}$args
}}
{groups}
set_output_delay 0 -clock clk [all_outputs]
{launches}
unset_output_delay -clock clk 0 [all_outputs]
if {{[llength $inputs]}} {{set_input_delay 0 -clock clk $inputs}}
if {{[llength $falling]}} {{
{falls}
  set rising [list -rise_to [all_clocks]]
}} else {{
  set rising {{}}
}}
{captures}
set_output_delay 0 -clock clk [all_outputs]
{throughs}
puts "QUIDAM segments end"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What timing analysis says of a netlist.

    Parameters
    ----------
    min_period_ns : shortest clock period at which every path meets its setup time; inputs arrive
        at the clock edge and outputs are wanted at the next one, so that a component without
        registers has its delay from input to output here. The clock is high half of the time:
        what must be ready when it falls has half a period.
    critical_path : OpenSTA's report of the slowest path; `ends` names where it starts and ends.
    slews : of what drives nets, "instance/pin" or "port" -> (rise, fall) slew in ns; other pins on
        a net have the same.
    segments_ns : the longest of the paths that go on in other components, by segment ("here" of a
        row is "clock>here"): how late outputs are after the edge, how long before the edge inputs
        must be there (before the falling one: "word>fall"), and how long ways through take.
    """

    min_period_ns: float
    critical_path: str
    slews: dict[str, tuple[float, float]]
    segments_ns: dict[str, float] = field(default_factory=dict)

    @property
    def ends(self) -> list[str]:
        return re.findall(r"^(?:Startpoint|Endpoint): (\S+)", self.critical_path, re.MULTILINE)


def analyze(
    verilog: Path,
    top: str,
    liberty: Sequence[Path],
    technology: Technology,
    *,
    clock_ns: float,
    cells: int,
    workdir: Path,
    interfaces: Interfaces | None = None,
    timeout: float = TIMEOUT_S,
) -> Timing:
    """Analyze a flat mapped netlist.

    Parameters
    ----------
    verilog : the netlist, as `synthesis.synthesize` writes it.
    top : name of its module.
    liberty : plain Liberty files (OpenSTA reads no .gz).
    clock_ns : clock period to analyze at; slews do not depend on it.
    cells : how many instances the netlist has, to tell whether OpenSTA read all of it.
    workdir : folder for the script, the log and the slews.
    interfaces : of the component, whose segments are wanted.

    Raises
    ------
    ToolError
        When OpenSTA is missing, fails, takes too long or did not read everything.
    """
    workdir = workdir.absolute()
    _link(verilog, workdir / "netlist.v")
    reads = []
    for number, path in enumerate(liberty):
        _link(path, workdir / f"cells_{number}.lib")
        reads.append(f"read_liberty cells_{number}.lib")
    script = SCRIPT.format(
        read_liberty="\n".join(reads),
        top=_word(top),
        clock_ns=float(clock_ns),
        driving_cell=_word(technology.driving_cell),
        output_load_pf=technology.output_load_ff / 1000,
        instant=float(clock_ns) * INSTANT,
        segments=_segments_script(interfaces) if interfaces else "",
    )
    (workdir / "timing.tcl").write_text(script, encoding="utf-8")
    log = workdir / "timing.log"
    command = [str(tools.find("sta")), "-no_init", "-no_splash", "-exit", "timing.tcl"]
    done = tools.run(command, cwd=workdir, log=log, timeout=timeout)
    text = done.output
    linked = re.search(r"^QUIDAM cells (\d+)$", text, re.MULTILINE)
    paths = _paths(text, float(clock_ns))
    trouble = ""
    if error := re.search(r"^Error: .*", text, re.MULTILINE):
        trouble = f"OpenSTA says: {error[0]}"
    elif linked is None or int(linked[1]) != cells:
        trouble = f"OpenSTA read {linked[1] if linked else 'no'} of {cells} cells of the netlist"
    elif not paths:
        trouble = "OpenSTA found no path to time"
    if trouble:
        tail = tools.last_lines(text)
        raise ToolError(trouble, command=done.command, log=str(log), tail=tail)
    period, worst = max(paths)
    return Timing(
        min_period_ns=period,
        critical_path=worst,
        slews=_slews((workdir / "slews.txt").read_text(encoding="utf-8")),
        segments_ns=_segments(text, float(clock_ns)),
    )


def _segments_script(interfaces: Interfaces) -> str:
    """`SEGMENTS` for one kind of component."""
    sides = {
        "in": ("$inputs", {**interfaces.inputs, RESET: ("rst",)}),
        "out": ("[all_outputs]", interfaces.outputs),
    }
    groups = [
        f"set {side}_{name} [quidam_ports {ports} {{^({_regex(patterns)})(\\[\\d+\\])?$}}]"
        for side, (ports, table) in sides.items()
        for name, patterns in table.items()
    ]
    lines: dict[str, list[str]] = {"launches": [], "falls": [], "captures": [], "throughs": []}
    for start, end in interfaces.segments():
        what, ports = {
            (True, False): ("launches", f"-from [all_clocks] -to $out_{end}"),
            (False, True): ("captures", f"-from $in_{start} {{*}}$rising"),
            (False, False): ("throughs", f"-from $in_{start} -to $out_{end}"),
        }[start == CLOCK, end == CLOCK]
        if end == FALL:
            what, ports = "falls", f"-from $in_{start} -fall_to [all_clocks]"
        lines[what].append(f"quidam_segment {segment_name(start, end)} {ports}")
    parts = {name: "\n".join(found) for name, found in lines.items()}
    return SEGMENTS.format(groups="\n".join(groups), **parts)


def _regex(patterns: Sequence[str]) -> str:
    """File name patterns of ports as one regular expression of Tcl."""
    return "|".join(one.replace("*", r"\w*").replace("?", r"\w") for one in patterns)


def _segments(text: str, clock_ns: float) -> dict[str, float]:
    """Segment -> ns, of all that has a path."""
    text = text.partition("QUIDAM segments end")[0]
    found = {}
    for section in text.split("QUIDAM segment ")[1:]:
        name = section.split(maxsplit=1)[0]
        slack = _SLACK.search(section)
        if slack is not None:
            given = clock_ns / 2 if name.endswith(FALL) else clock_ns
            found[name] = round(given - float(slack[1]), 6)
    return found


def _paths(text: str, clock_ns: float) -> list[tuple[float, str]]:
    """Of every worst path that was reported, the period that it needs (ns), and the report."""
    found = []
    for section in text.split("QUIDAM path ")[1:]:
        slack = _SLACK.search(section)
        if slack is None:
            continue
        spare = float(slack[1])
        period = {
            "full": clock_ns - spare,
            "half": clock_ns - 2 * spare,
            "latches": 2 * (clock_ns * INSTANT - spare),
        }[section.split(maxsplit=1)[0]]
        found.append((period, section[section.find("Startpoint:") : slack.end()].strip()))
    return found


def _slews(text: str) -> dict[str, tuple[float, float]]:
    """Pin or port -> (rise, fall) in ns, from seconds; OpenSTA escapes brackets in names."""
    slews = {}
    for line in text.splitlines():
        name, rise, fall = line.rsplit(" ", 2)
        slews[re.sub(r"\\(.)", r"\1", name)] = (float(rise) * 1e9, float(fall) * 1e9)
    return slews


def _word(name: str) -> str:
    """A name that means itself in Tcl."""
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise ToolError(f"names of modules and cells must be letters, digits and _, not {name!r}")
    return name


def _link(source: Path, name: Path) -> None:
    source = source.absolute()
    if source != name:
        name.unlink(missing_ok=True)
        name.symlink_to(source)
