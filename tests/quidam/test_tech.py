"""`quidam tech`: the list, and the check of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from characterize.technology import TECHNOLOGIES, shipped
from quidam.main import main


def test_the_list_has_every_technology_that_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tech", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["technologies"]
    assert [row["name"] for row in rows] == shipped()
    assert {row["name"]: row["feature_nm"] for row in rows} == {
        "asap7": 7,
        "ihp130": 130,
        "nangate45": 45,
        "osu018": 180,
        "osu035": 350,
        "sky130hd": 130,
    }
    corners = {row["name"]: [corner["name"] for corner in row["corners"]] for row in rows}
    assert corners["sky130hd"] == ["sky130hd@slow", "sky130hd@fast"]
    assert corners["osu018"] == []
    assert main(["tech", "list"]) == 0
    assert "OSU standard cells for TSMC 0.18 um" in capsys.readouterr().out


def test_a_library_that_is_not_installed_is_no_error_of_the_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert main(["tech", "list"]) == 0
    text = capsys.readouterr().out
    assert "for osu018, run `sudo apt-get install qflow-tech-osu018`\n" in text


@pytest.mark.eda
def test_a_check_says_what_it_finds_and_whether_it_will_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tech", "check", "osu018"]) == 0
    assert capsys.readouterr().out.endswith("osu018: can be characterized; 5 findings\n")
    text = (TECHNOLOGIES / "osu018.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("voltage_v: 1.8", "voltage_v: 1.2"))
    assert main(["tech", "check", str(path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["findings"][0] == {
        "severity": "error",
        "cell": "",
        "message": "voltage_v must be the Liberty file's, 1.8 V, not 1.2",
        "proposal": "voltage_v: 1.8",
    }
    assert main(["tech", "check", str(path)]) == 1
    text = capsys.readouterr().out
    assert "lines of the technology file that would mend it:\n  voltage_v: 1.8\n" in text


def test_a_broken_file_is_the_user_s_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((TECHNOLOGIES / "osu018.yaml").read_text().replace("180", "0.18"))
    assert main(["tech", "check", str(path)]) == 2
    assert "feature_nm must be a number of nm from 1 to 5000, not 0.18" in capsys.readouterr().err
