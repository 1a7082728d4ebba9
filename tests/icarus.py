"""One layer on the emitted Verilog under Icarus, whose wires have four states.

Nothing has a value there before it is given one: a result that needs what no reset and no write
has set comes out as x. The testbench is plain Verilog (tests/rtl_gen/hardware/data/testbench.v).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from characterize import tools
from characterize.simulation import STALLS
from rtl_gen import streams
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, descriptor
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping
from rtl_gen.output_stage import OutputStage
from rtl_gen.schedule import schedule
from rtl_gen.verilog import core_verilog

Codes = NDArray[np.int64]

TESTBENCH = Path(__file__).parent / "rtl_gen/hardware/data/testbench.v"
#: Marks tests that are left out where Icarus is not installed.
needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog is missing: run `make setup`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IcarusRun:
    """What came out: the same as under Verilator, or one of them is wrong.

    Parameters
    ----------
    ofmap : sums or codes (N, M, E, F). cycles : in which the core was busy.
    predicted : by the schedule. beats : moved, by stream.
    """

    ofmap: Codes
    cycles: int
    predicted: int
    beats: dict[str, int]


def run_icarus(
    config: AcceleratorConfig,
    layer: Layer,
    ifmap: Codes,
    weights: Codes,
    *,
    folder: Path,
    stage: OutputStage | None = None,
    mapping: Mapping | None = None,
    stalls: tuple[str, str] = ("never", "never"),
    seed: int = 1,
    verilog: str | None = None,
) -> IcarusRun:
    """Run a layer; arguments as of `characterize.simulation.simulate`.

    Parameters
    ----------
    folder : for the files of the run. verilog : what to run instead of the config's own.

    Raises
    ------
    AssertionError
        When the core does not finish, breaks a rule of the streams, or puts out an x.
    """
    plan = schedule(config, layer, mapping)
    fields = descriptor(config, layer, plan.mapping, stage)
    beats = {
        "weights": streams.weight_beats(config, layer, plan.mapping, weights, stage),
        "ifmaps": streams.ifmap_beats(config, layer, plan.mapping, ifmap),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "core.v").write_text(core_verilog(config) if verilog is None else verilog)
    (folder / "descriptor.hex").write_text("".join(f"{fields[name]:08x}\n" for name in FIELDS))
    for name, rows in beats.items():
        lines = (row[::-1].tobytes().hex() for row in rows)
        # A word more, for the testbench's memory of one word more than there are.
        (folder / f"{name}.hex").write_text("\n".join([*lines, "0"]) + "\n")
    defines = {
        "BUS_BITS": config.bus_bits,
        "FIELDS": len(FIELDS),
        **{name.upper(): len(rows) for name, rows in beats.items()},
        "STALL_IN": STALLS[stalls[0]],
        "STALL_OUT": STALLS[stalls[1]],
        "SEED": seed,
        "LIMIT": 12 * int(plan.cycles) + 1000,
        "LAYER": ", ".join(
            f".layer_{name}(fields[{32 * number} +: {bits}])"
            for number, (name, (bits, _)) in enumerate(FIELDS.items())
        ),
    }
    (folder / "layer.vh").write_text(
        "".join(f"`define {name} {value}\n" for name, value in defines.items())
    )
    said = _simulate(folder)
    finished = re.search(r"finished cycles (\d+) weights (\d+) ifmaps (\d+) outputs (\d+)", said)
    assert finished, said
    cycles, *moved = (int(number) for number in finished.groups())
    return IcarusRun(
        ofmap=_ofmap(config, layer, plan.mapping, (folder / "outputs.hex").read_text().split()),
        cycles=cycles,
        predicted=int(plan.cycles),
        beats=dict(zip(("weights", "ifmaps", "outputs"), moved, strict=True)),
    )


def _simulate(folder: Path) -> str:
    """Compile as Verilog-2005 with every warning on, none of which may come, and run."""
    compiled = tools.run(
        [
            *(tools.find("iverilog"), "-g2005", "-Wall", "-I", ".", "-s", "testbench"),
            *("-o", "testbench.vvp", "core.v", TESTBENCH),
        ],
        cwd=folder,
        log=folder / "compile.log",
        timeout=300,
    )
    warnings = [line for line in compiled.output.splitlines() if "timescale" not in line]
    assert not warnings, "\n".join(warnings)
    command = [tools.find("vvp"), "-n", "testbench.vvp"]
    return tools.run(command, cwd=folder, log=folder / "run.log", timeout=600).output


def _ofmap(config: AcceleratorConfig, layer: Layer, mapping: Mapping, lines: list[str]) -> Codes:
    """The outputs; an x among the numbers that count would be read as two different ones."""
    readings = []
    for digit in "0f":
        rows = [bytes.fromhex(re.sub("[xX]", digit, line))[::-1] for line in lines]
        packed = np.frombuffer(b"".join(rows), dtype=np.uint8)
        readings.append(
            streams.ofmap(config, layer, mapping, packed.reshape(-1, config.bus_bits // 8))
        )
    assert (readings[0] == readings[1]).all(), "x in the outputs"
    return readings[0]
