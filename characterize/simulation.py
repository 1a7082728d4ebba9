"""Simulation: one layer on the RTL, under Verilator.

The clock and the streams run in C++ (core.cpp); Python packs the tensors and reads back
the sums.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from characterize import tools
from characterize.compiled_model import compiled_model
from rtl_gen import streams
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, descriptor
from rtl_gen.errors import ToolError
from rtl_gen.layer import Layer
from rtl_gen.mapper import check
from rtl_gen.mapping import Mapping, check_mapping
from rtl_gen.output_stage import OutputStage
from rtl_gen.reference import check_tensors
from rtl_gen.schedule import Schedule, schedule
from rtl_gen.verilog import CORE, core_verilog

Codes = NDArray[np.int64]

#: Chance in 1/256 that an end of a stream does nothing in a cycle.
STALLS = {"never": 0, "sometimes": 64, "mostly": 200}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came out of one layer on the RTL.

    Parameters
    ----------
    ofmap : raw accumulators, or codes where the layer is quantized (N, M, E, F).
    cycles : in which the accelerator was busy.
    input_stalls, output_stalls : cycles in which a stream in was not there, the stream out not
        taken; work beside them may have gone on.
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
    stage: OutputStage | None = None,
    mapping: Mapping | None = None,
    stalls: tuple[str, str] = ("never", "never"),
    seed: int = 1,
    waves: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Run `layer` on the Verilog of `config`.

    Parameters
    ----------
    ifmap, weights : codes (N, C, H, W) and (M, C / groups, R, S).
    stage : the output stage, where the layer is quantized.
    mapping : None for the schedule's own.
    stalls : keys of `STALLS`, for the streams in and for the stream out.
    waves : where to put a waveform (FST) of all signals.
    progress : is told the cycles simulated so far, and those predicted, now and then.

    Raises
    ------
    UserError
        Before anything is built, when the layer can't run or a tensor does not fit.
    ToolError
        When Verilator fails, or the accelerator does not finish.
    """
    check(config, layer)
    check_tensors(config.arithmetic, layer, ifmap, weights)
    if stage is not None:
        stage.check(config.arithmetic, layer)
    if mapping is not None:
        check_mapping(config, layer, mapping)
    plan = schedule(config, layer, mapping)
    fields = descriptor(config, layer, plan.mapping, stage)
    model = build(config, waves=waves is not None)
    with tempfile.TemporaryDirectory(prefix="quidam-") as folder:
        work = Path(folder)
        np.array([fields[name] for name in FIELDS], dtype="<u4").tofile(work / "descriptor.bin")
        streams.weight_beats(config, layer, plan.mapping, weights, stage).tofile(
            work / "weights.bin"
        )
        streams.ifmap_beats(config, layer, plan.mapping, ifmap).tofile(work / "ifmaps.bin")
        chances = [STALLS[stalls[0]], STALLS[stalls[0]], STALLS[stalls[1]]]
        # Even "mostly" stalled streams move a beat every few cycles.
        limit = int(plan.cycles) * (1 if max(chances) == 0 else 12) + 1000
        with _reported(work / "progress.bin", int(plan.cycles), progress):
            tools.run(
                [str(model), folder, str(limit), str(seed), *(str(chance) for chance in chances)],
                cwd=work,
                log=work / "simulation.log",
                timeout=7200,
            )
        if waves is not None:
            shutil.copyfile(work / "waves.fst", waves)
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


@contextlib.contextmanager
def _reported(
    path: Path, predicted: int, progress: Callable[[int, int], None] | None
) -> Iterator[None]:
    """Watch the count that a simulation leaves in `path`, and pass it on."""
    if progress is None:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            count = path.read_bytes()[:8] if path.exists() else b""
            if len(count) == 8:
                progress(int.from_bytes(count, "little"), predicted)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def build(config: AcceleratorConfig, *, waves: bool = False) -> Path:
    """The compiled model of `config`, from the cache where it is there; with `waves` it traces.

    Raises
    ------
    ToolError
        When Verilator is missing, too old, or fails.
    """
    ports = " ".join(f"X(layer_{name})" for name in FIELDS)
    fields = f"#define QUIDAM_BUS_BITS {config.bus_bits}\n#define QUIDAM_FIELDS(X) {ports}\n"
    fields += "#define QUIDAM_WAVES\n" if waves else ""
    files = {
        f"{CORE}.v": core_verilog(config),
        "core.cpp": resources.files("characterize").joinpath("core.cpp").read_text(),
        "fields.h": fields,
    }
    return compiled_model(CORE, files, options=("-O3", *(("--trace-fst",) if waves else ())))
