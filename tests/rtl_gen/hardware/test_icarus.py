"""The emitted Verilog under Icarus: the same outputs and cycles as golden, formula and Verilator.

Wires have four states there, registers and memories begin as x, and streams carry x while they
offer nothing. That a layer comes out right says that reset and descriptor set all that matters.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pytest

from characterize.regression import random_layers, random_stage, random_tensors, stall_pairs
from rtl_gen.layer import Layer
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import schedule
from rtl_gen.verilog import core_verilog
from tests.icarus import needs_icarus, run_icarus
from tests.rtl_gen.small import SMALL, small

pytestmark = [pytest.mark.eda, needs_icarus]

#: Layers a config; a pair of stalls is the turn of each.
COUNT = 12
#: Longer layers say no more, and Icarus is slow.
LONGEST = 3000

ROW = Layer(name="row", kind="conv", in_channels=3, in_width=5, out_channels=4, kernel_width=3)


@pytest.mark.parametrize("name", SMALL)
def test_layers_come_out_as_under_verilator(name: str, tmp_path: Path) -> None:
    config = small(name)
    stalls = stall_pairs()
    drawn = random_layers(config, 20 * COUNT, seed=5)
    short = (layer for layer in drawn if schedule(config, layer).cycles < LONGEST)
    layers = list(islice(short, COUNT))
    assert len(layers) == COUNT
    for number, layer in enumerate(layers):
        ifmap, weights = random_tensors(config.arithmetic, layer, seed=number)
        stage = random_stage(config.arithmetic, layer, seed=number)
        pair = stalls[number % len(stalls)]
        run = run_icarus(
            config,
            layer,
            ifmap,
            weights,
            stage=stage,
            stalls=pair,
            seed=number,
            folder=tmp_path / str(number),
        )
        mapping = schedule(config, layer).mapping
        expected = golden_layer(config.arithmetic, layer, ifmap, weights, mapping)
        expected = expected if stage is None else stage.apply(config.arithmetic, expected)
        assert (run.ofmap == expected).all(), layer
        if pair == ("never", "never"):
            assert run.cycles == run.predicted, layer
        assert run.cycles >= run.predicted, layer


@pytest.mark.parametrize(
    "lost", [r"phase_state <= \w+_IDLE;\n(?=[^;]*<= 8'd0)", r"words_left <= 24'd0;\n"]
)
def test_a_register_that_is_not_reset_is_found(lost: str, tmp_path: Path) -> None:
    config = small("one_row")
    broken, count = re.subn(lost, "", core_verilog(config))
    assert count == 1
    ifmap, weights = random_tensors(config.arithmetic, ROW, seed=1)
    with pytest.raises(AssertionError, match="stopped in cycle"):
        run_icarus(config, ROW, ifmap, weights, folder=tmp_path, verilog=broken)
