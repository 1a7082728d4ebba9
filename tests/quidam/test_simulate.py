"""`quidam simulate`: what goes in, what comes out, and what is refused before anything is built."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from characterize import compiled_model
from characterize.regression import random_stage, random_tensors
from quidam import simulate as verb
from quidam.main import main
from quidam.simulate import parse_mapping
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.mapping import LETTERS, Mapping
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
QUANTIZED = {**LAYER, "output": "quantized", "padding": [0, 1, 0, 2], "padding_value": -5}
FORCED = "p=2, q=2, r=1, t=2, e=2, f=3, fold_width=3"


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


@pytest.fixture
def unbuilt(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Options that ask for all that can be written; nothing may be, and nothing built."""
    monkeypatch.setattr(verb, "build", lambda *_, **__: pytest.fail("built"))
    new = tmp_path / "new"
    yield ["--output", str(new / "out.npz"), "--waves", str(new / "waves.fst")]
    assert sorted(str(path) for path in tmp_path.iterdir()) == files


@pytest.mark.eda
def test_a_layer_from_files_to_a_file(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, layer = small("one_row"), Layer.from_mapping(LAYER)
    ifmap, weights = random_tensors(config.arithmetic, layer, seed=9)
    np.savez(tmp_path / "in.npz", ifmap=ifmap.astype(np.int8), weights=weights.astype(np.uint8))
    out = tmp_path / "new" / "out.npz"
    options = ["--tensors", str(tmp_path / "in.npz"), "-o", str(out), "--json"]
    assert main(["simulate", *files, *options]) == 0
    figures = json.loads(capsys.readouterr().out)
    plan = schedule(config, layer)
    assert figures["layer"] == "conv1"
    assert figures["cycles"] == figures["predicted_cycles"] == plan.cycles
    assert figures["macs"] == layer.macs
    assert figures["utilization"] == pytest.approx(layer.macs / (5 * plan.cycles))
    assert figures["ideal_cycles"] == plan.ideal == figures["bounds"][figures["bound"]]
    assert figures["bounds"] == plan.bounds
    assert figures["mapping"] == {letter: getattr(plan.mapping, letter) for letter in LETTERS}
    assert figures["beats"] == plan.words["dram"] == figures["words"]["dram"]
    assert figures["words"] == plan.words
    assert figures["matches"] is True
    assert figures["seconds"] > 0
    with np.load(out) as saved:
        assert saved.files == ["ofmap"]
        golden = golden_layer(config.arithmetic, layer, ifmap, weights, plan.mapping)
        np.testing.assert_array_equal(saved["ofmap"], golden)


@pytest.mark.eda
def test_a_quantized_layer_from_files_to_a_file(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, layer = small("one_row"), Layer.from_mapping(QUANTIZED)
    Path(files[1]).write_text(yaml.safe_dump(QUANTIZED))
    ifmap, weights = random_tensors(config.arithmetic, layer, seed=9)
    stage = random_stage(config.arithmetic, layer, seed=9)
    assert stage is not None
    numbers = {name: getattr(stage, name) for name in verb.STAGE}
    np.savez(tmp_path / "in.npz", ifmap=ifmap, weights=weights, **numbers)
    options = ["--tensors", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz"), "--json"]
    assert main(["simulate", *files, *options]) == 0
    assert json.loads(capsys.readouterr().out)["matches"] is True
    with np.load(tmp_path / "out.npz") as saved:
        mapping = schedule(config, layer).mapping
        sums = golden_layer(config.arithmetic, layer, ifmap, weights, mapping)
        np.testing.assert_array_equal(saved["ofmap"], stage.apply(config.arithmetic, sums))
        assert stage.low <= saved["ofmap"].min() < saved["ofmap"].max() <= stage.high


@pytest.mark.eda
def test_random_tensors_and_a_table_for_people(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *files, "--seed", "3"]) == 0
    shown = capsys.readouterr().out
    plan = schedule(small("one_row"), Layer.from_mapping(LAYER))
    assert "conv1 on 1 x 5 LightPE-2: equal to the golden layer and the formula" in " ".join(
        shown.split()
    )
    assert re.search(rf"cycles measured *│ *{plan.cycles:,} ", shown)
    assert re.search(rf"cycles predicted *│ *{plan.cycles:,} ", shown)
    assert re.search(rf"ideal of the mapping *│ *{plan.ideal:,} \({plan.bound}\) ", shown)


@pytest.mark.eda
def test_a_forced_mapping_and_an_objective(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    wide = {**LAYER, "in_width": 30}
    Path(files[1]).write_text(yaml.safe_dump(wide))
    config, layer = small("one_row"), Layer.from_mapping(wide)
    for options, plan in (
        (["--mapping", FORCED], schedule(config, layer, parse_mapping(FORCED))),
        (["--objective", "dram"], schedule(config, layer, objective="dram")),
    ):
        assert main(["simulate", *files, *options, "--json"]) == 0
        figures = json.loads(capsys.readouterr().out)
        assert figures["mapping"] == {name: getattr(plan.mapping, name) for name in LETTERS}
        assert figures["cycles"] == plan.cycles
        assert figures["beats"] == plan.words["dram"]
        assert plan.mapping != schedule(config, layer).mapping


@pytest.mark.regress
def test_waves_are_written_by_a_model_of_their_own(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built the first time only; the file begins as the FST format wants it."""
    sizes = []
    for seed in ("1", "2"):
        waves = tmp_path / seed / "waves.fst"
        assert main(["simulate", *files, "--waves", str(waves), "--seed", seed]) == 0
        monkeypatch.setattr(compiled_model, "_verilate", lambda *_: pytest.fail("built again"))
        content = waves.read_bytes()
        assert content[:9] == bytes([0]) + (329).to_bytes(8, "big"), "a header block of FST"
        sizes.append(len(content))
    assert min(sizes) > 10_000


@pytest.mark.eda
def test_a_wrong_sum_is_a_failure(
    files: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "golden_layer", lambda *a: golden_layer(*a) + 1)
    assert main(["simulate", *files, "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["matches"] is False
    message = "the RTL disagrees on layer 'conv1': 54 of 54 outputs differ"
    assert message in captured.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "pool"}, "layer 'conv1': kind must be conv, fc or matmul; pool is a host step"),
        ({"kind": "matmul"}, "a matrix product must have in_width, kernel and stride of 1"),
        ({"kernel_height": 6}, "kernel_height must fit in the padded map of 5, not 6"),
        ({"groups": 3}, "groups must divide in_channels and out_channels, not 3 for 4 and 6"),
        ({"padding": [0, 1]}, "padding must be an integer of at least 0, or four: top, left,"),
        (
            {"in_width": 1600, "dilation": 3},
            "layer 'conv1': mapping p*f must be at most the sums a column holds (50), not 266",
        ),
        ({"channels": 4}, "layer keys must be among"),
    ],
)
def test_layers_are_refused_before_anything_is_built(
    files: list[str],
    unbuilt: list[str],
    change: dict[str, Any],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(files[1]).write_text(yaml.safe_dump({**LAYER, **change}))
    assert main(["simulate", *files, *unbuilt]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"quidam: error: {message}")
    assert captured.out == ""


ONES = {**dict.fromkeys("pqrtef", 1), "fold_height": 1, "fold_width": 1}
EXPECTED = f"mapping must be {', '.join(LETTERS)} once each, as in p=16,q=4, not"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",".join(f"{k}={v}" for k, v in {**ONES, **letters}.items()), f"layer 'conv1': {message}")
        for letters, message in (
            ({"q": 3}, "mapping q*S/fold_width must be at most ifmap_words (8), not 9"),
            (
                {"p": 17, "q": 2, "fold_width": 3},
                "mapping p*q*S/fold_width must be at most weight_words, halved in macros (32), "
                "not 34",
            ),
            ({"p": 5}, "mapping p must be at most psum_words (4), not 5"),
            ({"r": 2}, "mapping r*R/fold_height must be at most rows (1), not 2"),
            ({"t": 3, "e": 2}, "mapping t*e must be at most columns (5), not 6"),
            ({"f": 4}, "mapping f must be at most the output columns (3), not 4"),
            ({"fold_width": 2}, "mapping fold_width must divide S (3), not 2"),
            ({"fold_height": 2}, "mapping fold_height must divide R (1), not 2"),
            ({"e": 0}, "mapping e must be at least 1 (1), not 0"),
        )
    ]
    + [
        ("", f"{EXPECTED} ''"),
        ("p=1,q", f"{EXPECTED} 'q'"),
        ("p=1,z=2", f"{EXPECTED} 'z=2'"),
        ("p=1,p=2", f"{EXPECTED} 'p=2'"),
        ("p=-1", f"{EXPECTED} 'p=-1'"),
        ("p=1.5", f"{EXPECTED} 'p=1.5'"),
        ("p=1e3", f"{EXPECTED} 'p=1e3'"),
        ("p=99999999999999999999", f"{EXPECTED} 'p=99999999999999999999'"),
        ("p=1,q=1,f=3", "mapping must have r, t, e, not only 'p=1,q=1,f=3'"),
    ],
)
def test_mappings_are_refused_before_anything_is_built(
    files: list[str],
    unbuilt: list[str],
    text: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", *files, *unbuilt, "--mapping", text]) == 2
    assert capsys.readouterr() == ("", f"quidam: error: {message}\n")


def test_a_mapping_is_read_with_and_without_folds() -> None:
    assert parse_mapping("p=4,q=2,r=1,t=1,e=5,f=3") == Mapping(p=4, q=2, r=1, t=1, e=5, f=3)
    assert parse_mapping(FORCED) == Mapping(p=2, q=2, r=1, t=2, e=2, f=3, fold_width=3)
    with pytest.raises(UserError, match="mapping must have p, not only"):
        parse_mapping("q=2,r=1,t=1,e=5,f=3")


def test_an_unknown_objective_is_refused(
    files: list[str], unbuilt: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *files, *unbuilt, "--objective", "energy"])
    assert ended.value.code == 2
    assert "invalid choice: 'energy'" in capsys.readouterr().err
