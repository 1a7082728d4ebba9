"""One PE mapped to six technologies with what is known of it, as the power tests see it.

It lies beside the repository, in shared/reference/power, with the Liberty files in shared/tech;
where they are missing the tests say so and are skipped.
"""

from __future__ import annotations

import csv
import functools
import gzip
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from numpy.typing import NDArray

from characterize.activity import Words
from characterize.cells import Library
from characterize.liberty import read_library
from characterize.netlist import Netlist, read_netlist
from characterize.tools import find, run, yosys_command
from rtl_gen.errors import ToolError

SHARED = Path(__file__).resolve().parents[3] / "shared"
REFERENCE = SHARED / "reference" / "power"
_QFLOW = Path("/usr/share/qflow/tech")
LIBERTIES: dict[str, list[Path]] = {
    "osu018": [_QFLOW / "osu018/osu018_stdcells.lib"],
    "osu035": [_QFLOW / "osu035/osu035_stdcells.lib"],
    "nangate45": [SHARED / "tech/nangate45_typ.lib.gz"],
    "sky130hd": [SHARED / "tech/sky130hd_tt.lib.gz"],
    "ihp130": [SHARED / "tech/sg13g2_stdcell_typ_1p20V_25C.lib.gz"],
    "asap7": [
        SHARED / f"tech/asap7/asap7sc7p5t_{part}.lib.gz"
        for part in (
            "AO_RVT_TT_nldm_211120",
            "INVBUF_RVT_TT_nldm_220122",
            "OA_RVT_TT_nldm_211120",
            "SEQ_RVT_TT_nldm_220123",
            "SIMPLE_RVT_TT_nldm_211120",
        )
    ],
}
#: The stimulus: its columns, and how many of its cycles only fill the scratchpads.
COLUMNS = ("rst", "a", "w", "wa", "wf", "we_a", "we_w", "ra", "rf", "rp", "en", "psum_in")
FILLING = 240


def need_liberties(technology: str) -> None:
    """Skips the test where the technology's Liberty files are not on this machine."""
    if missing := [path for path in LIBERTIES[technology] if not path.exists()]:
        pytest.skip(f"{missing[0]} is not on this machine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The PE in one technology: power in W as OpenSTA 2.6.0 gives it, activity by pin."""

    library: Library
    netlist: Netlist
    slews: Mapping[str, tuple[float, float]]
    clock_ns: float
    power: Mapping[str, Mapping[str, float]]
    activity: Mapping[str, tuple[float, float]]


def stimulus(netlist: Netlist) -> dict[str, Words]:
    """The input words; every lane gets the same."""
    with gzip.open(REFERENCE / "stimulus.txt.gz", "rt") as lines:
        rows = np.array([[int(word, 16) for word in line.split()] for line in lines])
    all_lanes = np.uint64(2**64 - 1)
    return {
        name: (rows[:, [i]] >> np.arange(len(netlist.ports[name].nets)) & 1).astype(np.uint64)
        * all_lanes
        for i, name in enumerate(COLUMNS)
    }


def expected_outputs() -> NDArray[np.int64]:
    """psum_out after the clock edge that ends cycle 240, 241, ..."""
    with gzip.open(REFERENCE / "outputs.txt.gz", "rt") as lines:
        return np.array([int(line, 16) for line in lines])


@functools.cache
def reference(technology: str) -> Reference:
    """The PE in this technology; skips the test where something it takes is missing."""
    need_liberties(technology)
    if not REFERENCE.exists():
        pytest.skip(f"{REFERENCE} is not on this machine")
    try:
        find("sta")
    except ToolError as error:
        pytest.skip(str(error))
    library = read_library(*LIBERTIES[technology])
    said = json.loads((REFERENCE / "opensta.json").read_text())[technology]
    with TemporaryDirectory() as folder:
        work = Path(folder)
        netlist = _netlist(technology, library, work)
        slews = _slews(technology, float(said["clock_ns"]), work)
    with gzip.open(REFERENCE / f"activity_{technology}.csv.gz", "rt") as lines:
        activity = {
            row["pin"]: (float(row["toggles_per_cycle"]), float(row["duty"]))
            for row in csv.DictReader(lines)
        }
    return Reference(
        library=library,
        netlist=netlist,
        slews=slews,
        clock_ns=float(said["clock_ns"]),
        power=said["power"],
        activity=activity,
    )


def _plain(path: Path, work: Path) -> Path:
    """The file without its compression, which OpenSTA does not read."""
    if path.suffix != ".gz":
        return path
    plain = work / path.stem
    with gzip.open(path) as packed, plain.open("wb") as out:
        shutil.copyfileobj(packed, out)
    return plain


def _netlist(technology: str, library: Library, work: Path) -> Netlist:
    liberties = LIBERTIES[technology]
    script = [
        *(f"read_liberty -lib -ignore_miss_func -ignore_miss_dir {path}" for path in liberties),
        f"read_verilog {REFERENCE / f'pe_light1_{technology}.v.gz'}",
        "write_json netlist.json",
    ]
    (work / "script.ys").write_text("\n".join(script))
    run(yosys_command("script.ys"), cwd=work, log=work / "yosys.log", timeout=120)
    return read_netlist(work / "netlist.json", library)


def _slews(technology: str, clock_ns: float, work: Path) -> dict[str, tuple[float, float]]:
    """Slews in ns by OpenSTA, which prints them in seconds."""
    script = [
        *(f"read_liberty {_plain(path, work)}" for path in LIBERTIES[technology]),
        f"read_verilog {_plain(REFERENCE / f'pe_light1_{technology}.v.gz', work)}",
        "link_design pe",
        "set_cmd_units -time ns -capacitance pF",
        f"create_clock -name clk -period {clock_ns} [get_ports clk]",
        "set_input_delay 0 -clock clk [all_inputs]",
        "foreach pin [get_pins -hierarchical *] {",
        "  set v [lindex [$pin vertices] 0]",
        '  puts "= [get_full_name $pin] [lindex [$v slews rise] 0] [lindex [$v slews fall] 0]"',
        "}",
    ]
    (work / "script.tcl").write_text("\n".join(script))
    command = [find("sta"), "-no_splash", "-exit", "script.tcl"]
    done = run(command, cwd=work, log=work / "sta.log", timeout=120)
    words = [line.split() for line in done.output.splitlines() if line.startswith("= ")]
    return {pin: (float(rise) * 1e9, float(fall) * 1e9) for _, pin, rise, fall in words}
