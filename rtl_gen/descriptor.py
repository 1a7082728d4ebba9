"""The layer descriptor: what the hardware is told of a layer, field by field.

Every field is a loop bound or an address step; the hardware never multiplies or divides to find
one. The format has a version; docs/reference/registers.md tells where each field is written.
"""

from __future__ import annotations

from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.mapping import Loops, Mapping, check_mapping, is_flat, loops
from rtl_gen.memories import lanes, memories, weight_pass_words
from rtl_gen.output_stage import OutputStage, field_of

#: Version of the descriptor: of the fields, their meaning and their order.
VERSION = 1

#: Field -> (bits, meaning). The order is the order of the ports and of the registers.
FIELDS: dict[str, tuple[int, str]] = {
    "kernel_rows": (8, "R': filter rows of a pass"),
    "sets": (8, "r: channel groups stacked down the rows"),
    "column_taps": (8, "e: output rows across the columns"),
    "column_sets": (8, "t: filter groups across the columns"),
    "offset_step": (8, "ifmap rows between neighbouring output rows"),
    "strips": (24, "strips of e output rows, over all groups and images"),
    "tiles": (16, "tiles of f output columns in a strip"),
    "filter_groups": (16, "groups of p t filters"),
    "column_folds": (16, "fold_width: parts of the filter's width"),
    "row_folds": (16, "fold_height: parts of the filter's height"),
    "channel_passes": (16, "passes of q r channels"),
    "weight_words": (12, "p q S': weights of a PE"),
    "double_weights": (1, "the next pass's weights are loaded beside this one's"),
    "weight_groups": (8, "beats for one weight of every row"),
    "window": (9, "S': columns of a window"),
    "step": (9, "columns delivered for each output column after the first"),
    "step_words": (9, "words of a step: q times its columns"),
    "ahead_window": (9, "columns of a new window that are delivered beside the last slot"),
    "ahead_step": (9, "columns of a step that are delivered beside a slot"),
    "set_channels": (9, "q"),
    "ifmap_groups": (8, "beats for one column of one channel"),
    "ring_words": (9, "words of the ring of columns in the ifmap scratchpad"),
    "window_words": (9, "q S'"),
    "pass_beats": (16, "beats of one column of a pass: q r ifmap_groups"),
    "last_pass_beats": (16, "the same of the last channel pass, absent channels left out"),
    "filters": (9, "p"),
    "out_width": (16, "f"),
    "sum_words": (24, "p f: sums a column keeps"),
    "tap_groups": (8, "beats for one sum of every column of a set"),
    "first_position": (17, "column of the map where the first window begins, modulo 2**17"),
    "column_pitch": (17, "columns of the map between those delivered"),
    "column_jump": (17, "columns of the map left out after a window"),
    "tile_pitch": (17, "columns of the map between tiles"),
    "fold_pitch": (17, "columns of the map between the parts of the filter's width"),
    "map_width": (16, "columns of the map"),
    "padding_code": (
        16,
        "input code of a column outside of the map, its upper 16 bits if it has more",
    ),
    "quantized": (1, "the output stage is on"),
    "zero_point": (16, "of the output, two's complement"),
    "low": (16, "smallest output code (its upper 16 bits if it has more)"),
    "high": (16, "largest output code (its upper 16 bits if it has more)"),
}


