"""The register map: words apart, bits apart, every field there, the page says the same."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from rtl_gen.descriptor import FIELDS, VERSION
from rtl_gen.registers import (
    ADDRESS_BITS,
    COUNTERS,
    DESCRIPTOR_OFFSET,
    KEEP,
    QUEUE_FULL,
    QUEUE_PLACES,
    REGISTERS,
    TOO_WIDE_BIT,
    VERSION_WORD,
    bounds,
    constants,
    error_text,
    table,
)
from tests.rtl_gen.small import SMALL, small

PAGE = Path(__file__).parents[2] / "docs/reference/registers.md"


def test_every_register_has_a_word_of_its_own() -> None:
    offsets = [register.offset for register in REGISTERS.values()]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 for offset in offsets)
    assert max(offsets) < 2**ADDRESS_BITS


def test_every_bit_has_one_meaning() -> None:
    for register in REGISTERS.values():
        taken = [bit for part in register.parts for bit in range(part.low, part.low + part.width)]
        assert len(taken) == len(set(taken)) > 0, register.name
        assert max(taken) < 32


def test_every_field_of_the_descriptor_is_a_word_in_its_order() -> None:
    for number, (name, (bits, meaning)) in enumerate(FIELDS.items()):
        register = REGISTERS[f"LAYER_{name.upper()}"]
        assert register.offset == DESCRIPTOR_OFFSET + 4 * number
        assert (register.access, register.meaning) == (KEEP, meaning)
        assert (register.parts[0].low, register.parts[0].width) == (0, bits)
        assert bits < TOO_WIDE_BIT == register.parts[1].low
    assert REGISTERS["LAYER_VERSION"].offset == DESCRIPTOR_OFFSET + 4 * VERSION_WORD


def test_a_counter_is_two_words() -> None:
    for name in COUNTERS:
        assert REGISTERS[f"{name}_HIGH"].offset == REGISTERS[name].offset + 4


@pytest.mark.parametrize("name", SMALL)
def test_bounds_are_within_the_fields(name: str) -> None:
    found = bounds(small(name))
    assert next(iter(found)) == VERSION_WORD
    assert found.pop(VERSION_WORD) == (VERSION, VERSION)
    assert list(found) == list(range(len(FIELDS)))
    for (low, high), (bits, _) in zip(found.values(), FIELDS.values(), strict=True):
        assert 0 <= low <= high < 2**bits


def test_constants_tell_one_config_from_another() -> None:
    found = {name: constants(small(name)) for name in SMALL}
    assert len({words["CONFIG_ID"] for words in found.values()}) == len(SMALL)
    assert found["one_pe"]["ROWS"] == 1
    assert found["one_column"]["ACCUMULATOR_BITS"] == 10
    for words in found.values():
        assert all(0 <= word < 2**32 for word in words.values())


def test_errors_in_words() -> None:
    config = small("one_column")
    assert error_text(config, 0) == "the descriptor was accepted"
    assert error_text(config, 1) == "descriptor field kernel_rows must be from 1 to 6"
    version = f"descriptor field version must be from {VERSION} to {VERSION}"
    assert error_text(config, VERSION_WORD + 1) == version
    full = f"the queue must have a free place, it holds {QUEUE_PLACES} layers"
    assert error_text(config, QUEUE_FULL) == full
    for code in (-1, len(FIELDS) + 1, QUEUE_FULL + 1):
        with pytest.raises(ValueError, match=f"must be one of the hardware's, not {code}"):
            error_text(config, code)


def test_the_page_shows_the_table() -> None:
    text = PAGE.read_text()
    borders = [0x000, 0x040, 0x080, DESCRIPTOR_OFFSET, 1 << ADDRESS_BITS]
    for first, end in pairwise(borders):
        assert table(first, end) in text
    assert len(re.findall("^[|] 0x", text, re.MULTILINE)) == len(REGISTERS)


def test_the_page_says_the_numbers_of_the_code() -> None:
    text = PAGE.read_text()
    for said in (
        f"{ADDRESS_BITS} bits of byte address",
        f"at most {len(FIELDS) + 3} cycles",
        f"The queue holds {QUEUE_PLACES} layers",
        f"0x{DESCRIPTOR_OFFSET:X} + 4 i",
        f"bit {TOO_WIDE_BIT} of the register",
        f"| {VERSION_WORD + 1} | that word is `LAYER_VERSION`",
        f"| {QUEUE_FULL} | the queue was full |",
    ):
        assert said in text, said
