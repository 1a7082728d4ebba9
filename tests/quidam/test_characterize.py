"""`quidam characterize`: small real sweeps, their messages, and one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize import tools
from characterize.rerun import CIRCUMSTANCES
from characterize.sample import Sample
from characterize.store import Store
from quidam.main import main
from rtl_gen.errors import ToolError

ROOT = Path(__file__).parents[2]
#: Four samples of a second or two each.
PLAN = {
    "arithmetics": ["int8"],
    "components": {
        "node": [{"bus_bits": [32, 64, 128]}],
        "bank": [{}],
    },
}


def command(folder: Path, *more: str) -> list[str]:
    """The words of the command."""
    plan = folder / "plan.yaml"
    plan.write_text(yaml.safe_dump(PLAN))
    store = str(folder / "store")
    return ["characterize", "--tech", "osu018", "--store", store, "--plan", str(plan), *more]


def without_times(store: Path) -> list[tuple[Any, ...]]:
    """The samples but for when and where they were measured."""
    return [
        (
            *(getattr(s, name) for name in Sample.__slots__ if name != "manifest"),
            {key: value for key, value in s.manifest.items() if key not in CIRCUMSTANCES},
        )
        for s in Store(store).samples()
    ]


@pytest.mark.eda
def test_a_sweep_killed_half_way_ends_as_one_that_was_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "quidam", *command(tmp_path, "--workers", "2")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    samples = tmp_path / "store" / "samples"
    for _ in range(6000):  # minutes, on a machine that has other things to do
        if list(samples.glob("[0-9a-f]*.json")):  # whole ones: temporary files begin otherwise
            break
        assert process.poll() is None
        time.sleep(0.05)
    # kill -9 of everything at once, workers and Yosys included.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = len(Store(tmp_path / "store").samples())
    assert 1 <= kept < 4
    assert main(command(tmp_path, "--workers", "2", "--json")) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["samples"], outcome["measured"]) == (4, 4 - kept)
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert main(command(undisturbed, "--workers", "1")) == 0
    assert "4 samples: 4 measured in" in capsys.readouterr().out
    assert without_times(tmp_path / "store") == without_times(undisturbed / "store")
    assert main(command(tmp_path)) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("4 samples, all in the store")
    assert "4 of 4 in the store" in captured.err


@pytest.mark.eda
def test_a_damaged_sample_is_reported_and_measured_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = {"arithmetics": ["int8"], "components": {"node": [{"bus_bits": 64}]}}
    words = command(tmp_path)
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    assert main(words) == 0
    (path,) = (tmp_path / "store" / "samples").iterdir()
    whole = path.read_text()
    path.write_text(whole[:100])
    capsys.readouterr()
    assert main(words) == 0
    captured = capsys.readouterr()
    assert f"warning: {path} is damaged; it is set aside, in " in captured.err
    assert "1 samples: 1 measured" in captured.out
    assert Store(tmp_path / "store").damaged() == []


def test_a_missing_tool_is_one_message_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Path:
        raise ToolError(tools.HINTS[name])

    monkeypatch.setattr(tools, "find", missing)
    monkeypatch.setattr("quidam.characterize.load_technology", lambda name: None)
    assert main(command(tmp_path)) == 1
    assert "OpenSTA is missing: run `sudo apt-get install opensta`" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "0"], "--workers must be at least 1, not 0"),
        (["--plan", "nothing.yaml"], "nothing.yaml must be a readable YAML file"),
        (["--tech", "osu999"], "technology must be one that ships"),
    ],
)
def test_the_user_s_mistakes(
    tmp_path: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tools, "find", lambda name: Path(name))
    monkeypatch.setattr(tools, "yosys_command", lambda *scripts: [])
    assert main([*command(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err
