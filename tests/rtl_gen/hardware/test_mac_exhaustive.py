"""MACs and adders, compiled by Verilator, against golden, numpy and ml_dtypes.

Every pair of operands of at most 8 bits, each with addends of every kind; of wider ones corners
and random pairs: some in `make test`, more than ten million of each in `make regress`. Of the
shortest also every addend with every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rtl_gen.formats import CATALOGUE, arithmetic
from tests.native import share_models
from tests.rtl_gen.hardware.mac_lanes import Lane, Report, check
from tests.rtl_gen.hardware.mac_stimulus import KINDS

#: Beside those of the catalogue: saturating sums, other pairs and accumulators.
OTHERS = (
    *("int8a16", "int8a20", "int4a8", "int2a4", "int16a32", "int6xint3", "int12xint9", "int5xpot2"),
    *("uint1", "uint8xint4", "uint8xtern", "uint4xbin", "binxint4", "binxtern", "binxapot4"),
    *("int8xapot3", "int8xapot6", "int8xapot7", "uint8xapot7", "int8xpot1e14", "int8xpot2e14"),
    *("uint16", "uint16xint16", "lightpe1a16", "lightpe2a17", "int4xbitsparse1"),
    *("fp8_e5m2afp8_e5m2", "fp8_e4m3abf16", "fp8_e4m3xfp8_e5m2", "fp6_e3m2xfp4_e2m1"),
    *("fp6_e2m3afp16", "fp4_e2m1afp16", "fp4_e2m1afp8_e5m2", "fp8_e4m3xtern", "fp8_e5m2xint8"),
    *("fp8_e5m2xapot7", "bf16abf16", "bf16xpot2", "tf32atf32", "tf32xbf16", "fp32xint16"),
    *("fp16xbf16", "fp16xint4", "fp16xbin"),
)
#: Whose adders are checked apart: the sums between PEs.
ADDERS = (
    *("int8", "int16", "bitsparse4", "int4a8", "int2a4", "int8a20", "lightpe2a17", "int2"),
    *("fp32", "fp16afp16", "bf16abf16", "fp8_e5m2afp8_e5m2", "tf32atf32"),
)

MACS = tuple(dict.fromkeys((*(name for family in CATALOGUE.values() for name in family), *OTHERS)))
LANES = {
    lane.name: lane
    for lane in (
        *(Lane(arith=arithmetic(name)) for name in MACS),
        *(Lane(arith=arithmetic(name), adder=True) for name in ADDERS),
    )
}
#: What `make regress` adds: pairs of more than 16 bits; every addend, where that is few bits more.
WIDE = {
    name: lane
    for name, lane in LANES.items()
    if lane.pair_bits > 16
    or (not lane.adder and 16 < lane.pair_bits + lane.arith.accumulator_bits <= 24)
}

#: Every pair of 8-bit operands meets an addend of each kind twice.
SEEDED_TURNS, SEEDED_PAIRS = 2 * KINDS, 1 << 16
#: As many as a 16-bit and an 8-bit operand have pairs.
REGRESS_TURNS, REGRESS_PAIRS = 64, 1 << 18


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from share_models(tmp_path_factory)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return check(
        LANES.values(),
        tmp_path_factory.mktemp("seeded"),
        turns=SEEDED_TURNS,
        count=SEEDED_PAIRS,
        limit=1 << 16,
        seed=4,
    )


@pytest.fixture(scope="module")
def regressed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return check(
        WIDE.values(),
        tmp_path_factory.mktemp("regressed"),
        turns=REGRESS_TURNS,
        count=REGRESS_PAIRS,
        limit=1 << 24,
        seed=5,
    )


@pytest.mark.eda
@pytest.mark.parametrize("name", LANES)
def test_every_pair_of_short_operands_and_some_of_wide_ones(
    name: str, seeded: dict[str, Report], record_property: Callable[[str, object], None]
) -> None:
    told(name, seeded[name], SEEDED_TURNS * SEEDED_PAIRS, record_property)


@pytest.mark.regress
@pytest.mark.parametrize("name", WIDE)
def test_ten_million_pairs_of_wide_operands(
    name: str, regressed: dict[str, Report], record_property: Callable[[str, object], None]
) -> None:
    told(name, regressed[name], REGRESS_TURNS * REGRESS_PAIRS, record_property)


def told(
    name: str, report: Report, pairs: int, record_property: Callable[[str, object], None]
) -> None:
    """Fail on a difference, or where less was checked than was to be; say how much it was."""
    record_property("pairs", report.pairs)
    record_property("oracle", report.oracle)
    print(f"{name}: {report.pairs} pairs, golden and {report.oracle}")
    assert not report.errors, "\n".join(report.errors)
    assert report.pairs == pairs > 0
