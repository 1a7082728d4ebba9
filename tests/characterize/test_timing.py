"""Timing: hand-made netlists whose delays follow from the Liberty file or from each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from characterize.timing import Timing, analyze
from rtl_gen.errors import ToolError
from rtl_gen.interfaces import Interfaces
from tests.characterize.osu018 import osu018

HEAD = "module top(clk, a, y);\n  input clk;\n  input a;\n  output y;\n"


def chain(inverters: int) -> str:
    """A row of inverters from a to y."""
    nets = ["a", *(f"n{i}" for i in range(inverters - 1)), "y"]
    cells = [f"  INVX1 \\u.{i} ( .A({nets[i]}), .Y({nets[i + 1]}) );" for i in range(inverters)]
    wires = [f"  wire {net};" for net in nets[1:-1]]
    return HEAD + "\n".join([*wires, *cells]) + "\nendmodule\n"


def timing(
    folder: Path,
    text: str,
    cells: int,
    clock_ns: float = 10.0,
    top: str = "top",
    interfaces: Interfaces | None = None,
) -> Timing:
    """Analyze a netlist on osu018."""
    technology, liberty = osu018(folder)
    path = folder / "by_hand.v"
    path.write_text(text)
    return analyze(
        path,
        top,
        liberty,
        technology,
        clock_ns=clock_ns,
        cells=cells,
        workdir=folder,
        interfaces=interfaces,
    )


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
    assert set(slews) == {"clk", "a", "u[3].x.$1/Y", "_0_/Y"}  # what drives nets
    assert slews.pop("clk") == (0, 0)
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


#: A register before a chain, a register behind one, and a chain from input to output.
PARTS = """\
module top(clk, rst, given, taken, word);
  input clk; input rst;
  input given; output taken; output [1:0] word;
  wire a, b, c, d, e;
  DFFPOSX1 first ( .CLK(clk), .D(rst), .Q(a) );
  INVX1 i0 ( .A(a), .Y(b) );
  INVX1 i1 ( .A(b), .Y(taken) );
  INVX1 i2 ( .A(given), .Y(c) );
  INVX1 i3 ( .A(c), .Y(d) );
  {last} last ( .CLK(clk), .D(d), .Q(word[0]) );
  INVX1 i4 ( .A(given), .Y(e) );
  INVX1 i5 ( .A(e), .Y(word[1]) );
endmodule
"""
GROUPS = Interfaces(
    inputs={"given": ("given",)},
    outputs={"taken": ("tak*",), "word": ("wor?",)},
    through=(("given", "word"), ("given", "taken")),
)


@pytest.mark.eda
def test_segments_are_what_a_path_takes_in_each_part(tmp_path: Path) -> None:
    found = timing(tmp_path, PARTS.format(last="DFFPOSX1"), 8, interfaces=GROUPS)
    segments = found.segments_ns
    # No way leads from the input to `taken`, and none from it to a falling edge.
    assert set(segments) == {
        *("clock>taken", "clock>word", "given>clock", "reset>clock", "given>word")
    }
    assert all(0 < value < 2 for value in segments.values())
    # The whole path in one netlist takes as long as its parts, loads at the border aside.
    joined = PARTS.format(last="DFFPOSX1").replace(".A(given), .Y(c)", ".A(taken), .Y(c)")
    whole = timing(tmp_path, joined, 8)
    assert whole.ends == ["first", "last"]
    parts = segments["clock>taken"] + segments["given>clock"]
    assert whole.min_period_ns == pytest.approx(parts, rel=0.1)


@pytest.mark.eda
@pytest.mark.parametrize("clock_ns", [0.3, 10.0])
def test_segments_do_not_depend_on_the_clock_and_falling_edges_are_apart(
    tmp_path: Path, clock_ns: float
) -> None:
    rising = timing(tmp_path, PARTS.format(last="DFFPOSX1"), 8, interfaces=GROUPS).segments_ns
    text = PARTS.format(last="DFFNEGX1")
    falling = timing(tmp_path, text, 8, clock_ns, interfaces=GROUPS).segments_ns
    assert "given>clock" not in falling
    assert falling["given>fall"] == pytest.approx(rising["given>clock"], abs=0.2)
    for name in ("clock>taken", "given>word", "reset>clock"):
        assert falling[name] == pytest.approx(rising[name], abs=2e-6)
