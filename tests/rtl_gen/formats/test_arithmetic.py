"""Integer arithmetic: names, accumulator widths, and the golden multiply-accumulate.

Of floating-point: test_float_arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtl_gen.errors import UserError
from rtl_gen.formats import (
    ARITHMETICS,
    CATALOGUE,
    MAX_TERMS,
    Arithmetic,
    IntegerAccumulator,
    arithmetic,
    format_named,
)

NAMES = ["lightpe1", "lightpe2", "bitsparse2", "bin", *(f"int{bits}" for bits in range(2, 17))]
activations = st.integers(2, 16).map("int{}".format) | st.integers(1, 16).map("uint{}".format)
weights = activations | st.sampled_from(
    ["pot1", "pot2", "pot3", "pot2e3", "apot4", "apot5", "bitsparse1", "bin", "tern"]
)
pairs = st.sampled_from(NAMES) | st.builds("{}x{}".format, activations, weights)


@st.composite
def arithmetics(draw: st.DrawFn) -> Arithmetic:
    free = arithmetic(draw(pairs))
    if draw(st.booleans()):
        return free
    return arithmetic(f"{free.name}a{draw(st.integers(free.product_bits, 48))}")


@given(arithmetics())
def test_the_name_says_it_all(arith: Arithmetic) -> None:
    assert arithmetic(arith.name) == arith
    assert arithmetic(arith.name).name == arith.name


@pytest.mark.parametrize(
    ("name", "label", "bits"),
    [
        # 2**15 products of at most 2**30, 2**14, 2**6, 2**14 and 2**15, and the sign.
        ("int16", "INT16", (16, 16, 47)),
        ("int8", "INT8", (8, 8, 31)),
        ("int4", "INT4", (4, 4, 23)),
        ("lightpe1", "LightPE-1", (8, 4, 31)),
        ("lightpe2", "LightPE-2", (8, 8, 32)),
        ("int6xint3", "INT6 x INT3", (6, 3, 24)),
        ("int8a20", "INT8, 20-bit accumulator", (8, 8, 20)),
        ("uint8xint4", "UINT8 x INT4", (8, 4, 27)),
        ("int8xtern", "INT8 x ternary", (8, 2, 24)),
        ("bitsparse2", "BitSparse-2", (16, 10, 47)),
    ],
)
def test_labels_and_widths(name: str, label: str, bits: tuple[int, int, int]) -> None:
    arith = arithmetic(name)
    assert arith.label == label
    assert (arith.activation_bits, arith.weight_bits, arith.accumulator_bits) == bits
    assert isinstance(arith.accumulator, IntegerAccumulator)
    assert arith.accumulator.saturating == (name == "int8a20")
    assert not arith.is_float
    assert arith.mac_latency == 1


def test_what_ships() -> None:
    assert set(ARITHMETICS) >= {"fp32", "int16", "int8", "lightpe1", "lightpe2"}
    assert [arithmetic(name).name for name in ARITHMETICS] == list(ARITHMETICS)
    compared = [name for family in CATALOGUE.values() for name in family]
    assert set(compared) >= set(ARITHMETICS)
    assert len(set(compared)) == len(compared)
    for name in compared:
        arith = arithmetic(name)
        # One name for each, but that a pair of one format may be written out.
        assert arith.name in (name, name.partition("x")[0])


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"activation": "int6", "weight": "int3"}, "int6xint3"),
        ({"activation": "int6", "weight": "int3", "accumulator": 24}, "int6xint3a24"),
        ({"activation": "int8", "weight": "int8"}, "int8"),
        ({"activation": "int8", "weight": "pot1"}, "lightpe1"),
        ({"activation": "int8", "weight": "pot2", "accumulator": 20}, "lightpe2a20"),
        ("int8xint8", "int8"),
        ("int8xpot2", "lightpe2"),
    ],
)
def test_one_name_for_one_arithmetic(spec: Any, name: str) -> None:
    assert arithmetic(spec).name == name


@given(pairs.map(arithmetic))
def test_an_automatic_accumulator_holds_the_longest_sum_and_no_bit_more(arith: Arithmetic) -> None:
    extremes = [
        MAX_TERMS * activation * weight
        for activation in (arith.activation.minimum, arith.activation.maximum)
        for weight in (arith.weight.minimum, arith.weight.maximum)
    ]
    assert arith.accumulator.minimum <= min(extremes)
    assert max(extremes) <= arith.accumulator.maximum
    lowest = -arith.activation.minimum, -arith.weight.minimum
    if all(number.bit_count() == 1 for number in lowest):  # the largest sum is one, too
        bias = 2 ** (arith.accumulator_bits - 2) - 1
        assert arith.accumulator.minimum <= min(extremes) - bias
        assert max(extremes) + bias <= arith.accumulator.maximum
    narrower = IntegerAccumulator(bits=arith.accumulator_bits - 1, saturating=False)
    assert min(extremes) < narrower.minimum or max(extremes) > narrower.maximum
    with pytest.raises(UserError, match=f"saturate to be as narrow as {narrower.bits} bits"):
        Arithmetic(activation=arith.activation, weight=arith.weight, accumulator=narrower)


@given(pairs.map(arithmetic))
def test_the_product_has_no_bit_too_many(arith: Arithmetic) -> None:
    one_product = IntegerAccumulator(bits=arith.product_bits, saturating=True)
    products = arith.multiply(
        arith.activation.codes()[:, None], arith.weight.codes()[[0, 1, -2, -1]]
    )
    assert one_product.minimum <= products.min()
    assert products.max() <= one_product.maximum
    with pytest.raises(UserError, match=r"must be \d+ \(one product\) to 48 bits"):
        arithmetic(f"{arith.name}a{arith.product_bits - 1}")


@pytest.mark.parametrize(
    ("name", "activation", "weight", "product"),
    [
        ("int8", -128, -128, 16384),
        ("int16", -32768, 32767, -1073709056),
        ("lightpe1", 5, 0b1011, -40),  # -(2**3)
        ("lightpe1", -128, 0b1111, 16384),  # -(2**7)
        ("lightpe2", 7, 0x2C, -84),  # 2**2 - 2**4
        ("lightpe2", -128, 0xFF, 32768),  # -(2**7) - 2**7
        ("lightpe2", 93, 0x08, 0),  # 2**0 - 2**0
    ],
)
def test_products_worked_by_hand(name: str, activation: int, weight: int, product: int) -> None:
    assert arithmetic(name).multiply(activation, weight) == product


def test_multiply_broadcasts_and_checks_its_codes() -> None:
    arith = arithmetic("lightpe1")
    assert arith.multiply(np.ones((3, 1), np.int8), np.zeros(4, np.uint8)).shape == (3, 4)
    with pytest.raises(UserError, match="int8 codes must be -128 to 127, not 128"):
        arith.multiply(128, 0)
    with pytest.raises(UserError, match="pot1 codes must be 0 to 15, not -1"):
        arith.multiply(0, -1)


@given(arithmetics(), st.data())
def test_add_is_exact_or_does_what_two_complement_hardware_does(
    arith: Arithmetic, data: st.DataObject
) -> None:
    low, high = arith.accumulator.minimum, arith.accumulator.maximum
    numbers = st.integers(low, high) | st.sampled_from([low, high])
    left, right = data.draw(numbers), data.draw(numbers)
    exact = left + right
    got = int(arith.add(left, right))
    if low <= exact <= high:
        assert got == exact
    elif arith.accumulator.saturating:
        assert got == (low if exact < 0 else high)
    else:
        bits = arith.accumulator_bits
        assert (
            got
            == int.from_bytes((exact % 2**bits << 64 - bits).to_bytes(8), signed=True) >> 64 - bits
        )


def test_add_checks_its_operands() -> None:
    with pytest.raises(UserError, match="20-bit addends must be -524288 to 524287, not 524288"):
        arithmetic("int8a20").add([0], [524288])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("int17", "integer format must be int2 to int16, not 'int17'"),
        ("int6xint1", "integer format must be int2 to int16, not 'int1'"),
        ("uint17", "integer format must be uint1 to uint16, not 'uint17'"),
        ("int8xpot5", r"power-of-two format must be .*, not 'pot5'"),
        ("int8xpot2e15", r"power-of-two format must be .*, not 'pot2e15'"),
        ("int8xapot9", r"format must be .*, not 'apot9'"),
        ("int8xbitsparse5", r"format must be .*, not 'bitsparse5'"),
        ("lightpe3", r"arithmetic must be one of .*, not 'lightpe3'"),
        ("INT8", r"arithmetic must be one of .*int16, int8, .* not 'INT8'"),
        ("int8a", r"arithmetic must be one of .*int16, int8, .* not 'int8a'"),
        ("", r"arithmetic must be one of .* not ''"),
        ("pot1", r"activation must be an integer or .*, not 'pot1'"),
        ("pot2xint8", r"activation must be an integer or .*, not 'pot2'"),
        ("ternxint8", r"activation must be an integer or .*, not 'tern'"),
        ("bitsparse2xbitsparse2", r"activation must be an integer or .*, not 'bitsparse2'"),
        ("int8a15", r"accumulator of int8 must be 16 \(one product\) to 48 bits, not 15"),
        ("int8a49", r"accumulator of int8 must be 16 \(one product\) to 48 bits, not 49"),
        ({"activation": "int8"}, r"must have the key 'weight', not only \['activation'\]"),
        ({"weight": "int8"}, r"must have the key 'activation', not only \['weight'\]"),
        (
            {"activation": "int8", "weight": "int4", "wieght": "int4"},
            "arithmetic keys must be accumulator, activation, weight, not 'wieght'",
        ),
        ({"activation": "int8", "weight": 4}, r"format must be .* not 4"),
        (
            {"activation": "int8", "weight": "int8", "accumulator": "24"},
            r"accumulator must be a whole number of bits or .*, not '24'",
        ),
        (
            {"activation": "int8", "weight": "int8", "accumulator": True},
            r"accumulator must be a whole number of bits or .*, not True",
        ),
        (8, "arithmetic must be a name or a mapping, not 8"),
        (None, "arithmetic must be a name or a mapping, not None"),
    ],
)
def test_errors_name_rule_and_value(spec: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        arithmetic(spec)


def test_formats_carry_labels() -> None:
    assert [format_named(name).label for name in ("int8", "pot1")] == ["INT8", "POT1"]
