# amaranth: UnusedElaboratable=no
# (components placed by name are elaborated where their module is emitted)
"""A wrapper around the core that counts, cycle by cycle, what happens inside.

The counters reach into the emitted hierarchy by name; each stands for one of `schedule`'s counts.
"""

from __future__ import annotations

from itertools import product

from amaranth.lib.wiring import In

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.core import Core
from rtl_gen.hardware.place import port_name
from rtl_gen.schedule import Schedule
from rtl_gen.verilog import CORE, core_verilog

TOP = "probe"


def probe_verilog(config: AcceleratorConfig) -> str:
    """The core's Verilog, and module `probe` with its ports and a counter an output."""
    component = Core(config)
    ports, connections = ["input clk", "input rst"], [".clk(clk)", ".rst(rst)"]
    for path, member, value in component.signature.flatten(component):
        name = port_name(path)
        ports.append(f"{'input' if member.flow == In else 'output'} [{len(value) - 1}:0] {name}")
        connections.append(f".{name}({name})")
    counters = expressions(config)
    ports += [f"output reg [31:0] count_{name}" for name in counters]
    lines = [f"  count_{name} <= start ? 0 : count_{name} + {e};" for name, e in counters.items()]
    return "\n".join(
        [
            core_verilog(config),
            f"module {TOP}({', '.join(ports)});",
            f"{CORE} dut({', '.join(connections)});",
            "always @(posedge clk) begin",
            *lines,
            "end",
            "endmodule\n",
        ]
    )


def expressions(config: AcceleratorConfig) -> dict[str, str]:
    """Counter -> how much it counts in a cycle."""
    pes = [f"dut.array.pe_{i}_{j}" for i, j in product(range(config.rows), range(config.columns))]
    nodes = [pe.replace("pe_", "node_") for pe in pes]
    rows = [f"dut.array.row_{i}" for i in range(config.rows)]
    banks = [f"dut.bank_{j}" for j in range(config.columns)]
    srams = {
        "ifmap_sram": ["dut.ifmap_sram"],
        "psum_sram": [
            f"dut.psum_sram_{s}_{j}" for s in ("even", "odd") for j in range(config.columns)
        ],
        "parameter_sram": [f"dut.parameter_sram_{half}" for half in range(2)],
    }
    if config.scratchpads == "macro":
        places = [pe.replace("pe_", "weight_sram_") for pe in pes]
        srams["weight_sram"] = [f"{place}_{number}" for place in places for number in range(2)]
    sender = "dut.collector.sender"

    def ones(places: list[str], condition: str) -> str:
        return "$countones({" + ", ".join(condition.replace("@", place) for place in places) + "})"

    accesses = {"reads": "@.enable & ~@.write", "writes": "@.enable & @.write"}
    return {
        **{
            f"{name}_{access}": ones(places, condition)
            for name, places in srams.items()
            for access, condition in accesses.items()
        },
        "network_weight_beats": ones(["dut.array"], "@.issue_load_weight"),
        "network_ifmap_beats": ones(["dut.array"], "@.issue_load_ifmap"),
        "scratchpad_ifmap_reads": ones(pes, "@.mac & @.active"),
        "scratchpad_ifmap_writes": ones(pes, "@.ifmap_write"),
        "scratchpad_weight_reads": ones(pes, "@.mac & @.active"),
        "scratchpad_weight_writes": ones(pes, "@.weight_write"),
        "scratchpad_psum_reads": ones(pes, "(@.accumulate | @.drain) & @.active"),
        "scratchpad_psum_writes": ones(pes, "@.accumulate & @.active"),
        "pe_mac": ones(pes, "@.mac & @.active"),
        "pe_ifmap_write": ones(pes, "@.ifmap_write"),
        "pe_weight_write": ones(pes, "@.weight_write"),
        "node_ifmap_beat": ones(nodes, "@.load_ifmap"),
        "node_weight_beat": ones(nodes, "@.load_weight"),
        "row_ifmap_beat": ones(rows, "@.here_load_ifmap"),
        "row_weight_beat": ones(rows, "@.here_load_weight"),
        "row_mac": ones(rows, "@.here_mac"),
        "bank_accumulate": ones(banks, "@.control_capture & @.active"),
        "bank_output": ones(banks, f"{sender}.read & @.active"),
        "collector_accumulate": ones(["dut.collector"], "@.drain"),
        "collector_output": ones([f"{sender}.requantizer"], "@.valid & @.advance"),
        "controller_run": ones(["dut"], "@.busy"),
    }


def scheduled(plan: Schedule) -> dict[str, int]:
    """What the formula says each counter must show, the streams never stalling."""
    # The streams are counted at their ends; the control registers stand beside the core.
    return {
        f"{place}_{name}": int(count)
        for place, counts in (*plan.words.items(), *plan.events.items())
        for name, count in counts.items()
        if place not in ("dram", "control") and name != "cycle"
    }
