"""`quidam fit` from a store to the model and all that stands beside it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from characterize.sample import Sample, to_json
from characterize.sample_table import read_table, write_table
from characterize.store import Store
from models.ppa import PpaModel
from quidam.main import main
from rtl_gen.errors import UserError
from tests.models.synthetic import sweep

#: What all samples have in common, and what is a sample's own.
SHARED = {"technology": {"name": "osu018"}, "tools": {"yosys": "0.1"}, "method_sha256": "ab" * 32}
ORIGIN = {"commit": "c0ffee", "seconds": {"synthesis": 1.5}, "critical_path_ends": ["a", "b"]}


def small(noise: float = 0.01) -> list[Sample]:
    return [
        replace(one, technology="osu018", manifest={**one.manifest, **SHARED, **ORIGIN})
        for one in sweep(most=8, noise=noise)
    ]


def filled(path: Path, samples: list[Sample]) -> Path:
    for one in samples:
        Store(path).put(one)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("store"), small())


def test_fit_writes_model_card_and_tables(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out" / "osu.json"
    assert main(["fit", str(store), "-o", str(output), "--folds", "4", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["technology"] == "osu018"
    assert report["samples"] == len(small())
    assert report["errors"]["int8"]["pe.flipflop.fast"]["area_um2"]["mean_percent"] > 0
    assert all(Path(name).is_file() for name in report["files"])
    names = {path.name for path in output.parent.iterdir()}
    assert {"osu.json", "osu.md", "osu-samples.csv", "osu-residuals.csv", "osu-pe.png"} <= names
    model = PpaModel.load(output)
    assert model.contents.technology.voltage_v == 1.8
    assert model.contents.technology.memories["scaled"] is True
    assert model.contents.manifest["folds"] == 4
    assert model.contents.manifest["targets_ns"] == []
    with (output.parent / "osu-samples.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["id"] for row in rows} == {one.id for one in small()}
    first = next(one for one in small() if one.id == rows[0]["id"])
    assert float(rows[0]["area_um2.datapath"]) == first.area_um2["datapath"]
    assert list(rows[0])[-1] == "manifest"


def test_the_table_of_samples_is_the_samples(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every one of them to the last bit, manifest included, for `sample` to show."""
    output = tmp_path / "osu.json"
    assert main(["fit", str(store), "-o", str(output), "--folds", "2"]) == 0
    table = tmp_path / "osu-samples.csv"
    found = {one.id: one for one in read_table(table, SHARED)}
    assert found == {one.id: one for one in small()}
    capsys.readouterr()
    for one in small()[::7]:
        assert main(["sample", "show", str(output), one.id, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == json.loads(to_json(one))
    assert main(["sample", "list", str(output), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["samples"]) == len(small())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "must have a column manifest"),
        (lambda text: text.replace("manifest", "origin", 1), "must have a column manifest"),
        (lambda text: text.replace(",pe,", ",cpu,", 1), "line"),
        (lambda text: text.replace(",10.0,", ",soon,", 1), "line"),
        (lambda text: text.replace(",10.0,", ",nan,", 1), "line"),
        (lambda text: text.replace("c0ffee", 'c0ff"ee', 1), "line"),
    ],
)
def test_a_damaged_table_is_refused(
    tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    table = tmp_path / "osu-samples.csv"
    write_table(table, small())
    table.write_text(change(table.read_text()))
    with pytest.raises(UserError, match=message):
        read_table(table, SHARED)


def test_fit_prints_a_table_for_people(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    card = tmp_path / "card"
    assert main(["fit", str(store), "-o", str(tmp_path / "m.json"), "--card", str(card)]) == 0
    text = capsys.readouterr().out
    assert "error on held-out samples" in text
    assert "controller" in text
    assert (card / "m.md").is_file()
    assert not (tmp_path / "m.md").exists()


def test_samples_of_an_older_method_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(sample: Sample, method: str, id: str) -> Sample:
        return replace(sample, id=id, manifest={"method_sha256": method})

    old = [measured(one, "old", one.id[::-1]) for one in small(noise=0.3)]
    new = [measured(one, "new", one.id) for one in small()]
    store = filled(tmp_path / "store", [*new, *old])
    for one in old:
        os.utime(store / "samples" / f"{one.id}.json", ns=(1, 1))
    assert main(["fit", str(store), "-o", str(tmp_path / "m.json"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["samples"] == len(new)
    assert report["notes"] == [
        f"{len(old)} samples measured with other tools or another method left out"
    ]
    assert PpaModel.load(tmp_path / "m.json").contents.manifest["measured"] == {
        "technology": None, "tools": None, "method_sha256": "new"
    }  # fmt: skip


def test_users_mistakes_are_one_clear_error(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["-o", str(tmp_path / "m.json")]
    empty = tmp_path / "empty"
    (empty / "samples").mkdir(parents=True)
    mixed = filled(tmp_path / "mixed", [*small()[:3], *sweep(most=8)[3:]])
    unknown = filled(tmp_path / "unknown", sweep(most=3))
    few = filled(tmp_path / "few", [one for one in small() if one.component == "pe"])
    cases = [
        ([str(tmp_path / "none"), *output], "store must be a folder that `quidam characterize`"),
        ([str(empty), *output], "store must hold at least one sample"),
        ([str(mixed), *output], "one technology, not ['osu018', 'synthetic']"),
        ([str(unknown), *output], "--tech must be given"),
        ([str(few), *output], "every component of one build for int8"),
        ([str(store), "-o", str(tmp_path / "model")], "must end in .json"),
        ([str(store), *output, "--folds", "1"], "folds must be at least 2, not 1"),
        ([str(store), *output, "--seed", "-1"], "--seed must be from 0"),
        ([str(store), *output, "--tech", "osu035"], "that of the samples, 'osu018', not 'osu035'"),
    ]
    for arguments, message in cases:
        assert main(["fit", *arguments]) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.err.count("\n") == 1
        assert captured.out == ""
