"""`pass_instructions`: the engines' actions, with the data that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from hypothesis import given, settings

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import descriptor
from rtl_gen.instructions import NAMES, PARTS
from tests.rtl_gen.engines import Descriptor, Engine, Load, Pass
from tests.rtl_gen.jobs import column_beats, compute, flush, ifmap_jobs, weights
from tests.rtl_gen.loop_nest import Rules, slot
from tests.rtl_gen.model import PeArray
from tests.rtl_gen.passes import OnePass, one_passes
from tests.rtl_gen.strategies import configs

#: A pass that stands alone is the first of its group, and the last.
ALONE = Pass(
    number=0, group=0, in_group=0, last=True, first_filters=True, last_channels=True, position=0
)


def engine_steps(
    config: AcceleratorConfig, layer: Descriptor, pause: int | None
) -> list[dict[str, int]]:
    """The members of the instruction in each cycle, by stepping the engines."""
    jobs = islice(ifmap_jobs(config, layer), layer["out_width"])
    rest: list[dict[str, int]] = [{}] * (pause or 0)
    filters: Sequence[Any] = [*weights(config, layer, ALONE)]
    first: Sequence[Any] = next(jobs)
    steps = [*(load.fields for load in filters), *rest, *(load.fields for load in first), *rest]
    for column in range(layer["out_width"]):
        macs = compute(config, layer, ALONE, column, ALONE if column else None)
        job: list[Load] = next(jobs, [])
        columns = Engine(job, free=layer["ahead_step"] * column_beats(layer))
        if pause is not None:
            columns = Engine(job, delay=len(macs) + pause)
        for step in slot(
            Engine(macs),
            columns,
            Engine(),
            Engine(),
            Rules(),
            shortest=layer["filters"] + 1,
            last=False,
        ):
            found = [part.fields for part in (step.mac, step.ifmap) if part]
            steps.append({name: value for fields in found for name, value in fields.items()})
        steps += rest
    return [*steps, *(mac.fields for mac in flush(layer, ALONE))]


@settings(max_examples=40)
@given(configs().flatmap(lambda config: one_passes(config, most=6)))
def test_the_fields_are_those_of_the_engines(one: OnePass) -> None:
    layer = descriptor(one.config, one.layer, one.mapping)
    instructions = one.instructions()
    assert set(instructions.fields) == set(NAMES)
    expected = engine_steps(one.config, layer, one.pause)
    for name, values in instructions.fields.items():
        assert values.tolist() == [fields.get(name, 0) for fields in expected], name


@settings(max_examples=40)
@given(configs().flatmap(lambda config: one_passes(config, most=6)))
def test_the_data_make_the_sums_of_the_pass(one: OnePass) -> None:
    numbers, instructions = one.config.arithmetic, one.instructions()
    beats = {
        "weight": iter(numbers.weight.decode(instructions.weights)),
        "ifmap": iter(numbers.activation.decode(instructions.ifmaps)),
    }
    array = PeArray(one.config, descriptor(one.config, one.layer, one.mapping))
    drained = []
    for cycle in range(instructions.cycles):
        fields = {name: int(values[cycle]) for name, values in instructions.fields.items()}
        if fields["mac"] or fields["drain"]:
            sums = array.mac(fields)
            if sums is not None:
                drained.append(sums[: one.mapping.t * one.mapping.e])
        for name, rest in beats.items():
            if fields[f"load_{name}"]:
                array.load(name, fields, next(rest))
    assert all(next(rest, None) is None for rest in beats.values())
    known = one.known()
    np.testing.assert_array_equal(np.stack(drained)[known], one.sums()[known])


@settings(max_examples=20)
@given(configs().flatmap(lambda config: one_passes(config, most=6)))
def test_a_pass_with_pauses_does_one_thing_at_a_time(one: OnePass) -> None:
    fields = one.instructions().fields
    busy = sum(
        np.logical_or.reduce([fields[strobe] != 0 for strobe in strobes]).astype(int)
        for strobes in PARTS
    )
    assert np.max(busy) <= (2 if one.pause is None else 1)
