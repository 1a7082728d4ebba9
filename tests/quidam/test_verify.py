"""`quidam verify`: every layer is run, and one that disagrees is told and fails the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from characterize import simulation
from characterize.regression import Verdict, stall_pairs
from characterize.simulation import Run
from quidam import verify as verb
from quidam.main import main
from rtl_gen.config import AcceleratorConfig
from rtl_gen.layer import Layer
from rtl_gen.schedule import schedule
from tests.characterize.test_network_run import stand_in
from tests.native import share_models
from tests.rtl_gen.small import SMALL


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from share_models(tmp_path_factory)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Verdict]:
    """Verdicts of stand-ins for the RTL, that agree with the formula."""
    verdicts: list[Verdict] = []

    def agree(
        config: AcceleratorConfig, layer: Layer, stalls: tuple[str, str], seed: int
    ) -> Verdict:
        plan = schedule(config, layer)
        cycles = {"cycles": int(plan.cycles), "input_stalls": 0, "output_stalls": 0}
        run = Run(ofmap=np.zeros(layer.ofmap_shape, np.int64), beats={}, schedule=plan, **cycles)
        verdicts.append(Verdict(layer=layer, stalls=stalls, run=run, mismatches=()))
        return verdicts[-1]

    monkeypatch.setattr(verb, "build", lambda config: None)
    monkeypatch.setattr(verb, "verify_layer", agree)
    return verdicts


def test_every_type_and_every_pair_of_stalls_without_a_config(
    seen: list[Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--cases", "9", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["configs"]
    assert [row["config"] for row in figures] == list(verb.TYPES)
    assert all(row["layers"] == 9 and row["mismatches"] == 0 for row in figures)
    assert sum(row["cycles"] for row in figures) == sum(v.run.cycles for v in seen)
    for start in range(0, len(seen), 9):
        assert {verdict.stalls for verdict in seen[start : start + 9]} == set(stall_pairs())


def test_the_first_disagreement_is_told(
    seen: list[Verdict], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agree: Any = vars(verb)["verify_layer"]

    def disagree(*arguments: Any) -> Verdict:
        verdict: Verdict = agree(*arguments)
        wrong = ("cycles must be 7 (7 + stalls), not 8", "3 of 9 sums differ")
        return replace(verdict, mismatches=wrong if len(seen) in (8, 9) else ())

    monkeypatch.setattr(verb, "verify_layer", disagree)
    assert main(["verify", "--cases", "2"]) == 1
    captured = capsys.readouterr()
    assert "2 layers disagree; the first: int8, Layer(name='random_1'" in captured.err
    assert "cycles must be 7 (7 + stalls), not 8; 3 of 9 sums differ" in captured.err
    assert "int16" in captured.out


@pytest.mark.parametrize("cases", ["0", "-3"])
def test_no_cases_is_refused(cases: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", f"--cases={cases}"]) == 2
    assert f"--cases must be at least 1, not {cases}" in capsys.readouterr().err


def test_a_bad_config_is_refused_before_anything_runs(
    seen: list[Verdict], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(yaml.safe_dump(SMALL["one_row"]))
    bad.write_text(yaml.safe_dump({**SMALL["one_row"], "rows": 0}))
    assert main(["verify", str(good), str(bad)]) == 2
    assert "rows must be from 1 to 64, not 0" in capsys.readouterr().err
    assert seen == []


@pytest.fixture
def golden_rtl(monkeypatch: pytest.MonkeyPatch) -> None:
    """The golden layer in place of the RTL, in networks."""
    monkeypatch.setattr(verb, "build", lambda config: None)
    monkeypatch.setattr(simulation, "simulate", stand_in())


@pytest.mark.usefixtures("golden_rtl")
def test_a_network_is_run_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--network", "digits", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["network"], figures["images"]) == ("digits", 360)
    (row,) = figures["configs"]
    assert (row["config"], row["mismatches"]) == ("int8", 0)
    assert row["accuracy"] == row["golden_accuracy"] == 349 / 360
    for total in ("cycles", "predicted_cycles", "outputs", "bytes_read", "bytes_written"):
        assert row[total] == sum(step[total] for step in row["steps"])
    steps = {step["step"]: step for step in row["steps"]}
    assert [name for name in steps if steps[name]["where"] == "host"] == ["residual", "pool"]
    assert steps["residual"] == {
        "step": "residual",
        "where": "host",
        "outputs": 92160,
        "cycles": 0,
        "predicted_cycles": 0,
        "bytes_read": 2 * 92160,
        "bytes_written": 92160,
        "mismatches": [],
    }
    conv1 = steps["conv1"]
    assert conv1["cycles"] == conv1["predicted_cycles"] > 0
    # Every output crosses the bus once, and every beat has room for as many or more.
    assert conv1["bytes_written"] >= conv1["outputs"] == 360 * 512
    assert main(["verify", "--network", "digits"]) == 0
    shown = capsys.readouterr().out
    assert "digits on int8, 360 images: 96.94% right on the RTL, golden 96.94%" in shown
    for word in (*steps, "on the host", f"{conv1['cycles']:,}", f"{row['cycles']:,}"):
        assert word in shown


@pytest.mark.usefixtures("golden_rtl")
def test_a_step_that_disagrees_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    late = stand_in("conv2", lambda run: replace(run, cycles=run.cycles + 1))
    monkeypatch.setattr(simulation, "simulate", late)
    assert main(["verify", "--network", "digits", "--json"]) == 1
    captured = capsys.readouterr()
    (row,) = json.loads(captured.out)["configs"]
    assert row["mismatches"] == 1
    assert row["cycles"] == row["predicted_cycles"] + 1
    told = "1 steps disagree; the first: int8, step 'conv2': cycles must be from "
    assert f"quidam: error: {told}" in captured.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--network", "digit"], "network must be one of digits, or a YAML file, not 'digit'"),
        (["--network", "digits", "--cases", "3"], "not allowed with argument"),
        (["--network", "digits", "CONFIG"], "arithmetic must be int8 for the network 'digits'"),
    ],
)
def test_what_no_network_runs_on_is_refused_before_anything_runs(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(verb, "build", lambda config: pytest.fail("built"))
    path = tmp_path / "one_row.yaml"
    path.write_text(yaml.safe_dump(SMALL["one_row"]))
    words = [str(path) if word == "CONFIG" else word for word in words]
    try:
        status = main(["verify", *words])
    except SystemExit as error:  # argparse's own
        status = int(str(error.code))
    assert status == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.eda
def test_the_rtl_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one_row.yaml"
    path.write_text(yaml.safe_dump(SMALL["one_row"]))
    assert main(["verify", str(path), "--cases", "9", "--seed", "2"]) == 0
    shown = capsys.readouterr().out
    assert "RTL = golden arithmetic = cycle formula" in shown
    assert main(["verify", str(path), "--cases", "9", "--seed", "2", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["configs"]
    assert (row["config"], row["layers"], row["mismatches"]) == ("one_row", 9, 0)
    assert row["stalls"] > 0
    assert f"{row['cycles']:,}" in shown
