"""Layers to run over AXI: what software would write and send, and what must come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from characterize.regression import random_tensors
from rtl_gen import streams
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import VERSION, descriptor
from rtl_gen.layer import Layer
from rtl_gen.output_stage import OutputStage
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import schedule

#: Five lanes of array, odd scratchpads, beats of two sums.
CONFIG = AcceleratorConfig.from_mapping(
    {
        "arithmetic": "int8",
        **{"rows": 5, "columns": 4, "ifmap_words": 10, "weight_words": 60, "psum_words": 7},
        **{"buffer_kib": 4, "bus_bits": 64},
    }
)


SQUARE: dict[str, Any] = {"in_height": 7, "in_width": 6, "kernel_height": 3, "kernel_width": 3}
#: Raw and quantized, padded, strided, dilated, grouped, flat.
SHAPES: dict[str, dict[str, Any]] = {
    "conv": {"in_channels": 3, "out_channels": 4, "padding": 1, **SQUARE},
    "quantized": {"in_channels": 3, "out_channels": 5, "output": "quantized", **SQUARE},
    "depthwise": {"in_channels": 3, "out_channels": 3, "groups": 3, "stride": 2, **SQUARE},
    "dilated": {"in_channels": 2, "out_channels": 3, "dilation": 2, "padding": 2, **SQUARE},
    "fc": {"in_channels": 20, "out_channels": 9, "batch": 3, "output": "quantized", "kind": "fc"},
    "matmul": {"in_channels": 11, "out_channels": 5, "in_height": 6, "kind": "matmul"},
}
LAYERS = [Layer(**{"name": name, "kind": "conv", **sizes}) for name, sizes in SHAPES.items()]
STREAMS = ("WEIGHT", "IFMAP", "OUTPUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRun:
    """One layer with random tensors.

    Parameters
    ----------
    fields : the descriptor, version included. beats : stream -> bytes to send.
    cycles, counts : what the counters of the accelerator must show.
    expected : sums or codes (N, M, E, F).
    """

    layer: Layer
    fields: dict[str, int]
    beats: dict[str, bytes]
    cycles: int
    counts: dict[str, int]
    mapping: Any
    expected: Any

    def output(self, frame: bytes) -> Any:
        """Sums or codes (N, M, E, F) of a frame of outputs."""
        beats = np.frombuffer(frame, np.uint8).reshape(-1, CONFIG.bus_bits // 8)
        return streams.ofmap(CONFIG, self.layer, self.mapping, beats)


def layer_run(layer: Layer, seed: int) -> LayerRun:
    plan = schedule(CONFIG, layer)
    ifmap, weights = random_tensors(CONFIG.arithmetic, layer, seed)
    stage = random_stage(layer, seed) if layer.output == "quantized" else None
    expected = golden_layer(CONFIG.arithmetic, layer, ifmap, weights, plan.mapping)
    dram = plan.words["dram"]
    return LayerRun(
        layer=layer,
        fields={"version": VERSION, **descriptor(CONFIG, layer, plan.mapping, stage)},
        beats={
            "WEIGHT": streams.weight_beats(CONFIG, layer, plan.mapping, weights, stage).tobytes(),
            "IFMAP": streams.ifmap_beats(CONFIG, layer, plan.mapping, ifmap).tobytes(),
        },
        cycles=int(plan.cycles),
        counts={f"{name}_BEATS": int(dram[f"{name.lower()}_beats"]) for name in STREAMS},
        mapping=plan.mapping,
        expected=expected if stage is None else stage.apply(CONFIG.arithmetic, expected),
    )


def random_stage(layer: Layer, seed: int) -> OutputStage:
    """Numbers that spread a layer's sums over the codes: some clamp, most do not."""
    random = np.random.default_rng(seed)
    size = layer.out_channels
    return OutputStage(
        bias=random.integers(-1000, 1000, size),
        multiplier=random.integers(2**14, 2**16, size),
        shift=random.integers(22, 26, size),
        zero_point=int(random.integers(-20, 20)),
        low=-100,
        high=110,
    )
