"""Laws of quantizing that every format keeps: scales, channels, order, and what it refuses."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rtl_gen.errors import UserError
from rtl_gen.formats import Format, format_named

NAMES = (
    *("int2", "int4", "int8", "int16", "uint1", "uint8", "bin", "tern", "pot1", "pot2", "pot3e5"),
    *("apot4", "apot7", "bitsparse2", "fp8_e5m2", "fp8_e4m3", "fp6_e3m2", "fp4_e2m1", "bf16"),
)
SATURATING = [name for name in NAMES if name != "bf16"]
formats = st.sampled_from([format_named(name) for name in NAMES])
finite = st.floats(-1e3, 1e3)
matrices = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=finite
)
tensors = arrays.arrays(
    np.float64, arrays.array_shapes(min_dims=3, max_dims=3, max_side=3), elements=finite
)


@given(formats, arrays.arrays(np.float64, 30, elements=finite), st.floats(1e-2, 1e2))
def test_larger_numbers_never_become_smaller_values(
    fmt: Format, real: np.ndarray, scale: float
) -> None:
    values = fmt.decode(fmt.quantize(np.sort(real), scale)[0])
    assert (np.diff(values) >= 0).all()


@given(formats, st.floats(1e-2, 1e2))
def test_what_a_format_has_it_keeps(fmt: Format, scale: float) -> None:
    values = fmt.values()[:: max(1, fmt.values().size // 500)]
    codes, used = fmt.quantize(values * scale, scale)
    assert used == scale
    np.testing.assert_array_equal(fmt.decode(codes), values)


@given(formats, matrices, st.booleans())
def test_a_channel_is_quantized_as_if_alone(fmt: Format, real: np.ndarray, rows: bool) -> None:
    axis = 0 if rows else -1
    codes, scales = fmt.quantize(real, axis=axis)
    scales = np.broadcast_to(scales, real.shape)
    for channel in range(real.shape[axis]):
        alone, scale = fmt.quantize(real.take(channel, axis))
        np.testing.assert_array_equal(codes.take(channel, axis), alone)
        np.testing.assert_allclose(scales.take(channel, axis), scale, rtol=1e-12)
    np.testing.assert_array_equal(fmt.quantize(real, scales)[0], codes)


@given(st.sampled_from([format_named(name) for name in ("int8", "pot2", "apot4", "bin")]), tensors)
def test_several_axes_have_a_scale_for_each_pair_of_indices(fmt: Format, real: np.ndarray) -> None:
    codes, scales = fmt.quantize(real, axis=(0, 2))
    wanted = tuple(size if axis in (0, 2) else 1 for axis, size in enumerate(real.shape))
    assert (scales.shape, scales.dtype) == (wanted, np.float64)
    for i, j in np.ndindex(real.shape[0], real.shape[2]):
        alone, scale = fmt.quantize(real[i, :, j])
        np.testing.assert_array_equal(codes[i, :, j], alone)
        assert scales[i, 0, j] == pytest.approx(scale, rel=1e-12)  # a mean, in another order


@pytest.mark.parametrize("name", NAMES)
def test_input_stays_as_it_is_and_its_type_does_not_matter(name: str) -> None:
    fmt = format_named(name)
    real = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    double = real.astype(np.float64)
    codes, scale = fmt.quantize(double)
    np.testing.assert_array_equal(double, real)
    again, same = fmt.quantize(real)
    np.testing.assert_array_equal(again, codes)
    assert (same, codes.dtype) == (scale, np.int64)
    one, _ = fmt.quantize(real[0, 0], scale)
    assert (np.shape(one), int(one)) == ((), codes[0, 0])


@pytest.mark.parametrize("name", SATURATING)
def test_what_is_too_large_becomes_the_last_value(name: str) -> None:
    fmt = format_named(name)
    values = fmt.decode(fmt.quantize([-1e300, 1e300], 1e-300)[0])
    assert values.tolist() == [fmt.minimum, fmt.maximum]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *(("int2", ml_dtypes.int2), ("int4", ml_dtypes.int4), ("int8", np.int8)),
        *(("uint2", ml_dtypes.uint2), ("uint4", ml_dtypes.uint4), ("uint16", np.uint16)),
    ],
)
def test_integers_have_the_range_of_numpys(name: str, dtype: Any) -> None:
    info = ml_dtypes.iinfo(dtype)
    fmt = format_named(name)
    assert (fmt.minimum, fmt.maximum, fmt.bits) == (info.min, info.max, info.bits)
    np.testing.assert_array_equal(fmt.values(), fmt.values().astype(dtype).astype(np.int64))


@pytest.mark.parametrize("name", ["int8", "pot2", "bin", "fp8_e4m3"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"real": [1.0, np.inf]}, "numbers to quantize must be finite, not inf"),
        ({"real": [[1.0], [np.nan]], "axis": 0}, "numbers to quantize must be finite, not nan"),
        ({"real": [1.0, -np.inf], "scale": 1.0}, "numbers to quantize must be finite, not -inf"),
        ({"real": [[1.0]], "axis": 2}, "axis must be one of 2 axes, not 2"),
        ({"real": [[1.0]], "axis": (0, -3)}, "axis must be one of 2 axes, not -3"),
        ({"real": 1.0, "axis": 0}, "axis must be one of 0 axes, not 0"),
        ({"real": [1.0, 2.0], "scale": [1.0, -2.0]}, "scale must be positive and finite, not -2.0"),
        (
            {"real": [1.0, 2.0], "scale": [1.0, 2.0, 3.0]},
            r"scale must broadcast against \(2,\), not be \(3,\)",
        ),
        (
            {"real": [1.0], "scale": [[1.0], [2.0]]},
            r"scale must broadcast against \(1,\), not be \(2, 1\)",
        ),
    ],
)
def test_errors_name_rule_and_value(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        format_named(name).quantize(**arguments)
