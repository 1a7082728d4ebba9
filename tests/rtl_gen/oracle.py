"""What others computed: integer convolution by ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import TensorProto, helper

#: ConvInteger came with opset 10. Both numbers are pinned low so that any runtime accepts them.
_OPSET = 10
_IR_VERSION = 8


def conv_integer(
    ifmap: NDArray[np.int8], weights: NDArray[np.int8], *, stride: int = 1, padding: int = 0
) -> NDArray[np.int32]:
    """Convolve exactly, with ONNX Runtime's ConvInteger.

    Parameters
    ----------
    ifmap : (N, C, H, W) int8.
    weights : (M, C, R, S) int8.
    stride, padding : the same in both directions; padding is zeros.

    Returns
    -------
    ofmap : (N, M, E, F) int32.

    Both operands go in unsigned, 128 added and a zero point of 128 taken off again by the
    operator (which pads with it): on x86 without VNNI only unsigned times unsigned is exact, the
    signed kernels add pairs of products in 16 saturating bits.

    Source: https://onnx.ai/onnx/operators/onnx__ConvInteger.html;
    https://github.com/microsoft/onnxruntime/issues/16105 (saturation).
    """
    if ifmap.dtype != np.int8 or weights.dtype != np.int8:
        raise ValueError(f"operands must be int8, not {ifmap.dtype} and {weights.dtype}")
    node = helper.make_node(
        "ConvInteger",
        ["ifmap", "weights", "zero_point", "zero_point"],
        ["ofmap"],
        strides=[stride] * 2,
        pads=[padding] * 4,
    )
    graph = helper.make_graph(
        [node],
        "convolution",
        [
            helper.make_tensor_value_info("ifmap", TensorProto.UINT8, ifmap.shape),
            helper.make_tensor_value_info("weights", TensorProto.UINT8, weights.shape),
            helper.make_tensor_value_info("zero_point", TensorProto.UINT8, []),
        ],
        [helper.make_tensor_value_info("ofmap", TensorProto.INT32, None)],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    zero_point = np.array(128, np.uint8)
    (ofmap,) = session.run(
        None,
        {
            "ifmap": ifmap.view(np.uint8) ^ zero_point,  # adds 128 in two's complement
            "weights": weights.view(np.uint8) ^ zero_point,
            "zero_point": zero_point,
        },
    )
    return np.asarray(ofmap, dtype=np.int32)
