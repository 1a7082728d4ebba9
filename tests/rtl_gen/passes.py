"""Single channel passes: which ones there are, and what each must add to the sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from characterize.regression import random_tensors
from rtl_gen.config import AcceleratorConfig
from rtl_gen.instructions import Pass, pass_instructions
from rtl_gen.layer import Layer
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import Mapping, schedule
from tests.rtl_gen.strategies import mapped

Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePass:
    """One channel pass of a layer with random tensors."""

    config: AcceleratorConfig
    layer: Layer
    mapping: Mapping
    ifmap: Array
    weights: Array
    strip: int
    filter_group: int
    channel_pass: int

    def instructions(self) -> Pass:
        return pass_instructions(
            self.config,
            self.layer,
            self.mapping,
            self.ifmap,
            self.weights,
            strip=self.strip,
            filter_group=self.filter_group,
            channel_pass=self.channel_pass,
        )

    def sums(self) -> Array:
        """What leaves the columns in each drain, (F * p, columns of the mapping)."""
        mapping, layer = self.mapping, self.layer
        step = mapping.q * mapping.r
        ours = np.arange(layer.in_channels) // step == self.channel_pass
        ifmap = np.where(ours[None, :, None, None], self.ifmap, 0)
        whole = golden_layer(self.config.arithmetic, layer, ifmap, self.weights, mapping)[0]
        place = np.arange(mapping.t * mapping.e)
        first = (self.filter_group * mapping.t + place // mapping.e) * mapping.p
        row = self.strip * mapping.e + place % mapping.e
        result = np.zeros((layer.out_width, mapping.p, len(place)), np.int64)
        for column in place:
            # Filters and rows that the layer does not have: weights or inputs that are not there.
            channels = range(first[column], min(first[column] + mapping.p, layer.out_channels))
            if row[column] < layer.out_height:
                for k, channel in enumerate(channels):
                    result[:, k, column] = whole[channel, row[column]]
        return result.reshape(-1, len(place))

    def known(self) -> NDArray[np.bool_]:
        """Which of `sums` stand for an output of the layer; the others are anything."""
        mapping, layer = self.mapping, self.layer
        place = np.arange(mapping.t * mapping.e)
        filters = np.arange(mapping.p)[:, None]
        channel = (self.filter_group * mapping.t + place // mapping.e) * mapping.p + filters
        row = self.strip * mapping.e + place % mapping.e
        inside = (channel < layer.out_channels) & (row < layer.out_height)
        return np.tile(inside, (layer.out_width, 1))


@st.composite
def one_passes(draw: st.DrawFn, config: AcceleratorConfig, most: int = 9) -> OnePass:
    """Any pass of any layer that `config` can run."""
    _, layer, mapping = draw(mapped(config, most))
    plan = schedule(config, layer, mapping)
    ifmap, weights = random_tensors(config.arithmetic, layer, draw(st.integers(0, 9)))
    return OnePass(
        config=config,
        layer=layer,
        mapping=mapping,
        ifmap=ifmap,
        weights=weights,
        strip=draw(st.integers(0, int(plan.loops.strips) - 1)),
        filter_group=draw(st.integers(0, int(plan.loops.filter_groups) - 1)),
        channel_pass=draw(st.integers(0, int(plan.loops.channel_passes) - 1)),
    )
