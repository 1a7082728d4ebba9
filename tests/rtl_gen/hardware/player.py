"""Play words into any component, cycle by cycle, and record what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from numpy.typing import NDArray

from tests.verilated import run_cocotb

Bytes = NDArray[np.uint8]


class SideBySide(wiring.Component):
    """Components of one bench; port `p` of component `c` is called `c__p`."""

    def __init__(self, components: Mapping[str, wiring.Component]) -> None:
        self._components = components
        super().__init__({name: Out(part.signature) for name, part in components.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, part in self._components.items():
            m.submodules[name] = part
            wiring.connect(m, wiring.flipped(getattr(self, name)), part)
        return m


def play(
    design: wiring.Component | str,
    inputs: Mapping[str, Sequence[int]],
    outputs: Mapping[str, int],
    *,
    toplevel: str,
    folder: Path,
) -> dict[str, list[int]]:
    """Run a design under Verilator, as long as the inputs last.

    Parameters
    ----------
    inputs : by port, one number a cycle; negative ones go in as two's complement.
    outputs : port -> bits. folder : of the simulation.

    Returns
    -------
    by port, what stood there at the end of each cycle, before the edge; unsigned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    played: dict[str, Any] = {name: _bytes(words) for name, words in inputs.items()}
    np.savez(folder / "inputs.npz", **played)
    sizes = {name: -(-bits // 8) for name, bits in outputs.items()}
    (folder / "outputs.json").write_text(json.dumps(sizes))
    run_cocotb(
        design,
        toplevel=toplevel,
        test_module="tests.rtl_gen.hardware.cocotb_player",
        folder=folder,
        optimize="-O0",
    )
    with np.load(folder / "answers.npz") as answers:
        return {
            name: [int.from_bytes(word.tobytes(), "little") for word in answers[name]]
            for name in outputs
        }


def _bytes(words: Sequence[int]) -> Bytes:
    """Two's complement of as many bytes as the longest word needs, (cycles, bytes)."""
    size = max(int(word).bit_length() for word in words) // 8 + 1
    return np.array(
        [list(int(word).to_bytes(size, "little", signed=True)) for word in words], np.uint8
    )
