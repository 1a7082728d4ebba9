"""Many small components in one compiled model, driven from files: no Python in a cycle.

The Verilog is that of `rtl_gen.verilog`, Verilator is the one `characterize` runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from characterize import tools
from characterize.compiled_model import compiled_model
from rtl_gen.verilog import module_verilog

TOP = "bench"
_HARNESS = Path(__file__).with_suffix(".cpp")


class Bench(wiring.Component):
    """Components side by side; their ports have their name in front: `int8_total`."""

    def __init__(self, parts: Mapping[str, wiring.Component]) -> None:
        self._parts = parts
        super().__init__(
            {
                f"{name}_{port}": member
                for name, part in parts.items()
                for port, member in part.signature.members.items()
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, part in self._parts.items():
            m.submodules[name] = part
            for port, member in part.signature.members.items():
                inside, outside = getattr(part, port), getattr(self, f"{name}_{port}")
                m.d.comb += inside.eq(outside) if member.flow == In else outside.eq(inside)
        return m


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A compiled bench.

    Parameters
    ----------
    folder : where the numbers come and go.
    inputs, outputs : port -> width in bits.
    """

    program: Path
    folder: Path
    inputs: dict[str, int]
    outputs: dict[str, int]

    def play(self, streams: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """Bit patterns of the outputs in each cycle, from those of the inputs, all as long."""
        assert streams.keys() == self.inputs.keys()
        (cycles,) = {stream.size for stream in streams.values()}
        for port, stream in streams.items():
            assert stream.min() >= 0, port
            assert stream.max() < 1 << self.inputs[port], port
            stream.astype(_word(self.inputs[port])).tofile(self.folder / f"{port}.bin")
        tools.run(
            [str(self.program), str(self.folder), str(cycles)],
            cwd=self.folder,
            log=self.folder / "run.log",
            timeout=600,
        )
        return {
            port: np.fromfile(self.folder / f"{port}.bin", _word(width)).astype(np.int64)
            for port, width in self.outputs.items()
        }


def build(parts: Mapping[str, wiring.Component], folder: Path) -> Model:
    """Compile components into one model; names are identifiers, at least one part has a clock."""
    bench = Bench(parts)
    members = bench.signature.members.items()
    inputs = {port: len(getattr(bench, port)) for port, member in members if member.flow == In}
    outputs = {port: len(getattr(bench, port)) for port, member in members if member.flow == Out}
    listed = {"INPUTS": inputs, "OUTPUTS": outputs}
    files = {
        f"{TOP}.v": module_verilog(bench, TOP),
        _HARNESS.name: _HARNESS.read_text(),
        "ports.h": "".join(
            f"#define {name}(X) {' '.join(f'X({port})' for port in ports)}\n"
            for name, ports in listed.items()
        ),
    }
    program = compiled_model(TOP, files, optimize="-O1")
    return Model(program=program, folder=folder, inputs=inputs, outputs=outputs)


def _word(width: int) -> str:
    """Verilator's type of a port."""
    return next(f"<u{size}" for size in (1, 2, 4, 8) if width <= 8 * size)
