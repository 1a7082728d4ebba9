"""Arithmetic: an activation format, a weight format, and the accumulator of their products."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rtl_gen.errors import UserError
from rtl_gen.formats.accumulator import Accumulator, FloatAccumulator, IntegerAccumulator
from rtl_gen.formats.catalogue import ALIASES, ARITHMETICS, LABELS
from rtl_gen.formats.float import FLOATS, FloatFormat
from rtl_gen.formats.format import Format, Values
from rtl_gen.formats.integer import IntegerFormat
from rtl_gen.formats.named import PATTERN, format_named
from rtl_gen.formats.power_of_two import BINARY

#: The most products that one integer accumulator gathers: the taps C/groups * R * S of a layer.
MAX_TERMS = 2**15
#: The widest integer accumulator: sums are golden in float64, exact up to 53 bits.
MAX_ACCUMULATOR_BITS = 48
#: What sums of floating-point products are kept in, unless said otherwise.
FLOAT_ACCUMULATOR = "fp32"

_KEYS = {"activation", "weight", "accumulator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What a multiply-accumulate means, bit by bit.

    Parameters
    ----------
    activation : an integer or a floating-point format, or `bin`.
    weight : any format.
    accumulator : of integers, it holds any product and MAX_TERMS of them, or saturates. Where
        activations are floating-point, it is, too, in a format that has all operands' values.
    """

    activation: Format
    weight: Format
    accumulator: Accumulator

    def __post_init__(self) -> None:
        if not isinstance(self.activation, IntegerFormat | FloatFormat) and (
            self.activation != BINARY
        ):
            # No multiplier takes a sum of powers of two on both sides.
            raise UserError(
                "activation must be an integer or a floating-point format, or bin, "
                f"not {self.activation.name!r}"
            )
        if isinstance(self.weight, FloatFormat) and not isinstance(self.activation, FloatFormat):
            raise UserError(
                f"activation must be floating-point beside weights of {self.weight.name}, "
                f"not {self.activation.name!r}"
            )
        if self.is_float != isinstance(self.accumulator, FloatAccumulator):
            kind = "a floating-point format" if self.is_float else "a number of bits"
            raise UserError(
                f"accumulator of {_pair_name(self.activation, self.weight)} must be {kind}, "
                f"not {_accumulator_name(self.accumulator)!r}"
            )
        if isinstance(self.accumulator, FloatAccumulator):
            self._check_float(self.accumulator.format)
        else:
            self._check_integer(self.accumulator)

    def _check_float(self, wide: FloatFormat) -> None:
        for operand in (self.activation, self.weight):
            if isinstance(operand, FloatFormat) and not (
                wide.specials == "ieee"
                and wide.exponent_bits >= operand.exponent_bits
                and wide.mantissa_bits >= operand.mantissa_bits
            ):
                raise UserError(
                    f"accumulator of {operand.name} must be a format of IEEE's kind that has all "
                    f"its values, not {wide.name!r}"
                )

    def _check_integer(self, accumulator: IntegerAccumulator) -> None:
        bits = accumulator.bits
        least = _sum_bits(self.activation, self.weight, 1)
        if not least <= bits <= MAX_ACCUMULATOR_BITS:
            raise UserError(
                f"accumulator of {_pair_name(self.activation, self.weight)} must be "
                f"{least} (one product) to {MAX_ACCUMULATOR_BITS} bits, not {bits}"
            )
        if not accumulator.saturating and bits < _sum_bits(self.activation, self.weight, MAX_TERMS):
            raise UserError(f"accumulator must saturate to be as narrow as {bits} bits")

    @property
    def is_float(self) -> bool:
        """Whether activations are floating-point, and so products and sums."""
        return isinstance(self.activation, FloatFormat)

    @property
    def has_zero(self) -> bool:
        """Whether words that stand for nothing, all zeros, add nothing to a sum."""
        return bool(self.activation.decode([0])[0] == 0 or self.weight.decode([0])[0] == 0)

    @property
    def name(self) -> str:
        """What `arithmetic` takes: "int8", "lightpe1", "int6xint3a24", "fp8_e4m3afp16"."""
        pair = _pair_name(self.activation, self.weight)
        return pair if self._usual else f"{pair}a{_accumulator_name(self.accumulator)}"

    @property
    def label(self) -> str:
        """For people: "INT8", "LightPE-1", "INT6 x INT3, 24-bit accumulator"."""
        name = _pair_name(self.activation, self.weight)
        if self.activation == self.weight:
            label = self.activation.label
        else:
            label = LABELS.get(name, f"{self.activation.label} x {self.weight.label}")
        if self._usual:
            return label
        wide = self.accumulator
        kept = wide.format.label if isinstance(wide, FloatAccumulator) else f"{wide.bits}-bit"
        return f"{label}, {kept} accumulator"

    @property
    def _usual(self) -> bool:
        """Whether the accumulator is the one that is chosen where none is named."""
        if isinstance(self.accumulator, FloatAccumulator):
            return self.accumulator.format.name == FLOAT_ACCUMULATOR
        return not self.accumulator.saturating

    @property
    def activation_bits(self) -> int:
        return self.activation.bits

    @property
    def weight_bits(self) -> int:
        return self.weight.bits

    @property
    def accumulator_bits(self) -> int:
        return self.accumulator.bits

    @property
    def product_bits(self) -> int:
        """Of a product: the smallest signed width that holds all, or the accumulator's format."""
        if self.is_float:
            return self.accumulator.bits
        return _sum_bits(self.activation, self.weight, 1)

    @property
    def mac_latency(self) -> int:
        """Cycles from a MAC's operands to their sum; it takes operands in each of them.

        Integers are multiplied in one. Floating-point products are formed exactly in the first
        and put into the accumulator's format in the second.
        """
        return 2 if self.is_float else 1

    def multiply(self, activations: ArrayLike, weights: ArrayLike) -> Values:
        """Products of activation codes and weight codes (broadcast).

        Exact between integers; else rounded to the accumulator's format. The product of any two
        formats fits float64, so there is one rounding.
        """
        return self.product(self.activation.decode(activations), self.weight.decode(weights))

    def product(self, activations: Values, weights: Values) -> Values:
        """The same of values."""
        with np.errstate(invalid="ignore"):  # inf * 0 is NaN, as it should be
            exact = activations * weights
        if isinstance(self.accumulator, FloatAccumulator):
            return self.accumulator.format.nearest(exact)
        return exact

    def add(self, left: ArrayLike, right: ArrayLike) -> Values:
        """Sums of accumulator values (broadcast): rounded, clipped or wrapped as in hardware."""
        return self.accumulator.add(left, right)


