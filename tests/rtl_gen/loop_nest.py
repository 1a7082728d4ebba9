"""The loop nest once more, as plain loops over the descriptor; nothing shared with `schedule`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rtl_gen.config import AcceleratorConfig

Descriptor = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One busy cycle of the controller: its phase, and the instruction that it issues.

    Parameters
    ----------
    phase : what the controller is at.
    address : of the input buffer, None where it rests (padding and absent channels are zeros).
    fields : members of the instruction that are not 0; of an output beat, its word and group.
    """

    phase: str
    address: int | None = None
    fields: dict[str, int] = field(default_factory=dict)


def walk(config: AcceleratorConfig, layer: Descriptor) -> Iterator[Step]:
    """Every busy cycle of a layer, streams never stalling."""
    for _ in range(config.columns):
        yield Step(phase="setup")
    for _strip in range(layer["strips"]):
        for group in range(layer["filter_groups"]):
            for number in range(layer["channel_passes"]):
                last = number + 1 == layer["channel_passes"]
                if not layer["resident"] or (group == 0 and number == 0):
                    for address in range(layer["last_load_words" if last else "load_words"]):
                        yield Step(phase="load", address=address)
                yield from channel_pass(layer, number, last)
            # Row by row down the array, then feed, row, operands, product, sum out, bank.
            for _ in range(config.rows + 6):
                yield Step(phase="settle")
            yield from output(layer)


def channel_pass(layer: Descriptor, number: int, last: bool) -> Iterator[Step]:
    """Weights, then columns delivered and computed, then the flush."""
    fresh = int(number == 0)
    for word in range(layer["weight_words"]):
        for target in range(layer["column_sets"]):
            for group in range(layer["weight_groups"]):
                place = {"target": target, "group": group, "weight_address": word}
                yield Step(phase="weights", fields={"load_weight": 1, **place})
    present = layer["last_pass_words" if last else "pass_words"]
    pitch, start = present, 0
    if layer["resident"]:
        pitch, start = layer["column_words"], number * layer["pass_words"]
    delivered, q = 0, layer["set_channels"]
    for column in range(layer["out_width"]):
        for _ in range(layer["window"] if column == 0 else layer["step"]):
            at = start + (delivered - layer["first_column"]) * pitch
            in_map = layer["first_column"] <= delivered < layer["last_column"]
            slot = delivered * q % layer["window_words"]
            yield from delivered_column(layer, slot, range(at, at + present * in_map))
            delivered += 1
        oldest = delivered * q % layer["window_words"]
        for word in range(layer["window_words"]):
            for filter_ in range(layer["filters"]):
                fields = {
                    "mac": 1,
                    "first": int(word == 0),
                    "drain": int(word == 0 and column > 0),
                    "fresh": fresh,
                    "ifmap_address": (oldest + word) % layer["window_words"],
                    "weight_address": word * layer["filters"] + filter_,
                    "psum_address": filter_,
                }
                yield Step(phase="compute", fields=fields)
    for filter_ in range(layer["filters"]):
        yield Step(phase="flush", fields={"drain": 1, "fresh": fresh, "psum_address": filter_})


def delivered_column(layer: Descriptor, slot: int, stored: range) -> Iterator[Step]:
    """The beats of one ifmap column, of which the first ones are `stored` in the buffer."""
    beat = 0
    for target in range(layer["sets"]):
        for channel in range(layer["set_channels"]):
            for group in range(layer["ifmap_groups"]):
                place = {"target": target, "group": group, "ifmap_address": slot + channel}
                address = stored[beat] if beat < len(stored) else None
                yield Step(phase="deliver", address=address, fields={"load_ifmap": 1, **place})
                beat += 1


def output(layer: Descriptor) -> Iterator[Step]:
    """Two cycles until the first word has been read and stands in a beat, then the beats."""
    yield Step(phase="output")
    yield Step(phase="output")
    for word in range(layer["sum_words"]):
        for group in range(layer["output_groups"]):
            yield Step(phase="output", fields={"word": word, "group": group})
