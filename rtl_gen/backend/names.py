"""Names that Verilog allows."""

from __future__ import annotations

import re

_WORDS = (
    "always and assert assign assume automatic before begin bind bit break buf byte case casex "
    "casez cell class clocking config const constraint context continue cover cross deassign "
    "default defparam design disable do edge else end enum event expect export extends extern "
    "final first_match for force foreach forever fork function generate global if iff import "
    "include initial inout input inside instance int integer interface intersect join large let "
    "library local logic long longint macromodule matches medium modport module nand negedge new "
    "nor not null or output package packed parameter posedge primitive priority process program "
    "property protected pull0 pull1 pure rand real realtime ref reg reject_on release repeat "
    "restrict return scalared sequence shortint signed small soft solve specify static strength "
    "string strong strong0 strong1 struct super supply0 supply1 sync_accept_on table tagged task "
    "this throughout time timeprecision timeunit tran tri tri0 tri1 triand trior trireg type "
    "typedef union unique unsigned until untyped use var vectored virtual void wait wand weak "
    "weak0 weak1 while wildcard wire with within wor xnor xor "
)
#: What Verilog and SystemVerilog keep for themselves: both kinds of tools are to read the text.
KEYWORDS = frozenset(_WORDS.split())


def port_name(name: str) -> str:
    """Verilog name of a port that is called `name` in Amaranth: the same wherever it stands."""
    plain = re.sub(r"[\W_]+", "_", name).strip("_")
    return f"{plain}_" if plain in KEYWORDS else plain
