"""`quidam glitches`: mistakes, and a real measurement with its files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from characterize.glitch_file import from_json
from characterize.technology import load_technology
from quidam.main import main
from rtl_gen.errors import ToolError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arithmetics", "int8,int17"], "integer format must be int2 to int16, not 'int17'"),
        (["--components", "mac,node"], "--components must be of mac, pe, not ['node']"),
        (["--words", "24,96"], "--words must be three numbers above 0, not '24,96'"),
        (["--words", "24,0,8"], "--words must be three numbers above 0, not '24,0,8'"),
        (["--tech", "nowhere"], "technology must be one that ships"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["glitches", "--tech", "osu018", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.eda
def test_a_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One unit of osu018, twice: the same file, a table, a CSV and a picture."""
    try:
        load_technology("osu018")
    except ToolError as error:
        pytest.skip(str(error))
    chosen = ["--tech", "osu018", "--arithmetics", "int2,lightpe1", "--components", "mac"]
    texts = []
    for name in ("one", "two"):
        assert main(["glitches", *chosen, "-o", str(tmp_path / name), "--json"]) == 0
        texts.append((tmp_path / name / "glitches.json").read_text())
        assert json.loads(texts[-1]) == json.loads(capsys.readouterr().out)
    assert texts[0] == texts[1]
    found = from_json(texts[0], "glitches.json")
    assert [(one.component, one.arithmetic) for one in found] == [
        ("mac", "int2"),
        ("mac", "lightpe1"),
    ]
    assert json.loads(texts[0])["manifest"]["command"] == (
        f"quidam glitches {' '.join(chosen)} --words 24,96,8"
    )
    with (tmp_path / "one/glitches.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["part"] for row in rows] == ["datapath", "clock"] * 2
    assert float(rows[0]["glitching_energy_pj"]) > float(rows[0]["energy_pj"]) > 0
    assert len((tmp_path / "one/glitches.md").read_text().splitlines()) == 4
    assert (tmp_path / "one/glitches.png").read_bytes().startswith(b"\x89PNG")
