"""Factors for glitches: whose they are, and what they multiply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterize.glitch_file import measured_technologies, shipped
from models.fit import Fit
from models.glitches import glitch_factors
from models.ppa import PpaModel
from rtl_gen.config import AcceleratorConfig
from tests.models.synthetic import GRID, TECHNOLOGY


def test_a_measured_technology_has_its_own() -> None:
    assert "nangate45" in measured_technologies()
    (own,) = [
        one for one in shipped("nangate45") if (one.component, one.arithmetic) == ("pe", "int8")
    ]
    found = glitch_factors("nangate45", ["int8"])["int8"]
    assert found["datapath"] == pytest.approx(own.factor_above_idle(), abs=1e-4)
    assert found["from"] == "nangate45 int8"


def test_another_technology_takes_the_mean_of_those_measured() -> None:
    known = [glitch_factors(one, ["int8"])["int8"]["datapath"] for one in measured_technologies()]
    found = glitch_factors("nowhere", ["int8"])["int8"]
    assert found["datapath"] == pytest.approx(np.prod(known) ** (1 / len(known)), rel=1e-3)
    assert found["from"] == f"{' and '.join(measured_technologies())} int8"


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("int7", "int8"),
        ("int12", "int16"),
        ("fp16", "bf16"),
        ("int8xpot1", "lightpe1"),
    ],
)
def test_an_arithmetic_that_was_not_measured_takes_its_nearest_relative(
    name: str, like: str
) -> None:
    found = glitch_factors("nangate45", [name])[name]
    assert found["from"] == f"nangate45 {like}"


def test_only_what_multiplying_takes_above_idling_is_multiplied(fitted: Fit) -> None:
    plain = fitted.model
    factors = {"int8": {"datapath": 2.0, "scratchpad": 1.5, "from": "here"}}
    contents = replace(plain.contents, technology=replace(TECHNOLOGY, glitches=factors))
    middle = {field: values[1] for field, values in GRID.items()}
    config = AcceleratorConfig.from_mapping({"arithmetic": "int8", **middle})
    before = plain.predict(config).energy_pj
    after = PpaModel(contents=contents).predict(config).energy_pj
    for part, factor in (("datapath", 2.0), ("scratchpad", 1.5), ("clock", 1.0)):
        idle = before["pe"]["idle"][part]
        assert after["pe"]["mac"][part] - idle == pytest.approx(
            factor * (before["pe"]["mac"][part] - idle)
        )
    assert after["pe"]["mac"].pop("datapath") > before["pe"]["mac"].pop("datapath")
    for energies in (before, after):
        del energies["pe"]["mac"]
    assert before == after
