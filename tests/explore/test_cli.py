"""`quidam predict` and `quidam explore` through the front door, on the model of known answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import quidam.explore
import quidam.predict
from quidam.main import main

CONFIG = """\
arithmetic: lightpe1
rows: {rows}
columns: 8
ifmap_words: 12
weight_words: 48
psum_words: 16
buffer_kib: 32
bus_bits: 64
"""
SPACE = """\
arithmetic: [int16, lightpe1]
rows: [4, 8]
columns: [4, 16]
ifmap_words: 12
weight_words: [32, 128]
psum_words: 16
buffer_kib: 32
bus_bits: 64
"""
KEYS = {
    "area_um2", "clock_ns", "cycles", "latency_s", "energy_j", "power_w", "leakage_w",
    "inside_range",
}  # fmt: skip


@pytest.fixture(autouse=True)
def known_model(model: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for verb in (quidam.explore, quidam.predict):
        monkeypatch.setattr(verb, "load_model", lambda name: model)
    monkeypatch.chdir(tmp_path)
    Path("model.json").write_text("{}")
    Path("space.yaml").write_text(SPACE)
    Path("config.yaml").write_text(CONFIG.format(rows=6))
    Path("tall.yaml").write_text(CONFIG.format(rows=20))


PREDICT = ["predict", "config.yaml", "--tech", "model.json", "--workload", "resnet20"]
EXPLORE = ["explore", "space.yaml", "--tech", "model.json", "-o", "out", "--workload"]


def test_predict_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PREDICT, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) >= KEYS
    assert [layer["name"] for layer in result["layers"]][::19] == ["conv1", "fc"]
    assert all(set(layer) >= KEYS for layer in result["layers"])
    for key in ("cycles", "energy_j", "latency_s", "macs"):
        assert result[key] == pytest.approx(sum(layer[key] for layer in result["layers"]))
    assert result["power_w"] == pytest.approx(result["energy_j"] / result["latency_s"])
    assert result["inside_range"] is True
    assert result["scaled"] == ["psum_sram"]
    assert sum(result["energy_j_by"].values()) == pytest.approx(result["energy_j"])


def test_predict_for_people_warns_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "tall.yaml", *PREDICT[2:], "--clock-ns", "25"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "OUTSIDE the range that the models were fitted on (rows of pe)" in text
    assert "(psum_sram) are scaled from another technology" in text
    assert "clock 25 ns (40 MHz), leakage" in text  # the user's clock, no scaled memory's
    assert re.search(r"energy [0-9.]+ mJ \(scaled: [0-9.]+% of it\):", text)
    assert re.search(r"area [0-9.]+ mm² \(scaled: [0-9.]+% of it\):", text)
    assert "psum_sram (scaled)" in text
    assert "latency, energy and power with scaled memories in them" in text
    assert "ifmap_sram (scaled)" not in text
    assert "│ all │" in " ".join(text.split())


def test_predict_names_the_layer_that_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    wide = "{name: wide, kind: conv, in_channels: 1, in_width: 30000, out_channels: 1, "
    wide += "kernel_width: 2, dilation: 2}"
    Path("wide.yaml").write_text(f"layers:\n  - {wide}\n")
    assert main([*PREDICT[:-1], "wide.yaml"]) == 2
    message = "layer 'wide': mapping p*f must be at most the sums a column holds"
    assert message in capsys.readouterr().err


def test_explore_json_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*EXPLORE, "resnet20", "vgg16", "--json", "--where", "rows == 8"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["designs"] == 16
    assert {row["workload"] for row in result["front"]} == {"resnet20", "vgg16"}
    assert {row["rows"] for row in result["front"]} == {8}
    assert result["constraints"] == ["rows == 8"]
    manifest = json.loads(Path("out/manifest.json").read_text())
    names = {"space", "model", "workload resnet20", "workload vgg16"}
    assert set(manifest["inputs_sha256"]) == names
    assert Path("out/report.html").is_file()


def test_explore_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*EXPLORE, "resnet20", "--objective", "energy", "perf_per_area"]) == 0
    text = capsys.readouterr().out
    assert "PE types relative to the best INT16 design" in text
    assert "on the front in energy, perf_per_area" in text
    assert "LightPE-1" in text
    assert "wrote out/report.html" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resnet20", "--where", "area < 2"], "constraint must be on one of"),
        (["resnet20", "--objective", "speed"], "objective must be one of"),
        (["resnet20", "--sample", "0"], "--sample must be positive and finite, not 0"),
        (["resnet20", "--clock-ns", "nan"], "--clock-ns must be positive and finite, not nan"),
        (["resnet20", "--seed", "-1"], "--seed must be at least 0, not -1"),
        (["resnet20", "resnet20"], "workloads must have different names"),
        (["lenet"], "workload must be one of mobilenet_v2"),
        (["resnet20", "--where", "rows > 9"], "must leave a design for resnet20, not none"),
    ],
)
def test_mistakes_exit_with_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*EXPLORE, *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert not Path("out").exists()
