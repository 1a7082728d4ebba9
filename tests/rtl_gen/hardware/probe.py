# amaranth: UnusedElaboratable=no
# (components placed by name are elaborated where their module is emitted)
"""A wrapper around the accelerator that counts, cycle by cycle, what happens inside.

The counters reach into the emitted hierarchy by name; each stands for one of `schedule`'s counts.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from amaranth.lib.wiring import In

from rtl_gen.config import AcceleratorConfig
from rtl_gen.hardware.accelerator import Accelerator
from rtl_gen.hardware.place import port_name
from rtl_gen.schedule import Schedule
from rtl_gen.verilog import accelerator_verilog

TOP = "probe"


def probe_verilog(config: AcceleratorConfig) -> str:
    """The accelerator's Verilog, and module `probe` with its ports and a counter an output."""
    component = Accelerator(config)
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
            accelerator_verilog(config),
            f"module {TOP}({', '.join(ports)});",
            f"accelerator dut({', '.join(connections)});",
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
    psums = [f"dut.psum_sram_{s}_{j}" for s in ("even", "odd") for j in range(config.columns)]
    sending = "dut.collector.\\output "

    def ones(places: list[str], condition: str) -> str:
        return "$countones({" + ", ".join(condition.replace("@", place) for place in places) + "})"

    return {
        "ifmap_sram_reads": ones(["dut.ifmap_sram"], "@.enable & ~@.write"),
        "ifmap_sram_writes": ones(["dut.ifmap_sram"], "@.enable & @.write"),
        "psum_sram_reads": ones(psums, "@.enable & ~@.write"),
        "psum_sram_writes": ones(psums, "@.enable & @.write"),
        "network_beats": ones(["dut.array"], "@.issue_load_weight | @.issue_load_ifmap"),
        "pe_mac": ones(pes, "@.mac & @.active"),
        "pe_ifmap_write": ones(pes, "@.ifmap_write"),
        "pe_weight_write": ones(pes, "@.weight_write"),
        "psum_reads": ones(pes, "(@.accumulate | @.drain) & @.active"),
        "psum_writes": ones(pes, "@.accumulate & @.active"),
        "node_beat": ones(nodes, "@.load_weight | @.load_ifmap"),
        "row_beat": ones(rows, "@.here_load_weight | @.here_load_ifmap"),
        "row_mac": ones(rows, "@.here_mac | @.here_drain"),
        "bank_accumulate": ones(banks, "@.control_capture & @.active"),
        "bank_output": ones(psums, f"@.enable & ~@.write & {sending}"),
        "collector_output": ones([sending], "@"),
        "controller_run": ones(["dut"], "@.busy"),
    }


def scheduled(plan: Schedule) -> dict[str, int]:
    """What the formula says each counter must show, the streams never stalling."""
    pad = plan.words["scratchpad"]
    counts: dict[str, Any] = {name: pad[name] for name in ("psum_reads", "psum_writes")}
    for level in ("ifmap_sram", "psum_sram", "network"):
        counts |= {f"{level}_{name}": count for name, count in plan.words[level].items()}
    for kind, events in plan.events.items():
        counts |= {f"{kind}_{name}": count for name, count in events.items() if name != "idle"}
    return {name: int(count) for name, count in counts.items()}
