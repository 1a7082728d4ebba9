"""A technology at another corner, through the verbs that take one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from characterize.sample import Sample
from characterize.store import Store
from characterize.technology import TECHNOLOGIES, find_technology
from models.ppa import TRAINED
from quidam.fit import _technology
from quidam.main import main
from tests.characterize.power_reference import need_liberties

SLOWER = 1.5
_TIMES = re.compile(r"((?:cell_|rise_|fall_)\w+\s*\([^()]*\)\s*\{[^{}]*?values\s*\()([^()]*)", re.S)


def slower(text: str) -> str:
    """A Liberty text whose cells take longer, at a lower voltage."""
    number = re.compile(r"\d*\.\d+")
    text = _TIMES.sub(
        lambda match: (
            match[1] + number.sub(lambda value: f"{float(value[0]) * SLOWER:.6f}", match[2])
        ),
        text,
    )
    assert text.count("1.8;") >= 2
    return text.replace("1.8;", "1.6;")


@pytest.fixture
def technology(tmp_path: Path) -> str:
    """osu018's file with a slow corner."""
    need_liberties("osu018")
    content = yaml.safe_load((TECHNOLOGIES / "osu018.yaml").read_text())
    text = Path(content["liberty"][0]["file"]).read_text()
    (tmp_path / "slow.lib").write_text(slower(text))
    corner = {"liberty": [{"file": "slow.lib"}], "voltage_v": 1.6, "temperature_c": 25}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**content, "name": "mine", "corners": {"slow": corner}}))
    return str(path)


def bank(technology: str, folder: Path) -> Sample:
    """One small component, measured by the command."""
    plan = folder / "plan.yaml"
    plan.write_text(yaml.safe_dump({"arithmetics": ["int8"], "components": {"bank": [{}]}}))
    store = folder / f"store{'@' in technology}"
    words = ["characterize", "--tech", technology, "--store", str(store), "--plan", str(plan)]
    assert main([*words, "--workers", "1"]) == 0
    (sample,) = Store(store).samples()
    return sample


@pytest.mark.eda
def test_a_slow_corner_is_measured_slow(
    technology: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tech", "check", f"{technology}@slow", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["technology"] == "mine@slow"
    own, slow = bank(technology, tmp_path), bank(f"{technology}@slow", tmp_path)
    assert (own.technology, slow.technology) == ("mine", "mine@slow")
    assert own.id != slow.id
    assert slow.min_period_ns == pytest.approx(SLOWER * own.min_period_ns, rel=0.25)
    clock = slow.energy_pj["idle"]["clock"] / own.energy_pj["idle"]["clock"]
    assert clock == pytest.approx((1.6 / 1.8) ** 2, rel=0.01)  # C V^2, of the same clock net


def test_a_model_finds_the_corner_of_its_samples(technology: str) -> None:
    given = _technology(f"{technology}@slow", [])
    assert (given.name, given.voltage_v) == ("mine@slow", 1.6)

    class Measured:
        technology = "ihp130@fast"

    shipped = _technology(None, [Measured])  # type: ignore[list-item]
    assert shipped == find_technology("ihp130@fast")
    assert shipped.memories()["scaled"]
    assert not find_technology("ihp130").memories()["scaled"]


def test_a_corners_model_is_one_to_predict_and_explore_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model of osu018 as if of two slow corners, whose logic, not a memory, sets the clock."""
    config = Path(__file__).parents[2] / "examples" / "configs" / "int8.yaml"
    clocks = []
    for factor in (4, 8):
        content = json.loads((TRAINED / "osu018.json").read_text())
        content["technology"]["name"] = "mine@slow"
        for components in content["components"].values():
            for model in components.values():
                for polynomial in model["polynomials"]["min_period_ns"]:
                    polynomial["coefficients"] = [factor * c for c in polynomial["coefficients"]]
        slow = tmp_path / "slow.json"
        slow.write_text(json.dumps(content))
        call = ["predict", str(config), "--tech", str(slow), "--workload", "resnet20", "--json"]
        assert main(call) == 0
        clocks.append(json.loads(capsys.readouterr().out)["clock_ns"])
    assert clocks[1] == pytest.approx(2 * clocks[0])
    space = tmp_path / "space.yaml"
    fields = {"arithmetic": ["int8"], "rows": [4], "columns": [4, 8], "ifmap_words": 12}
    fields |= {"weight_words": 96, "psum_words": 16, "buffer_kib": 64, "bus_bits": 64}
    space.write_text(yaml.safe_dump(fields))
    call = ["explore", str(space), "--tech", str(slow), "--workload", "resnet20"]
    assert main([*call, "-o", str(tmp_path / "front"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["technology"] == "mine@slow"
    assert all(row["scaled"] for row in found["front"])


def test_a_corner_without_a_model_is_told_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path(__file__).parents[2] / "examples" / "configs" / "int8.yaml"
    call = ["predict", str(config), "--tech", "sky130hd@slow", "--workload", "resnet20"]
    assert main(call) == 2
    said = capsys.readouterr().err
    assert "no model of the corner 'sky130hd@slow' ships: measure it (quidam characterize" in said
