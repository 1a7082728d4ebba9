"""The stimulus: real work of a real layer, and the answers of the RTL that belong to it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from characterize.bitslice import LANES
from characterize.format_cost import PE
from characterize.stimulus import CHECKED, Stimulus, component_config, hardware_for, stimulus_for
from characterize.stimulus_layer import (
    LAYER,
    Contexts,
    contexts,
    output_stage,
    quantized_layer,
)
from characterize.trace import RESET_CYCLES
from characterize.traces import held_words
from characterize.traces_control import layer_run
from rtl_gen.backend.names import port_name
from rtl_gen.components import MEASURED
from rtl_gen.config import AcceleratorConfig
from rtl_gen.cycles import OUTPUT_LATENCY
from rtl_gen.descriptor import FIELDS
from rtl_gen.errors import UserError
from rtl_gen.reference import golden_layer
from tests.characterize.lanes import lane_of
from tests.rtl_gen.hardware.pe_model import PeModel

Array = NDArray[np.int64]
ARITHMETIC = "int8"
#: Scratchpads of two channels, and a buffer that the stimulus fits in.
PARAMETERS = {
    **{"ifmap_words": 6, "weight_words": 24, "psum_words": 4},
    **{"buffer_kib": 8, "bus_bits": 64, "rows": 12, "columns": 4},
}


def config_for(
    component: str, arithmetic: str = ARITHMETIC, scratchpads: str = "flipflop"
) -> AcceleratorConfig:
    parameters = {name: PARAMETERS[name] for name in MEASURED[component].fields}
    return component_config(component, arithmetic, parameters, scratchpads)


@cache
def made(
    component: str, arithmetic: str = ARITHMETIC, scratchpads: str = "flipflop"
) -> tuple[Stimulus, Contexts]:
    config = config_for(component, arithmetic, scratchpads)
    return stimulus_for(component, config), contexts(config)


def signed(words: list[int], bits: int) -> Array:
    return np.array([word - (word >> bits - 1 << bits) for word in words])


@pytest.mark.parametrize("component", MEASURED)
def test_every_port_and_every_event_of_a_component(component: str) -> None:
    stimulus, _ = made(component)
    hardware = hardware_for(component, config_for(component))
    paths = [path for path, _, _ in hardware.signature.flatten(hardware)]
    ports = {port_name("_".join(map(str, path))) for path in paths}
    assert {*stimulus.inputs, *stimulus.outputs} == ports | {"rst"}
    cycles = len(stimulus.inputs["rst"])
    for bits in (*stimulus.inputs.values(), *stimulus.outputs.values()):
        assert bits.dtype == np.uint64
        assert len(bits) == cycles
    assert set(stimulus.events) - {"lone drain"} == set(MEASURED[component].events)
    happening = np.array(list(stimulus.events.values()))
    assert happening.any(axis=1).all(), "every event happens"
    assert happening.sum(axis=0).max() == 1, "one at a time"
    assert not happening[:, :RESET_CYCLES].any()
    assert lane_of(stimulus.inputs["rst"], 0) == [1] * RESET_CYCLES + [0] * (cycles - RESET_CYCLES)
    assert stimulus.checked == sum(1 << lane for lane in CHECKED)


@pytest.mark.parametrize("component", MEASURED)
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


def test_builds_of_a_pe_share_their_answers(tmp_path: Path) -> None:
    """Those of flip-flops and latches; those of macros come a cycle later."""
    kept = []
    for build in ("flipflop", "latch", "macro", "gated", "macro"):
        config = config_for("pe", "int4", build)
        shared = stimulus_for("pe", config, tmp_path).outputs
        alone = made("pe", "int4", build)[0].outputs
        assert shared.keys() == alone.keys()
        for name, bits in shared.items():
            np.testing.assert_array_equal(bits, alone[name])
        kept.append(len(list(tmp_path.iterdir())))
    assert kept == [1, 1, 2, 2, 2]


def test_lanes_differ_in_data_and_agree_in_time() -> None:
    stimulus, _ = made("pe")
    for name in ("mac", "accumulate", "drain", "first", "psum_address"):
        assert set(np.unique(stimulus.inputs[name])) <= {0, ~np.uint64(0)}
    assert len({tuple(lane_of(stimulus.inputs["activation"], lane)) for lane in range(64)}) > 32


@pytest.mark.parametrize("scratchpads", ["flipflop", "macro"])
@pytest.mark.parametrize("arithmetic", ["int8", "lightpe1", "int4a8"])
def test_a_pe_answers_as_its_model(arithmetic: str, scratchpads: str) -> None:
    """Of macros, the words that they give are the stimulus's; the model has its own."""
    stimulus, _ = made("pe", arithmetic, scratchpads)
    config = config_for("pe", arithmetic, scratchpads)
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
    stimulus, context = made("row")
    names = [name for name in stimulus.inputs if name.startswith("above_")]
    assert len(names) == len(context.fields) + 3  # and fresh, and two beats
    during = slice(RESET_CYCLES, RESET_CYCLES + context.cycles)
    for name in names:
        above = stimulus.inputs[name][during] & stimulus.checked
        here = stimulus.outputs[name.replace("above", "here")][during] & stimulus.checked
        np.testing.assert_array_equal(here[1:], above[:-1], err_msg=name)


