"""The bench runner fails whenever it should: a bench that cannot fail proves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verilated import run_cocotb

COMPLEMENT = """
module complement(input [3:0] data, output [3:0] result);
  assign result = ~data;
endmodule
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder, so that the design is compiled once."""
    return tmp_path_factory.mktemp("complement")


def run(folder: Path, test_module: str, verilog: str = COMPLEMENT) -> str:
    return run_cocotb(verilog, toplevel="complement", test_module=test_module, folder=folder)


@pytest.mark.eda
def test_a_bench_that_passes(folder: Path) -> None:
    assert "PASS=1 FAIL=0" in run(folder, "tests.cocotb_verilated")


@pytest.mark.eda
def test_a_failing_test_fails_with_the_log(folder: Path) -> None:
    (folder / "fail").touch()
    try:
        with pytest.raises(AssertionError, match=r"1 of 2 tests .* failed\n[\s\S]*FAIL=1"):
            run(folder, "tests.cocotb_verilated")
    finally:
        (folder / "fail").unlink()


@pytest.mark.eda
def test_a_bench_without_tests_fails(folder: Path) -> None:
    with pytest.raises(AssertionError, match="ran no test"):
        run(folder, "tests.cocotb_nothing")


@pytest.mark.eda
def test_a_design_that_does_not_compile_fails_with_the_log(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"did not build complement\n[\s\S]*syntax error"):
        run(tmp_path, "tests.cocotb_verilated", COMPLEMENT.replace("assign", "assing this"))
