"""A PPA model with known answers, to test exploration apart from any technology."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rtl_gen.components import KINDS
from rtl_gen.memories import memories


class KnownModel:
    """Simple laws in the place of fitted polynomials; every figure depends on the design."""

    contents = SimpleNamespace(manifest={"samples": 0})

    def predict(self, design: Any, arithmetic: str | None = None, build: Any = None) -> Any:
        one = design.rows**0 * 1.0
        bits = design.activation_bits + design.weight_bits
        pes = design.rows * design.columns
        wide = np.asarray(design.rows > 16)
        area = {
            "pe_datapath": pes * bits * bits * 1.0,
            "pe_scratchpad": pes * design.weight_words * design.weight_bits * 2.0,
            "buffer_sram": design.buffer_kib * 8192 * 0.5,
        }
        leakage = {"pe_datapath": 0.001 * pes * bits, "buffer_sram": 0.02 * design.buffer_kib}
        return SimpleNamespace(
            technology="imaginary",
            area_um2=np.asarray(sum(area.values())),
            area_by=area,
            min_period_ns=2.0 + 0.1 * bits + 0.01 * design.columns,
            logic_period_ns=2.0 + 0.1 * bits + 0.01 * design.columns,
            leakage_mw=np.asarray(sum(leakage.values())),
            leakage_by=leakage,
            energy_pj={
                kind: {
                    event: {
                        "datapath": one * bits * (1 + place) * (0.02 if event == "idle" else 0.1),
                        "scratchpad": one
                        * bits
                        * ((0.1 if event == "idle" else 0.3) if kind == "pe" else 0.0),
                        "clock": one * 0.25,
                    }
                    for event in entry.events
                }
                for place, (kind, entry) in enumerate(KINDS.items())
            },
            memories={
                name: {
                    "count": memory.count,
                    "read_pj": memory.width * 0.2 * one,
                    "write_pj": memory.width * 0.3 * one,
                    "idle_pj": memory.width * 0.001 * one,
                    "leakage_mw": 0.01 * one,
                    "area_um2": memory.depth * memory.width * 0.5 * one,
                    "access_ns": 1.0 * one,
                    "scaled": name == "psum_sram",
                    "source": "made up for tests",
                }
                for name, memory in memories(design).items()
            },
            dram_pj_per_bit=4.0,
            inside_range=~wide,
            outside={"rows of pe": wide} if wide.any() else {},
        )


@pytest.fixture(scope="session")
def model() -> KnownModel:
    return KnownModel()
