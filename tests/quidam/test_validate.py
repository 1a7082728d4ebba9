"""`quidam validate`: mistakes; what it measures is in tests/characterize/test_whole.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from characterize.technology import load_technology
from models.ppa import TRAINED
from quidam import validation_file
from quidam.main import main
from quidam.validation_file import doubts, read_report
from quidam.validation_report import show

OSU018 = TRAINED / "osu018-validation" / "validate.json"


def by_component(content: Any) -> Iterable[Any]:
    """What the fourth accelerator of a report says of its components."""
    found: dict[str, Any] = content["designs"][3]["by_component"]
    return found.values()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tech", "nowhere"], "technology must be one that ships"),
        (["--tech", "osu018", "--workers", "0"], "--workers must be at least 1, not 0"),
        (["--tech", "osu018", "--plan", "nowhere.yaml"], "nowhere.yaml must be a readable"),
        (["--tech", "osu018", "--measured", "nowhere.json"], "--measured must be a validate.json"),
        (["--tech", "osu035", "--measured", str(OSU018)], f"of osu035, {OSU018} is of osu018"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("other", ["--size=4", "--plan=p.yaml"])
def test_one_way_to_say_which(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["validate", "--tech", "osu018", "--measured", str(OSU018), other])
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(schema="quidam-validate/1"), "schema must be quidam-validate/2, not"),
        (lambda c: c["designs"][3].pop("lanes"), "'lanes' is missing"),
        (lambda c: c["designs"][3]["by_component"].pop("row"), "by_component must have pe, node"),
        (
            lambda c: c["designs"][3].update(clock_ns=0),
            "a total or a period must be above 0, not 0",
        ),
        (lambda c: c["designs"][3].update(clock_ns=10**400), "int too large to convert"),
        (lambda c: [own["whole"].update(area_um2=0) for own in by_component(c)], "not 0.0"),
        (lambda c: c["designs"][3].update(cycles=1.5), "a count must be a whole number, not 1.5"),
        (lambda c: c.update(designs=[3]), "not subscriptable"),
    ],
)
def test_other_files_are_no_report(
    change: Callable[[Any], Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(OSU018.read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / "validate.json"
    path.write_text(json.dumps(content))
    assert main(["validate", "--tech", "osu018", "--measured", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_strict_is_not_content_with_nothing(tmp_path: Path) -> None:
    content = json.loads(OSU018.read_text(encoding="utf-8"))
    path = tmp_path / "validate.json"
    path.write_text(json.dumps(content | {"designs": []}))
    call = ["validate", "--tech", "osu018", "--measured", str(path), "--json"]
    assert main(call) == 0
    assert main([*call, "--strict"]) == 1


@pytest.mark.parametrize(
    "path", sorted(TRAINED.glob("*-validation*/validate.json")), ids=lambda path: path.parent.name
)
def test_what_ships_is_what_the_models_that_ship_say(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every change of models or composition that moves a prediction must renew these reports."""
    monkeypatch.setattr(validation_file, "doubts", lambda *_: iter(()))
    name = path.parent.name.partition("-validation")[0]
    assert main(["validate", "--tech", name, "--measured", str(path), "--json"]) == 0
    found, ships = json.loads(capsys.readouterr().out), json.loads(path.read_text(encoding="utf-8"))
    del found["manifest"]["commit"], ships["manifest"]["commit"]
    assert found == ships


@pytest.mark.eda
def test_what_was_measured_of_other_rtl_or_cells_is_doubted() -> None:
    """One of those that ship is of the RTL, method and tools as they are; altered ones are not."""
    osu018 = load_technology("osu018")
    one = read_report(OSU018).wholes[-1]
    assert list(doubts([one], osu018)) == []
    faster = replace(osu018, output_load_ff=2 * osu018.output_load_ff)
    (said,) = doubts([one], faster)
    assert said.startswith("1 of 1 accelerators were measured of other RTL")
    assert one.id[:12] in said
    (said,) = doubts([replace(one, clock_ns=one.clock_ns / 2)], osu018)
    assert said.startswith("1 of 1 accelerators were measured of other RTL")


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
