"""docs/reference/formats.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from rtl_gen.formats import ARITHMETICS, arithmetic, format_named

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
    for name, label, activation, weight, product_bits, accumulator_bits in table:
        arith = arithmetic(name)
        assert (arith.name, arith.label) == (name, label)
        assert (arith.activation.name, arith.weight.name) == (activation, weight)
        assert (arith.product_bits, arith.accumulator_bits) == (
            int(product_bits),
            int(accumulator_bits),
        )


def test_the_table_of_formats() -> None:
    for name, bits, _, span, values, zero, _ in rows("| format | bits |")[1:]:
        fmt = format_named(name)
        assert fmt.bits == int(bits)
        assert span == f"{fmt.minimum} to {fmt.maximum}"
        assert fmt.values().size == int(values)
        if 0 in fmt.values():
            assert zero.startswith(f"{int(fmt.encode(0)):#04x}")
        else:
            assert zero == "none"
