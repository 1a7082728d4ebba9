"""`quidam simulate`: what goes in, what comes out, and what is refused before anything is built."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from characterize.regression import random_tensors
from quidam import simulate as verb
from quidam.main import main
from quidam.simulate import load_tensors
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.reference import golden_layer
from rtl_gen.schedule import schedule
from tests.native import share_models
from tests.rtl_gen.small import SMALL, small

LAYER: dict[str, Any] = {
    "name": "conv1",
    "kind": "conv",
    "in_channels": 4,
    "in_height": 5,
    "in_width": 8,
    "out_channels": 6,
    "kernel_width": 3,
    "stride": 2,
}


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from share_models(tmp_path_factory)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """CONFIG.yaml and LAYER.yaml."""
    paths = [tmp_path / "config.yaml", tmp_path / "layer.yaml"]
    for path, content in zip(paths, (SMALL["one_row"], LAYER), strict=True):
        path.write_text(yaml.safe_dump(content))
    return [str(path) for path in paths]


def tensors() -> tuple[Any, Any]:
    return random_tensors(small("one_row").arithmetic, Layer.from_mapping(LAYER), seed=9)


@pytest.mark.eda
def test_a_layer_from_files_to_a_file(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, layer = small("one_row"), Layer.from_mapping(LAYER)
    ifmap, weights = tensors()
    np.savez(tmp_path / "in.npz", ifmap=ifmap.astype(np.int8), weights=weights.astype(np.uint8))
    options = ["--tensors", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz"), "--json"]
    assert main(["simulate", *files, *options]) == 0
    figures = json.loads(capsys.readouterr().out)
    plan = schedule(config, layer)
    assert figures["layer"] == "conv1"
    assert figures["cycles"] == figures["predicted_cycles"] == plan.cycles
    assert figures["macs"] == layer.macs
    assert figures["utilization"] == pytest.approx(layer.macs / (5 * plan.cycles))
    assert figures["mapping"] == {letter: getattr(plan.mapping, letter) for letter in "pqrte"}
    assert figures["beats"] == plan.words["dram"] == figures["words"]["dram"]
    assert figures["words"] == plan.words
    assert figures["matches"] is True
    assert figures["seconds"] > 0
    with np.load(tmp_path / "out.npz") as out:
        assert out.files == ["ofmap"]
        golden = golden_layer(config.arithmetic, layer, ifmap, weights, plan.mapping)
        np.testing.assert_array_equal(out["ofmap"], golden)


@pytest.mark.eda
def test_random_tensors_and_a_table_for_people(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *files, "--seed", "3"]) == 0
    shown = capsys.readouterr().out
    cycles = schedule(small("one_row"), Layer.from_mapping(LAYER)).cycles
    assert "conv1 on 1 x 5 LightPE-2: equal to the golden layer and the formula" in " ".join(
        shown.split()
    )
    assert re.search(rf"cycles measured *│ *{cycles:,} ", shown)
    assert re.search(rf"cycles predicted *│ *{cycles:,} ", shown)


@pytest.mark.eda
def test_a_wrong_sum_is_a_failure(
    files: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "golden_layer", lambda *a: golden_layer(*a) + 1)
    assert main(["simulate", *files, "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["matches"] is False
    assert "the RTL disagrees on layer 'conv1': 54 of 54 sums differ" in captured.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel_height": 2}, "layer 'conv1': rows must be at least kernel_height (2), not 1"),
        ({"stride": 4}, "layer 'conv1': stride must be 1 or 2, not 4"),
        ({"kind": "matmul"}, "layer 'conv1': kind must be conv or fc, not 'matmul'"),
        ({"channels": 4}, "layer keys must be among"),
    ],
)
def test_layers_are_refused_before_anything_is_built(
    files: list[str],
    change: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(verb, "build", lambda config: pytest.fail("built"))
    Path(files[1]).write_text(yaml.safe_dump({**LAYER, **change}))
    assert main(["simulate", *files]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"quidam: error: {message}")
    assert captured.out == ""


def test_tensors_are_refused_before_anything_is_built(
    files: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(verb, "build", lambda config: pytest.fail("built"))
    ifmap, weights = tensors()
    np.savez(tmp_path / "in.npz", ifmap=ifmap + 100, weights=weights)
    assert main(["simulate", *files, "--tensors", str(tmp_path / "in.npz")]) == 2
    assert "ifmap: int8 codes must be -128 to 127, not" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"ifmap": np.zeros(1, int)}, "must hold ifmap and weights, not ['ifmap']"),
        (
            {"ifmap": np.zeros(1, int), "weights": np.zeros(1)},
            "weights must hold encoded integers, not float64",
        ),
        (
            {name: np.zeros(1, int) for name in ("ifmap", "weights", "bias")},
            "a bias must wait for the output stage, which this version does not have",
        ),
    ],
)
def test_archives_that_hold_something_else(
    tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "in.npz", **content)
    with pytest.raises(UserError, match=re.escape(message)):
        load_tensors(str(tmp_path / "in.npz"))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 and then nothing"])
def test_files_that_are_no_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"in\.npz must be a readable npz file"):
        load_tensors(str(tmp_path / "in.npz"))
    with pytest.raises(UserError, match=r"gone\.npz must be a readable npz file"):
        load_tensors(str(tmp_path / "gone.npz"))


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "in.npz", ifmap=objects, weights=objects)
    with pytest.raises(UserError, match=r"must be a readable npz file: .*allow_pickle=False"):
        load_tensors(str(tmp_path / "in.npz"))


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros(3, int))
    with pytest.raises(UserError, match=r"in\.npy must be an npz archive, not one array"):
        load_tensors(str(tmp_path / "in.npy"))
    with zipfile.ZipFile(tmp_path / "raw.npz", "w") as archive:
        for name in ("ifmap", "weights"):
            archive.writestr(name, b"no array")
    with pytest.raises(UserError, match="ifmap must hold encoded integers"):
        load_tensors(str(tmp_path / "raw.npz"))
