"""Mappings: every rule is kept and told in words; loop bounds of layers worked out by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from rtl_gen.errors import UserError
from rtl_gen.mapping import (
    LETTERS,
    MAX_TAGS,
    Mapping,
    check_mapping,
    is_flat,
    is_phased,
    legal_mapping,
    loops,
    phases,
    widest,
)
from rtl_gen.memories import memories
from tests.rtl_gen.strategies import CONFIG, LAYER, mapped

MAPPING = Mapping(p=1, q=1, r=1, t=1, e=1, f=9)

POINT: dict[str, Any] = {"kernel_height": 1, "kernel_width": 1, "padding": 0}

#: (of the config, of the layer, of the mapping), and what is to be said against it.
BROKEN: list[tuple[dict[str, Any], dict[str, Any], dict[str, int], str]] = [
    ({}, {}, {"q": 4}, "q*S/fold_width must be at most ifmap_words (10), not 12"),
    ({}, {}, {"q": 11, "fold_width": 3}, "q*S/fold_width must be at most ifmap_words (10), not 11"),
    (
        {},
        {},
        {"p": 7, "q": 3},
        "p*q*S/fold_width must be at most weight_words, halved in macros (60), not 63",
    ),
    (
        {"scratchpads": "macro"},
        {},
        {"p": 4, "q": 3},
        "p*q*S/fold_width must be at most weight_words, halved in macros (30), not 36",
    ),
    ({}, {}, {"p": 8}, "p must be at most psum_words (7), not 8"),
    ({}, {}, {"r": 2}, "r*R/fold_height must be at most rows (5), not 6"),
    ({}, {}, {"r": 6, "fold_height": 3}, "r*R/fold_height must be at most rows (5), not 6"),
    ({}, {}, {"t": 2, "e": 3}, "t*e must be at most columns (4), not 6"),
    ({"buffer_kib": 1}, {}, {"p": 4}, "p*f must be at most the sums a column holds (32), not 36"),
    ({}, {}, {"f": 10}, "f must be at most the output columns (9), not 10"),
    (
        {"columns": 64},
        {"kernel_height": 5, "stride": 5, "in_height": 400, "in_width": 40},
        {"e": 53, "f": 1},
        "(e-1)*U + R must be at most the tags (256), not 265",
    ),
    (
        {"columns": 1, "buffer_kib": 4096},
        {**POINT, "in_height": 300, "in_width": 300},
        {"f": 65536},
        "f must be at most what the descriptor holds (65535), not 65536",
    ),
    (
        {"rows": 64, "columns": 64, "ifmap_words": 256, "weight_words": 256, "bus_bits": 32},
        {**POINT, "in_channels": 16384, "in_height": 64},
        {"q": 256, "r": 64, "e": 64, "f": 1},
        "beats of a column must be at most what the descriptor holds (65535), not 262144",
    ),
    (
        {},
        {"batch": 32767, "in_height": 600},
        {},
        "strips must be at most what the descriptor holds (16777215), not 19660200",
    ),
    ({}, {}, {"fold_height": 2}, "fold_height must divide R (3), not 2"),
    ({}, {}, {"fold_width": 4}, "fold_width must divide S (3), not 4"),
    ({}, {"dilation": 2, "padding": 2}, {"f": 4}, "f must be a dilated layer's F/P (5), not 4"),
    *(({}, {}, {letter: 0}, f"{letter} must be at least 1 (1), not 0") for letter in LETTERS),
    ({}, {}, {"p": -1}, "p must be at least 1 (1), not -1"),
]


@pytest.mark.parametrize(("design", "shape", "letters", "message"), BROKEN)
def test_mappings_that_break_a_rule(
    design: dict[str, Any], shape: dict[str, Any], letters: dict[str, int], message: str
) -> None:
    config, layer = replace(CONFIG, **design), replace(LAYER, **shape)
    with pytest.raises(UserError, match=f"^layer 'conv1': mapping {re.escape(message)}$"):
        check_mapping(config, layer, replace(MAPPING, **letters))
    assert not legal_mapping(config, layer, replace(MAPPING, **letters))


@given(mapped())
def test_one_more_of_a_letter_than_fits_is_refused(case: Any) -> None:
    """A mapping is legal exactly as long as its parts fit what is there; counted anew here."""
    config, layer, mapping = case
    check_mapping(config, layer, mapping)
    sums = 2 * int(memories(config)["psum_sram"].depth)
    weights = config.weight_words // (2 if config.scratchpads == "macro" else 1)
    for letter in "pqrtef":
        more = replace(mapping, **{letter: getattr(mapping, letter) + 1})
        height = layer.kernel_height // mapping.fold_height
        window = more.q * layer.kernel_width // mapping.fold_width
        stride = 1 if is_flat(layer) else layer.stride // math.gcd(layer.stride, layer.dilation)
        fits = (
            window <= config.ifmap_words
            and more.p * window <= weights
            and more.p <= config.psum_words
            and more.r * height <= config.rows
            and more.t * more.e <= config.columns
            and more.p * more.f <= sums
            and more.f <= widest(layer)
            and (more.e - 1) * min(stride, height) + height <= MAX_TAGS
        )
        assert bool(legal_mapping(config, layer, more)) == fits, letter


def test_pixels_that_stand_alone() -> None:
    """1 x 1 kernels without padding: every image and row is one long row of pixels."""
    points = replace(LAYER, kernel_height=1, kernel_width=1, padding=0, batch=2, stride=2)
    assert (is_flat(points), phases(points), widest(points)) == (True, 1, 2 * 5 * 5)
    assert phases(replace(points, dilation=3)) == 1
    bound = loops(CONFIG, points, Mapping(p=2, q=3, r=2, t=1, e=3, f=7))
    assert (bound.strips, bound.tiles, bound.tags) == (3, 1, 3)  # 50 pixels: 8 rows of 7, 3 a strip
    assert (bound.stride, bound.row_step, bound.column_step, bound.column_jump) == (1, 1, 1, 0)
    for change in ({"padding": [0, 0, 0, 1]}, {"kernel_width": 2}, {"kernel_height": 2}):
        assert not is_flat(replace(points, **change))


@pytest.mark.parametrize(
    ("stride", "dilation", "split", "step"),
    [(1, 1, 1, 1), (2, 1, 1, 2), (1, 2, 2, 1), (2, 2, 1, 1), (4, 2, 1, 2), (2, 3, 3, 2)],
)
def test_dilation_is_decimation(stride: int, dilation: int, split: int, step: int) -> None:
    layer = replace(LAYER, stride=stride, dilation=dilation, padding=dilation)
    bound = loops(CONFIG, layer, replace(MAPPING, f=widest(layer)))
    assert (bound.phases, bound.stride) == (phases(layer), step) == (split, step)
    assert is_phased(layer) == (split > 1)
    assert bound.tiles == split
    assert widest(layer) == -(-layer.out_width // split)
    assert bound.strips == split * -(-layer.out_height // split)


def test_phases_without_outputs_are_left_out() -> None:
    """Of a dilation of 5 on outputs of 2 x 3, two phases of rows and three of columns are left."""
    layer = replace(LAYER, dilation=5, padding=0, in_height=12, in_width=13)
    assert (layer.out_height, layer.out_width, phases(layer), widest(layer)) == (2, 3, 5, 1)
    bound = loops(CONFIG, layer, replace(MAPPING, f=1))
    assert (bound.row_phases, bound.column_phases) == (bound.strips, bound.tiles) == (2, 3)


def test_loop_bounds_worked_out_by_hand() -> None:
    """6 channels and 8 filters of 3 x 3 in groups of 2, two images, 9 x 9 outputs."""
    layer = replace(LAYER, batch=2, groups=2)
    bound = loops(CONFIG, layer, Mapping(p=2, q=2, r=1, t=1, e=4, f=4, fold_width=3))
    assert bound.strips == 2 * 2 * 3  # groups, images, strips of 4 of 9 rows
    assert bound.tiles == 3
    assert bound.filter_groups == 2  # 4 filters, two at a time
    assert bound.channel_passes == 2  # 3 channels, two at a time
    assert bound.passes == 6
    assert bound.tags == 6
    assert (bound.kernel_height, bound.kernel_width) == (3, 1)
    # Beats of 64 bits: 8 inputs, 8 weights, 2 sums.
    assert (bound.ifmap_groups, bound.weight_groups) == (1, 1)
    assert (bound.tap_groups, bound.output_groups) == (2, 2)
    # A ring of 2 windows of one column each: all of a new one fits beside.
    assert (bound.ring_columns, bound.ahead_step, bound.ahead_window) == (2, 1, 1)
    assert bound.double_weights


def test_rings_that_hold_more_than_a_window_and_less() -> None:
    def room(q: int) -> tuple[int, int, int]:
        bound = loops(CONFIG, replace(LAYER, stride=2), replace(MAPPING, q=q, f=5))
        return bound.ring_columns, bound.ahead_step, bound.ahead_window

    assert room(1) == (6, 2, 3)  # two windows of 3
    assert room(2) == (5, 2, 2)
    assert room(3) == (3, 0, 0)  # of 10 words, 9 are the window


def test_weights_of_two_passes_fit_in_half_of_the_scratchpad() -> None:
    for p, q, doubled in ((5, 2, True), (6, 2, False), (3, 3, True), (4, 3, False)):
        bound = loops(CONFIG, LAYER, replace(MAPPING, p=p, q=q))
        assert bool(bound.double_weights) == doubled, (p, q)


def test_strides_beyond_the_kernel_leave_rows_and_columns_out() -> None:
    layer = replace(LAYER, kernel_height=2, kernel_width=3, stride=4)
    bound = loops(CONFIG, layer, replace(MAPPING, e=3, f=3))
    assert (bound.row_step, bound.tags) == (2, 6)
    assert (bound.column_step, bound.column_jump) == (3, 1)
