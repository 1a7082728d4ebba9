"""The doctor: finds what is here, and says how to get what is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from characterize import tools
from quidam import doctor
from quidam.main import main


def by_name() -> dict[str, doctor.Finding]:
    """All findings of this machine."""
    return {finding.name: finding for finding in doctor.examine()}


@pytest.mark.eda
def test_a_machine_that_is_set_up_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    found = {finding["name"]: finding["found"] for finding in report["findings"]}
    assert found["pyosys"] == tools.versions()["yosys"]
    assert found["sta"] == tools.versions()["opensta"]
    assert all(found.values())
    assert main(["doctor"]) == 0
    assert "Everything is here." in capsys.readouterr().out


def test_missing_programs_are_named_with_their_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "sta: OpenSTA is missing: run `sudo apt-get install opensta`" in text
    assert "Everything is here." not in text


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_sklearn(name: str) -> str:
        if name == "scikit-learn":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", no_sklearn)
    findings = by_name()
    assert not findings["scikit-learn"].ok
    assert "quidam[fit]" in findings["scikit-learn"].advice
    assert findings["pyosys"].found == "1.0"


def test_a_full_disk_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    usage: Callable[[Path], SimpleNamespace] = lambda path: SimpleNamespace(free=2**29)  # noqa: E731
    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    finding = by_name()["free disk"]
    assert not finding.ok
    assert finding.found == "0.5 GiB"
    assert finding.advice.startswith("free at least 1 GiB")


def test_an_old_python_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (9, 1))
    finding = by_name()["python"]
    assert not finding.ok
    assert "Python 9.1 or newer" in finding.advice


def test_a_library_that_the_user_brings_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("QUIDAM_LIBERTY", raising=False)
    main(["doctor", "--json"])
    findings = {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["Liberty of nangate45"]["ok"]
    assert findings["Liberty of nangate45"]["found"] == "not here: QUIDAM_LIBERTY is not set"
    monkeypatch.setenv("QUIDAM_LIBERTY", "/nowhere")
    main(["doctor", "--json"])
    findings = {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert not findings["Liberty of nangate45"]["ok"]
