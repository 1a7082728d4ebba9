"""Energy of single units in a technology beside published ones, on random operands.

.venv/bin/python scripts/compare_published.py nangate45

Sources: M. Horowitz, ISSCC 2014, figure 1.1.9 (45 nm, 0.9 V); for 8, 12 and 16 x 16 bits signed
also area and power of EvoApproxLib's exact circuits (45 nm; Mrazek et al., DATE 2017).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from characterize import synthesis, timing
from characterize.activity import simulate
from characterize.bitslice import LANES, sliced
from characterize.cell_files import prepare
from characterize.event_energy import DATAPATH, energies, parts_of
from characterize.liberty import read_library
from characterize.netlist import read_netlist
from characterize.power import Circuit
from characterize.technology import Technology, load_technology
from rtl_gen.formats import FLOATS, arithmetic
from rtl_gen.hardware.accumulate_float import FloatAdder
from rtl_gen.hardware.mac_float import FloatMultiplier
from rtl_gen.verilog import module_verilog

CYCLES = 200
#: Published pJ of a unit; None where Horowitz has none.
PUBLISHED = {
    "add8": 0.03,
    "add32": 0.1,
    "mul8": 0.2,
    "mul12": None,
    "mul16": None,
    "mul32": 3.1,
    "fp16 add": 0.4,
    "fp32 add": 0.9,
    "fp16 mul": 1.1,
    "fp32 mul": 3.7,
}
Values = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def verilog_of(unit: str) -> str:
    """Module `unit` with two operands."""
    name, _, operation = unit.partition(" ")
    if operation == "add":
        return module_verilog(FloatAdder(FLOATS[name]), "unit")
    if operation == "mul":
        return module_verilog(FloatMultiplier(arithmetic(f"{name}a{name}")), "unit")
    width = int(unit[3:])
    total = width + 1 if unit.startswith("add") else 2 * width
    sign = "+" if unit.startswith("add") else "*"
    ports = f"input signed [{width - 1}:0] left, right, output signed [{total - 1}:0] total"
    return f"module unit({ports});\nassign total = left {sign} right;\nendmodule\n"


def operands(unit: str, generator: np.random.Generator) -> tuple[Values, int]:
    """Random codes of one operand, (cycles, lanes), and their bits: any integer, normal floats."""
    name, _, operation = unit.partition(" ")
    if operation:
        fmt = FLOATS[name]
        reals = generator.normal(size=(CYCLES, LANES))
        return fmt.quantize(reals, 1.0)[0], fmt.bits
    width = int(unit[3:])
    return generator.integers(0, 2**width, (CYCLES, LANES)), width


def measured(
    unit: str, technology: Technology, liberty: tuple[Path, ...], folder: Path
) -> tuple[float, float, float]:
    """Area in um2, shortest period in ns and energy of an operation in pJ."""
    folder.mkdir()
    mapped = synthesis.synthesize(
        verilog_of(unit), "unit", technology=technology, liberty=liberty, workdir=folder
    )
    clock_ns = technology.clock_ns
    timed = timing.analyze(
        *(mapped.verilog, "unit", liberty, technology),
        clock_ns=clock_ns,
        cells=mapped.cells,
        workdir=folder,
    )
    library = read_library(*liberty)
    netlist = read_netlist(mapped.json, library)
    generator = np.random.default_rng(1)
    inputs = {
        port: sliced(*operands(unit, generator))
        for port in netlist.ports
        if port in ("left", "right", "activation", "weight")
    }
    used = np.arange(CYCLES) > 1
    if "rst" in netlist.ports:
        inputs["rst"] = sliced(np.zeros(CYCLES, np.int64), 1)
    seen = simulate(netlist, library, inputs, {"all": used}).masks["all"]
    report = Circuit(netlist, library, timed.slews).power(seen, clock_ns)
    found = energies(report, parts_of(netlist), clock_ns)
    return mapped.area_um2, timed.min_period_ns, found[DATAPATH] + found["clock"]


def main(name: str) -> None:
    technology = load_technology(name)
    # Energy of a capacitance goes with the square of the voltage.
    scale = (0.9 / technology.voltage_v) ** 2
    print(f"| unit | um2 | ns | pJ | pJ at 0.9 V | Horowitz pJ | ratio |\n{'|---' * 7}|")
    with tempfile.TemporaryDirectory() as folder:
        liberty = tuple(prepare(technology, Path(folder)))
        for number, (unit, published) in enumerate(PUBLISHED.items()):
            area, period, energy = measured(unit, technology, liberty, Path(folder) / str(number))
            ratio = f"{published} | {energy * scale / published:.1f}" if published else "- | -"
            figures = f"{area:,.0f} | {period:.2f} | {energy:.3f} | {energy * scale:.3f}"
            print(f"| {unit} | {figures} | {ratio} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
