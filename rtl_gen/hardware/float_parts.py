"""Parts that floating-point units share: unpacking, counting zeros, shifting, rounding."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from rtl_gen.formats import FloatFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A number as hardware: (-1)**sign * significand * 2**(field + offset), or a special.

    Parameters
    ----------
    sign, significand, field : unsigned; the significand need not be normalized.
    offset : what is known of the exponent beforehand.
    largest_field : of `field`; smallest_field : the same of a number that is not zero.
    infinite, nan : flags; then the other parts mean nothing but the sign.
    """

    sign: Value
    significand: Value
    field: Value
    offset: int
    smallest_field: int
    largest_field: int
    infinite: Value
    nan: Value


def unpack(m: Module, fmt: FloatFormat, word: Any, name: str) -> Unpacked:
    """Split a word of a floating-point format; subnormals have the field of the smallest normal."""
    mantissa = word[: fmt.mantissa_bits]
    exponent = word[fmt.mantissa_bits : fmt.bits - 1]
    normal = exponent.any()
    infinite, nan = Signal(name=f"{name}_infinite"), Signal(name=f"{name}_nan")
    if fmt.specials == "ieee":
        m.d.comb += [
            infinite.eq(exponent.all() & ~mantissa.any()),
            nan.eq(exponent.all() & mantissa.any()),
        ]
    elif fmt.specials == "nan":
        m.d.comb += nan.eq(exponent.all() & mantissa.all())
    return Unpacked(
        sign=word[fmt.bits - 1],
        significand=Cat(mantissa, normal),
        field=Cat(exponent[0] | ~normal, exponent[1:]),
        offset=fmt.quantum_exponent - 1,
        smallest_field=1,
        largest_field=fmt.largest_word >> fmt.mantissa_bits,
        infinite=infinite,
        nan=nan,
    )


def unpack_integer(m: Module, number: Signal, name: str) -> Unpacked:
    """A signed integer in the same form."""
    # The magnitude of the most negative number needs all bits.
    magnitude = Signal(len(number), name=f"{name}_magnitude")
    m.d.comb += magnitude.eq(Mux(number[-1], -number, number))
    return Unpacked(
        sign=number[-1],
        significand=magnitude,
        field=Value.cast(0),
        offset=0,
        smallest_field=0,
        largest_field=0,
        infinite=Value.cast(0),
        nan=Value.cast(0),
    )


def leading_zeros(m: Module, word: Value, name: str) -> Signal:
    """How many zeros precede the first one of `word`, from the top; anything if there is none.

    A tree of halves: as deep as the logarithm of the width.
    """
    count = _zeros(word)
    result = Signal(len(count), name=name)
    m.d.comb += result.eq(count)
    return result


def _zeros(word: Value) -> Any:
    if len(word) == 2:
        return ~word[1]
    half = 1 << (len(word) - 1).bit_length() - 1
    rest = len(word) - half
    none = ~word[rest:].any()
    below = _zeros(word[:rest]) if rest > 1 else Const(0)
    return Cat(Mux(none, below, _zeros(word[rest:])), none)


def shift_right_sticky(m: Module, word: Value, amount: Value, name: str) -> Value:
    """`word >> amount`, its lowest bit also one where any one was shifted out.

    All bits are zero where the amount is the width or more: rounding to nearest does not see an
    addend that far below, whatever it is added to.
    """
    for level in range(len(amount)):
        shifted = Signal(len(word), name=f"{name}_{level}")
        distance = 1 << level
        less: Value = Const(0, len(word))
        if distance < len(word):
            less = Cat(word[: distance + 1].any(), word[distance + 1 :])
        m.d.comb += shifted.eq(Mux(amount[level], less, word))
        word = shifted
    return word


def rounded(m: Module, fmt: FloatFormat, exponent: Value, word: Value, name: str) -> Signal:
    """Magnitude of the nearest number, ties to even, as a word that may pass the largest.

    Parameters
    ----------
    exponent : the exponent field less one, 0 for subnormals, not negative.
    word : the significand from its hidden bit down, with at least one bit below the mantissa;
        the lowest is sticky.

    Returns
    -------
    exponent * 2**mantissa_bits + significand: the hidden bit and a carry count the exponent up.
    """
    kept = word[len(word) - fmt.mantissa_bits - 1 :]
    below = word[: len(word) - fmt.mantissa_bits - 1]
    tie = ~below[:-1].any() if len(below) > 1 else Const(1)
    up = below[-1] & (~tie | kept[0])
    magnitude = Signal(max(len(exponent), fmt.exponent_bits) + 1 + fmt.mantissa_bits, name=name)
    m.d.comb += magnitude.eq((exponent << fmt.mantissa_bits) + kept + up)
    return magnitude


def packed(
    fmt: FloatFormat,
    sign: Value,
    magnitude: Value,
    infinite: Value,
    nan: Value,
    *,
    overflows: bool = True,
) -> Value:
    """The word of a sign and of a magnitude from `rounded`, or of a special.

    overflows : whether the magnitude may pass the largest word.
    """
    too_large = infinite | (magnitude > fmt.limit_word) if overflows else infinite
    word = Mux(too_large, fmt.limit_word, magnitude)[: fmt.bits - 1]
    missing = fmt.sign_bit if fmt.nan_word is None else fmt.nan_word
    return Mux(nan, missing, Cat(word, sign))


def signed_signal(m: Module, value: Any, low: int, high: int, name: str) -> Signal:
    """`value` in a signed signal just wide enough for low to high."""
    result = Signal(signed(max(low, -low - 1, high, -high - 1, 0).bit_length() + 1), name=name)
    m.d.comb += result.eq(value)
    return result
