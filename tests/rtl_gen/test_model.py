"""Formula, streams and golden layer against the executable model."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from characterize.regression import random_tensors
from rtl_gen import streams
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import descriptor
from rtl_gen.layer import Layer
from rtl_gen.mapping import Mapping
from rtl_gen.output_stage import OutputStage
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import schedule
from tests.rtl_gen.loop_nest import Rules
from tests.rtl_gen.model import Model
from tests.rtl_gen.strategies import CONFIG, LAYER, chosen, mapped, stages

#: Steps in Python that one example may take.
MOST_CYCLES = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A layer, how it runs, and the numbers of its output stage."""

    config: AcceleratorConfig
    layer: Layer
    mapping: Mapping
    stage: OutputStage | None = None

    def tensors(self) -> tuple[streams.Codes, streams.Codes]:
        return random_tensors(self.config.arithmetic, self.layer, seed=self.layer.macs)

    def modelled(self, rules: Rules | None = None) -> Model:
        """The model, fed with the streams of random tensors."""
        place, (ifmap, weights) = (self.config, self.layer, self.mapping), self.tensors()
        return Model(
            self.config,
            descriptor(*place, self.stage),
            streams.weight_beats(*place, weights, self.stage),
            streams.ifmap_beats(*place, ifmap),
            rules,
        )

    def check_outputs(self, model: Model) -> None:
        """What came out of the streams alone is what the golden layer says."""
        golden = golden_layer(self.config.arithmetic, self.layer, *self.tensors(), self.mapping)
        if self.stage is not None:
            golden = self.stage.apply(self.config.arithmetic, golden)
        got = streams.ofmap(self.config, self.layer, self.mapping, model.outputs)
        np.testing.assert_array_equal(got, golden)

    def check_words(self, model: Model) -> None:
        """Every word that moved is one that the formula counts."""
        words = schedule(self.config, self.layer, self.mapping).words
        places = {(level, name): words[level][name] for level in words for name in words[level]}
        if self.config.scratchpads == "macro":
            for name in ("reads", "writes"):
                model.counts["weight_sram", name] = model.counts["scratchpad", f"weight_{name}"]
        assert set(model.counts) <= set(places)
        assert {place: model.counts[place] for place in places} == places


@st.composite
def cases(draw: st.DrawFn) -> Case:
    config, layer, mapping = draw(mapped(most=6))
    assume(schedule(config, layer, mapping).cycles <= MOST_CYCLES)
    stage = draw(stages(config.arithmetic, layer))
    return Case(config=config, layer=layer, mapping=mapping, stage=stage)


def check_all(case: Case) -> None:
    model, plan = case.modelled(), schedule(case.config, case.layer, case.mapping)
    case.check_outputs(model)
    case.check_words(model)
    cycles = model.phases.total()
    assert plan.cycles == cycles
    assert plan.bounds == {
        "compute": model.macs,
        "weights": model.counts["dram", "weight_beats"],
        "ifmap": model.counts["network", "ifmap_beats"],
        "output": model.sends,
    }
    for kind, events in busy(case, model).items():
        every = {"cycle": KINDS[kind].count(case.config) * cycles}
        assert plan.events[kind] == events | every, kind
    assert set(plan.events) == set(KINDS)


def busy(case: Case, model: Model) -> dict[str, dict[str, int]]:
    """Kind of component -> event -> component-cycles with it."""
    config, counts = case.config, model.counts
    loads = ("ifmap", "weight")
    beats = {f"{name}_beat": counts["network", f"{name}_beats"] for name in loads}
    return {
        "pe": {
            "mac": counts["scratchpad", "psum_writes"],
            **{f"{name}_write": counts["scratchpad", f"{name}_writes"] for name in loads},
        },
        "node": {name: count * config.rows * config.columns for name, count in beats.items()},
        "row": {
            **{name: count * config.rows for name, count in beats.items()},
            "mac": model.macs * config.rows,
        },
        "bank": {
            "accumulate": counts["psum_sram", "writes"],
            "output": model.banks.words_sent * model.banks.active,
        },
        "collector": {
            "accumulate": counts["psum_sram", "writes"] // model.banks.active,
            "output": model.sends,
        },
        "controller": {"run": model.phases.total()},
    }


@settings(max_examples=40)
@given(cases())
def test_formula_streams_and_golden_layer_say_what_the_model_does(case: Case) -> None:
    check_all(case)


@pytest.mark.regress
def test_formula_streams_and_golden_layer_say_what_the_model_does_many_times() -> None:
    for case in chosen(cases(), 1000):
        check_all(case)


