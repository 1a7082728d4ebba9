"""A whole accelerator on the RTL: what its ports and memories see while it runs a real layer.

The very Verilog that is synthesized runs under Verilator; every memory, and the accelerator
itself, writes all of its ports to a file, a line a cycle. Some images run one after the other, and
become the lanes of one stimulus: what happens when does not depend on data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from characterize import tools
from characterize.compiled_model import compiled_model
from characterize.stimulus import Stimulus
from characterize.stimulus_layer import LAYER, output_stage, quantized_layer
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import VERSION, descriptor
from rtl_gen.errors import ToolError
from rtl_gen.layer import Layer
from rtl_gen.mapper import check
from rtl_gen.reference import golden_layer
from rtl_gen.registers import REGISTERS
from rtl_gen.schedule import Schedule, schedule
from rtl_gen.streams import ifmap_beats, weight_beats
from rtl_gen.verilog import TOP

#: Images, with channels and filters of their own.
LANES = 64
#: Cycles that are simulated after the layer; the pipelines have run empty in the last half of them.
AFTER = 32
#: Cycles before the layer, at most: the registers are written.
BEFORE = 2000

#: What goes before `endmodule` of a memory, and of the top: all its ports, a line a cycle.
_LOG = """\
  integer quidam_log;
  initial quidam_log = $fopen($sformatf("%m-{module}.log"), "w");
  always @(posedge clk) $fwrite(quidam_log, "%h\\n", {{{names}}});
