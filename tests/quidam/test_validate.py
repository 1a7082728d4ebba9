"""`quidam validate`: mistakes; what it measures is in tests/characterize/test_whole.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.ppa import TRAINED
from quidam.main import main
from quidam.validation_report import show


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tech", "nowhere"], "technology must be one that ships"),
        (["--tech", "osu018", "--workers", "0"], "--workers must be at least 1, not 0"),
        (["--tech", "osu018", "--plan", "p.yaml", "--size", "4"], "--size must not come with"),
        (["--tech", "osu018", "--plan", "nowhere.yaml"], "nowhere.yaml must be a readable"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.regress
@pytest.mark.parametrize("options", [["--fitted-only"], []])
def test_one_accelerator_twice(
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second run finds all in the store, whose path is relative, and says the same."""
    monkeypatch.chdir(tmp_path)
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "arithmetics: [int4]\nsize: 2\nbus_bits: 64\nmemories:\n"
        "  - {ifmap_words: 4, weight_words: 16, psum_words: 4, buffer_kib: 4,"
        " scratchpads: gated}\n"
    )
    call = ["validate", "--tech", "osu018", "--plan", "plan.yaml", "--store", "here", "--json"]
    call += options
    texts = []
    for said in ("0 of 1 accelerators in the store", "1 of 1 accelerators in the store"):
        assert main(call) == 0
        captured = capsys.readouterr()
        assert said in captured.err
        texts.append(captured.out)
    assert texts[0] == texts[1]
    assert '"met": true' in texts[0]


def test_a_file_gets_all_of_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = TRAINED / "osu018-validation" / "validate.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    show(content)
    text = capsys.readouterr().out
    assert "…" not in text
    for design in content["designs"]:
        assert design["name"] in text
        assert f"{design['error_percent']['fitted']['power_mw']:+.1f}" in text
