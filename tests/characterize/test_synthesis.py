"""Synthesis: what comes out is mapped, named by its place, complete, and the same every time."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from characterize import synthesis_modules
from characterize.cell_files import prepare
from characterize.cells import Library
from characterize.liberty import read_library
from characterize.netlist import ONE, ZERO, Netlist, read_netlist
from characterize.power import net_slews
from characterize.synthesis import Synthesis, _for_opensta, synthesize
from characterize.timing import analyze
from rtl_gen.errors import ToolError, UserError
from rtl_gen.hardware.scratchpad import Scratchpad
from rtl_gen.verilog import module_verilog
from tests.characterize.osu018 import osu018


class Small(wiring.Component):
    """Multiply by a word of a scratchpad and accumulate; signed ports, constant outputs."""

    def __init__(self) -> None:
        super().__init__(
            {
                "a": In(signed(4)),
                "address": In(3),
                "write": In(1),
                "sum": Out(signed(12)),
                "ones": Out(70),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.weight_scratchpad = words = Scratchpad(5, 4)
        total = Signal(signed(12))
        m.d.sync += total.eq(total + self.a * words.read_data.as_signed())
        m.d.comb += [
            words.read_address.eq(self.address),
            words.write_address.eq(self.address),
            words.write.eq(self.write),
            words.write_data.eq(self.a),
            self.sum.eq(total),
            self.ones.eq(-1),
        ]
        return m


def small(folder: Path) -> tuple[Synthesis, Library, Netlist]:
    """`Small` on osu018."""
    technology, liberty = osu018(folder)
    folder.mkdir(exist_ok=True)
    verilog = module_verilog(Small(), "tiny")
    found = synthesize(verilog, "tiny", technology=technology, liberty=liberty, workdir=folder)
    library = read_library(*liberty)
    return found, library, read_netlist(found.json, library)


@pytest.mark.eda
def test_products_are_formed_as_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither Booth's trees nor none at all are better everywhere (decision 13)."""
    technology, liberty = osu018(tmp_path)
    narrow = "signed [7:0] x signed [3:0]"
    areas: dict[tuple[str, str], float] = {}
    for form, text in (
        ("recipe", synthesis_modules.MULTIPLIERS),
        ("Booth", "booth"),
        ("plain", ""),
    ):
        monkeypatch.setattr(synthesis_modules, "MULTIPLIERS", text)
        for ports in (narrow, "signed [7:0] x signed [7:0]", "[3:0] x [3:0]"):
            left, _, right = ports.partition(" x ")
            verilog = (
                f"module m(input {left} a, input {right} b, output signed [15:0] p);"
                "assign p = a * b; endmodule"
            )
            work = tmp_path / f"{form}-{len(areas)}"
            work.mkdir()
            found = synthesize(verilog, "m", technology=technology, liberty=liberty, workdir=work)
            areas[form, ports] = found.area_um2
    for ports in {ports for _, ports in areas}:
        least = min(areas["Booth", ports], areas["plain", ports])
        assert areas["recipe", ports] <= 1.01 * least
    assert areas["recipe", narrow] < 0.75 * areas["Booth", narrow]


@pytest.mark.eda
def test_every_instance_is_a_cell_named_by_its_place(tmp_path: Path) -> None:
    found, library, netlist = small(tmp_path)
    assert found.cells == len(netlist.instances)
    areas = [library.cell(instance.type).area_um2 for instance in netlist.instances]
    assert found.area_um2 == pytest.approx(sum(areas))
    inside = [i for i in netlist.instances if i.name.startswith("weight_scratchpad.")]
    stored = [i for i in inside if library.cell(i.type).flip_flop]
    assert len(stored) == 5 * 4
    own = sum(library.cell(instance.type).area_um2 for instance in inside)
    scratchpad = next(v for name, v in found.modules.items() if name.endswith("scratchpad"))
    assert scratchpad == pytest.approx(own)
    assert found.modules["tiny"] == pytest.approx(found.area_um2)
    assert not any("$" in instance.name for instance in netlist.instances)


@pytest.mark.eda
def test_the_same_verilog_gives_the_same_netlist(tmp_path: Path) -> None:
    first, second = small(tmp_path / "1")[0], small(tmp_path / "2")[0]
    assert first.json.read_bytes() == second.json.read_bytes()
    assert first.verilog.read_bytes() == second.verilog.read_bytes()