endmodule
"""
_MODULE = re.compile(r"^module (\w+) \((.*?)^\);(.*?)^endmodule\n", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^ +(input|output) +(?:wire|reg) +(?:signed )?(?:\[(\d+):0\] )?(\w+)", re.M)
_WATCHED = re.compile(rf"sram_\d+x\d+|{TOP}")
#: Of the top, beside its ports: whether the core runs.
_BUSY = ("control_busy", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeStimulus:
    """What an accelerator sees and does.

    Parameters
    ----------
    stimulus : inputs and outputs of the netlist whose memories have become ports
        ("core.ifmap_sram.read_data"); events "busy" and "idle".
    schedule : what the formulas say of the same layer.
    """

    stimulus: Stimulus
    schedule: Schedule


def whole_layer(config: AcceleratorConfig) -> Layer:
    """What an accelerator runs: a part of the layer that components are measured with.

    As many channels as the array has rows, and twice as many filters: sums wait in the buffer for
    further channels, and inputs come again for further filters, as in a large layer on a large
    array.
    """
    return replace(
        LAYER,
        name="digits_conv2_part",
        in_channels=min(config.rows, LAYER.in_channels),
        out_channels=min(2 * config.rows, LAYER.out_channels),
        output="quantized",
    )


def whole_stimulus(
    config: AcceleratorConfig, verilog: str, workdir: Path, layer: Layer
) -> WholeStimulus:
    """Run `layer` on the RTL of an accelerator.

    Parameters
    ----------
    verilog : of all modules (`rtl_gen.verilog.accelerator_verilog`).
    workdir : existing folder for the model and its files.

    Raises
    ------
    UserError
        When the config can't run the layer.
    ToolError
        When Verilator fails, or the RTL takes other than the predicted cycles.
    """
    check(config, layer)
    # The model runs in folders of its own.
    workdir = workdir.absolute() / "rtl"
    workdir.mkdir()
    plan = schedule(config, layer)
    ports = watched_ports(verilog)
    model = _build(config, verilog)
    bits: dict[str, NDArray[np.uint64]] = {}
    for lane in range(LANES):
        folder = workdir / f"lane_{lane}"
        folder.mkdir()
        _write_tensors(config, layer, plan, lane, folder)
        limit = int(plan.cycles) + BEFORE + AFTER
        tools.run([model, folder, str(limit)], cwd=folder, log=folder / "log", timeout=3600)
        for name, values in _read(folder, ports):
            shifted = values.astype(np.uint64) << np.uint64(lane)
            bits[name] = bits[name] | shifted if name in bits else shifted
    every = np.uint64((1 << LANES) - 1)
    busy = bits.pop(_BUSY[0])[:, 0]
    if set(np.unique(busy)) - {np.uint64(0), every} or np.count_nonzero(busy) != plan.cycles:
        raise ToolError(
            f"the RTL must take the {int(plan.cycles)} cycles of the formula in every lane, "
            f"not {np.count_nonzero(busy)}"
        )
    idle = np.arange(len(busy)) >= len(busy) - AFTER // 2
    inputs = {name for name in bits if _is_input(name, ports)}
    return WholeStimulus(
        stimulus=Stimulus(
            inputs={name: bits[name] for name in bits if name in inputs},
            outputs={name: bits[name] for name in bits if name not in inputs},
            checked=every,
            events={"busy": busy != 0, "idle": idle},
        ),
        schedule=plan,
    )


#: Module -> its ports but the clock, in order: name -> (is an input, bits).
Ports = Mapping[str, Mapping[str, tuple[bool, int]]]


def watched_ports(verilog: str) -> Ports:
    """The ports of the top and of every memory."""
    return {
        match[1]: {
            name: (direction == "input", int(high or 0) + 1)
            for direction, high, name in _PORT.findall(match[2])
            if name != "clk"
        }
        for match in _MODULE.finditer(verilog)
        if _WATCHED.fullmatch(match[1])
    }


def black_boxes(verilog: str) -> str:
    """The Verilog with its memories as black boxes."""

    def box(match: re.Match[str]) -> str:
        if match[1] == TOP or not _WATCHED.fullmatch(match[1]):
            return match[0]
        return f"(* blackbox *)\nmodule {match[1]} ({match[2]});\nendmodule\n"

    return _MODULE.sub(box, verilog)


def _watching(verilog: str) -> str:
    """The Verilog with every memory and the top writing down its ports."""
    ports = watched_ports(verilog)

    def watch(match: re.Match[str]) -> str:
        if match[1] not in ports:
            return match[0]
        names = [*ports[match[1]], *([_BUSY[0]] if match[1] == TOP else [])]
        return match[0].removesuffix("endmodule\n") + _LOG.format(
            module=match[1], names=", ".join(names)
        )

    return _MODULE.sub(watch, verilog)


def _is_input(name: str, ports: Ports) -> bool:
    """Of the netlist: what memories put out comes in."""
    return name.endswith(".read_data") if "." in name else ports[TOP][name][0]


def _build(config: AcceleratorConfig, verilog: str) -> Path:
    """Compile the model; it runs for seconds, so it is compiled quickly."""
    files = {
        f"{TOP}.v": _watching(verilog),
        "accelerator.cpp": resources.files("characterize").joinpath("accelerator.cpp").read_text(),
        "fields.h": f"#define QUIDAM_BUS_BITS {config.bus_bits}\n#define QUIDAM_AFTER {AFTER}\n",
    }
    return compiled_model(TOP, files, optimize="-O1")


def _write_tensors(
    config: AcceleratorConfig, layer: Layer, plan: Schedule, lane: int, folder: Path
) -> None:
    """An image of its own for every lane, and channels and filters of its own."""
    images, filters = quantized_layer(config)
    group, number = divmod(lane, len(images))
    channels = (3 * number + 4 * group + np.arange(layer.in_channels)) % LAYER.in_channels
    chosen = (5 * number + 8 * group + np.arange(layer.out_channels)) % LAYER.out_channels
    image = images[number][None, channels]
    own = filters[chosen][:, channels]
    stage = output_stage(
        config, golden_layer(config.arithmetic, layer, image, own, plan.mapping)[0]
    )
    weight_beats(config, layer, plan.mapping, own, stage).tofile(folder / "weights.bin")
    ifmap_beats(config, layer, plan.mapping, image).tofile(folder / "ifmaps.bin")
    fields = descriptor(config, layer, plan.mapping, stage)
    words = {"LAYER_VERSION": VERSION}
    words |= {f"LAYER_{name.upper()}": value for name, value in fields.items()}
    words |= {"INTERRUPT_ENABLE": 1, "CONTROL": 1}
    writes = [(REGISTERS[name].offset, word) for name, word in words.items()]
    np.array(writes, dtype="<u4").tofile(folder / "writes.bin")


def _read(folder: Path, ports: Ports) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Every port of the netlist as bits (cycles, width), from the files of one lane."""
    sizes = {
        module: {name: bits for name, (_, bits) in of_module.items()}
        for module, of_module in ports.items()
    }
    sizes[TOP] |= dict([_BUSY])
    for path in sorted(folder.glob(f"*{TOP}*.log")):
        place, _, module = path.stem.rpartition("-")
        place = place.partition(TOP)[2].lstrip(".")
        text = np.frombuffer(path.read_bytes(), np.uint8)
        digits = text.reshape(-1, int(np.argmax(text == ord("\n"))) + 1)[:, :-1]
        bits = np.unpackbits(_values(digits)[:, :, None], axis=2)[:, :, 4:]
        bits = bits.reshape(len(digits), -1)[:, ::-1]  # the lowest bit of the last port first
        first = 0
        for name, size in reversed(sizes[module].items()):
            values = bits[:, first : first + size]
            first += size
            if not place or name != "rst":
                yield f"{place}.{name}" if place else name, values


def _values(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hexadecimal digits as numbers."""
    return np.where(digits > ord("9"), digits - (ord("a") - 10), digits - ord("0")).astype(np.uint8)
