"""The whole core: outputs, exact cycles, and all traffic inside, against golden and formula."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from characterize.simulation import STALLS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.mapping import LETTERS, Mapping, is_flat
from rtl_gen.schedule import Schedule, schedule
from tests.rtl_gen.hardware.probe import TOP, expressions, probe_verilog, scheduled
from tests.rtl_gen.strategies import chosen, mapped
from tests.verilated import run_cocotb

#: Odd sizes, narrow sums that saturate, a bus of few lanes; sizes of 2**n, and a bus so wide that
#: the buffer has few words and most inputs are streamed again for every group of filters.
CONFIGS: dict[str, dict[str, Any]] = {
    "odd": {
        "arithmetic": "int4a8",
        **{"rows": 5, "columns": 3, "ifmap_words": 7, "weight_words": 30, "psum_words": 3},
        **{"buffer_kib": 1, "bus_bits": 32},
    },
    "even": {
        "arithmetic": "lightpe1",
        **{"rows": 4, "columns": 4, "ifmap_words": 8, "weight_words": 32, "psum_words": 4},
        **{"buffer_kib": 1, "bus_bits": 256},
    },
    "macros": {
        "arithmetic": "int5a12",
        **{"rows": 4, "columns": 3, "ifmap_words": 7, "weight_words": 22, "psum_words": 4},
        **{"buffer_kib": 1, "bus_bits": 64, "scratchpads": "macro"},
    },
    "float": {
        "arithmetic": "fp32",
        **{"rows": 3, "columns": 3, "ifmap_words": 6, "weight_words": 18, "psum_words": 2},
        **{"buffer_kib": 1, "bus_bits": 64},
    },
}
POINTS = Layer(name="points", kind="conv", in_channels=4, in_width=18, out_channels=6)
ONE_MAC = Mapping(p=3, q=1, r=1, t=1, e=1, f=18)
#: One MAC a sum: a bank reads one sum while the last but one of the same memory is to be written.
#: An even number of sums, an odd one; and as few sums of a pass as there can be.
BLOCKED = [
    (POINTS, ONE_MAC),
    (POINTS, Mapping(p=3, q=1, r=1, t=1, e=2, f=9)),
    (POINTS, Mapping(p=1, q=1, r=1, t=2, e=1, f=1)),
]
Case = tuple[Layer, Mapping, Schedule]
#: What must be among the layers that run.
REACHED: dict[str, Callable[[Layer, Mapping, Schedule], Any]] = {
    "quantized": lambda layer, mapping, plan: layer.output == "quantized",
    "raw": lambda layer, mapping, plan: layer.output == "raw",
    "batch": lambda layer, mapping, plan: layer.batch > 1,
    "groups": lambda layer, mapping, plan: layer.groups > 1,
    "dilation": lambda layer, mapping, plan: plan.loops.phases > 1,
    "padding": lambda layer, mapping, plan: any(layer.padding) and layer.padding_value,
    "pixels alone": lambda layer, mapping, plan: is_flat(layer),
    "strides beyond the kernel": lambda layer, mapping, plan: plan.loops.column_jump > 0,
    "parts of the height": lambda layer, mapping, plan: mapping.fold_height > 1,
    "parts of the width": lambda layer, mapping, plan: mapping.fold_width > 1,
    "tiles": lambda layer, mapping, plan: plan.loops.tiles > 1,
    "channel passes": lambda layer, mapping, plan: plan.loops.channel_passes > 1,
    "row sets": lambda layer, mapping, plan: mapping.r > 1,
    "column sets": lambda layer, mapping, plan: mapping.t > 1,
    "output rows side by side": lambda layer, mapping, plan: mapping.e > 1,
    "inputs kept": lambda layer, mapping, plan: plan.words["ifmap_sram"]["reads"],
    "inputs that found no room": lambda layer, mapping, plan: (
        plan.loops.filter_groups > 1
        and plan.words["dram"]["ifmap_beats"] > plan.words["ifmap_sram"]["writes"]
    ),
    "weights of two passes": lambda layer, mapping, plan: plan.loops.double_weights,
    "weights of one pass": lambda layer, mapping, plan: not plan.loops.double_weights,
    "a full ring": lambda layer, mapping, plan: plan.loops.ahead_step == 0,
}


@cache
def cases(name: str) -> list[Case]:
    """Layers of 100 to 2500 cycles, four for every pair of stalls; the same in every run."""
    config = AcceleratorConfig.from_mapping(CONFIGS[name])
    drawn = [(layer, mapping) for _, layer, mapping in chosen(mapped(config), 400)]
    planned = [(*case, schedule(config, *case)) for case in (*BLOCKED, *drawn)]
    wanted = [case for case in planned if 100 < case[2].cycles < 2500]
    order = list(range(len(BLOCKED)))
    for reached in REACHED.values():
        order += [number for number, case in enumerate(wanted) if reached(*case)][:1]
    order = list(dict.fromkeys([*order, *range(len(wanted))]))
    return [wanted[number] for number in order[: 4 * len(STALLS) ** 2]]


@pytest.mark.eda
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.regress if name == "float" else ()) for name in CONFIGS],
)
def test_layers_run_as_scheduled(name: str, tmp_path: Path) -> None:
    config = AcceleratorConfig.from_mapping(CONFIGS[name])
    ends = list(product(STALLS, STALLS))
    content = [
        {
            "layer": layer.to_mapping(),
            "mapping": {letter: int(getattr(mapping, letter)) for letter in LETTERS},
            "stalls": ends[number % len(ends)],
            "seed": number,
        }
        for number, (layer, mapping, _) in enumerate(cases(name))
    ]
    assert len(content) == 4 * len(ends)
    (tmp_path / "cases.json").write_text(
        json.dumps({"config": config.to_mapping(), "cases": content})
    )
    log = run_cocotb(
        probe_verilog(config),
        toplevel=TOP,
        test_module="tests.rtl_gen.hardware.cocotb_core",
        optimize="-O0",
        folder=tmp_path,
    )
    assert re.search(rf"checked {len(content)} layers, [1-9]\d* cycles", log)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_layers_reach_what_they_are_for(name: str) -> None:
    for what, reached in REACHED.items():
        # Macros hold the weights of two passes, or there is no mapping.
        never = (name, what) == ("macros", "weights of one pass")
        assert any(reached(*case) for case in cases(name)) is not never, what


def test_the_probe_counts_all_that_is_scheduled() -> None:
    config = AcceleratorConfig.from_mapping(CONFIGS["odd"])
    assert set(expressions(config)) == set(scheduled(schedule(config, POINTS)))
