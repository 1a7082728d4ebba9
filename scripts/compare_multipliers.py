"""Multipliers as the recipe forms them, by Booth alone and plain: the table of decision 13.

.venv/bin/python scripts/compare_multipliers.py osu018
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from characterize import synthesis, synthesis_modules, timing
from characterize.cell_files import prepare
from characterize.technology import load_technology
from rtl_gen.formats import arithmetic
from rtl_gen.hardware.mac import multiplier_for
from rtl_gen.verilog import module_verilog

FORMS = {"recipe": synthesis_modules.MULTIPLIERS, "Booth": "booth", "plain": ""}
NAMES = ("int4", "int8xint4", "int8", "uint8xint8", "int12", "int16", "fp8_e4m3", "fp16", "fp32")


def main(name: str) -> None:
    technology = load_technology(name)
    print(f"| operands | {' | '.join(FORMS)} |\n|---{'|---' * len(FORMS)}|")
    with tempfile.TemporaryDirectory() as folder:
        liberty = prepare(technology, Path(folder))
        for one in NAMES:
            cells = []
            for number, chosen in enumerate(FORMS.values()):
                synthesis_modules.MULTIPLIERS = chosen
                work = Path(folder) / f"{one}-{number}"
                work.mkdir()
                mapped = synthesis.synthesize(
                    module_verilog(multiplier_for(arithmetic(one)), "multiplier"),
                    "multiplier",
                    technology=technology,
                    liberty=liberty,
                    workdir=work,
                )
                timed = timing.analyze(
                    mapped.verilog,
                    "multiplier",
                    liberty,
                    technology,
                    clock_ns=technology.clock_ns,
                    cells=mapped.cells,
                    workdir=work,
                )
                cells.append(f"{mapped.area_um2:,.0f} / {timed.min_period_ns:.2f}")
            print(f"| {one} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
