"""Multipliers of integer-valued formats against the golden products, without an EDA tool.

Every pair of codes, of activations narrow enough for that; `test_mac_exhaustive` has the wide ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from rtl_gen.formats import arithmetic
from rtl_gen.hardware.mac import multiplier_for

#: The most pairs of codes: beyond, as many at random and all corners.
PAIRS = 4096
NAMES = (
    *("bin", "binxint4", "binxuint3", "binxtern", "binxpot1", "binxpot2", "binxapot5"),
    *("binxbitsparse2", "uint1", "uint1xint8", "int4", "uint4", "int4xuint4", "uint4xint4"),
    *("int2xuint8", "int3xint8", "int8xbin", "uint8xbin", "int8xtern", "uint8xtern"),
    *("int8xpot1", "uint8xpot1", "int4xpot2", "uint4xpot2", "int3xpot2e5", "int5xpot2e3"),
    *("int2xpot3e3", "int4xpot3e1", "int2xpot4", "int6xpot1e14", "int8xapot3", "uint8xapot3"),
    *("int8xapot4", "int7xapot5", "int6xapot6", "int5xapot7", "uint5xapot7"),
    *("int7xbitsparse1", "int2xbitsparse2", "uint2xbitsparse2", "int16xbitsparse2"),
    *("int16xbitsparse3", "int16xbitsparse4", "uint16xbitsparse4", "int16xpot4", "int16xuint16"),
)


@pytest.mark.parametrize("name", NAMES)
def test_products_are_exact(name: str) -> None:
    arith = arithmetic(name)
    activations, weights = pairs(arith.activation.codes(), arith.weight.codes())
    component, got = multiplier_for(arith), []
    words = activations & (1 << arith.activation_bits) - 1, weights & (1 << arith.weight_bits) - 1

    async def play(context: Any) -> None:
        for activation, weight in zip(*(word.tolist() for word in words), strict=True):
            context.set(component.activation, activation)
            context.set(component.weight, weight)
            got.append(context.get(component.product))

    simulator = Simulator(component)
    simulator.add_testbench(play)
    simulator.run()
    np.testing.assert_array_equal(got, arith.multiply(activations, weights))


def pairs(activations: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs, or corners and random ones."""
    if activations.size * weights.size > PAIRS:
        rng = np.random.default_rng(5)
        corners = [codes[[0, 1, codes.size // 2, -2, -1]] for codes in (activations, weights)]
        ends = [grid.ravel() for grid in np.meshgrid(*corners)]
        return (
            np.concatenate([ends[0], rng.choice(activations, 500)]),
            np.concatenate([ends[1], rng.choice(weights, 500)]),
        )
    one, other = np.meshgrid(activations, weights)
    return one.ravel(), other.ravel()


def test_a_product_of_two_signs_is_one_gate() -> None:
    """Bit 1 of the product, its sign, is the exclusive or of the codes; bit 0 is one."""
    arith = arithmetic("bin")
    codes = np.array([0, 1])
    products = arith.multiply(codes[:, None], codes)
    assert arith.product_bits == 2
    np.testing.assert_array_equal(products & 3, 2 * (codes[:, None] ^ codes) + 1)
