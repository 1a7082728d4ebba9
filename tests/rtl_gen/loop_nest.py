"""The schedule once more, by stepping through it: the sequencer, which advances all engines.

Nothing is shared with `rtl_gen`'s formulas: cycles are counted by letting them pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rtl_gen.config import AcceleratorConfig
from tests.rtl_gen.engines import (
    Descriptor,
    Engine,
    Load,
    Mac,
    Parameter,
    Pass,
    Send,
    never,
)
from tests.rtl_gen.jobs import (
    column_beats,
    compute,
    flush,
    ifmap_jobs,
    parameters,
    passes,
    sends,
    weights,
)

#: Cycles after the last sum was drained until all are back in their memories, rows and the latency
#: of a MAC aside.
SETTLE = 5
#: Cycles from the last step of the sender to the last beat: raw, quantized.
OUTPUT_LATENCY = (3, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the sequencer keeps to, and the streams do.

    Parameters
    ----------
    gap : cycles that a slot must be longer than a round over the filters.
    turnaround : the shortest last slot of a pass.
    stalls : asked whenever a loader or the sender would act: whether its stream is not ready.
    """

    gap: int = 1
    turnaround: int = 5
    stalls: Callable[[], bool] = never


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One busy cycle: its phase, and what each engine does in it."""

    phase: str
    mac: Mac | None = None
    ifmap: Load | None = None
    weight: Load | Parameter | None = None
    send: Send | None = None


def walk(
    config: AcceleratorConfig, layer: Descriptor, rules: Rules | None = None
) -> Iterator[Step]:
    """Every busy cycle of a layer."""
    rules = rules or Rules()
    yield from [Step(phase="setup")] * config.columns
    jobs, todo = ifmap_jobs(config, layer), passes(layer)
    before, now = None, next(todo)
    yield from fill(Engine(weights(config, layer, now)), Engine(next(jobs)), rules)
    while True:
        following = next(todo, None)
        loader = Engine(
            parameters(layer, now) + weights(config, layer, following),
            free=None if layer["double_weights"] else 0,
        )
        for column in range(layer["out_width"]):
            last = column + 1 == layer["out_width"]
            ahead = layer["ahead_window" if last else "ahead_step"] * column_beats(layer)
            yield from slot(
                Engine(compute(config, layer, now, column, now if column else before)),
                Engine(next(jobs, []), free=ahead),
                loader,
                sender(config, layer, now, column),
                rules,
                shortest=max(layer["filters"] + rules.gap, last * rules.turnaround),
                last=last,
            )
        if following is None:
            break
        before, now = now, following
    yield from (Step(phase="flush", mac=mac) for mac in flush(layer, now))
    yield from [Step(phase="settle")] * (config.rows + config.mac_latency + SETTLE)
    final = Engine(sends(layer, now.group, range(layer["sum_words"])))
    while not final.done:
        yield Step(phase="send", send=final.advance(stalls=rules.stalls))
    yield from [Step(phase="send")] * OUTPUT_LATENCY[layer["quantized"]]


def fill(loader: Engine[Load | Parameter], ifmaps: Engine[Load], rules: Rules) -> Iterator[Step]:
    """The first pass's weights, and beside them its first window."""
    while not (loader.done and ifmaps.done):
        yield Step(
            phase="fill",
            weight=loader.advance(stalls=rules.stalls),
            ifmap=ifmaps.advance(stalls=rules.stalls),
        )


def sender(config: AcceleratorConfig, layer: Descriptor, now: Pass, column: int) -> Engine[Send]:
    """Sends a column of the group before, if it has not been yet.

    In slot 0 the last of its sums still leave the PEs: they must reach their memories first.
    """
    if now.in_group > 0 or now.number == 0:
        return Engine()
    words = range(column * layer["filters"], (column + 1) * layer["filters"])
    wait = 0 if column else layer["filters"] + config.rows + config.mac_latency + SETTLE
    return Engine(sends(layer, now.group - 1, words), delay=wait)


def slot(
    computing: Engine[Mac],
    ifmaps: Engine[Load],
    loader: Engine[Load | Parameter],
    sending: Engine[Send],
    rules: Rules,
    *,
    shortest: int,
    last: bool,
) -> Iterator[Step]:
    """One output column; it ends with the cycle in which all engines are done."""
    age = 0
    while True:
        computed = computing.done  # in a cycle before this one: scratchpads are free
        yield Step(
            phase="run",
            mac=computing.advance(),
            ifmap=ifmaps.advance(computed, rules.stalls),
            weight=loader.advance(last, rules.stalls),
            send=sending.advance(stalls=rules.stalls),
        )
        age += 1
        done = computing.done and ifmaps.done and sending.done and (loader.done or not last)
        if done and age >= shortest:
            return