#: What must not be left to chance: what is special -> fields of the layer, and of the mapping.
CORNERS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "ring with room for a window": ({}, {"q": 1}),
    "ring with room for a step": ({}, {"q": 2, "f": 4}),
    "ring without room": ({}, {"q": 3}),
    "weights one pass at a time": ({}, {"p": 7, "q": 2}),
    "weights two passes at a time": ({}, {"p": 5, "q": 2}),
    "filter folded both ways": ({"in_channels": 2}, {"fold_height": 3, "fold_width": 3, "f": 4}),
    "filter taller than the array": ({"kernel_height": 7, "in_height": 5}, {"fold_height": 7}),
    "filter wider than the scratchpads": (
        {"kernel_width": 11, "in_width": 9, "kernel_height": 1, "in_channels": 2},
        {"fold_width": 11},
    ),
    "tiles": ({}, {"f": 2}),
    "columns that no window wants": ({"stride": 5, "in_width": 10}, {"q": 3, "f": 2}),
    "padding beyond the kernel": ({"padding": (3, 4, 1, 5), "padding_value": -7}, {"f": 4, "p": 5}),
    "phases of a dilated layer": ({"dilation": 3, "in_width": 12, "in_height": 6}, {"f": 3}),
    "dilation and stride": ({"dilation": 2, "stride": 4, "in_height": 4, "in_width": 12}, {}),
    "depthwise": ({"groups": 4, "out_channels": 4}, {"p": 1}),
    "pixels that stand alone": (
        {"kernel_height": 1, "kernel_width": 1, "padding": 0, "batch": 2, "stride": 2},
        {"e": 3, "f": 4},
    ),
    # A ring of one column, slots of one product: what the banks need is longer than the work.
    "one product a slot": (
        {"kernel_height": 1, "kernel_width": 1, "padding": 0, "out_channels": 1},
        {"p": 1, "f": 5},
    ),
    "one product a pass": (
        {"kernel_height": 1, "kernel_width": 1, "padding": 0, "in_height": 2, "in_width": 2},
        {"p": 1, "f": 1},
    ),
}
SMALLEST = Mapping(p=2, q=1, r=1, t=1, e=2, f=1)


def corner(name: str, output: str = "raw") -> Case:
    """One of `CORNERS`, on a small design."""
    layer, mapping = CORNERS[name]
    small: dict[str, Any] = {"in_height": 3, "in_width": 4, "out_channels": 5, "in_channels": 4}
    whole = replace(LAYER, output=output, **{**small, **layer})
    return Case(
        config=CONFIG,
        layer=whole,
        mapping=replace(SMALLEST, **mapping),
        stage=chosen(stages(CONFIG.arithmetic, whole), 1)[0],
    )


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    check_all(corner(name, output="quantized"))


@settings(max_examples=20)
@given(cases(), st.integers(0, 2**16), st.sampled_from((0.1, 0.5, 0.9)))
def test_streams_that_stall_change_nothing_but_the_time(
    case: Case, seed: int, often: float
) -> None:
    stalled, chance = 0, random.Random(seed)

    def stalls() -> bool:
        nonlocal stalled
        stall = chance.random() < often
        stalled += stall
        return stall

    model = case.modelled(Rules(stalls=stalls))
    case.check_outputs(model)
    case.check_words(model)
    cycles = schedule(case.config, case.layer, case.mapping).cycles
    assert cycles <= model.phases.total() <= cycles + stalled


@pytest.mark.parametrize(
    ("name", "rules", "message"),
    [
        ("one product a slot", Rules(gap=0), "meets another"),
        ("one product a pass", Rules(turnaround=3), "word 0 holds"),
    ],
)
def test_banks_that_are_not_given_their_time_are_noticed(
    name: str, rules: Rules, message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        corner(name).modelled(rules)


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("columns that no window wants", "ahead_step", "ifmap word"),
        ("ring without room", "ahead_window", "ifmap word"),
        ("weights one pass at a time", "double_weights", "weight word|out of bounds"),
    ],
)
def test_words_overwritten_too_soon_are_noticed(name: str, field: str, message: str) -> None:
    case = corner(name)
    place, (ifmap, weights) = (case.config, case.layer, case.mapping), case.tensors()
    fields = descriptor(*place)
    fields[field] += 1
    with pytest.raises((AssertionError, IndexError), match=message):
        Model(
            case.config,
            fields,
            streams.weight_beats(*place, weights),
            streams.ifmap_beats(*place, ifmap),
        )
