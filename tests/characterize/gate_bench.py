"""A mapped netlist under Icarus: Yosys's own netlist and cell models, without delays and with.

Nothing of ours stands between the Liberty file and what is simulated here: Yosys reads the library,
makes Verilog models of its cells and writes the netlist. Only the stimulus is ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from characterize import tools
from characterize.activity import Words
from characterize.cells import Library
from characterize.netlist import Netlist

#: fs between clock edges: longer than any component here takes to settle.
HALF_FS = 500_000_000
Pins = list[tuple[str, str]]


def output_pins(netlist: Netlist, library: Library) -> Pins:
    """Instance and pin of every output that has a function, in the netlist's order."""
    return [
        (instance.name, pin)
        for instance in netlist.instances
        for pin, said in library.cell(instance.type).pins.items()
        if said.direction == "output"
    ]


def nets_of(netlist: Netlist, pins: Pins) -> NDArray[np.int64]:
    """The nets that the pins drive."""
    found = {instance.name: instance.pins for instance in netlist.instances}
    return np.array([found[name][pin] for name, pin in pins], np.int64)


def settled_values(
    folder: Path,
    netlist: Netlist,
    verilog: Path,
    liberty: Sequence[Path],
    inputs: Mapping[str, Words],
    pins: Pins,
) -> NDArray[np.str_]:
    """What every output pin shows at the end of every cycle: "0", "1" or "x"; (cycles, pins)."""
    (folder / "models.v").write_text(_models(folder, liberty))
    show = ", ".join(f"dut.\\{name} .{pin}" for name, pin in pins)
    body = f"""
      clk = 1; #1000 {_DRIVE} #({HALF_FS} - 1000) clk = 0; #{HALF_FS};
      $display("%b", {{{show}}});"""
    text = _simulate(folder, netlist, verilog, inputs, body, "")
    rows = [line for line in text.splitlines() if re.fullmatch(r"[01xz]+", line)]
    return np.array([list(row) for row in rows])


def delayed_toggles(
    folder: Path,
    netlist: Netlist,
    verilog: Path,
    liberty: Sequence[Path],
    inputs: Mapping[str, Words],
    pins: Pins,
    delays_fs: Mapping[tuple[str, str], tuple[int, int]],
    launch_fs: int,
) -> NDArray[np.int64]:
    """How often every output pin has changed by the end of every cycle; (cycles, pins).

    Parameters
    ----------
    delays_fs : (rise, fall) of every output pin, from whichever input: `assign #(rise, fall)`.
    launch_fs : when the inputs change, after the clock's edge.
    """
    (folder / "models.v").write_text(_delayed(_models(folder, liberty), netlist, pins))
    show = ", ".join(f"dut.\\{name} .count_{pin}" for name, pin in pins)
    places = ' "%0d' + " %0d" * (len(pins) - 1) + '"'
    body = f"""
      clk = 1; #{launch_fs} {_DRIVE} #({HALF_FS} - {launch_fs}) clk = 0; #{HALF_FS};
      $display({places}, {show});"""
    settings = "".join(
        f"  defparam dut.\\{name} .rise_{pin} = {rise}, dut.\\{name} .fall_{pin} = {fall};\n"
        for (name, pin), (rise, fall) in delays_fs.items()
    )
    text = _simulate(folder, netlist, verilog, inputs, body, settings)
    rows = [line.split() for line in text.splitlines() if re.fullmatch(r"\s*[\d ]+", line)]
    return np.array(rows, np.int64)


_DRIVE = "row = rows[t]; drive = row;"


def _models(folder: Path, liberty: Sequence[Path]) -> str:
    """Verilog of every cell, as Yosys understands its function."""
    reads = [f"read_liberty -ignore_miss_func -ignore_miss_dir {path}" for path in liberty]
    (folder / "models.ys").write_text("\n".join([*reads, "proc", "write_verilog -noattr cells.v"]))
    command = tools.yosys_command("models.ys")
    tools.run(command, cwd=folder, log=folder / "models.log", timeout=120)
    return (folder / "cells.v").read_text()


def _delayed(models: str, netlist: Netlist, pins: Pins) -> str:
    """The cells that are used, each in a shell that delays and counts what its outputs do."""
    types = {instance.name: instance.type for instance in netlist.instances}
    used: dict[str, dict[str, None]] = {}
    for name, pin in pins:
        used.setdefault(types[name], {})[pin] = None
    shells = [re.sub(r"^module (\\?\w+)", r"module core_\1", models, flags=re.MULTILINE)]
    ports = {instance.type: list(instance.pins) for instance in netlist.instances}
    for cell, outputs in used.items():
        inner = ", ".join(f".{p}({'inner_' if p in outputs else ''}{p})" for p in ports[cell])
        shells.append(f"module {cell}({', '.join(ports[cell])});")
        shells += [f"  input {pin};" for pin in ports[cell] if pin not in outputs]
        for pin in outputs:
            shells.append(
                f"  output {pin}; wire inner_{pin}; integer count_{pin} = 0;\n"
                f"  parameter rise_{pin} = 0, fall_{pin} = 0;\n"
                f"  assign #(rise_{pin}, fall_{pin}) {pin} = inner_{pin};\n"
                f"  always @({pin}) count_{pin} = count_{pin} + 1;"
            )
        shells.append(f"  core_{cell} core({inner});\nendmodule")
    return "\n".join(shells)


def _simulate(
    folder: Path,
    netlist: Netlist,
    verilog: Path,
    inputs: Mapping[str, Words],
    body: str,
    settings: str,
) -> str:
    """Run the netlist over the stimulus of lane 0; `body` is a cycle."""
    names = [n for n, p in netlist.ports.items() if p.direction == "input" and n != "clk"]
    widths = [len(netlist.ports[name].nets) for name in names]
    bits = np.concatenate([inputs[name] & np.uint64(1) for name in names], axis=1)
    lines = ["".join(map(str, row[::-1])) for row in bits.tolist()]
    (folder / "stimulus.txt").write_text("\n".join(lines) + "\n")
    ports = [f".{n}({n})" for n in names]
    if "clk" in netlist.ports:
        ports.append(".clk(clk)")
    bench = f"""`timescale 1fs/1fs
module bench;
  reg clk = 0;
  reg [{sum(widths) - 1}:0] row, drive, rows [0:{len(lines) - 1}];
{"".join(f"  wire [{w - 1}:0] {n};{chr(10)}" for n, w in zip(names, widths, strict=True))}
  assign {{{", ".join(reversed(names))}}} = drive;
  {netlist.name} dut({", ".join(ports)});
{settings}  integer t;
  initial begin
    $readmemb("stimulus.txt", rows);
    for (t = 0; t < {len(lines)}; t = t + 1) begin {body}
    end
    $finish;
  end
endmodule
"""
    (folder / "bench.v").write_text(bench)
    netlist_v = folder / "mapped_for_icarus.v"
    netlist_v.write_text("`timescale 1fs/1fs\n" + verilog.read_text())
    models = folder / "models.v"
    models.write_text("`timescale 1fs/1fs\n" + models.read_text())
    command = [tools.find("iverilog"), "-g2012", "-s", "bench", "-o", "bench.vvp"]
    command += ["bench.v", netlist_v.name, models.name]
    tools.run(command, cwd=folder, log=folder / "compile.log", timeout=300)
    run = [tools.find("vvp"), "-n", "bench.vvp"]
    return tools.run(run, cwd=folder, log=folder / "run.log", timeout=600).output
