"""`pass_instructions`: the loop nest's instructions, with the data that belong to them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from rtl_gen.descriptor import descriptor
from rtl_gen.instructions import NAMES
from tests.rtl_gen.loop_nest import channel_pass
from tests.rtl_gen.model import PeArray
from tests.rtl_gen.passes import OnePass, one_passes
from tests.rtl_gen.strategies import configs


@settings(max_examples=30)
@given(configs().flatmap(lambda config: one_passes(config, most=6)))
def test_the_fields_are_those_of_the_loops(one: OnePass) -> None:
    layer = descriptor(one.config, one.layer, one.mapping)
    last = one.channel_pass + 1 == layer["channel_passes"]
    steps = [step.fields for step in channel_pass(layer, one.channel_pass, last)]
    instructions = one.instructions()
    assert set(instructions.fields) == set(NAMES)
    for name, values in instructions.fields.items():
        assert values.tolist() == [fields.get(name, 0) for fields in steps], name


@settings(max_examples=30)
@given(configs().flatmap(lambda config: one_passes(config, most=6)))
def test_the_data_make_the_sums_of_the_pass(one: OnePass) -> None:
    numbers, instructions = one.config.arithmetic, one.instructions()
    beats = {
        "load_weight": iter(numbers.weight.decode(instructions.weights)),
        "load_ifmap": iter(numbers.activation.decode(instructions.ifmaps)),
    }
    array = PeArray(one.config, descriptor(one.config, one.layer, one.mapping))
    drained = []
    for cycle in range(instructions.cycles):
        fields = {name: int(values[cycle]) for name, values in instructions.fields.items()}
        load = next((name for name in beats if fields[name]), None)
        sums = array.step(fields, next(beats[load]) if load else None)
        if sums is not None:
            drained.append(sums[: one.mapping.t * one.mapping.e])
    assert all(next(rest, None) is None for rest in beats.values())
    known = one.known()
    np.testing.assert_array_equal(np.stack(drained)[known], one.sums()[known])
