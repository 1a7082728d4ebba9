"""How a scratchpad keeps its words: flip-flops, gated or not, latches, or memory macros.

What a scratchpad of words does, and when, is the same in all; area and power are not. Flip-flops
with an enable are plain RTL, which Amaranth writes (`hardware/scratchpad.py`). The others need a
clock a word, and are written here as Verilog: a module a size, on the one cell `clock_gate`.

Gated: the word written takes the data at the edge that ends the cycle, its clock being the only one
that rises. Latches: that edge takes the data into a register and opens the word behind it, until
the clock falls. The register reaches only the line of words that is being written: the data pins of
all others stand still, and none of its nets leads to all of them. Source of the latch scheme:
A. Teman et al., "Power, area, and performance optimization of standard cell memory arrays through
controlled placement", ACM TODAES 21(4), 2016.

Macro: the weights of two passes lie in two single-port memories (`hardware/weight_banks.py`), and
the other two scratchpads, which are small and read and written in one cycle, are gated.
"""

from __future__ import annotations

from rtl_gen.components import Design

FLIPFLOP, GATED, LATCH, MACRO = "flipflop", "gated", "latch", "macro"
#: The ways to build scratchpads, by the names that configs use.
STORAGES = (FLIPFLOP, GATED, LATCH, MACRO)

#: Memories that hold the weights of a PE of macros: one is read while the other is written.
WEIGHT_MACROS = 2

#: The one module that a flow must know: it puts a cell of its library into its place.
CLOCK_GATE_NAME = "clock_gate"

CLOCK_GATE = """\
// Clock gate: passes the pulse of clk that follows a cycle with enable high. A synthesis flow puts
// the integrated clock gate of its library in its place.
module clock_gate (
    input wire clk,
    input wire enable,
    output wire gated
);
    reg open;

    /* verilator lint_off LATCH */
    always @(clk or enable)
        if (!clk) open = enable;
    /* verilator lint_on LATCH */

    assign gated = clk & open;
endmodule
"""

_HEAD = """\
// Scratchpad: {words} words of {bits} bits, {what}.
module {name} (
    input wire clk,
    input wire write,
    input wire [{address}:0] write_address,
    input wire [{data}:0] write_data,
    input wire [{address}:0] read_address,
    output wire [{data}:0] read_data
);
    wire [{data}:0] word [0:{last}];
    wire [{columns}:0] column = {column_count}'d1 << {column_address};
    wire [{lines}:0] line = write ? {line_count}'d1 << {line_address} : {line_count}'d0;
"""

_LATCH_REGISTER = """
    wire taking;
    reg [{data}:0] taken;
    reg [{lines}:0] reached;
    clock_gate take (.clk(clk), .enable(write), .gated(taking));
    always @(posedge taking) begin
        taken <= write_data;
        reached <= line;
    end
    wire [{data}:0] offered [0:{lines}];
    genvar k;
    generate
        for (k = 0; k <= {lines}; k = k + 1) begin : offers
            assign offered[k] = taken & {{{bits}{{reached[k]}}}};
        end
    endgenerate
"""

_WORDS = """
    genvar i;
    generate
        for (i = 0; i < {words}; i = i + 1) begin : words
            wire pulse;
            reg [{data}:0] value;
            clock_gate gate (
                .clk(clk),
                .enable(line[i / {column_count}] & column[i % {column_count}]),
                .gated(pulse)
            );
{store}
            assign word[i] = value;
        end
    endgenerate

    assign read_data = word[read_address];
endmodule
"""

_STORE = {
    GATED: """\
            always @(posedge pulse)
                value <= write_data;
""",
    LATCH: """\
            // Not at once: flip-flops that read this word at the edge that opens it read it old.
            /* verilator lint_off LATCH */
            /* verilator lint_off COMBDLY */
            always @(pulse or offered[i / {column_count}])
                if (pulse) value <= offered[i / {column_count}];
            /* verilator lint_on COMBDLY */
            /* verilator lint_on LATCH */
""",
}

_WHAT = {
    GATED: "flip-flops with a gated clock a word",
    LATCH: "latches behind one register",
}


def storage_name(words: int, bits: int, storage: str) -> str:
    """Name of the Verilog module of one size."""
    return f"{storage}_words_{words}x{bits}"


def storage_module(words: int, bits: int, storage: str) -> str:
    """The Verilog module of `words` words of `bits` bits; `storage` is "gated" or "latch".

    Ports as those of `hardware.scratchpad.Scratchpad`, and clk.
    """
    address_bits = max((words - 1).bit_length(), 1)
    # The decoder is a product of two, so that a word costs it one gate.
    low = (address_bits + 1) // 2
    columns = min(1 << low, words)
    lines = -(-words // columns)
    text = _HEAD + (_LATCH_REGISTER if storage == LATCH else "") + _WORDS
    high = f"[{address_bits - 1}:{low}]"
    return text.format(
        name=storage_name(words, bits, storage),
        what=_WHAT[storage],
        words=words,
        bits=bits,
        data=bits - 1,
        last=words - 1,
        address=address_bits - 1,
        columns=columns - 1,
        column_count=columns,
        column_address=f"write_address[{low - 1}:0]",
        lines=lines - 1,
        line_count=lines,
        line_address=f"write_address{high}" if address_bits > low else "1'd0",
        store=_STORE[storage].format(column_count=columns).rstrip("\n"),
    )


def storage_modules(design: Design) -> dict[str, str]:
    """Verilog text by module name: all that the scratchpads of a design need beside its own RTL."""
    if design.scratchpads == FLIPFLOP:
        return {}
    weights = () if design.scratchpads == MACRO else ((design.weight_words, design.weight_bits),)
    sizes = (
        (design.ifmap_words, design.activation_bits),
        *weights,
        (design.psum_words, design.accumulator_bits),
    )
    storage = word_storage(design.scratchpads)
    modules = {CLOCK_GATE_NAME: CLOCK_GATE}
    for words, bits in sizes:
        modules[storage_name(words, bits, storage)] = storage_module(words, bits, storage)
    return modules


def word_storage(scratchpads: str) -> str:
    """How scratchpads that are no macros keep their words, in a PE whose config says so."""
    return GATED if scratchpads == MACRO else scratchpads
