"""The layer descriptor: what the controller is told of a layer, field by field.

Every field is a loop bound or an address step that `schedule.loops` knows; the hardware never
multiplies or divides to find one.
"""

from __future__ import annotations

from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.schedule import Mapping, check_mapping, loops

#: Field -> (bits, meaning). The order is the order of the ports.
FIELDS: dict[str, tuple[int, str]] = {
    "kernel_rows": (8, "R"),
    "sets": (8, "r: channel groups stacked down the rows"),
    "column_taps": (8, "e: output rows across the columns"),
    "column_sets": (8, "t: filter groups across the columns"),
    "offset_step": (2, "ifmap rows between neighbouring output rows"),
    "strips": (16, "ceil(E / e)"),
    "filter_groups": (16, "ceil(M / (p t))"),
    "channel_passes": (16, "ceil(C / (q r))"),
    "resident": (1, "the strip's whole input stays in the buffer"),
    "load_words": (24, "beats of a load"),
    "last_load_words": (24, "beats of the load of the last channel pass"),
    "weight_words": (12, "p q S"),
    "weight_groups": (8, "beats for one weight of every row"),
    "window": (9, "S: columns delivered before the first output column"),
    "step": (2, "columns delivered before each further one"),
    "set_channels": (9, "q"),
    "ifmap_groups": (8, "beats for one column of one channel"),
    "first_column": (16, "delivered columns before this one are padding"),
    "last_column": (16, "delivered columns from this one on are padding"),
    "pass_words": (24, "beats of one column of a pass: q r ifmap_groups"),
    "last_pass_words": (24, "the same of the last pass, absent channels left out"),
    "column_words": (24, "beats of one column of all channels"),
    "window_words": (9, "q S"),
    "filters": (9, "p"),
    "out_width": (16, "F"),
    "sum_words": (24, "p F: sums a column keeps"),
    "output_groups": (8, "beats for one sum of every column"),
}


def descriptor(config: AcceleratorConfig, layer: Layer, mapping: Mapping) -> dict[str, int]:
    """The value of every field for `layer` under `mapping`.

    Raises
    ------
    UserError
        When the config can't run the layer under the mapping, or a value overflows its field.
    """
    check_mapping(config, layer, mapping)
    bound = loops(config, layer, mapping)
    pass_words = mapping.q * mapping.r * bound.ifmap_groups
    all_words = layer.in_channels * bound.ifmap_groups
    last_pass = all_words - (bound.channel_passes - 1) * pass_words
    load = all_words if bound.resident else pass_words
    last_load = all_words if bound.resident else last_pass
    values = {
        "kernel_rows": layer.kernel_height,
        "sets": mapping.r,
        "column_taps": mapping.e,
        "column_sets": mapping.t,
        "offset_step": bound.row_step,
        "strips": bound.strips,
        "filter_groups": bound.filter_groups,
        "channel_passes": bound.channel_passes,
        "resident": bound.resident,
        "load_words": load * bound.loaded_columns,
        "last_load_words": last_load * bound.loaded_columns,
        "weight_words": mapping.p * mapping.q * layer.kernel_width,
        "weight_groups": bound.weight_groups,
        "window": layer.kernel_width,
        "step": bound.column_step,
        "set_channels": mapping.q,
        "ifmap_groups": bound.ifmap_groups,
        "first_column": bound.first_column,
        "last_column": bound.last_column,
        "pass_words": pass_words,
        "last_pass_words": last_pass,
        "column_words": all_words,
        "window_words": mapping.q * layer.kernel_width,
        "filters": mapping.p,
        "out_width": layer.out_width,
        "sum_words": mapping.p * layer.out_width,
        "output_groups": bound.output_groups,
    }
    for name, (bits, meaning) in FIELDS.items():
        if int(values[name]) >= 2**bits:
            raise UserError(
                f"layer {layer.name!r}: descriptor field {name} ({meaning}) must be less than "
                f"{2**bits}, not {int(values[name])!r}"
            )
    return {name: int(values[name]) for name in FIELDS}
