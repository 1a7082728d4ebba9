"""`quidam tech new`: a technology file from nothing but Liberty files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize import clock_trial
from characterize.sample import Failure, failed
from characterize.technology import load_technology
from quidam.main import main
from rtl_gen.errors import ToolError
from tests.characterize.power_reference import LIBERTIES, need_liberties
from tests.characterize.small_technology import LIBERTY

FEATURE_NM = {"osu018": 180, "osu035": 350, "nangate45": 45, "sky130hd": 130, "ihp130": 130}


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "small.lib"
    path.write_text(LIBERTY)
    return path


def new(*words: str | Path) -> int:
    """The command with a feature size, for speed without a trial."""
    return main(["tech", "new", *map(str, words), "--feature-nm", "90", "--no-trial"])


def test_a_small_library(cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "mine.yaml"
    assert new(cells, "-o", target) == 0
    assert "small: can be characterized; 4 findings\n" in capsys.readouterr().out
    technology = load_technology(target)
    assert technology.warnings() == []  # the SHA-256 is right
    assert (technology.name, technology.corner) == ("small", "nominal")
    assert (technology.voltage_v, technology.temperature_c) == (1.0, 25)
    assert (technology.driving_cell, technology.tie_high) == ("INV", ("TIE1", "Y"))
    assert technology.output_load_ff == 8
    assert technology.clock_ns == 5  # 90 nm at 10 ns for 180 nm
    assert "file: small.lib\n" in target.read_text()  # it may be moved with its library


def test_every_value_says_where_it_comes_from(cells: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    assert new(cells, "-o", target) == 0
    lines = target.read_text().splitlines()
    explained = False
    for line in lines:
        key = line.partition(":")[0]
        if line.startswith("#"):
            explained = True
        elif line[0] != " " and key not in ("temperature_c", "tie_low", "sources"):
            assert explained, line  # those three share the comment above the line before
            explained = False
    assert "# Not measured: 90 nm x 0.056 ns/nm, at least 1 ns.\nclock_ns: 5\n" in "\n".join(lines)


def test_compressed_files_and_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, *rest = LIBERTY.split("  cell (DFF)")
    one, two = tmp_path / "made_1.lib.gz", tmp_path / "made_2.lib"
    one.write_bytes(gzip.compress((head.replace("small", "made_a") + "}\n").encode()))
    units = LIBERTY.partition("/*")[0].replace("small", "made_b")
    two.write_text(f"{units}cell (DFF){rest[0]}")
    target = tmp_path / "mine.yaml"
    assert new(one, two, "-o", target, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    messages = [finding["message"] for finding in report["findings"]]
    assert report["file"] == str(target)
    assert "2 Liberty files make the library" in messages
    assert "compressed, and unpacked before use: made_1.lib.gz" in messages
    assert load_technology(target).name == "made"


@pytest.mark.parametrize("name", ["null", "x: y # z", 'quote" [1]', "- a", "1e5", "%d {name}"])
def test_a_library_of_any_name_is_quoted(name: str, tmp_path: Path, cells: Path) -> None:
    word = name.replace('"', "'")
    cells.write_text(LIBERTY.replace("(small)", f'("{word}")'))
    target = tmp_path / "mine.yaml"
    assert new(cells, "-o", target, "--name", "mine") == 0
    technology = load_technology(target)
    assert technology.description.startswith(f"{word}, 90 nm, 1 V, 25 C")
    assert word in technology.sources["cells"]


def test_paths_are_written_as_other_machines_know_them(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "mine.yaml"
    assert new(cells, "-o", target) == 0
    assert yaml.safe_load(target.read_text())["liberty"][0]["file"] == "${PDK_ROOT}/small.lib"


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ([], "--feature-nm must be given, no Liberty file says it"),
        (["--feature-nm", "0.18"], "--feature-nm must be 1 to 5000 nm, not 0.18"),
        (["--feature-nm", "90", "--name", "a@b"], "--name must be letters, digits, '.', '_' and"),
        (["--feature-nm", "90", "-o", "{cells}"], "-o must name a file that does not exist yet"),
    ],
)
def test_mistakes(
    cells: Path, words: list[str], rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.format(cells=cells) for word in words]
    assert main(["tech", "new", str(cells), "--no-trial", *given]) == 2
    assert rule in capsys.readouterr().err
    assert cells.read_text() == LIBERTY


def test_no_cell_to_drive_with_is_no_file(
    cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells.write_text(LIBERTY.replace('"!A"', '"!B"'))
    assert new(cells, "-o", tmp_path / "mine.yaml") == 2
    assert "the library must have a buffer or an inverter" in capsys.readouterr().err
    assert not (tmp_path / "mine.yaml").exists()


def test_without_tools_the_clock_is_a_guess(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Path:
        raise ToolError(f"{name} is missing")

    monkeypatch.setattr("quidam.tech_new.tools.find", missing)
    target = tmp_path / "mine.yaml"
    assert main(["tech", "new", str(cells), "--feature-nm", "9", "-o", str(target)]) == 0
    assert "the clock is a guess: sta is missing" in capsys.readouterr().err
    assert load_technology(target).clock_ns == clock_trial.LEAST_NS


def test_a_trial_that_fails_says_where(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(task: Any, id: str, **rest: Any) -> Failure:
        return failed(task, id, "synthesis", "Yosys left cells unmapped", "the end of the log")

    monkeypatch.setattr("quidam.tech_new.tools.find", lambda name: Path(name))
    monkeypatch.setattr(clock_trial, "measure", measure)
    words = ["tech", "new", str(cells), "--feature-nm", "9", "-o", str(tmp_path / "mine.yaml")]
    assert main(words) == 1
    text = capsys.readouterr().err
    assert "int8 pe 12/24/8 failed at synthesis: Yosys left cells unmapped" in text
    assert "--no-trial" in text
    assert not (tmp_path / "mine.yaml").exists()


@pytest.mark.parametrize("name", [*FEATURE_NM, pytest.param("asap7", marks=pytest.mark.regress)])
def test_six_libraries_give_files_that_pass_the_check(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_liberties(name)
    target = tmp_path / "mine.yaml"
    feature = str(FEATURE_NM.get(name, 7))
    words = [*map(str, LIBERTIES[name]), "--feature-nm", feature, "-o", str(target), "--json"]
    assert main(["tech", "new", *words, "--no-trial"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"]
    assert {finding["severity"] for finding in report["findings"]} == {"note"}
    scaled = any("memories are scaled" in finding["message"] for finding in report["findings"])
    assert scaled == (name != "ihp130")


@pytest.mark.eda
@pytest.mark.parametrize("name", ["osu018", "ihp130"])
def test_the_clock_is_found_by_trial(name: str, tmp_path: Path) -> None:
    need_liberties(name)
    target = tmp_path / "mine.yaml"
    words = [*map(str, LIBERTIES[name]), "--feature-nm", str(FEATURE_NM[name]), "-o", str(target)]
    assert main(["tech", "new", *words]) == 0
    assert 4 < load_technology(target).clock_ns < 9  # flow.md's 8-bit PEs need 4.2 and 4.3 ns
    assert "# 2 times the shortest period of an int8 PE of 12/24/8 words" in target.read_text()
