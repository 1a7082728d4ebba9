"""Single passes: which ones there are, and what each must add to the sums."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from characterize.regression import random_tensors
from rtl_gen.config import AcceleratorConfig
from rtl_gen.instructions import Pass, pass_instructions
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping, is_flat, loops, phases
from rtl_gen.reference import golden_layer
from tests.rtl_gen.strategies import mapped

Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePass:
    """One pass of a layer with random tensors; `number` counts the passes of its group."""

    config: AcceleratorConfig
    layer: Layer
    mapping: Mapping
    ifmap: Array
    weights: Array
    strip: int
    tile: int
    filter_group: int
    number: int
    pause: int | None

    def instructions(self) -> Pass:
        return pass_instructions(
            self.config,
            self.layer,
            self.mapping,
            self.ifmap,
            self.weights,
            strip=self.strip,
            tile=self.tile,
            filter_group=self.filter_group,
            number=self.number,
            pause=self.pause,
        )

    def sums(self) -> Array:
        """What leaves the columns in each drain, (f * p, columns of the mapping).

        The golden sums of a layer that has this pass's channels and filter taps only; 0 where not
        `known`.
        """
        layer, mapping = self.layer, self.mapping
        height = layer.kernel_height // mapping.fold_height
        width = layer.kernel_width // mapping.fold_width
        size, step = self.weights.shape[1], mapping.q * mapping.r
        fold, channel_pass = divmod(self.number, -(-size // step))
        column_fold, row_fold = divmod(fold, mapping.fold_height)
        top, left = row_fold * height, column_fold * width
        channels = slice(channel_pass * step, (channel_pass + 1) * step)
        group = self._conv_group * size
        (up, before, down, after), sides = layer.padding, [(0, 0), (0, 0)]
        padded = np.pad(
            self.ifmap, [*sides, (up, down), (before, after)], constant_values=layer.padding_value
        )
        met = padded[:, group : group + size][:, channels]
        met = met[:, :, top * layer.dilation :, left * layer.dilation :]
        spans = (height - 1) * layer.dilation + 1, (width - 1) * layer.dilation + 1
        met = met[:, :, : (layer.out_height - 1) * layer.stride + spans[0]]
        met = met[:, :, :, : (layer.out_width - 1) * layer.stride + spans[1]]
        alone = replace(
            layer,
            kind="conv",
            in_channels=met.shape[1],
            in_height=met.shape[2],
            in_width=met.shape[3],
            kernel_height=height,
            kernel_width=width,
            padding=0,
            groups=1,
        )
        weights = self.weights[:, channels, top : top + height, left : left + width]
        once = replace(mapping, fold_height=1, fold_width=1)
        whole = golden_layer(self.config.arithmetic, alone, met, weights, once)
        safe = [
            place.clip(0, length - 1)
            for place, length in zip(self._places(), layer.ofmap_shape, strict=True)
        ]
        return np.where(self.known(), whole[tuple(safe)], 0)

    @property
    def _conv_group(self) -> int:
        strips = int(loops(self.config, self.layer, self.mapping).strips)
        return self.strip // (strips // self.layer.groups)

    def known(self) -> NDArray[np.bool_]:
        """Which of `sums` stand for an output of the layer; the others are anything."""
        places = zip(self._places(), self.layer.ofmap_shape, strict=True)
        inside = [(place >= 0) & (place < size) for place, size in places]
        return np.logical_and.reduce(np.broadcast_arrays(*inside))

    def _places(self) -> tuple[Array, Array, Array, Array]:
        """(image, filter, row, column) of each sum; -1 or too large where it stands for none."""
        mapping, layer = self.mapping, self.layer
        drain, place = np.indices((mapping.f * mapping.p, mapping.t * mapping.e))
        x, filter_ = np.divmod(drain, mapping.p)
        target, out_row = np.divmod(place, mapping.e)
        strips = int(loops(self.config, layer, mapping).strips) // layer.groups
        within = self.strip % strips
        filters = layer.out_channels // layer.groups
        channel = (self.filter_group * mapping.t + target) * mapping.p + filter_
        channel = np.where(channel < filters, self._conv_group * filters + channel, -1)
        if is_flat(layer):
            pixel = (within * mapping.e + out_row) * mapping.f + x
            row, column = np.divmod(pixel, layer.out_width)
            return row // layer.out_height, channel, row % layer.out_height, column
        split = phases(layer)
        image, rest = divmod(within, strips // layer.batch)
        phase, row_strip = divmod(rest, strips // (layer.batch * min(split, layer.out_height)))
        row = (row_strip * mapping.e + out_row) * split + phase
        column = x * split + self.tile if split > 1 else self.tile * mapping.f + x
        return np.full_like(row, image), channel, row, column


@st.composite
def one_passes(draw: st.DrawFn, config: AcceleratorConfig, most: int = 9) -> OnePass:
    """Any pass of any layer that `config` can run."""
    _, layer, mapping = draw(mapped(config, most))
    layer = replace(layer, output="raw")
    bound = loops(config, layer, mapping)
    ifmap, weights = random_tensors(config.arithmetic, layer, draw(st.integers(0, 9)))

    def number(count: Any) -> int:
        return draw(st.integers(0, int(count) - 1))

    return OnePass(
        config=config,
        layer=layer,
        mapping=mapping,
        ifmap=ifmap,
        weights=weights,
        strip=number(bound.strips),
        tile=number(bound.tiles),
        filter_group=number(bound.filter_groups),
        number=number(bound.passes),
        pause=draw(st.sampled_from((None, None, 0, 3))),
    )
