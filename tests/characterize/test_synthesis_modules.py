"""Modules in synthesis: mapped once, or together, by their recipes, and buffers behind inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from characterize.liberty import read_library
from characterize.netlist import read_netlist
from characterize.synthesis import synthesize
from characterize.synthesis_modules import input_buffer, modules_below
from rtl_gen.errors import UserError
from tests.characterize.osu018 import osu018

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
