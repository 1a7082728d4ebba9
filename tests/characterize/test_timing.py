"""Timing: hand-made netlists whose delays follow from the Liberty file or from each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from characterize.timing import Timing, analyze
from rtl_gen.errors import ToolError
from tests.characterize.osu018 import osu018

HEAD = "module top(clk, a, y);\n  input clk;\n  input a;\n  output y;\n"


def chain(inverters: int) -> str:
    """A row of inverters from a to y."""
    nets = ["a", *(f"n{i}" for i in range(inverters - 1)), "y"]
    cells = [f"  INVX1 \\u.{i} ( .A({nets[i]}), .Y({nets[i + 1]}) );" for i in range(inverters)]
    wires = [f"  wire {net};" for net in nets[1:-1]]
    return HEAD + "\n".join([*wires, *cells]) + "\nendmodule\n"


def timing(folder: Path, text: str, cells: int, clock_ns: float = 10.0, top: str = "top") -> Timing:
    """Analyze a netlist on osu018."""
    technology, liberty = osu018(folder)
    path = folder / "by_hand.v"
    path.write_text(text)
    return analyze(path, top, liberty, technology, clock_ns=clock_ns, cells=cells, workdir=folder)


@pytest.mark.eda
def test_a_chain_without_registers_takes_its_delay(tmp_path: Path) -> None:
    four, twelve, twenty = (timing(tmp_path, chain(n), n).min_period_ns for n in (4, 12, 20))
    assert 0 < four < twelve < twenty
    # Far from both ends every pair of inverters is like the next.
    assert twelve - four == pytest.approx(twenty - twelve, rel=0.02)


@pytest.mark.eda
@pytest.mark.parametrize("clock_ns", [0.05, 1.0, 100.0])
def test_period_and_slews_do_not_depend_on_the_clock(tmp_path: Path, clock_ns: float) -> None:
    usual, other = timing(tmp_path, chain(9), 9), timing(tmp_path, chain(9), 9, clock_ns)
    assert other.min_period_ns == pytest.approx(usual.min_period_ns, abs=2e-6)
    assert other.slews == usual.slews


@pytest.mark.eda
def test_slews_are_in_ns_under_the_netlist_s_names(tmp_path: Path) -> None:
    cells = "  INVX1 \\u[3].x.$1 ( .A(a), .Y(w) );\n  INVX1 _0_ ( .A(w), .Y(y) );\n"
    text = f"{HEAD}  wire w;\n{cells}endmodule\n"
    slews = timing(tmp_path, text, 2).slews
    assert set(slews) == {"u[3].x.$1/A", "u[3].x.$1/Y", "_0_/A", "_0_/Y"}
    assert slews["u[3].x.$1/Y"] == slews["_0_/A"]
    assert all(0.01 < edge < 1.0 for pair in slews.values() for edge in pair)


@pytest.mark.eda
def test_a_register_adds_its_setup_time(tmp_path: Path) -> None:
    direct = timing(tmp_path, chain(9), 9).min_period_ns
    text = chain(9).replace("output y;", "output y;\n  wire d;").replace(".Y(y)", ".Y(d)")
    text = text.replace("endmodule", "  DFFPOSX1 r ( .CLK(clk), .D(d), .Q(y) );\nendmodule")
    found = timing(tmp_path, text, 10)
    assert found.ends == ["a", "r"]
    assert direct < found.min_period_ns < direct + 0.5
    assert "library setup time" in found.critical_path


@pytest.mark.eda
@pytest.mark.parametrize(
    ("text", "cells", "message"),
    [
        (chain(3).replace("INVX1 \\u.1", "NOSUCH \\u.1"), 3, "OpenSTA"),
        (chain(3), 4, "OpenSTA read 3 of 4 cells"),
        (chain(3).replace("endmodule", "assign ;"), 3, "OpenSTA"),
        (HEAD + "endmodule\n", 0, "no path to time"),
    ],
)
def test_what_opensta_passes_over_in_silence_is_an_error(
    tmp_path: Path, text: str, cells: int, message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        timing(tmp_path, text, cells)


@pytest.mark.eda
def test_a_liberty_file_that_is_not_read_is_an_error(tmp_path: Path) -> None:
    technology, (liberty,) = osu018(tmp_path)
    (tmp_path / "by_hand.v").write_text(chain(3))
    for text in ("", liberty.read_text()[:5000]):
        (tmp_path / "broken.lib").write_text(text)
        with pytest.raises(ToolError, match="OpenSTA"):
            analyze(
                tmp_path / "by_hand.v",
                "top",
                [tmp_path / "broken.lib"],
                technology,
                clock_ns=10,
                cells=3,
                workdir=tmp_path,
            )


@pytest.mark.eda
def test_names_that_mean_something_to_tcl_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"must be letters, digits and _, not '\[exit\]'"):
        timing(tmp_path, chain(3), 3, top="[exit]")
