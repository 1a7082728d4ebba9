"""What holds in every run, as far as a solver looks: rules of streams, bounds of addresses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module

from characterize.regression import random_layers, random_stage
from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import descriptor
from rtl_gen.hardware.collector import Collector
from rtl_gen.hardware.controller import Controller
from rtl_gen.layer import Layer
from rtl_gen.memories import memories
from rtl_gen.schedule import schedule
from tests.rtl_gen.formal import holds_until_taken, needs_solver, prove, rule

pytestmark = [pytest.mark.eda, needs_solver]

#: No size is a power of two, so that an address can be out of bounds; streams of one lane.
CONFIG = AcceleratorConfig.from_mapping(
    {
        "arithmetic": "int8a18",
        **{"rows": 3, "columns": 3, "ifmap_words": 5, "weight_words": 11, "psum_words": 3},
        **{"buffer_kib": 1, "bus_bits": 32},
    }
)
LAYER = Layer(
    name="tiny",
    kind="conv",
    in_channels=2,
    in_height=2,
    in_width=2,
    out_channels=2,
    kernel_width=2,
    padding=(0, 1, 0, 0),
)


#: Two short passes: the weights of the second are written from cycle 9 on, while the first is used.
PASSES = Layer(name="passes", kind="conv", in_channels=12, out_channels=1)
#: Halves of odd size.
MACROS = replace(CONFIG, weight_words=14, scratchpads="macro")


def descriptors(count: int, config: AcceleratorConfig = CONFIG) -> list[dict[str, int]]:
    layers = random_layers(config, count, seed=11)
    return [
        descriptor(
            config,
            layer,
            schedule(config, layer).mapping,
            random_stage(config.arithmetic, layer, seed=1),
        )
        for layer in layers
    ]


def depth(memory: str) -> int:
    return int(memories(CONFIG)[memory].depth)


def outputs_stay(m: Module, collector: Any) -> None:
    out = collector.outputs
    rule(m, holds_until_taken(m, "out", out.valid, out.ready, out.payload, collector.last))


def test_an_output_stands_until_it_is_taken(tmp_path: Path) -> None:
    """In every run of any length, whatever the banks, the controller and the descriptor do."""
    prove(Collector(CONFIG), outputs_stay, depth=4, induction=True, folder=tmp_path)


def test_an_output_that_is_taken_back_is_found(tmp_path: Path) -> None:
    def rules(m: Module, collector: Any) -> None:
        out = collector.outputs
        rule(m, holds_until_taken(m, "out", out.valid, 0, out.payload))

    with pytest.raises(AssertionError, match="a rule can be broken"):
        prove(Collector(CONFIG), rules, depth=12, folder=tmp_path)


def test_sums_lie_within_their_memories(tmp_path: Path) -> None:
    """Whatever is drained and sent when, of any of many layers."""

    def rules(m: Module, collector: Any) -> None:
        for side in ("even", "odd"):
            enable, address = (
                getattr(collector, f"{side}_{name}") for name in ("enable", "address")
            )
            rule(m, ~enable | (address < depth("psum_sram")))

    prove(Collector(CONFIG), rules, layers=descriptors(40), depth=16, folder=tmp_path)


def in_bounds(m: Module, controller: Any) -> None:
    """Every address that the controller issues, where it is used."""
    issue = controller.issue
    uses = (
        (issue.mac, issue.ifmap_read_address, CONFIG.ifmap_words),
        (issue.mac, issue.weight_read_address, CONFIG.weight_words),
        (issue.mac | issue.drain, issue.psum_address, CONFIG.psum_words),
        (issue.load_ifmap, issue.ifmap_write_address, CONFIG.ifmap_words),
        (issue.load_weight, issue.weight_write_address, CONFIG.weight_words),
        (controller.sram_enable, controller.sram_address, depth("ifmap_sram")),
        (controller.parameter_write, controller.parameter_address, depth("parameter_sram")),
    )
    for used, address, words in uses:
        rule(m, ~used | (address < words))


def test_addresses_stay_in_bounds_at_the_beginning_of_any_layer(tmp_path: Path) -> None:
    """Whatever the streams and the sender do."""
    prove(Controller(CONFIG), in_bounds, layers=descriptors(40), depth=12, folder=tmp_path)


@pytest.mark.regress
def test_addresses_stay_in_bounds_far_into_a_layer(tmp_path: Path) -> None:
    """Past its first output columns, whatever the streams and the sender do."""
    plan = schedule(CONFIG, LAYER)
    fields = descriptor(CONFIG, LAYER, plan.mapping)
    prove(Controller(CONFIG), in_bounds, layers=[fields], depth=20, folder=tmp_path)


def macros_apart(m: Module, controller: Any) -> None:
    """No macro is read and written in one cycle, nor beyond its words."""
    issue = controller.issue
    read, write = issue.weight_read_address, issue.weight_write_address
    rule(m, ~(issue.mac & issue.load_weight) | (read[-1] != write[-1]))
    rule(m, ~issue.mac | (read[:-1] < MACROS.weight_words // 2))
    rule(m, ~issue.load_weight | (write[:-1] < MACROS.weight_words // 2))


def test_macros_are_read_and_written_apart_at_the_beginning_of_any_layer(tmp_path: Path) -> None:
    layers = descriptors(40, MACROS)
    prove(Controller(MACROS), macros_apart, layers=layers, depth=12, folder=tmp_path)


def test_macros_are_read_and_written_apart_in_the_second_pass(tmp_path: Path) -> None:
    fields = descriptor(MACROS, PASSES, schedule(MACROS, PASSES).mapping)
    prove(Controller(MACROS), macros_apart, layers=[fields], depth=16, folder=tmp_path)


def test_one_macro_for_all_weights_is_found(tmp_path: Path) -> None:
    """A descriptor that the hardware's own check would refuse: weights without a second half."""
    fields = descriptor(MACROS, PASSES, schedule(MACROS, PASSES).mapping)
    layers = [{**fields, "double_weights": 0}]
    with pytest.raises(AssertionError, match="a rule can be broken"):
        prove(Controller(MACROS), macros_apart, layers=layers, depth=16, folder=tmp_path)


def test_an_address_out_of_bounds_is_found(tmp_path: Path) -> None:
    """A descriptor that the hardware's own check would refuse: a ring larger than its memory."""
    plan = schedule(CONFIG, LAYER)
    fields = {**descriptor(CONFIG, LAYER, plan.mapping), "ring_words": CONFIG.ifmap_words + 2}
    fields |= {"ahead_window": 9, "window": 9}
    with pytest.raises(AssertionError, match="a rule can be broken"):
        prove(Controller(CONFIG), in_bounds, layers=[fields], depth=24, folder=tmp_path)
