"""The stimulus: real work of a real layer, and the answers of the RTL that belong to it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from characterize.bitslice import LANES, held, sliced
from characterize.stimulus import CHECKED, Stimulus, component_config, hardware_for, stimulus_for
from characterize.stimulus_layer import LAYER, Contexts, contexts, quantized_layer
from characterize.traces import RESET_CYCLES
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import Mapping, schedule
from tests.rtl_gen.hardware.pe_model import PeModel

Array = NDArray[np.int64]
ARITHMETIC = "int8"
#: Scratchpads of two channels, and a buffer that the stimulus fits in.
PARAMETERS = {
    **{"ifmap_words": 6, "weight_words": 24, "psum_words": 4},
    **{"buffer_kib": 8, "bus_bits": 64, "columns": 4},
}


def config_for(component: str, arithmetic: str = ARITHMETIC) -> AcceleratorConfig:
    fields = KINDS[component].fields
    return component_config(component, arithmetic, {name: PARAMETERS[name] for name in fields})


@cache
def made(component: str, arithmetic: str = ARITHMETIC) -> tuple[Stimulus, Contexts]:
    config = config_for(component, arithmetic)
    return stimulus_for(component, config), contexts(config)


def lane_of(bits: NDArray[np.uint64], lane: int) -> list[int]:
    """The words of one lane of a port, unsigned."""
    ones = (bits >> np.uint64(lane)) & np.uint64(1)
    return [sum(int(bit) << b for b, bit in enumerate(row)) for row in ones]


def signed(words: list[int], bits: int) -> Array:
    return np.array([word - (word >> bits - 1 << bits) for word in words])


@pytest.mark.parametrize("component", KINDS)
def test_every_port_and_every_event_of_a_component(component: str) -> None:
    stimulus, _ = made(component)
    hardware = hardware_for(component, config_for(component))
    ports = {"_".join(map(str, path)) for path, _, _ in hardware.signature.flatten(hardware)}
    assert {*stimulus.inputs, *stimulus.outputs} == ports | {"rst"}
    cycles = len(stimulus.inputs["rst"])
    for bits in (*stimulus.inputs.values(), *stimulus.outputs.values()):
        assert bits.dtype == np.uint64
        assert len(bits) == cycles
    assert set(stimulus.events) == set(KINDS[component].events)
    happening = np.array(list(stimulus.events.values()))
    assert happening.any(axis=1).all(), "every event happens"
    assert happening.sum(axis=0).max() == 1, "one at a time"
    assert not happening[:, :RESET_CYCLES].any()
    assert lane_of(stimulus.inputs["rst"], 0) == [1] * RESET_CYCLES + [0] * (cycles - RESET_CYCLES)
    assert stimulus.checked == sum(1 << lane for lane in CHECKED)


@pytest.mark.parametrize("component", KINDS)
def test_an_idle_component_moves_nothing(component: str) -> None:
    stimulus, _ = made(component)
    idle = np.flatnonzero(stimulus.events["idle"])
    for name, bits in {**stimulus.inputs, **stimulus.outputs}.items():
        assert (bits[idle] == bits[idle[0]]).all(), name


def test_the_same_again() -> None:
    once, _ = made("row")
    again = stimulus_for("row", config_for("row"))
    for name, bits in once.inputs.items():
        np.testing.assert_array_equal(again.inputs[name], bits)
    for name, bits in once.outputs.items():
        np.testing.assert_array_equal(again.outputs[name], bits)


def test_lanes_differ_in_data_and_agree_in_time() -> None:
    stimulus, _ = made("pe")
    for name in ("mac", "accumulate", "drain", "first", "psum_address"):
        assert set(np.unique(stimulus.inputs[name])) <= {0, ~np.uint64(0)}
    assert len({tuple(lane_of(stimulus.inputs["activation"], lane)) for lane in range(64)}) > 32


@pytest.mark.parametrize("arithmetic", ["int8", "lightpe1", "int4a8"])
def test_a_pe_answers_as_its_model(arithmetic: str) -> None:
    stimulus, _ = made("pe", arithmetic)
    config = config_for("pe", arithmetic)
    signed_ports = {
        "psum_in": config.accumulator_bits,
        "activation": config.activation_bits,
        "weight": config.weight_bits if arithmetic.startswith("int") else 0,
    }
    for lane in CHECKED:
        played: dict[str, Any] = {
            name: lane_of(bits, lane) for name, bits in stimulus.inputs.items()
        }
        for name, bits in signed_ports.items():
            played[name] = signed(played[name], bits).tolist() if bits else played[name]
        model, answers = PeModel(config), []
        for cycle in range(RESET_CYCLES, len(played["rst"])):
            answers.append(model.psum_out)
            model.step({name: words[cycle] for name, words in played.items()})
        got = signed(lane_of(stimulus.outputs["psum_out"], lane), config.accumulator_bits)
        assert got[RESET_CYCLES:].tolist() == answers
        assert len(set(answers)) > 8


def test_the_last_row_gives_the_sums_of_the_column() -> None:
    stimulus, context = made("pe")
    for lane in CHECKED:
        drains = np.flatnonzero(lane_of(stimulus.inputs["drain"], lane))
        out = signed(lane_of(stimulus.outputs["psum_out"], lane), 31)[drains + 1]
        if context.row[lane] == LAYER.kernel_height - 1:
            np.testing.assert_array_equal(out, context.total[:, lane])
        above = signed(lane_of(stimulus.inputs["psum_in"], lane), 31)[drains]
        np.testing.assert_array_equal(above, context.above[:, lane])
    assert {context.row[lane] for lane in CHECKED} == {0, 1, 2}


def test_finished_sums_are_those_of_the_layer() -> None:
    """Lane by lane: an image, a filter group, a row of the golden layer."""
    _, context = made("pe")
    config, mapping = context.config, context.mapping
    images, weights = quantized_layer(config)
    groups = -(-LAYER.out_channels // mapping.p)
    for lane in range(LANES):
        ifmap = images[lane % len(images)][None]
        golden = golden_layer(config.arithmetic, LAYER, ifmap, weights, mapping)[0]
        filters = lane // 5 % groups * mapping.p + np.arange(mapping.p)
        row = lane // 16 % -(-LAYER.out_height // mapping.e) * mapping.e + context.column[lane]
        expected = golden[filters, row].T.ravel()  # column by column, filter by filter
        np.testing.assert_array_equal(context.final[:, lane], expected)


def test_a_row_hands_down_what_it_gets() -> None:
    stimulus, _ = made("row")
    for name in ("mac", "drain", "load_weight", "load_ifmap", "psum_address", "fresh"):
        above = stimulus.inputs[f"above_{name}"]
        mask = stimulus.checked
        after = slice(RESET_CYCLES, None)
        np.testing.assert_array_equal(
            stimulus.outputs[f"here_{name}"][after][1:] & mask, above[after][:-1] & mask
        )


def test_a_node_takes_every_input_that_its_pe_needs() -> None:
    stimulus, context = made("node")
    mapping = context.mapping
    columns = LAYER.in_width + 2 * LAYER.padding
    for lane in CHECKED:
        writes = sum(lane_of(stimulus.outputs["ifmap_write"], lane))
        assert writes == columns * mapping.q
        writes = sum(lane_of(stimulus.outputs["weight_write"], lane))
        assert writes == LAYER.kernel_width * mapping.q * mapping.p


def test_a_bank_adds_the_passes_and_gives_up_the_sums() -> None:
    stimulus, context = made("bank")
    output = np.flatnonzero(stimulus.events["output"])
    for lane in CHECKED:
        sent = signed(lane_of(stimulus.outputs["word"], lane), 31)[output]
        np.testing.assert_array_equal(sent, context.final[:, lane])
        earlier = np.where(context.fresh[lane], 0, context.earlier[:, lane])
        kept = earlier + context.total[:, lane]
        stores = np.flatnonzero(lane_of(stimulus.inputs["control_store_even"], lane)) + 1
        even = signed(lane_of(stimulus.outputs["even_write"], lane), 31)[stores]
        np.testing.assert_array_equal(even, kept[::2])


def test_a_collector_sends_the_sums_of_its_columns() -> None:
    stimulus, context = made("collector")
    valid = np.array(lane_of(stimulus.outputs["outputs_valid"], CHECKED[0]), bool)
    finished = np.array(lane_of(stimulus.outputs["finished"], CHECKED[0]), bool)
    last = np.flatnonzero(stimulus.events["output"])[-1]
    assert np.flatnonzero(valid)[-1] == np.flatnonzero(finished).item() == last
    for lane in CHECKED:
        beats = [
            beat
            for beat, there in zip(
                lane_of(stimulus.outputs["outputs_payload"], lane), valid, strict=True
            )
            if there
        ]
        # Two sums of 31 bits a beat, four columns: column 0 is the lane's own.
        first = signed([beat & (1 << 31) - 1 for beat in beats[::2]], 31)
        np.testing.assert_array_equal(first, context.final[: len(first), lane])


def test_a_controller_issues_the_pass_and_is_busy_as_scheduled() -> None:
    stimulus, context = made("controller")
    config, mapping = context.config, context.mapping
    one = Mapping(p=mapping.p, q=mapping.q, r=1, t=1, e=mapping.e)
    layer = {"in_channels": mapping.q, "out_channels": mapping.p, "in_height": mapping.e}
    plan = schedule(config, type(LAYER).from_mapping({**LAYER.to_mapping(), **layer}), one)
    assert stimulus.events["run"].sum() == plan.cycles
    for lane in CHECKED:
        busy = lane_of(stimulus.outputs["busy"], lane)
        assert busy == stimulus.events["run"].astype(int).tolist()
        mac = np.flatnonzero(lane_of(stimulus.outputs["issue_mac"], lane))
        start = mac[0] - np.flatnonzero(context.fields["mac"])[0]
        for name, values in context.fields.items():
            issued = lane_of(stimulus.outputs[f"issue_{name}"], lane)
            strobe = {"target": "load", "group": "load", "first": "mac"}.get(name)
            counts = np.ones(context.cycles, bool)
            if strobe == "load":
                counts = (context.fields["load_weight"] | context.fields["load_ifmap"]) == 1
            got = np.array(issued[start : start + context.cycles])
            np.testing.assert_array_equal(got[counts], values[counts], err_msg=name)


@pytest.mark.parametrize(
    ("component", "parameters", "message"),
    [
        ("mac", {}, "component must be one of pe, node, row, bank, collector, controller"),
        ("node", {}, "parameters of node must be bus_bits, not "),
        ("bank", {"rows": 3}, "parameters of bank must be , not rows"),
    ],
)
def test_components_and_parameters_are_checked(
    component: str, parameters: dict[str, int], message: str
) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        component_config(component, ARITHMETIC, parameters)


def test_scratchpads_that_hold_no_kernel_row_are_refused() -> None:
    small = component_config(
        "pe", ARITHMETIC, {"ifmap_words": 2, "weight_words": 24, "psum_words": 4}
    )
    message = "ifmap_words and weight_words must be at least 3 to characterize, not (2, 24)"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        stimulus_for("pe", small)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**32))
def test_bit_slices_hold_every_lane(width: int, cycles: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    low = -(2 ** (width - 1))
    values = random.integers(low, 2**width, (cycles, LANES))
    bits = sliced(values, width)
    assert bits.shape == (cycles, width)
    for lane in (0, 17, 63):
        assert lane_of(bits, lane) == (values[:, lane] % 2**width).tolist()
    np.testing.assert_array_equal(sliced(values[:, 0], width), sliced(values[:, [0] * 64], width))
    as_bits = (values[..., None] >> np.arange(width) & 1).astype(np.uint8)
    np.testing.assert_array_equal(sliced(as_bits, width), bits)


def test_bits_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values must be of shape \(T, 64, 3\), not \(5, 64, 4\)"):
        sliced(np.zeros((5, 64, 4), np.uint8), 3)


def test_held_values_stay_until_the_next() -> None:
    valid = np.array([False, True, False, True, False])
    assert held(np.array([9, 1, 2, 3, 4]), valid).tolist() == [9, 1, 1, 3, 3]