def limits(config: AcceleratorConfig) -> dict[str, tuple[int, int]]:
    """Smallest and largest legal value of the fields that the hardware checks, by name.

    A descriptor outside of them would count past a memory or never end; the hardware refuses it.
    """
    weight_ways = int(lanes(config.bus_bits, config.weight_bits))
    sum_ways = int(lanes(config.bus_bits, config.accumulator_bits))
    ifmap, sums = config.ifmap_words, 2 * int(memories(config)["psum_sram"].depth)
    upper = {
        **dict.fromkeys(("kernel_rows", "sets", "offset_step"), config.rows),
        **dict.fromkeys(("column_taps", "column_sets"), config.columns),
        **dict.fromkeys(("window", "step", "set_channels"), ifmap),
        **dict.fromkeys(("ring_words", "window_words", "step_words"), ifmap),
        "weight_words": weight_pass_words(config),
        "weight_groups": -(-config.rows // weight_ways),
        "filters": config.psum_words,
        "sum_words": sums,
        "tap_groups": -(-config.columns // sum_ways),
    }
    counts = (
        *("strips", "tiles", "filter_groups", "column_folds", "row_folds", "channel_passes"),
        *("ifmap_groups", "pass_beats", "last_pass_beats", "out_width", "map_width"),
    )
    every = {name: (1, 2 ** FIELDS[name][0] - 1) for name in counts}
    every |= {name: (1, high) for name, high in upper.items()}
    every |= dict.fromkeys(("ahead_window", "ahead_step"), (0, ifmap))
    if config.weight_macros:
        every["double_weights"] = (1, 1)  # else a macro would be read and written at once
    return {name: every[name] for name in FIELDS if name in every}


def descriptor(
    config: AcceleratorConfig, layer: Layer, mapping: Mapping, stage: OutputStage | None = None
) -> dict[str, int]:
    """The value of every field for `layer` under `mapping`.

    Parameters
    ----------
    stage : the output stage's numbers, where the layer's output is quantized.

    Raises
    ------
    UserError
        When the config can't run the layer under the mapping, or a value overflows its field.
    """
    check_mapping(config, layer, mapping)
    if (stage is not None) != (layer.output == "quantized"):
        raise UserError(
            f"layer {layer.name!r}: an output stage must be given if and only if the output is "
            f"quantized, not {layer.output!r} with {stage!r}"
        )
    bound = loops(config, layer, mapping)
    values = _loop_fields(mapping, bound) | _channel_fields(layer, mapping, bound)
    values |= _map_fields(layer, mapping, bound)
    fmt = config.arithmetic.activation
    padding = layer.padding_value % 2**fmt.bits
    values["padding_code"] = field_of(fmt, padding, "padding_value")
    values["quantized"] = int(stage is not None)
    for name in ("zero_point", "low", "high"):
        values[name] = 0 if stage is None else field_of(fmt, getattr(stage, name), name)
    for name, (bits, meaning) in FIELDS.items():
        if int(values[name]) >= 2**bits:
            raise UserError(
                f"layer {layer.name!r}: descriptor field {name} ({meaning}) must be less than "
                f"{2**bits}, not {int(values[name])!r}"
            )
    return {name: int(values[name]) for name in FIELDS}


def _loop_fields(mapping: Mapping, bound: Loops) -> dict[str, int]:
    return {
        "kernel_rows": bound.kernel_height,
        "sets": mapping.r,
        "column_taps": mapping.e,
        "column_sets": mapping.t,
        "offset_step": bound.row_step,
        "strips": bound.strips,
        "tiles": bound.tiles,
        "filter_groups": bound.filter_groups,
        "column_folds": mapping.fold_width,
        "row_folds": mapping.fold_height,
        "channel_passes": bound.channel_passes,
        "weight_words": mapping.p * mapping.q * bound.kernel_width,
        "double_weights": int(bound.double_weights),
        "weight_groups": bound.weight_groups,
        "window": bound.kernel_width,
        "step": bound.column_step,
        "step_words": bound.column_step * mapping.q,
        "ahead_window": bound.ahead_window,
        "ahead_step": bound.ahead_step,
        "set_channels": mapping.q,
        "ifmap_groups": bound.ifmap_groups,
        "ring_words": bound.ring_columns * mapping.q,
        "window_words": mapping.q * bound.kernel_width,
        "filters": mapping.p,
        "out_width": mapping.f,
        "sum_words": mapping.p * mapping.f,
        "tap_groups": bound.tap_groups,
    }


def _channel_fields(layer: Layer, mapping: Mapping, bound: Loops) -> dict[str, int]:
    """Beats of a column; in the last channel pass absent channels are not sent."""
    channels = mapping.q * mapping.r
    absent = bound.channel_passes * channels - layer.in_channels // layer.groups
    return {
        "pass_beats": channels * bound.ifmap_groups,
        "last_pass_beats": (channels - absent) * bound.ifmap_groups,
    }


def _map_fields(layer: Layer, mapping: Mapping, bound: Loops) -> dict[str, int]:
    """Where in the map's columns windows lie; positions count modulo 2**17."""
    if is_flat(layer):
        pitch, tile, fold, first, width = 1, 0, 0, 0, mapping.f
    else:
        pitch, width = layer.dilation, layer.in_width
        tile = layer.stride * (1 if bound.phases > 1 else mapping.f)
        fold = bound.kernel_width * layer.dilation
        first = -layer.padding[1] % 2**17
    return {
        "first_position": first,
        "column_pitch": pitch,
        # With one output column there is no next window.
        "column_jump": bound.column_jump * pitch * int(mapping.f > 1),
        "tile_pitch": tile,
        "fold_pitch": fold,
        "map_width": width,
    }
