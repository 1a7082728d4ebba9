"""docs/reference/formats.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from rtl_gen.formats import ARITHMETICS, FLOATS, arithmetic, format_named
from rtl_gen.formats.integer import IntegerFormat

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "formats.md"


def rows(header: str) -> list[list[str]]:
    """Cells of the table whose header line starts so."""
    _, table = PAGE.read_text().split(f"\n{header}", 1)
    lines = table.split("\n\n", 1)[0].splitlines()[2:]
    assert lines, header
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_arithmetics() -> None:
    table = rows("| name | label |")
    assert [row[0] for row in table[: len(ARITHMETICS)]] == list(ARITHMETICS)
    for name, label, activation, weight, *numbers in table:
        arith = arithmetic(name)
        assert (arith.name, arith.label) == (name, label)
        assert (arith.activation.name, arith.weight.name) == (activation, weight)
        bits = (arith.product_bits, arith.accumulator_bits, arith.mac_latency)
        assert bits == tuple(int(number) for number in numbers)


def test_the_table_of_integers_and_powers_of_two() -> None:
    for name, bits, _, span, values, zero, _ in rows("| format | bits | code |")[2:]:
        fmt = format_named(name)
        assert fmt.bits == int(bits)
        assert span == f"{fmt.minimum} to {fmt.maximum}"
        assert fmt.values().size == int(values)
        if 0 in fmt.values():
            assert int(zero, 16) == int(fmt.encode(0))
        else:
            assert zero == "none"
    assert IntegerFormat(bits=16).minimum == -(2**15)


def test_the_table_of_floats() -> None:
    table = rows("| format | bits | exponent")
    assert [row[0] for row in table] == list(FLOATS)
    for name, bits, fields, bias, largest, normal, subnormal, infinity, nan, above in table:
        fmt = FLOATS[name]
        assert (fmt.bits, fmt.bias) == (int(bits), int(bias))
        assert fields == f"{fmt.exponent_bits}, {fmt.mantissa_bits}"
        assert largest == f"{fmt.maximum:.7g}"
        assert normal == f"2**{fmt.smallest_exponent}"
        assert subnormal == f"2**{fmt.quantum_exponent}"
        for cell, word in ((infinity, fmt.infinity_word), (nan, fmt.nan_word)):
            assert cell == ("none" if word is None else f"0x{word:02x}")
        assert above == ("the largest" if fmt.saturating else "infinity")
