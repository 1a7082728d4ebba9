"""Two's complement integers: published ranges, round trips, and rounding against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rtl_gen.errors import UserError
from rtl_gen.formats import IntegerFormat, format_named

formats = st.integers(2, 16).map(lambda bits: IntegerFormat(bits=bits))
reals = arrays.arrays(np.float64, st.integers(0, 30), elements=st.floats(-1e6, 1e6))


@pytest.mark.parametrize(
    ("name", "minimum", "maximum"),
    [("int2", -2, 1), ("int4", -8, 7), ("int8", -128, 127), ("int16", -32768, 32767)],
)
def test_published_ranges(name: str, minimum: int, maximum: int) -> None:
    fmt = format_named(name)
    assert (fmt.name, fmt.minimum, fmt.maximum) == (name, minimum, maximum)
    assert fmt.values().tolist() == list(range(minimum, maximum + 1))
    assert fmt.bits == len(fmt.values()).bit_length() - 1


@given(formats)
def test_codes_are_the_values(fmt: IntegerFormat) -> None:
    values = fmt.values()
    np.testing.assert_array_equal(fmt.encode(values), values)
    np.testing.assert_array_equal(fmt.decode(fmt.codes()), values)
    np.testing.assert_array_equal(fmt.quantize(values, 1.0)[0], values)


@given(formats, reals, st.none() | st.floats(1e-3, 1e3))
def test_quantize_takes_the_nearest_value(
    fmt: IntegerFormat, real: np.ndarray, scale: float | None
) -> None:
    codes, used = fmt.quantize(real, scale)
    if scale is not None:
        assert used == scale
    assert codes.dtype == np.int64
    assert codes.shape == real.shape
    near = np.clip(real / used, fmt.minimum, fmt.maximum)
    assert (np.abs(codes - near) <= 0.5).all()
    again, _ = fmt.quantize(codes * used, used)
    np.testing.assert_array_equal(again, codes)


def test_ties_go_to_even_and_the_rest_is_clipped() -> None:
    codes, scale = format_named("int4").quantize(
        [0.5, 1.5, 2.5, -0.5, -1.5, 7.5, 99, -8.5, -99], 1.0
    )
    assert codes.tolist() == [0, 2, 2, 0, -2, 7, 7, -8, -8]
    assert scale == 1.0


def test_the_scale_maps_the_largest_magnitude_to_the_maximum() -> None:
    codes, scale = format_named("int8").quantize(np.array([[0.5, -2.0], [1.0, 0.0]]))
    assert scale == 2.0 / 127
    assert codes.tolist() == [[32, -127], [64, 0]]


@pytest.mark.parametrize("real", [[], [0.0, -0.0], [5e-324]])
def test_a_scale_for_nothing_to_scale(real: list[float]) -> None:
    codes, scale = format_named("int8").quantize(real)
    assert scale == 1.0
    assert codes.tolist() == [0] * len(real)


@pytest.mark.parametrize("bits", [-1, 0, 1, 17])
def test_width_rule(bits: int) -> None:
    with pytest.raises(UserError, match=f"integer format must be int2 to int16, not 'int{bits}'"):
        IntegerFormat(bits=bits)


def test_errors_name_rule_and_value() -> None:
    fmt = format_named("int4")
    with pytest.raises(UserError, match="int4 values must be -8 to 7, not 8"):
        fmt.encode([1, 8])
    with pytest.raises(UserError, match="int4 codes must be -8 to 7, not -9"):
        fmt.decode(-9)
    with pytest.raises(UserError, match="int4 values must be integers, not float64"):
        fmt.encode([0.5])
    with pytest.raises(
        UserError, match="int4 codes must fit 64 signed bits, not 18446744073709551615"
    ):
        fmt.decode(np.array([2**64 - 1], np.uint64))
    with pytest.raises(UserError, match="numbers to quantize must be finite, not nan"):
        fmt.quantize([1.0, np.nan])
    for scale in (0.0, -1.0, np.inf):
        with pytest.raises(UserError, match=f"scale must be positive and finite, not {scale}"):
            fmt.quantize([1.0], scale)


@pytest.mark.parametrize("name", ["", "int", "int08", "int8 ", "INT8", "uint08", "pot3x", None, 8])
def test_unknown_names(name: object) -> None:
    with pytest.raises(UserError, match=r"format must be intN, uintN, .* not"):
        format_named(name)


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_unsigned_integers(bits: int) -> None:
    fmt = format_named(f"uint{bits}")
    assert (fmt.minimum, fmt.maximum, fmt.label) == (0, 2**bits - 1, f"UINT{bits}")
    assert fmt.from_bits([0, 2**bits - 1]).tolist() == [0, 2**bits - 1]
    codes, scale = fmt.quantize([-1.0, 0.0, 3.0])
    assert codes.tolist() == [0, 0, fmt.maximum]
    assert scale == 3.0 / fmt.maximum
    with pytest.raises(UserError, match=f"uint{bits} values must be 0 to {fmt.maximum}, not -1"):
        fmt.encode([-1])


def test_words_become_codes() -> None:
    fmt = format_named("int4")
    assert fmt.from_bits(range(16)).tolist() == [*range(8), *range(-8, 0)]


def test_channels_have_scales_of_their_own() -> None:
    real = [[1.0, -2.0], [0.0, 0.0], [3.0, 0.5]]
    codes, scales = format_named("int8").quantize(real, axis=0)
    assert scales.tolist() == [[2.0 / 127], [1.0], [3.0 / 127]]
    assert codes.tolist() == [[64, -127], [0, 0], [127, 21]]
    again, used = format_named("int8").quantize(real, scales)
    assert again.tolist() == codes.tolist()
    assert used is not None
