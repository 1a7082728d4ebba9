"""Jobs of the accelerator's engines: plain loops over the descriptor."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from rtl_gen.config import AcceleratorConfig
from tests.rtl_gen.engines import Descriptor, Drain, Load, Mac, Parameter, Pass, Send

#: Positions in the map count modulo this.
POSITIONS = 2**17


def passes(layer: Descriptor) -> Iterator[Pass]:
    """The loop nest around the columns."""
    outside = ("strips", "tiles", "filter_groups")
    inside = ("column_folds", "row_folds", "channel_passes")
    inner = list(product(*(range(layer[name]) for name in inside)))
    groups = product(*(range(layer[name]) for name in outside))
    for group, (_strip, tile, filters) in enumerate(groups):
        for in_group, (fold, _, channels) in enumerate(inner):
            start = layer["first_position"] + tile * layer["tile_pitch"]
            yield Pass(
                number=group * len(inner) + in_group,
                group=group,
                in_group=in_group,
                last=in_group + 1 == len(inner),
                first_filters=filters == 0,
                last_channels=channels + 1 == layer["channel_passes"],
                position=(start + fold * layer["fold_pitch"]) % POSITIONS,
            )


def first_weight(config: AcceleratorConfig, layer: Descriptor, of: Pass) -> int:
    """Where a pass's weights begin: every other pass lies behind the one before, or, in macros,
    in the second one, whose addresses begin with a 1."""
    if not layer["double_weights"] or of.number % 2 == 0:
        return 0
    if config.scratchpads == "macro":
        return int(2 ** np.ceil(np.log2(config.weight_words // 2)))
    return layer["weight_words"]


def compute(
    config: AcceleratorConfig, layer: Descriptor, now: Pass, column: int, drains: Pass | None
) -> list[Mac]:
    """The multiply-accumulates of a slot; `drains` is the pass of the column before, if any."""
    q, p, window = layer["set_channels"], layer["filters"], layer["window_words"]
    oldest = (now.number * delivered(layer) + column * layer["step"]) * q
    half = first_weight(config, layer, now)
    actions = []
    for word, filter_ in product(range(window), range(p)):
        weight = word * p + filter_
        drain = None
        if word == 0 and drains is not None:
            drain = drain_of(layer, drains, (column - 1) % layer["out_width"], filter_)
        fields = {
            "mac": 1,
            "first": int(word == 0),
            "ifmap_read_address": (oldest + word) % layer["ring_words"],
            "weight_read_address": half + weight,
            **(drain_fields(drain, filter_) if drain else {"psum_address": filter_}),
        }
        tags = {"ifmap_tag": oldest + word}
        tags["weight_tag"] = now.number * layer["weight_words"] + weight
        actions.append(Mac(fields=fields, drain=drain, **tags))
    return actions


def flush(layer: Descriptor, now: Pass) -> list[Mac]:
    """The last column's sums leave."""
    drains = [drain_of(layer, now, layer["out_width"] - 1, m) for m in range(layer["filters"])]
    return [Mac(fields=drain_fields(drain, m), drain=drain) for m, drain in enumerate(drains)]


def drain_of(layer: Descriptor, of: Pass, column: int, filter_: int) -> Drain:
    word = column * layer["filters"] + filter_
    return Drain(word=word, group=of.group, in_group=of.in_group)


def drain_fields(drain: Drain, filter_: int) -> dict[str, int]:
    return {"drain": 1, "fresh": int(drain.in_group == 0), "psum_address": filter_}


def delivered(layer: Descriptor) -> int:
    """Columns of the map that a pass delivers."""
    return layer["window"] + (layer["out_width"] - 1) * layer["step"]


def column_beats(layer: Descriptor) -> int:
    return layer["sets"] * layer["set_channels"] * layer["ifmap_groups"]


def ifmap_jobs(config: AcceleratorConfig, layer: Descriptor) -> Iterator[list[Load]]:
    """Job by job of the whole layer: a pass's first window, then the columns of each step."""
    depth = config.buffer_kib * 4096 // config.bus_bits
    ring_column = real_beats = 0
    for now in passes(layer):
        position = now.position
        if now.in_group == 0:
            real_beats = 0
        present = layer["last_pass_beats" if now.last_channels else "pass_beats"]
        for column in range(layer["out_width"]):
            job: list[Load] = []
            for _ in range(layer["window" if column == 0 else "step"]):
                inside = position < layer["map_width"]
                for beat, fields in enumerate(column_fields(layer, ring_column)):
                    tag = ring_column * layer["set_channels"] + fields.pop("channel")
                    source, kept = "absent" if beat >= present else "padding", None
                    if inside and beat < present:
                        again = real_beats < depth and not now.first_filters
                        source = "buffer" if again else "stream"
                        if real_beats < depth and layer["filter_groups"] > 1:
                            kept = real_beats
                        real_beats += 1
                    job.append(Load(fields=fields, source=source, kept=kept, tag=tag))
                ring_column += 1
                position = (position + layer["column_pitch"]) % POSITIONS
            position = (position + layer["column_jump"]) % POSITIONS
            yield job


def column_fields(layer: Descriptor, ring_column: int) -> Iterator[dict[str, int]]:
    """Where the beats of one column go; and which channel each is of."""
    q = layer["set_channels"]
    for target, channel, group in product(
        range(layer["sets"]), range(q), range(layer["ifmap_groups"])
    ):
        yield {
            "load_ifmap": 1,
            "ifmap_target": target,
            "ifmap_group": group,
            "ifmap_write_address": ring_column * q % layer["ring_words"] + channel,
            "channel": channel,
        }


def weights(
    config: AcceleratorConfig, layer: Descriptor, wanted: Pass | None
) -> list[Load | Parameter]:
    """The weights of a pass, if there is one."""
    if wanted is None:
        return []
    half = first_weight(config, layer, wanted)
    sizes = (layer[name] for name in ("weight_words", "column_sets", "weight_groups"))
    return [
        Load(
            fields={
                "load_weight": 1,
                "weight_target": target,
                "weight_group": group,
                "weight_write_address": half + word,
            },
            tag=wanted.number * layer["weight_words"] + word,
        )
        for word, target, group in product(*map(range, sizes))
    ]


def parameters(layer: Descriptor, now: Pass) -> list[Load | Parameter]:
    """The output stage's numbers of a group, beside the last of its passes."""
    if not (layer["quantized"] and now.last):
        return []
    return [
        Parameter(group=now.group, address=address, scale=scale)
        for address in range(layer["column_sets"] * layer["filters"])
        for scale in (False, True)
    ]


def sends(layer: Descriptor, group: int, words: range) -> list[Send]:
    """The steps that send `words` of a group, lane group by lane group of each set of columns."""
    sets, groups = layer["column_sets"], layer["tap_groups"]
    return [
        Send(
            group=group,
            word=word,
            target=target,
            tap_group=tap_group,
            reads=target == tap_group == 0,
            closes=(target + 1, tap_group + 1) == (sets, groups),
        )
        for word, target, tap_group in product(words, range(sets), range(groups))
    ]
