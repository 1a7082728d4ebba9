"""Simulation: one layer on the RTL, under Verilator.

The clock and the streams run in C++ (accelerator.cpp); Python packs the tensors and reads back
the sums. Compiled models are kept in a cache folder, by the hash of what they were made from.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from characterize import tools
from rtl_gen import streams
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, descriptor
from rtl_gen.errors import ToolError
from rtl_gen.layer import Layer
from rtl_gen.reference import check_tensors
from rtl_gen.schedule import Mapping, Schedule, check, check_mapping, schedule
from rtl_gen.verilog import TOP, accelerator_verilog

Codes = NDArray[np.int64]

#: Chance in 1/256 that an end of a stream does nothing in a cycle.
STALLS = {"never": 0, "sometimes": 64, "mostly": 200}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came out of one layer on the RTL.

    Parameters
    ----------
    ofmap : raw accumulators (1, M, E, F).
    cycles : in which the accelerator was busy.
    input_stalls, output_stalls : cycles it waited for the streams.
    beats : words of the bus moved, by stream (`weight_beats`, `ifmap_beats`, `output_beats`).
    schedule : what the formula says of the same layer and mapping.
    """

    ofmap: Codes
    cycles: int
    input_stalls: int
    output_stalls: int
    beats: dict[str, int]
    schedule: Schedule


def simulate(
    config: AcceleratorConfig,
    layer: Layer,
    ifmap: Codes,
    weights: Codes,
    *,
    mapping: Mapping | None = None,
    stalls: tuple[str, str] = ("never", "never"),
    seed: int = 1,
) -> Run:
    """Run `layer` on the Verilog of `config`.

    Parameters
    ----------
    ifmap, weights : codes (1, C, H, W) and (M, C, R, S).
    mapping : None for the schedule's own.
    stalls : keys of `STALLS`, for the streams in and for the stream out.

    Raises
    ------
    UserError
        Before anything is built, when the layer can't run or a tensor does not fit.
    ToolError
        When Verilator fails, or the accelerator does not finish.
    """
    check(config, layer)
    check_tensors(config.arithmetic, layer, ifmap, weights)
    if mapping is not None:
        check_mapping(config, layer, mapping)
    plan = schedule(config, layer, mapping)
    model = build(config)
    with tempfile.TemporaryDirectory(prefix="quidam-") as folder:
        work = Path(folder)
        _write_inputs(work, config, layer, plan.mapping, ifmap, weights)
        chances = [STALLS[stalls[0]], STALLS[stalls[0]], STALLS[stalls[1]]]
        # Even "mostly" stalled streams move a beat every few cycles.
        limit = int(plan.cycles) * (1 if max(chances) == 0 else 12) + 1000
        tools.run(
            [str(model), folder, str(limit), str(seed), *(str(chance) for chance in chances)],
            cwd=work,
            log=work / "simulation.log",
            timeout=3600,
        )
        counts = json.loads((work / "counts.json").read_text())
        if not counts["finished"]:
            raise ToolError(
                f"the accelerator must finish layer {layer.name!r} within {limit} cycles, "
                f"it was still busy (predicted {int(plan.cycles)})"
            )
        raw = np.fromfile(work / "outputs.bin", dtype=np.uint8)
    return Run(
        ofmap=streams.ofmap(config, layer, plan.mapping, raw.reshape(-1, config.bus_bits // 8)),
        cycles=counts["cycles"],
        input_stalls=counts["input_stalls"],
        output_stalls=counts["output_stalls"],
        beats={name: counts[name] for name in ("weight_beats", "ifmap_beats", "output_beats")},
        schedule=plan,
    )


def _write_inputs(
    work: Path,
    config: AcceleratorConfig,
    layer: Layer,
    mapping: Mapping,
    ifmap: Codes,
    weights: Codes,
) -> None:
    fields = descriptor(config, layer, mapping)
    np.array([fields[name] for name in FIELDS], dtype="<u4").tofile(work / "descriptor.bin")
    streams.weight_beats(config, layer, mapping, weights).tofile(work / "weights.bin")
    streams.ifmap_beats(config, layer, mapping, ifmap).tofile(work / "ifmaps.bin")


def cache_folder() -> Path:
    """Where compiled models are kept: `QUIDAM_CACHE`, or the user's cache folder."""
    given = os.environ.get("QUIDAM_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quidam"


def build(config: AcceleratorConfig) -> Path:
    """The compiled model of `config`, from the cache where it is there.

    Raises
    ------
    ToolError
        When Verilator is missing, too old, or fails.
    """
    text = accelerator_verilog(config)
    harness = resources.files("characterize").joinpath("accelerator.cpp").read_text()
    ports = " ".join(f"X(layer_{name})" for name in FIELDS)
    fields = f"#define QUIDAM_BUS_BITS {config.bus_bits}\n#define QUIDAM_FIELDS(X) {ports}\n"
    version = tools.verilator().version
    key = hashlib.sha256("\0".join((text, harness, fields, version)).encode()).hexdigest()[:32]
    model = cache_folder() / key / f"V{TOP}"
    if model.exists():
        return model
    cache_folder().mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="building-", dir=cache_folder()))
    try:
        (work / f"{TOP}.v").write_text(text)
        (work / "accelerator.cpp").write_text(harness)
        (work / "fields.h").write_text(fields)
        # A log of its own: others may be building the same. It stays where the build fails.
        _verilate(work, work.with_suffix(".log"))
        (work / "done").mkdir()
        (work / "obj_dir" / f"V{TOP}").rename(work / "done" / f"V{TOP}")
        try:
            (work / "done").rename(model.parent)
        except OSError:  # another process has built the same meanwhile
            if not model.exists():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return model


def _verilate(work: Path, log: Path) -> None:
    verilator = tools.verilator()
    tools.run(
        [
            verilator.program,
            *("--cc", "--exe", "--build", "-j", "2", "--top-module", TOP),
            # The emitted Verilog is linted on its own; here only speed matters.
            *("-Wno-fatal", "-Wno-lint", "-O3", "--x-assign", "fast", "--noassert"),
            *("-CFLAGS", "-I.."),
            # The wheel's own rule for precompiled headers is broken for large models.
            # It also calls `python`, which a bare Debian does not have.
            *("-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O2 PYTHON3={sys.executable}"),
            *(f"{TOP}.v", "accelerator.cpp"),
        ],
        cwd=work,
        log=log,
        timeout=1800,
        env=verilator.env,
    )
    log.unlink()
