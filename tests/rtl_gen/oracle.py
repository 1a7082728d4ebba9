"""What others computed: quantized convolutions, pools and additions by ONNX Runtime.

Operands go in unsigned, 128 added and a zero point of 128 taken off again by the operators (which
pad with it): on x86 without VNNI only unsigned times unsigned is exact, the signed kernels add
pairs of products in 16 saturating bits.

Source: https://onnx.ai/onnx/operators/ (ConvInteger, QLinearConv, MaxPool);
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md (QLinearAdd,
QLinearAveragePool); https://github.com/microsoft/onnxruntime/issues/16105 (saturation).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import TensorProto, helper

from rtl_gen.layer import Layer

Codes = NDArray[np.int64]

#: 12 has a MaxPool of bytes. All are pinned low so that any runtime accepts them.
_OPSETS = (("", 12), ("com.microsoft", 1))
_IR_VERSION = 8
_TYPES = {
    "uint8": TensorProto.UINT8,
    "int32": TensorProto.INT32,
    "float32": TensorProto.FLOAT,
}


def conv_integer(layer: Layer, ifmap: Codes, weights: Codes) -> Codes:
    """Sums (N, M, E, F) of (input - padding_value) * weight, by ConvInteger; all codes int8."""
    inputs = {
        "ifmap": _unsigned(ifmap),
        "weights": _unsigned(weights),
        "ifmap_zero": _unsigned(layer.padding_value),
        "weights_zero": _unsigned(0),
    }
    sums = _run("ConvInteger", inputs, TensorProto.INT32, **_shape(layer))
    return np.asarray(sums, dtype=np.int64)


def qlinear_conv(
    layer: Layer,
    ifmap: Codes,
    weights: Codes,
    *,
    bias: Codes,
    scale: NDArray[np.float64],
    zero_point: int,
) -> Codes:
    """Codes (N, M, E, F) of (sum + bias) * scale + zero_point, by QLinearConv; all codes int8.

    Parameters
    ----------
    bias, scale : (M,): per-channel weight scales, those of input and output are 1.

    The operator multiplies in float32: exact where a sum times its scale has 24 significant bits.
    """
    one, zeros = np.array(1, np.float32), np.zeros(layer.out_channels, np.int64)
    inputs: dict[str, NDArray[Any]] = {
        "ifmap": _unsigned(ifmap),
        "ifmap_scale": one,
        "ifmap_zero": _unsigned(layer.padding_value),
        "weights": _unsigned(weights),
        "weights_scale": scale.astype(np.float32),
        "weights_zero": _unsigned(zeros),
        "ofmap_scale": one,
        "ofmap_zero": _unsigned(zero_point),
        "bias": bias.astype(np.int32),
    }
    return _signed(_run("QLinearConv", inputs, TensorProto.UINT8, **_shape(layer)))


def max_pool(layer: Layer, ifmap: Codes) -> Codes:
    """Codes (N, C, E, F) by MaxPool."""
    inputs = {"ifmap": _unsigned(ifmap)}
    return _signed(_run("MaxPool", inputs, TensorProto.UINT8, **_pool_shape(layer)))


def average_pool(layer: Layer, ifmap: Codes, zero_point: int) -> Codes:
    """Codes (N, C, E, F) by QLinearAveragePool: one scale and zero point in and out."""
    one, zero = np.array(1, np.float32), _unsigned(zero_point)
    inputs: dict[str, NDArray[Any]] = {
        **{"ifmap": _unsigned(ifmap), "ifmap_scale": one, "ifmap_zero": zero},
        **{"ofmap_scale": one, "ofmap_zero": zero},
    }
    shape = _pool_shape(layer)
    return _signed(
        _run("QLinearAveragePool", inputs, TensorProto.UINT8, domain="com.microsoft", **shape)
    )


def qlinear_add(
    operands: tuple[Codes, Codes],
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    zero_point: int,
) -> Codes:
    """Codes of the sum of (operand - its zero point) * scale, by QLinearAdd; output scale 1."""
    inputs: dict[str, NDArray[Any]] = {}
    for name, operand, scale, zero in zip("ab", operands, scales, zero_points, strict=True):
        inputs[name] = _unsigned(operand)
        inputs[f"{name}_scale"] = np.array(scale, np.float32)
        inputs[f"{name}_zero"] = _unsigned(zero)
    inputs |= {"sum_scale": np.array(1, np.float32), "sum_zero": _unsigned(zero_point)}
    return _signed(_run("QLinearAdd", inputs, TensorProto.UINT8, domain="com.microsoft"))


def _shape(layer: Layer) -> dict[str, Any]:
    """Attributes of a convolution; an fc or a matmul is one, too."""
    return {
        "strides": [layer.stride] * 2,
        "pads": list(layer.padding),
        "dilations": [layer.dilation] * 2,
        "group": layer.groups,
    }


def _pool_shape(layer: Layer) -> dict[str, Any]:
    return {
        "kernel_shape": [layer.kernel_height, layer.kernel_width],
        "strides": [layer.stride] * 2,
        "pads": list(layer.padding),
    }


def _unsigned(codes: Codes | int) -> NDArray[np.uint8]:
    numbers = np.asarray(codes)
    if numbers.size and (numbers.min() < -128 or numbers.max() > 127):
        raise ValueError(f"codes must be int8, not {numbers.min()} to {numbers.max()}")
    return (numbers + 128).astype(np.uint8)


def _signed(codes: NDArray[Any]) -> Codes:
    return codes.astype(np.int64) - 128


def _run(
    operator: str, inputs: dict[str, NDArray[Any]], result: int, **attributes: Any
) -> NDArray[Any]:
    """The output of one operator."""
    # What is no ifmap or operand goes in as a constant: some kernels want to see it beforehand.
    fed = [name for name in inputs if name in ("ifmap", "a", "b")]
    constants = [
        helper.make_tensor(name, _TYPES[str(value.dtype)], value.shape, value.ravel())
        for name, value in inputs.items()
        if name not in fed
    ]
    graph = helper.make_graph(
        [helper.make_node(operator, list(inputs), ["result"], **attributes)],
        "oracle",
        [
            helper.make_tensor_value_info(name, TensorProto.UINT8, inputs[name].shape)
            for name in fed
        ],
        [helper.make_tensor_value_info("result", result, None)],
        constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*opset) for opset in _OPSETS],
        ir_version=_IR_VERSION,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (output,) = session.run(None, {name: inputs[name] for name in fed})
    return np.asarray(output)