def arithmetic(spec: str | Mapping[str, Any]) -> Arithmetic:
    """Return the arithmetic that a name or a mapping describes.

    Parameters
    ----------
    spec : a name ("int8", "lightpe2", "fp8_e4m3", "uint8xtern", each of integers with "a24" for a
        saturating 24-bit accumulator, of floats with "afp16" for one of FP16), or
        {activation: int6, weight: int3}, optionally with {accumulator: 24}. Left alone, an
        integer accumulator is the narrowest that holds MAX_TERMS products of any operands; a
        floating-point one is FP32.

    Raises
    ------
    UserError : on anything else, with the rule.
    """
    match spec:
        case str():
            activation, weight, wide = _parse(spec)
        case Mapping():
            activation, weight, wide = _from_mapping(spec)
        case _:
            raise UserError(f"arithmetic must be a name or a mapping, not {spec!r}")
    return Arithmetic(
        activation=activation, weight=weight, accumulator=_accumulator(activation, weight, wide)
    )


def _accumulator(activation: Format, weight: Format, wide: int | str | None) -> Accumulator:
    if isinstance(wide, int):
        return IntegerAccumulator(bits=wide, saturating=True)
    if wide is not None and wide not in FLOATS:
        raise UserError(
            f"accumulator must be a whole number of bits or one of {', '.join(FLOATS)}, "
            f"not {wide!r}"
        )
    if wide is not None:
        return FloatAccumulator(format=FLOATS[wide])
    if isinstance(activation, FloatFormat):
        return FloatAccumulator(format=FLOATS[FLOAT_ACCUMULATOR])
    return IntegerAccumulator(bits=_sum_bits(activation, weight, MAX_TERMS), saturating=False)


def _parse(name: str) -> tuple[Format, Format, int | str | None]:
    alias = "|".join(sorted(ALIASES, key=len, reverse=True))
    match = re.fullmatch(
        rf"(?:({alias})|({PATTERN})(?:x({PATTERN}))?)(?:a([1-9][0-9]*|{PATTERN}))?",
        name,
    )
    if not match:
        raise UserError(
            f"arithmetic must be one of {', '.join(ARITHMETICS)}, or a pair of formats "
            f"such as 'int6xint3', 'int6xint3a24' or 'bf16xint4', not {name!r}"
        )
    called, first, second, wide = match.groups()
    activation, weight = ALIASES[called] if called else (first, second or first)
    accumulator = int(wide) if wide and wide.isdecimal() else wide
    return format_named(activation), format_named(weight), accumulator


def _from_mapping(spec: Mapping[str, Any]) -> tuple[Format, Format, int | str | None]:
    if unknown := sorted(str(key) for key in spec.keys() - _KEYS):
        raise UserError(f"arithmetic keys must be {', '.join(sorted(_KEYS))}, not {unknown[0]!r}")
    for key in ("activation", "weight"):
        if key not in spec:
            raise UserError(f"arithmetic must have the key {key!r}, not only {sorted(spec)!r}")
    wide = spec.get("accumulator")
    if isinstance(wide, bool) or not isinstance(wide, int | str | None):
        raise UserError(f"accumulator must be a whole number of bits or a format, not {wide!r}")
    return format_named(spec["activation"]), format_named(spec["weight"]), wide


def _pair_name(activation: Format, weight: Format) -> str:
    pair = (activation.name, weight.name)
    if activation == weight:
        return activation.name
    return next((alias for alias, named in ALIASES.items() if named == pair), "x".join(pair))


def _accumulator_name(accumulator: Accumulator) -> str:
    if isinstance(accumulator, FloatAccumulator):
        return accumulator.format.name
    return str(accumulator.bits)


def _sum_bits(activation: Format, weight: Format, terms: int) -> int:
    """Return the smallest signed width that holds any sum of `terms` products."""
    corners = [
        terms * a * w
        for a, w in product(
            (activation.minimum, activation.maximum), (weight.minimum, weight.maximum)
        )
    ]
    return 1 + max(int(max(corners)).bit_length(), int(-1 - min(corners)).bit_length())
