"""Static timing of a mapped netlist by OpenSTA: shortest clock period, critical path, pin slews.

OpenSTA's timing and slews are used, its power is not (docs/explanation says why). The clock comes
without delay to the component; through its clock gates it is propagated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from characterize import tools
from characterize.technology import Technology
from rtl_gen.errors import ToolError

TIMEOUT_S = 600.0
#: Part of the period that is as good as no time.
INSTANT = 1e-4

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
foreach port [all_inputs] {{
  if {{[get_property $port full_name] eq "clk"}} continue
  set_input_delay 0 -clock clk $port
  set_driving_cell -lib_cell {driving_cell} $port
}}
set_output_delay 0 -clock clk [all_outputs]
set_load {output_load_pf} [all_outputs]
puts "QUIDAM cells [llength [get_cells -quiet *]]"
set latches [all_registers -level_sensitive -data_pins]
set falling [all_registers -fall_clock [all_clocks] -edge_triggered -data_pins]
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
  set vertex [lindex [$pin vertices] 0]
  if {{$vertex ne "NULL" && $vertex ne ""}} {{
    set rise [lindex [$vertex slews rise] 0]
    set fall [lindex [$vertex slews fall] 0]
    puts $stream "[get_full_name $pin] $rise $fall"
  }}
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
    slews : "instance/pin" -> (rise, fall) slew in ns.
    """

    min_period_ns: float
    critical_path: str
    slews: dict[str, tuple[float, float]]

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
    )


def _paths(text: str, clock_ns: float) -> list[tuple[float, str]]:
    """Of every worst path that was reported, the period that it needs (ns), and the report."""
    found = []
    for section in text.split("QUIDAM path ")[1:]:
        slack = re.search(r"^\s*(-?[\d.]+)\s+slack \((MET|VIOLATED)\)$", section, re.MULTILINE)
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
    """Pin -> (rise, fall) in ns, from seconds; OpenSTA escapes brackets in names."""
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