def test_a_node_takes_every_input_that_its_pe_needs() -> None:
    stimulus, context = made("node")
    mapping = context.mapping
    columns = LAYER.in_width + LAYER.padding[1] + LAYER.padding[3]
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


def test_a_collector_sends_the_codes_of_its_sums() -> None:
    stimulus, context = made("collector")
    config = context.config
    valid = np.array(lane_of(stimulus.outputs["outputs_valid"], CHECKED[0]), bool)
    finished = np.array(lane_of(stimulus.outputs["finished"], CHECKED[0]), bool)
    last = np.flatnonzero(stimulus.events["output"])[-1] + OUTPUT_LATENCY["quantized"]
    assert np.flatnonzero(valid)[-1] == np.flatnonzero(finished).item() == last
    sums = stimulus.events["output"].sum() // 2  # two lanes of sums, four columns
    for lane in CHECKED:
        payload = lane_of(stimulus.outputs["outputs_payload"], lane)
        beats = [beat for beat, there in zip(payload, valid, strict=True) if there]
        assert len(beats) == sums
        # Column 0 is the lane's own.
        got = signed([beat % 256 for beat in beats], 8)
        ours = context.final[:, lane].reshape(-1, context.mapping.p).T
        stage = output_stage(config, ours)
        codes = stage.apply(config.arithmetic, ours[None, :, :, None])[0, :, :, 0].T.ravel()
        np.testing.assert_array_equal(got, codes[:sums])
        assert len(set(got.tolist())) > 8


