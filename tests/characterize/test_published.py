"""Energies of single units stand in the order that was published for 45 nm."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from characterize.cell_files import prepare
from characterize.technology import load_technology
from tests.characterize.osu018 import osu018
from tests.characterize.power_reference import SHARED, need_liberties

SCRIPT = Path(__file__).parents[2] / "scripts/compare_published.py"


@pytest.mark.eda
@pytest.mark.parametrize("name", ["osu018", "nangate45"])
def test_units_cost_in_the_published_order(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_liberties(name)
    monkeypatch.setenv("QUIDAM_LIBERTY", str(SHARED / "tech"))
    spec = importlib.util.spec_from_file_location("compare_published", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    if name == "osu018":
        technology, liberty = osu018(tmp_path)
    else:
        technology = load_technology(name)
        liberty = prepare(technology, tmp_path / "cells")
    order = ("add8", "mul8", "fp16 add", "fp16 mul", "fp32 mul")
    published = [script.PUBLISHED[unit] for unit in order]
    assert published == sorted(published)
    energies = [
        script.measured(unit, technology, tuple(liberty), tmp_path / unit.replace(" ", "_"))[2]
        for unit in order
    ]
    assert energies == sorted(energies)
    if name == "nangate45":
        ratios = [
            energy * (0.9 / technology.voltage_v) ** 2 / known
            for energy, known in zip(energies, published, strict=True)
        ]
        assert min(ratios) > 1
        assert max(ratios) < 5