@pytest.mark.eda
def test_opensta_reads_all_of_it_whatever_the_ports(tmp_path: Path) -> None:
    found, _, netlist = small(tmp_path)
    technology, liberty = osu018(tmp_path)
    assert not re.search(r"\bsigned\b|\{\s*\d+\{", found.verilog.read_text())
    timed = analyze(
        found.verilog,
        "tiny",
        liberty,
        technology,
        clock_ns=10,
        cells=found.cells,
        workdir=tmp_path,
    )
    # Every net has a driver, and its slew.
    slews = net_slews(netlist, timed.slews)
    nets = {net for i in netlist.instances for net in i.pins.values()} - {ZERO, ONE}
    assert np.isfinite(slews[sorted(nets)]).all()
    assert 0.5 < timed.min_period_ns < 10


@pytest.mark.eda
def test_memories_are_left_out(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)
    verilog = (
        "(* blackbox *) module sram_8x4(input clk, input [3:0] d, output [3:0] q);\nendmodule\n"
        "module top(input clk, input [3:0] d, output [3:0] q);\n"
        "  wire [3:0] w; assign q = ~w;\n  sram_8x4 memory(.clk(clk), .d(d), .q(w));\nendmodule\n"
    )
    found = synthesize(verilog, "top", technology=technology, liberty=liberty, workdir=tmp_path)
    assert found.cells == 4
    assert found.area_um2 > 0


@pytest.mark.eda
@pytest.mark.parametrize("body", ["other inner(.a(a), .y(y));", "assign y = ;"])
def test_what_yosys_refuses_is_an_error(tmp_path: Path, body: str) -> None:
    technology, liberty = osu018(tmp_path)
    verilog = f"module top(input a, input b, output y);\n{body}\nendmodule\n"
    with pytest.raises(ToolError, match="failed with exit status 1") as caught:
        synthesize(verilog, "top", technology=technology, liberty=liberty, workdir=tmp_path)
    assert "ERROR" in caught.value.tail


@pytest.mark.eda
def test_what_the_library_has_no_cell_for_is_an_error(tmp_path: Path) -> None:
    technology, _ = osu018(tmp_path)
    technology = replace(technology, prune=(*technology.prune, "DFF*"))
    liberty = prepare(technology, tmp_path / "pruned")
    verilog = (
        "module top(input clk, input a, output reg y); always @(posedge clk) y <= a; endmodule"
    )
    with pytest.raises(ToolError) as caught:
        synthesize(verilog, "top", technology=technology, liberty=liberty, workdir=tmp_path)
    assert "$_DFF_P_" in caught.value.tail


@pytest.mark.eda
def test_a_design_of_wires_has_no_area(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)
    verilog = "module top(input a, output y); assign y = a; endmodule"
    found = synthesize(verilog, "top", technology=technology, liberty=liberty, workdir=tmp_path)
    assert (found.cells, found.area_um2) == (0, 0)


@pytest.mark.eda
def test_synthesis_that_hangs_is_stopped(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)
    verilog = "module top(input [63:0] a, output [63:0] y); assign y = a * a * a; endmodule"
    with pytest.raises(ToolError, match=r"took more than 0\.5 s"):
        synthesize(
            verilog, "top", technology=technology, liberty=liberty, workdir=tmp_path, timeout=0.5
        )


@pytest.mark.eda
def test_constants_come_from_tie_cells_where_there_are_some(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)
    # osu018 has none: its buffer stands in, only its output pin is connected.
    technology = replace(technology, tie_high=("BUFX2", "Y"))
    verilog = "module top(input a, output y, output z); assign y = 1; assign z = ~a; endmodule"
    found = synthesize(verilog, "top", technology=technology, liberty=liberty, workdir=tmp_path)
    assert found.cells == 2
    assert "BUFX2" in found.verilog.read_text()


@pytest.mark.eda
def test_a_module_name_is_a_word(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)
    with pytest.raises(UserError, match="letters, digits and _, not 'top; exec rm'"):
        synthesize("", "top; exec rm", technology=technology, liberty=liberty, workdir=tmp_path)


def test_the_text_for_opensta() -> None:
    text = "  input signed [3:0] a;\n  assign y = { 3{1'b1} };\n  assign z = {{2{1'h0}}, b};\n"
    expected = "  input [3:0] a;\n  assign y = 3'b111;\n  assign z = {2'b00, b};\n"
    assert _for_opensta(text) == expected
