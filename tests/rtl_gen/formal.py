# amaranth: UnusedElaboratable=no
"""Bounded model checking of components: rules in Amaranth, Yosys and an SMT solver to break them.

A proof begins in any state at all, with one cycle of reset, and lets every input do what it
likes in every cycle, within what is assumed. Yosys writes the transition relation (pyosys),
`yosys-smtbmc` unrolls it, and z3 looks for a run that breaks an assertion: there is none of up
to `depth` cycles. By induction there is none of any length: no `depth` cycles that keep the
rules can be followed by one that does not.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Module, ResetSignal, Signal
from amaranth.hdl._ast import AnyConst, AnySeq, Initial
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from characterize import tools
from rtl_gen.errors import ToolError

#: Marks tests that are left out where the solver or its driver are not installed.
needs_solver = pytest.mark.skipif(
    shutil.which("yosys-smtbmc") is None or shutil.which("z3") is None,
    reason="yosys-smtbmc or z3 is missing: run `make setup`",
)

#: Initial values are left out: reset must do. What comes out of multipliers and shifters is
#: anything: rules are about control, and a solver would work on nothing else.
SCRIPT = """\
read_rtlil proof.il
hierarchy -check -top proof
proc
flatten
setattr -unset init w:*
cutpoint t:$mul t:$shl t:$shr t:$sshr t:$shift
memory -nomap
async2sync
chformal -lower
opt -full
opt_clean -purge
dffunmap
stat
write_smt2 -wires proof.smt2
"""

#: Adds rules about a component to a module: (module, the component).
Rules = Callable[[Module, Any], None]
#: Descriptors.
Layers = Sequence[Mapping[str, int]]


class Proof(wiring.Component):
    """A component whose inputs do what they like, and rules about it."""

    def __init__(self, part: wiring.Component, rules: Rules, layers: Layers) -> None:
        self._part = part
        self._rules = rules
        self._layers = layers
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.part = part = self._part
        fields = {} if not self._layers else part.layer.signature.members
        for path, member, port in part.signature.flatten(part):
            if member.flow == In and not (path[0] == "layer" and fields):
                m.d.comb += port.eq(AnySeq(len(port)))
        # One of the descriptors, whichever, all the time.
        chosen = AnyConst(range(max(len(self._layers), 1)))
        with m.Switch(chosen):
            for number, layer in enumerate(self._layers):
                with m.Default() if number == len(self._layers) - 1 else m.Case(number):
                    m.d.comb += [getattr(part.layer, name).eq(layer[name]) for name in fields]
        # Reset is on in the first cycle and never again.
        m.d.comb += Assume(ResetSignal() == Initial())
        self._rules(m, part)
        return m


def rule(m: Module, condition: Any) -> None:
    """`condition` must hold in every cycle after reset."""
    m.d.comb += Assert(ResetSignal() | condition)


def assume(m: Module, condition: Any) -> None:
    """Only runs in which `condition` holds in every cycle count."""
    m.d.comb += Assume(condition)


def holds_until_taken(m: Module, name: str, valid: Any, ready: Any, *others: Any) -> Any:
    """The rule of streams, for either end: an offer stands, unchanged, until it is taken."""
    waits = Signal(name=f"{name}_waits")
    m.d.sync += waits.eq(valid & ~ready)
    kept = valid
    for number, value in enumerate(others):
        before = Signal(len(value), name=f"{name}_before_{number}")
        m.d.sync += before.eq(value)
        kept &= value == before
    return ~waits | kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What was shown: no run of up to `depth` cycles breaks a rule, or none at all."""

    depth: int
    induction: bool
    seconds: float


def prove(
    part: wiring.Component,
    rules: Rules,
    *,
    depth: int,
    folder: Path,
    layers: Layers = (),
    induction: bool = False,
) -> Proven:
    """Look for a run that breaks a rule.

    Parameters
    ----------
    layers : descriptors that the component's `layer` may carry; any numbers where there is none.
    depth : cycles, the one of reset included. induction : also show it for any number of cycles.
    folder : for the files of the proof; a broken rule leaves `trace.vcd` there.

    Raises
    ------
    AssertionError
        When there is a run that breaks a rule, or no run at all keeps the assumptions.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    # It has no outputs: what no rule looks at goes, and is no work for the solver.
    text = rtlil.convert(Proof(part, rules, layers), name="proof", ports={}, emit_src=False)
    (folder / "proof.il").write_text(text)
    (folder / "proof.ys").write_text(SCRIPT)
    log = folder / "write.log"
    said = tools.run(tools.yosys_command("proof.ys"), cwd=folder, log=log, timeout=300).output
    assert re.search(r"\d+ +\$assert\b|\$assert +\d+", said), "there must be a rule to prove"
    for way in _ways(depth, induction):
        _solve(folder, way)
    return Proven(depth=depth, induction=induction, seconds=time.monotonic() - began)


def _ways(depth: int, induction: bool) -> Iterator[list[str]]:
    # --presat: the assumptions must leave a run, or everything could be shown.
    yield ["--presat", "--dump-vcd", "trace.vcd", "-t", str(depth)]
    if induction:
        yield ["-i", "--dump-vcd", "induction.vcd", "-t", str(depth)]


def _solve(folder: Path, way: list[str]) -> None:
    solver = ["-s", "z3", "--unroll", "--noprogress"]
    command = [tools.find("yosys-smtbmc"), *solver, *way, "proof.smt2"]
    try:
        done = tools.run(command, cwd=folder, log=folder / "solve.log", timeout=240)
    except ToolError as error:
        if "FAILED" not in error.tail:
            raise
        raise AssertionError(f"a rule can be broken\n{error.tail}") from error
    assert "Status: PASSED" in done.output.replace("passed", "PASSED"), done.output
