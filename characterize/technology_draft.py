"""A first technology file, written from a library's inspection; a comment says where each value
comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from characterize.cell_patterns import shared
from characterize.cells import Library
from characterize.clock_trial import Clock
from characterize.inspect_library import FANOUT, Inspection
from characterize.liberty_file import LibertyFile, root_of
from characterize.library_header import read_header
from rtl_gen.errors import UserError

TEMPLATE = """\
# Written by `quidam tech new` from the cells of the library; check what you know better.
# {name_source}
name: {name}
# The library's name, and the values below.
description: {description}
# {corner_source}
corner: {corner}
# SHA-256 of the plain text: the same for a compressed copy.
liberty:
{liberty}
# Given by --feature-nm: no Liberty file says it. Memories of another technology are scaled by it.
feature_nm: {feature_nm:g}
# Both from the Liberty file's operating conditions.
voltage_v: {voltage_v:g}
temperature_c: {temperature_c:g}
# {clock_source}
clock_ns: {clock_ns:g}
# The {driver_kind} of least area: its input pin has {input_ff:.4g} fF.
driving_cell: {driving_cell}
# {fanout} input pins of the driving cell.
output_load_ff: {output_load_ff:g}
# A choice: the netlist is not placed; power and delay are a lower bound.
wire_ff_per_pin: 0
{cells}
# What synthesis must not use.
prune:{prune}
# The one memory model that ships; scaled by feature size and voltage where they are not its own.
memory: ihp_sg13g2
# A choice, see sources.
dram_pj_per_bit: 20.3
sources:
  cells: >-
    inspection of {library} by quidam tech new; voltage and temperature from the Liberty file
  dram_pj_per_bit: >-
    M. Horowitz, ISSCC 2014, figure 1.1.9: 1.3 to 2.6 nJ for 64 bits of DRAM; the lower end,
    because the accelerator streams and so stays in open rows
  wire_ff_per_pin: >-
    0: the netlist is not placed; power and delay are a lower bound
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a technology file is written from.

    Parameters
    ----------
    files : Liberty files that together make `library`.
    name : of the technology; "" for what the library's own name is.
    """

    files: Sequence[Path]
    library: Library
    found: Inspection
    name: str
    feature_nm: float

    def text(self, clock: Clock, folder: Path) -> str:
        """The YAML; paths of files below `folder`, where it will lie, are relative to it."""
        found, library = self.found, self.library
        corner = read_header(self.files[0]).corner
        at = f"{library.voltage_v:g} V, {library.temperature_c:g} C"
        return TEMPLATE.format(
            name=_plain(self.name or library_name(self.files)),
            name_source="Given by --name."
            if self.name
            else "The library's, or what those of several files begin with.",
            description=_plain(f"{_words(library.name)}, {self.feature_nm:g} nm, {at}"),
            corner=_plain(corner or "nominal"),
            corner_source="The Liberty file's operating conditions."
            if corner
            else "A name of ours: the Liberty file has no operating conditions.",
            liberty="\n".join(self._files(folder)),
            feature_nm=self.feature_nm,
            voltage_v=library.voltage_v,
            temperature_c=library.temperature_c,
            clock_source=f"{clock.source[0].upper()}{clock.source[1:]}.",
            clock_ns=clock.ns,
            driver_kind="buffer" if found.driver_is_buffer else "inverter",
            input_ff=found.input_ff,
            driving_cell=_plain(found.driving_cell),
            fanout=FANOUT,
            output_load_ff=found.output_load_ff,
            cells="\n".join(self._cells()),
            prune="".join(f"\n{line}" for line in self._prune()) or " []",
            library=_words(library.name),
        )

    def _files(self, folder: Path) -> Iterator[str]:
        for path in self.files:
            digest = LibertyFile(path=path, expected_sha256="").sha256()
            yield f'  - file: {_plain(_spelled(path, folder))}\n    sha256: "{digest}"'

    def _cells(self) -> Iterator[str]:
        found = self.found
        if found.tie_high or found.tie_low:
            yield "# The smallest cells without inputs whose function is 1 and 0."
        else:
            yield "# No cell gives a constant: one is a net of the supply."
        yield f"tie_high: {found.tie_high or 'null'}\ntie_low: {found.tie_low or 'null'}"
        if found.flip_flop:
            yield f"# (The flip-flop of least area is {found.flip_flop}; synthesis finds its own.)"
        if found.latch:
            yield "# The plain latch of least area, for scratchpads of latches."
        else:
            yield "# No latch with an area, one enable, one data pin and an output that follows it."
        yield f"latch: {found.latch or 'null'}"
        if found.clock_gate:
            yield "# The clock gate of least area, without a test pin if there is one."
        else:
            yield "# No clock gate of a known kind: gated scratchpads take a flip-flop and an and."
        yield f"clock_gate: {found.clock_gate or 'null'}"

    def _prune(self) -> Iterator[str]:
        for why, patterns in self.found.prune.items():
            yield f"  # {why[0].upper()}{why[1:]}."
            yield from (f"  - {_plain(pattern)}" for pattern in patterns)


def library_name(files: Sequence[Path]) -> str:
    """A technology's name out of what its libraries' names begin with."""
    text = shared([read_header(path).name for path in files])
    name = re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII).strip("_.-")
    if not name:
        raise UserError(f"--name must be given: the library's is {text!r}")
    return name


def _words(text: str) -> str:
    """Text for the YAML's own lines, on one of them."""
    return " ".join(text.split()) or "the library"


def _plain(text: str) -> str:
    """The text as YAML reads it back: bare where it can stand bare."""
    try:
        bare = yaml.safe_load(f"key: {text}\n") == {"key": text}
    except yaml.YAMLError:
        bare = False
    return text if bare else json.dumps(text)


def _spelled(path: Path, folder: Path) -> str:
    """The path as another machine may know it."""
    if found := root_of(path):
        name, rest = found
        return f"${{{name}}}/{rest}"
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