def test_a_controller_runs_its_layer_to_the_cycle() -> None:
    """It is busy as scheduled, takes every beat once, and issues every one."""
    stimulus, context = made("controller")
    run = layer_run(context)
    busy = stimulus.events["run"]
    assert busy.sum() == run.cycles - 2
    mapping, layer = context.mapping, run.layer
    delivered = layer["window"] + (layer["out_width"] - 1) * layer["step"]
    groups, padding = layer["filter_groups"], LAYER.padding[1] + LAYER.padding[3]
    loads = groups * delivered * layer["pass_beats"]
    for lane in CHECKED:
        out = {name: np.array(lane_of(bits, lane)) for name, bits in stimulus.outputs.items()}
        assert out["busy"].astype(bool).tolist() == busy.tolist()
        assert out["weights_ready"].sum() == len(run.weights[lane])
        assert out["ifmaps_ready"].sum() == len(run.ifmaps[lane])
        issued = out["issue_load_ifmap"].astype(bool)
        assert issued.sum() == loads
        # The first group's real columns come from the stream, the second's from the buffer.
        data = out["issue_ifmap_data"][issued].reshape(groups, delivered, -1)
        real = data[:, padding // 2 : delivered - padding // 2]
        np.testing.assert_array_equal(real[0], real[1])
        beats = [int.from_bytes(beat.tobytes(), "little") for beat in run.ifmaps[lane]]
        np.testing.assert_array_equal(real[0].ravel(), beats)
        macs = groups * mapping.p * layer["window_words"] * layer["out_width"]
        assert out["issue_mac"].sum() == macs
        assert out["parameter_write"].sum() == groups * mapping.p


def test_the_control_takes_the_layer_and_starts_it() -> None:
    stimulus, context = made("control")
    run = layer_run(context)
    lane = CHECKED[0]
    (start,) = np.flatnonzero(lane_of(stimulus.outputs["start"], lane))
    running = np.flatnonzero(stimulus.events["run"])
    assert running[0] == start + 1
    assert len(running) == run.cycles - 2
    for name in FIELDS:
        word = np.array(lane_of(stimulus.outputs[f"layer_{name}"], lane))
        assert set(word[running].tolist()) == {run.layer[name]}, name
    assert lane_of(stimulus.outputs["irq"], lane)[-1] == 1, "the layer is done"
    taken = np.array(lane_of(stimulus.outputs["m_axis_outputs_tvalid"], lane))
    assert taken.sum() == run.seen["outputs_valid"].sum() > 8
    last = np.array(lane_of(stimulus.outputs["m_axis_outputs_tlast"], lane))
    assert (last & taken).sum() == 1


@pytest.mark.parametrize(
    ("component", "parameters", "message"),
    [
        ("psum", {}, "component must be one of pe, node, row, bank, collector, controller, "),
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
    message = (
        "ifmap_words and weight_words must be at least 3 to characterize, in macros 6 weights, "
        "not (2, 24)"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        stimulus_for("pe", small)


@pytest.mark.parametrize(("name", "zeros"), [("int2", 0.5), ("int8xtern", 0.55), ("int4", 0.2)])
def test_short_weights_are_not_nearly_all_zero(name: str, zeros: float) -> None:
    """As the scale of the largest weight would make them: 99% of those of two bits."""
    config = component_config("pe", name, PE)
    weights = config.arithmetic.weight.decode(quantized_layer(config)[1])
    assert 0.1 < (weights == 0).mean() < zeros


def test_no_weight_of_a_compared_mac_is_a_filler() -> None:
    """Zeros that fill up a filter group or a channel pass would be multiplied for nothing."""
    context = contexts(component_config("mac", "int16", PE))
    weights = held_words(context, "weight", context.row)
    assert (weights[context.fields["mac"] != 0] != 0).mean() > 0.99


@pytest.mark.parametrize("arithmetic", ["int8", "lightpe1", "fp8_e4m3"])
def test_a_mac_multiplies_what_its_pe_does(arithmetic: str) -> None:
    """The sums of its products are those of the layer; the RTL gives each of them."""
    stimulus, context = made("mac", arithmetic)
    numbers, fields, latency = context.config.arithmetic, context.fields, context.config.mac_latency
    start = RESET_CYCLES + latency
    first, sums = np.flatnonzero(fields["first"]), set()
    for lane in CHECKED:
        found = [
            lane_of(stimulus.inputs[name], lane) for name in ("activation", "weight", "addend")
        ]
        activations, weights = (
            fmt.from_bits(words[RESET_CYCLES:][: context.cycles])
            for fmt, words in zip((numbers.activation, numbers.weight), found[:2], strict=True)
        )
        kept = numbers.accumulator
        addends = kept.decode(kept.from_bits(found[2][start:][: context.cycles]))
        totals = numbers.add(addends, numbers.multiply(activations, weights))
        got = kept.from_bits(lane_of(stimulus.outputs["total"], lane)[start:][: context.cycles])
        at_work = fields["mac"] != 0
        np.testing.assert_array_equal(got[at_work], kept.encode(totals)[at_work])
        assert (addends[first] == 0).all()
        sums |= set(totals[at_work].tolist())
    assert len(sums) > 100
    assert stimulus.events["mac"].any()
