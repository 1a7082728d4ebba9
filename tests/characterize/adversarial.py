"""What a generator of hardware gets wrong first: layers of adversarial shapes, by name."""

from __future__ import annotations

from typing import Any

from rtl_gen.layer import Layer

SHAPE: dict[str, Any] = {
    **{"in_channels": 5, "in_height": 7, "in_width": 9, "out_channels": 6},
    **{"kernel_height": 3, "kernel_width": 3, "padding": 1},
}
POINT: dict[str, Any] = {"kernel_height": 1, "kernel_width": 1, "padding": 0}
#: What a generator of hardware gets wrong first.
ADVERSARIAL: dict[str, dict[str, Any]] = {
    "plain": {},
    "maps of one pixel": {"in_height": 1, "in_width": 1, **POINT},
    "maps of one pixel, padded": {"in_height": 1, "in_width": 1},
    "one row of kernel": {"kernel_height": 1, "padding": [0, 1, 0, 1]},
    "one column of kernel": {"kernel_width": 1, "padding": [1, 0, 1, 0]},
    "points": POINT,
    "points, strided": {**POINT, "stride": 2, "batch": 2},
    "points, padded": {**POINT, "padding": [1, 0, 2, 1]},
    "wider than high": {"kernel_height": 2, "kernel_width": 5, "padding": 0},
    "wider than the map": {"kernel_width": 11, "padding": [1, 2, 1, 2]},
    "prime dimensions": {
        **{"in_channels": 3, "in_height": 13, "in_width": 11, "out_channels": 5},
        **{"kernel_height": 5, "kernel_width": 7, "padding": [2, 3, 1, 0]},
    },
    "one channel": {"in_channels": 1},
    "one filter": {"out_channels": 1},
    "one channel and one filter": {"in_channels": 1, "out_channels": 1},
    "beyond rows and scratchpad": {"kernel_height": 7, "kernel_width": 9, "padding": 4},
    "stride beyond the kernel": {"kernel_height": 2, "kernel_width": 2, "stride": 5},
    "stride beyond the map": {"stride": 9},
    "padding beyond the kernel": {"padding": [5, 4, 6, 7], "padding_value": 1},
    "padding on one side": {"padding": [0, 0, 0, 4], "padding_value": -2},
    "depthwise": {"in_channels": 6, "groups": 6},
    "depthwise, two filters a channel": {"in_channels": 3, "groups": 3, "stride": 2},
    "groups": {"in_channels": 6, "groups": 3, "batch": 2},
    "batch": {"batch": 5},
    "dilation": {"dilation": 2, "padding": 2},
    "dilation and stride without common factor": {"dilation": 3, "padding": 3, "stride": 2},
    "dilation and the same stride": {"dilation": 2, "padding": 2, "stride": 2},
    "dilation beyond the map": {"dilation": 7, "padding": [8, 9, 8, 7]},
    "vector times matrix": {
        **{"kind": "fc", "in_channels": 50, "out_channels": 13, "in_height": 1, "in_width": 1},
        **POINT,
    },
    "matrix times matrix": {
        **{"kind": "matmul", "in_channels": 17, "out_channels": 19, "in_height": 23},
        **{"in_width": 1, "batch": 2, **POINT},
    },
    "matrix times vector": {
        **{"kind": "matmul", "in_channels": 31, "out_channels": 1, "in_height": 29},
        **{"in_width": 1, **POINT},
    },
}


def adversarial(name: str, output: str) -> Layer:
    """One of `ADVERSARIAL` as a layer of raw or quantized output."""
    fields = {"kind": "conv", **SHAPE, **ADVERSARIAL[name]}
    return Layer(name=name, output=output, **fields)
