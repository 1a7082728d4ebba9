"""Arithmetic: an activation format, a weight format, and the accumulator of their products."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from numpy.typing import ArrayLike

from rtl_gen.errors import UserError
from rtl_gen.formats.checks import as_integers, check_range
from rtl_gen.formats.format import Format, Integers
from rtl_gen.formats.integer import IntegerFormat
from rtl_gen.formats.named import format_named

#: The most products that one accumulator gathers: the taps C/groups * R * S of a layer.
MAX_TERMS = 2**15
#: The widest accumulator a user may ask for; the widest that any arithmetic needs is 47 bits.
MAX_ACCUMULATOR_BITS = 48
#: The arithmetics that ship with characterized models.
ARITHMETICS = ("int16", "int8", "int4", "lightpe1", "lightpe2")

_ALIASES = {"lightpe1": ("int8", "pot1"), "lightpe2": ("int8", "pot2")}
_LABELS = {"lightpe1": "LightPE-1", "lightpe2": "LightPE-2"}
_KEYS = {"activation", "weight", "accumulator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulator:
    """A signed two's complement register for sums of products.

    Parameters
    ----------
    bits : width.
    saturating : whether every addition clips to the range; otherwise it wraps, which an
        automatic width never lets happen.
    """

    bits: int
    saturating: bool

    @property
    def minimum(self) -> int:
        return -(1 << self.bits - 1)

    @property
    def maximum(self) -> int:
        return (1 << self.bits - 1) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What a multiply-accumulate means, bit by bit.

    Parameters
    ----------
    activation : an integer format.
    weight : any format.
    accumulator : holds any product; holds MAX_TERMS of them, or saturates.
    """

    activation: Format
    weight: Format
    accumulator: Accumulator

    def __post_init__(self) -> None:
        if not isinstance(self.activation, IntegerFormat):
            # A power of two has no cheap zero, and padding needs one.
            raise UserError(f"activation must be an integer format, not {self.activation.name!r}")
        bits = self.accumulator.bits
        if not self.product_bits <= bits <= MAX_ACCUMULATOR_BITS:
            raise UserError(
                f"accumulator of {_pair_name(self.activation, self.weight)} must be "
                f"{self.product_bits} (one product) to {MAX_ACCUMULATOR_BITS} bits, not {bits}"
            )
        if not self.accumulator.saturating and bits < _sum_bits(
            self.activation, self.weight, MAX_TERMS
        ):
            raise UserError(f"accumulator must saturate to be as narrow as {bits} bits")

    @property
    def name(self) -> str:
        """What `arithmetic` takes: "int8", "lightpe1", "int6xint3", "int6xint3a24"."""
        suffix = f"a{self.accumulator.bits}" if self.accumulator.saturating else ""
        return _pair_name(self.activation, self.weight) + suffix

    @property
    def label(self) -> str:
        """For people: "INT8", "LightPE-1", "INT6 x INT3, 24-bit accumulator"."""
        name = _pair_name(self.activation, self.weight)
        if self.activation == self.weight:
            label = self.activation.label
        else:
            label = _LABELS.get(name, f"{self.activation.label} x {self.weight.label}")
        if self.accumulator.saturating:
            label += f", {self.accumulator.bits}-bit accumulator"
        return label

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
        """The smallest signed width that holds every product."""
        return _sum_bits(self.activation, self.weight, 1)

    def multiply(self, activations: ArrayLike, weights: ArrayLike) -> Integers:
        """Exact products of activation codes and weight codes (broadcast)."""
        return self.activation.decode(activations) * self.weight.decode(weights)

    def add(self, left: ArrayLike, right: ArrayLike) -> Integers:
        """Sums of accumulator values (broadcast), clipped or wrapped as the hardware does."""
        low, high = self.accumulator.minimum, self.accumulator.maximum
        operands = [as_integers("addends", operand) for operand in (left, right)]
        for operand in operands:
            check_range(f"{self.accumulator.bits}-bit addends", operand, low, high)
        total = operands[0] + operands[1]
        if self.accumulator.saturating:
            return total.clip(low, high)
        return (total - low) % (1 << self.accumulator.bits) + low


def arithmetic(spec: str | Mapping[str, Any]) -> Arithmetic:
    """Return the arithmetic that a name or a mapping describes.

    Parameters
    ----------
    spec : a name ("int8", "lightpe2", "int6", "int6xint3", each with "a24" for a saturating
        24-bit accumulator), or {activation: int6, weight: int3}, optionally with
        {accumulator: 24}. Without a width, the accumulator is the narrowest that holds
        MAX_TERMS products of any operands.

    Raises
    ------
    UserError : on anything else, with the rule.
    """
    match spec:
        case str():
            activation, weight, bits = _parse(spec)
        case Mapping():
            activation, weight, bits = _from_mapping(spec)
        case _:
            raise UserError(f"arithmetic must be a name or a mapping, not {spec!r}")
    if bits is None:
        width = _sum_bits(activation, weight, MAX_TERMS)
        accumulator = Accumulator(bits=width, saturating=False)
    else:
        accumulator = Accumulator(bits=bits, saturating=True)
    return Arithmetic(activation=activation, weight=weight, accumulator=accumulator)


def _parse(name: str) -> tuple[Format, Format, int | None]:
    match = re.fullmatch(r"([a-z]+[0-9]+)(?:x([a-z]+[0-9]+))?(?:a([1-9][0-9]*))?", name)
    if not match:
        raise UserError(
            f"arithmetic must be one of {', '.join(ARITHMETICS)}, or a pair of formats "
            f"such as 'int6xint3' or 'int6xint3a24', not {name!r}"
        )
    first, second, bits = match.groups()
    activation, weight = (first, second) if second else _ALIASES.get(first, (first, first))
    return format_named(activation), format_named(weight), int(bits) if bits else None


def _from_mapping(spec: Mapping[str, Any]) -> tuple[Format, Format, int | None]:
    if unknown := sorted(str(key) for key in spec.keys() - _KEYS):
        raise UserError(f"arithmetic keys must be {', '.join(sorted(_KEYS))}, not {unknown[0]!r}")
    for key in ("activation", "weight"):
        if key not in spec:
            raise UserError(f"arithmetic must have the key {key!r}, not only {sorted(spec)!r}")
    bits = spec.get("accumulator")
    if bits is not None and (not isinstance(bits, int) or isinstance(bits, bool)):
        raise UserError(f"accumulator must be a whole number of bits, not {bits!r}")
    return format_named(spec["activation"]), format_named(spec["weight"]), bits


def _pair_name(activation: Format, weight: Format) -> str:
    pair = (activation.name, weight.name)
    if activation == weight:
        return activation.name
    return next((alias for alias, named in _ALIASES.items() if named == pair), "x".join(pair))


def _sum_bits(activation: Format, weight: Format, terms: int) -> int:
    """Return the smallest signed width that holds any sum of `terms` products."""
    corners = [
        terms * a * w
        for a, w in product(
            (activation.minimum, activation.maximum), (weight.minimum, weight.maximum)
        )
    ]
    return 1 + max(max(corners).bit_length(), (-1 - min(corners)).bit_length())
