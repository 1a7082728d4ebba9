"""A clock target by trial: one small PE through the whole flow, and a multiple of its period."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from characterize.cell_files import prepare
from characterize.measure import measure
from characterize.sample import Failure, Task
from characterize.technology import Technology
from rtl_gen.errors import ToolError

#: What is tried: an 8-bit PE with scratchpads of a few words.
ARITHMETIC = "int8"
WORDS = {"ifmap_words": 12, "weight_words": 24, "psum_words": 8}
#: Period of the target over that of the trial: 16-bit PEs and larger scratchpads take about half
#: as long again.
MARGIN = 2.0
#: Without a trial: ns per nm of feature size, which is 10 ns at 180 nm, and never less than this.
NS_PER_NM, LEAST_NS = 1 / 18, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A clock target in ns, and where it comes from."""

    ns: float
    source: str


def estimated_clock(feature_nm: float) -> Clock:
    """A clock target from nothing but the feature size."""
    ns = max(LEAST_NS, feature_nm * NS_PER_NM)
    source = f"not measured: {feature_nm:g} nm x {NS_PER_NM:.3f} ns/nm, at least {LEAST_NS:g} ns"
    return Clock(ns=_digits(ns), source=source)


def tried_clock(technology: Technology) -> Clock:
    """A clock target from a PE that is synthesized, timed and simulated against its RTL.

    Raises
    ------
    UserError
        When a Liberty file has a pin that is not named by a plain name.
    ToolError
        When the PE can't be measured; says at which step and why.
    """
    task = Task(
        component="pe",
        arithmetic=ARITHMETIC,
        parameters=WORDS,
        technology=technology.name,
        clock_ns=technology.clock_ns,
    )
    for file in technology.liberty:
        file.check_names()
    with tempfile.TemporaryDirectory(prefix="quidam-") as folder:
        liberty = prepare(technology, Path(folder))
        result = measure(task, "trial", technology=technology, liberty=liberty)
    if isinstance(result, Failure):
        raise ToolError(
            f"the clock can't be tried: {task} failed at {result.step}: {result.message} "
            "(--no-trial leaves it out)",
            tail=result.log,
        )
    words = "/".join(map(str, WORDS.values()))
    source = (
        f"{MARGIN:g} times the shortest period of an {ARITHMETIC} PE of {words} words, "
        f"{result.min_period_ns:.3g} ns, by trial"
    )
    return Clock(ns=_digits(MARGIN * result.min_period_ns), source=source)


def _digits(ns: float) -> float:
    return float(f"{ns:.2g}")
