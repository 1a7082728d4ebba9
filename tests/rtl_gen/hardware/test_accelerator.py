"""The whole accelerator: sums, exact cycles, and all traffic inside, against golden and formula."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from characterize.simulation import STALLS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.schedule import Mapping, schedule
from tests.rtl_gen.hardware.probe import TOP, expressions, probe_verilog, scheduled
from tests.rtl_gen.strategies import chosen, layers, mapped
from tests.verilated import run_cocotb

#: Odd sizes, narrow sums that saturate, a bus of few lanes; sizes of 2**n, and a bus so wide that
#: the buffer has few words and most inputs are not resident.
CONFIGS: dict[str, dict[str, Any]] = {
    "odd": {
        "arithmetic": "int4a8",
        **{"rows": 5, "columns": 3, "ifmap_words": 7, "weight_words": 30, "psum_words": 3},
        **{"buffer_kib": 1, "bus_bits": 16},
    },
    "even": {
        "arithmetic": "lightpe1",
        **{"rows": 4, "columns": 4, "ifmap_words": 8, "weight_words": 32, "psum_words": 4},
        **{"buffer_kib": 1, "bus_bits": 256},
    },
}


#: One MAC a sum and one beat a column: the only way that a bank reads one sum while the last but
#: one of the same memory is to be written.
BLOCKED = (
    Layer(name="blocked", kind="conv", in_channels=4, in_height=2, in_width=10, out_channels=3),
    Mapping(p=3, q=1, r=1, t=1, e=1),
)


@pytest.mark.eda
@pytest.mark.parametrize("name", CONFIGS)
def test_layers_run_as_scheduled(name: str, tmp_path: Path) -> None:
    config = AcceleratorConfig.from_mapping(CONFIGS[name])
    ends = list(product(STALLS, STALLS))
    drawn = [(layer, mapping) for _, layer, mapping in chosen(mapped(config), 300)]
    drawn = [BLOCKED, *(one for one in drawn if 100 < cycles(config, *one) < 2500)]
    cases = [
        {
            "layer": layer.to_mapping(),
            "mapping": {letter: int(getattr(mapping, letter)) for letter in "pqrte"},
            "stalls": ends[number % len(ends)],
            "seed": number,
        }
        for number, (layer, mapping) in enumerate(drawn[: 4 * len(ends)])
    ]
    assert len(cases) == 4 * len(ends)
    content = {"config": config.to_mapping(), "cases": cases}
    (tmp_path / "cases.json").write_text(json.dumps(content))
    log = run_cocotb(
        probe_verilog(config),
        toplevel=TOP,
        test_module="tests.rtl_gen.hardware.cocotb_accelerator",
        optimize="-O0",
        folder=tmp_path,
    )
    assert re.search(rf"checked {len(cases)} layers, [1-9]\d* cycles", log)


def cycles(config: AcceleratorConfig, layer: Layer, mapping: Mapping) -> int:
    return int(schedule(config, layer, mapping).cycles)


def test_the_probe_counts_all_that_is_scheduled() -> None:
    config = AcceleratorConfig.from_mapping(CONFIGS["odd"])
    layer = chosen(layers(config), 1)[0]
    assert set(expressions(config)) == set(scheduled(schedule(config, layer)))
