"""The real layer behind the stimulus: 64 of its channel passes, one a lane.

The layer is the second convolution of a small network trained on the digits (16 channels of
8 x 8, 32 filters of 3 x 3; characterize/data/README.md), quantized to the config's formats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from characterize.bitslice import LANES, held
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.formats import FloatFormat, Format, IntegerFormat, Values
from rtl_gen.instructions import PARTS, Pass, pass_instructions
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping, loops
from rtl_gen.memories import lanes, weight_pass_words
from rtl_gen.output_stage import OutputStage
from rtl_gen.streams import pack

Codes = NDArray[np.int64]

LAYER = Layer(
    name="digits_conv2",
    kind="conv",
    in_channels=16,
    in_height=8,
    in_width=8,
    out_channels=32,
    kernel_height=3,
    kernel_width=3,
    padding=1,
)


#: Cycles of nothing between multiply-accumulates and input columns, a MAC's latency aside: what the
#: last of those still does in the pipeline is not to count as the columns'.
PAUSE = 3


#: Scales that are tried when the layer is quantized: from the largest number's down to its eighth.
SCALES = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """64 passes of the layer, one a lane, and what is common to them.

    Parameters
    ----------
    config, mapping : every lane runs `LAYER` under these.
    passes : by lane; they differ in data only. row, column : of the lane's PE, (lanes,).
    fresh : whether the lane's pass is the first of its sums, (lanes,).
    above, total : sums of the rows above the lane's PE, and of its whole column, in this pass;
        earlier, final : of the column in the passes before, and in all: codes (F * p, lanes).
        Floating-point ones are rounded once: what stands there is as real, though not to the bit.
    """

    config: AcceleratorConfig
    mapping: Mapping
    passes: list[Pass]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    fresh: NDArray[np.int64]
    above: NDArray[np.int64]
    total: NDArray[np.int64]
    earlier: NDArray[np.int64]
    final: NDArray[np.int64]

    @property
    def fields(self) -> dict[str, NDArray[np.int64]]:
        """The instructions, the same in all lanes."""
        return self.passes[0].fields

    def at_row(self) -> dict[str, NDArray[np.int64]]:
        """The same as a row keeps them: members stay until their strobe is high again."""
        found = {}
        for strobes, names in PARTS.items():
            given = np.logical_or.reduce([self.fields[name] != 0 for name in strobes])
            for name in names:
                values = self.fields[name]
                found[name] = values if name in strobes else held(values, given)
        return found

    @property
    def cycles(self) -> int:
        """Length of a pass."""
        return self.passes[0].cycles


def quantized_layer(config: AcceleratorConfig) -> tuple[Codes, Codes]:
    """Codes of 16 input images (16, C, H, W) and of the filters (M, C, R, S)."""
    source = resources.files("characterize").joinpath("data/digits_layer.npz")
    with source.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        ifmap = _codes(config.arithmetic.activation, data["ifmap"])
        weights = _codes(config.arithmetic.weight, data["weights"])
    return ifmap, weights


def _codes(fmt: Format, real: NDArray[np.float32]) -> Codes:
    """Codes at the scale of least squared error, which is what networks are quantized with.

    The scale of the largest number would make 97 to 99% of two-bit and ternary codes zero.
    """
    reals = real.astype(np.float64)
    codes, largest = fmt.quantize(reals)
    if isinstance(fmt, FloatFormat):
        return codes
    scales = [float(largest) * 2 ** (-step / 8) for step in range(SCALES)]
    tried = [fmt.quantize(reals, scale)[0] for scale in scales]
    errors = [
        np.square(scale * fmt.decode(codes) - reals).sum()
        for scale, codes in zip(scales, tried, strict=True)
    ]
    return tried[int(np.argmin(errors))]


def stimulus_mapping(config: AcceleratorConfig) -> Mapping:
    """As many filters as the scratchpads hold, then channels, in one set of rows and columns.

    So does the schedule share out the scratchpads in most layers. All 64 lanes write, read and
    add in the same cycles.
    """
    width, weights = LAYER.kernel_width, int(weight_pass_words(config))
    room = min(config.ifmap_words, weights) // width
    if room < 1:
        raise UserError(
            f"ifmap_words and weight_words must be at least {width} to characterize, in macros "
            f"{2 * width} weights, not {(config.ifmap_words, config.weight_words)!r}"
        )
    filters = min(config.psum_words, LAYER.out_channels)
    q = max(min(room, LAYER.in_channels, weights // (filters * width)), 1)
    p = min(filters, weights // (q * width))
    ways = int(lanes(config.bus_bits, config.activation_bits))
    e = max(min(ways - LAYER.kernel_height + 1, config.columns, 4), 1)
    return Mapping(p=p, q=q, r=1, t=1, e=e, f=LAYER.out_width)


def contexts(config: AcceleratorConfig) -> Contexts:
    """Passes of 64 lanes: images, strips, filter groups, channel passes, rows and columns."""
    # The smallest buffer and array that the stimulus needs; the component does not see them.
    roomy = replace(config, rows=max(config.rows, 3), buffer_kib=max(config.buffer_kib, 64))
    mapping = stimulus_mapping(roomy)
    ifmap, weights = quantized_layer(config)
    bound = loops(roomy, LAYER, mapping)
    lane = np.arange(LANES)
    strip = lane // 16 % int(bound.strips)
    # Groups and passes that are full: a mapper hardly ever pads filters or channels with zeros.
    group = lane // 5 % max(LAYER.out_channels // mapping.p, 1)
    step = lane // 3 % max(LAYER.in_channels // mapping.q, 1)
    row, column = lane % LAYER.kernel_height, lane % mapping.e
    passes = []
    pause = PAUSE + config.mac_latency
    sums: dict[str, list[Values]] = {
        "above": [],
        "total": [],
        "earlier": [],
        "final": [],
    }
    for number in range(LANES):
        image = ifmap[number % len(ifmap)][None]
        at = {"strip": int(strip[number]), "filter_group": int(group[number])}
        passes.append(
            pass_instructions(
                roomy, LAYER, mapping, image, weights, number=int(step[number]), pause=pause, **at
            )
        )
        place = (int(strip[number]) * mapping.e + int(column[number]), int(row[number]))
        rows = _row_sums(roomy, mapping, image, weights, place[0], int(group[number]))
        done = int(step[number])
        sums["above"].append(rows[done, : place[1]].sum(axis=0))
        sums["total"].append(rows[done].sum(axis=0))
        sums["earlier"].append(rows[:done].sum(axis=(0, 1)))
        sums["final"].append(rows.sum(axis=(0, 1)))
    kept = config.arithmetic.accumulator
    return Contexts(
        config=config,
        mapping=mapping,
        passes=passes,
        row=row,
        column=column,
        fresh=(step == 0).astype(np.int64),
        **{
            name: kept.encode(kept.nearest(np.stack(parts, axis=1))) for name, parts in sums.items()
        },
    )


def _row_sums(
    config: AcceleratorConfig,
    mapping: Mapping,
    image: Codes,
    weights: Codes,
    out_row: int,
    filter_group: int,
) -> Values:
    """What each row of one column adds: (channel passes, R, F * p), in the order of drains."""
    passes = int(loops(config, LAYER, mapping).channel_passes)
    values = config.arithmetic.activation.decode(image)[0]
    padded = np.pad(values, [(0, 0), (1, 1 + LAYER.kernel_height + mapping.e), (1, 1)])
    filters = config.arithmetic.weight.decode(weights)
    chosen = np.zeros((mapping.p, *filters.shape[1:]), dtype=filters.dtype)
    part = filters[filter_group * mapping.p : (filter_group + 1) * mapping.p]
    chosen[: len(part)] = part
    size = (passes, LAYER.kernel_height, LAYER.out_width * mapping.p)
    result = np.zeros(size, dtype=np.result_type(values, filters))
    for step in range(passes):
        channels = slice(step * mapping.q, (step + 1) * mapping.q)
        for tap in range(LAYER.kernel_height):
            windows = np.lib.stride_tricks.sliding_window_view(
                padded[channels, min(out_row, LAYER.in_height) + tap], LAYER.kernel_width, axis=1
            )
            sums = np.einsum("cfs,mcs->fm", windows, chosen[:, channels, tap])
            result[step, tap] = sums.reshape(-1)
    return result


def bus_bits(context: Contexts, strobe: str) -> NDArray[np.uint8]:
    """What "load_weight" or "load_ifmap" brings, (T, lanes, bus_bits), held between beats."""
    config, loads = context.config, context.fields[strobe].astype(bool)
    bits = np.zeros((len(loads), LANES, config.bus_bits), dtype=np.uint8)
    for lane, one in enumerate(context.passes):
        codes, width = {
            "load_weight": (one.weights, config.weight_bits),
            "load_ifmap": (one.ifmaps, config.activation_bits),
        }[strobe]
        beats = pack(codes, width, config.bus_bits)
        bits[loads, lane] = np.unpackbits(beats, axis=1, bitorder="little")
    return held(bits, loads)


def output_stage(config: AcceleratorConfig, sums: Codes) -> OutputStage:
    """A stage that spreads each filter's sums, codes (filters, ...), over the outputs, as ReLU.

    Half of the sums lie below zero, as those of trained layers nearly do.
    """
    kept, output = config.arithmetic.accumulator, config.arithmetic.activation
    flat = kept.decode(sums.reshape(len(sums), -1))
    middle = np.median(flat, axis=1)
    bias = kept.nearest(-np.rint(middle) if not config.arithmetic.is_float else -middle)
    largest = np.abs(flat + bias[:, None]).max(axis=1)
    if isinstance(output, FloatFormat):
        # Numbers stay as large as they are where the format has an infinity, else they fill it.
        room = output.maximum if output.saturating else np.maximum(largest, 1)
        scale = room / np.where(largest > 0, largest, room)
    else:
        scale = (output.maximum - output.minimum) / np.maximum(largest, 1)
    return OutputStage.from_scales(scale, kept.encode(bias), **output_limits(config))


def output_limits(config: AcceleratorConfig) -> dict[str, int]:
    """Codes of the zero point, the smallest and the largest output of `output_stage`."""
    output = config.arithmetic.activation
    if isinstance(output, FloatFormat):
        return {"zero_point": 0, "low": 0, "high": output.limit_word}
    if not isinstance(output, IntegerFormat):
        return {"zero_point": 0, "low": 1, "high": 0}  # binary: the codes of -1 and +1
    low, high = int(output.minimum), int(output.maximum)
    return {"zero_point": low, "low": low, "high": high}
