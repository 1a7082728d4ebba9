"""Floating-point arithmetics: their names, accumulators and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rtl_gen.errors import UserError
from rtl_gen.formats import (
    FLOATS,
    Arithmetic,
    FloatAccumulator,
    IntegerAccumulator,
    arithmetic,
    format_named,
)


@pytest.mark.parametrize(
    ("spec", "name", "label", "bits"),
    [
        ("fp32", "fp32", "FP32", (32, 32, 32)),
        ("fp32xfp32afp32", "fp32", "FP32", (32, 32, 32)),
        ("tf32", "tf32", "TF32", (19, 19, 32)),
        ("fp16afp16", "fp16afp16", "FP16, FP16 accumulator", (16, 16, 16)),
        ("fp8_e4m3", "fp8_e4m3", "FP8 E4M3", (8, 8, 32)),
        ("fp8_e4m3afp16", "fp8_e4m3afp16", "FP8 E4M3, FP16 accumulator", (8, 8, 16)),
        ("fp8_e4m3xfp4_e2m1", "fp8_e4m3xfp4_e2m1", "FP8 E4M3 x FP4 E2M1", (8, 4, 32)),
        ("bf16xint4", "bf16xint4", "BF16 x INT4", (16, 4, 32)),
        ("bf16xint4abf16", "bf16xint4abf16", "BF16 x INT4, BF16 accumulator", (16, 4, 16)),
        (
            {"activation": "fp8_e4m3", "weight": "fp8_e4m3", "accumulator": "fp16"},
            "fp8_e4m3afp16",
            "FP8 E4M3, FP16 accumulator",
            (8, 8, 16),
        ),
        ({"activation": "bf16", "weight": "int8"}, "bf16xint8", "BF16 x INT8", (16, 8, 32)),
    ],
)
def test_names_labels_and_widths(spec: Any, name: str, label: str, bits: tuple[int, ...]) -> None:
    arith = arithmetic(spec)
    assert (arith.name, arith.label) == (name, label)
    assert (arith.activation_bits, arith.weight_bits, arith.accumulator_bits) == bits
    assert arith.product_bits == arith.accumulator_bits
    assert arith.is_float
    assert arith.mac_latency == 2
    assert arith.accumulator.order_matters
    assert arithmetic(arith.name) == arith


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bf16afp16", "accumulator of bf16 must be .*all its values, not 'fp16'"),
        ("fp32atf32", "accumulator of fp32 must be .*all its values, not 'tf32'"),
        ("fp16abf16", "accumulator of fp16 must be .*all its values, not 'bf16'"),
        ("fp8_e4m3afp8_e4m3", "accumulator of fp8_e4m3 must be .*IEEE.*, not 'fp8_e4m3'"),
        ("fp6_e2m3afp8_e4m3", "accumulator of fp6_e2m3 must be .*IEEE.*, not 'fp8_e4m3'"),
        ("fp16xbf16afp16", "accumulator of bf16 must be .*, not 'fp16'"),
        ("fp32a24", "accumulator of fp32 must be a floating-point format, not '24'"),
        ("bf16xint8a32", "accumulator of bf16xint8 must be a floating-point format, not '32'"),
        ("int8afp32", "accumulator of int8 must be a number of bits, not 'fp32'"),
        ("lightpe1afp16", "accumulator of lightpe1 must be a number of bits, not 'fp16'"),
        ("int8xfp8_e4m3", "activation must be floating-point .*fp8_e4m3, not 'int8'"),
        ("uint8xfp32afp32", "activation must be floating-point .*fp32, not 'uint8'"),
        ("fp8", "arithmetic must be one of .*, not 'fp8'"),
        ("fp32afp64", "arithmetic must be one of .*, not 'fp32afp64'"),
        ("fp32aint8", "accumulator must be .* one of .*fp32.*, not 'int8'"),
        (
            {"activation": "fp32", "weight": "fp32", "accumulator": "wide"},
            "accumulator must be .* one of .*fp32.*, not 'wide'",
        ),
        (
            {"activation": "fp32", "weight": "fp32", "accumulator": 1.5},
            r"accumulator must be a whole number of bits or a format, not 1\.5",
        ),
    ],
)
def test_errors_name_rule_and_value(spec: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        arithmetic(spec)


def test_an_arithmetic_checks_the_kind_of_its_accumulator() -> None:
    fp32, int8 = FLOATS["fp32"], format_named("int8")
    with pytest.raises(UserError, match="accumulator of fp32 must be a floating-point format"):
        Arithmetic(
            activation=fp32,
            weight=fp32,
            accumulator=IntegerAccumulator(bits=32, saturating=True),
        )
    with pytest.raises(UserError, match="accumulator of int8 must be a number of bits"):
        Arithmetic(activation=int8, weight=int8, accumulator=FloatAccumulator(format=fp32))


def test_a_float_accumulator_keeps_words() -> None:
    wide = FloatAccumulator(format=FLOATS["fp16"])
    words = np.array([0x7C00, 0xFC00, 0x7E00, 0x8000, 0x0001, 0x7BFF])
    np.testing.assert_array_equal(wide.encode(wide.decode(wide.from_bits(words))), words)
    assert (wide.bits, wide.minimum, wide.maximum) == (16, -65504, 65504)
    assert wide.nearest(65519.9) == 65504
    assert wide.nearest(65520.0) == np.inf
    with pytest.raises(UserError, match="fp16 values must be representable"):
        wide.encode(0.1)
