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
from characterize.synthesis_modules import input_buffer, modules_below
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


#: Two equal modules under two names, and one of its own.
THREE = """\
module top(input clk, input [7:0] a, input [7:0] b, output [15:0] x, output [15:0] y);
  first one(.clk(clk), .a(a), .b(b), .y(x));
  second \\two.2 (.clk(clk), .a(b), .b(x[7:0]), .y(y));
endmodule
module first(input clk, input [7:0] a, input [7:0] b, output reg [15:0] y);
  always @(posedge clk) y <= a * b;
endmodule
module second(input clk, input [7:0] a, input [7:0] b, output reg [15:0] y);
  always @(posedge clk) y <= a * b;
endmodule
"""


@pytest.mark.eda
def test_modules_from_a_cache_are_those_that_would_be_made(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)
    cache = tmp_path / "cache"
    cache.mkdir()
    made = []
    for name, place, text in (
        ("alone", None, THREE),
        ("fills", cache, THREE.replace("one(", "other(")),
        ("takes", cache, THREE),
    ):
        work = tmp_path / name
        work.mkdir()
        found = synthesize(
            text, "top", technology=technology, liberty=liberty, workdir=work, cache=place
        )
        # The equal ones are mapped once; and not at all where the cache has them.
        mapped = len(list(work.glob("*.ys"))) - len(("library.ys", "link.ys"))
        assert mapped == {"alone": 2, "fills": 2, "takes": 1}[name]
        made.append(found)
    assert made[0].json.read_bytes() == made[2].json.read_bytes()
    assert made[0].modules == made[2].modules
    assert made[0].modules["first"] == made[0].modules["second"] > 0


TURNS = """
(* blackbox *) module sram_8x4(input clk, input d, output q);
endmodule
module turn(input a, output y);
  assign y = ~a;
endmodule
module part(input clk, input a, output y);
  wire q;
  sram_8x4 memory(.clk(clk), .d(a), .q(q));
  turn turned(.a(q), .y(y));
endmodule
module controller(input clk, input a, output y);
  wire b;
  part first(.clk(clk), .a(a), .y(b));
  turn second(.a(b), .y(y));
endmodule
module top(input clk, input a, output y, output z);
  controller run(.clk(clk), .a(a), .y(y));
  turn third(.a(a), .y(z));
endmodule
"""


@pytest.mark.eda
def test_a_controller_is_mapped_as_one(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)
    found = modules_below(TURNS, "top")
    assert set(found) == {"top", "controller", "turn", "sram_8x4"}
    assert found["controller"].places == ("sram_8x4",)
    mapped = synthesize(TURNS, "top", technology=technology, liberty=liberty, workdir=tmp_path)
    # The two inverters in its parts cancel out; the third is not in it.
    assert mapped.cells == 1
    assert mapped.modules["controller"] == 0 < mapped.modules["turn"]


@pytest.mark.eda
@pytest.mark.parametrize("driving_cell", ["BUFX2", "INVX1"])
def test_what_one_register_drives_in_all_pes_of_a_row_is_buffered(
    tmp_path: Path, driving_cell: str
) -> None:
    technology, liberty = osu018(tmp_path)
    technology = replace(technology, driving_cell=driving_cell)
    library = read_library(*liberty)
    verilog = (
        "module pe(input mac, input psum_address, input psum_in, output [3:0] y);\n"
        "  assign y = ~{mac & psum_in, mac | psum_in, mac, psum_address ^ psum_in};\nendmodule\n"
    )
    found = synthesize(
        verilog,
        "pe",
        technology=technology,
        liberty=liberty,
        workdir=tmp_path,
        buffer=input_buffer(technology, library),
    )
    netlist = read_netlist(found.json, library)
    readers: dict[str, set[str]] = {}
    for name, port in netlist.ports.items():
        for bit, net in enumerate(port.nets):
            ends = [
                (i.type, pin) for i in netlist.instances for pin, at in i.pins.items() if at == net
            ]
            readers[f"{name}{bit}"] = {cell for cell, pin in ends if pin in "ABCD"}
    if driving_cell == "BUFX2":
        assert readers["mac0"] == readers["psum_address0"] == {"BUFX2"}
    else:
        assert "BUFX2" not in readers["mac0"] | readers["psum_address0"]
    assert "BUFX2" not in readers["psum_in0"] != set()


@pytest.mark.eda
def test_some_modules_by_another_recipe(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path)

    def areas(
        recipe: str, modules: tuple[list[str], str] | None, clock_ns: float | None = None
    ) -> dict[str, float]:
        return synthesize(
            THREE,
            "top",
            technology=technology,
            liberty=liberty,
            workdir=tmp_path,
            recipe=recipe,
            clock_ns=clock_ns,
            modules=modules,
        ).modules

    fast, small = areas("fast", None), areas("small", None)
    assert small["first"] < fast["first"]
    mixed = areas("fast", (["sec*"], "small"))
    assert (mixed["first"], mixed["second"]) == (fast["first"], small["second"])
    # The later the clock, the smaller; without one the technology's is the target.
    early, late = areas("target", None, clock_ns=0.1), areas("target", None, clock_ns=100.0)
    assert small["first"] <= late["first"] < early["first"] <= fast["first"]
    assert areas("target", None) == areas("target", None, clock_ns=technology.clock_ns)
    with pytest.raises(UserError, match="recipe must be one of fast, small, target, not 'tiny'"):
        areas("fast", (["sec*"], "tiny"))


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
