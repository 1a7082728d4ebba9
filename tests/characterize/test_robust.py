"""What goes wrong on the way to a sample: each a recorded failure, or one clear message."""

from __future__ import annotations

import dataclasses
import functools
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize import synthesis, tools
from characterize.cell_files import prepare
from characterize.identity import sample_id
from characterize.measure import measure
from characterize.sample import Failure, Sample, Task
from characterize.store import Store
from characterize.technology import TECHNOLOGIES, LibertyFile
from quidam.main import main
from tests.characterize.osu018 import osu018
from tests.processes import ended

pytestmark = pytest.mark.eda
PLAN = {"arithmetics": ["int8"], "components": {"node": [{"bus_bits": 32}]}}


def task(clock_ns: float) -> Task:
    """One that takes a second."""
    return Task(
        component="node",
        arithmetic="int8",
        parameters={"bus_bits": 32},
        technology="osu018",
        clock_ns=clock_ns,
    )


def command(folder: Path, *more: str, tech: str = "osu018") -> list[str]:
    """The words of a sweep of one sample."""
    plan = folder / "plan.yaml"
    plan.write_text(yaml.safe_dump(PLAN))
    return ["characterize", "--tech", tech, "--plan", str(plan), "--workers", "1", *more]


#: Programs that stand in for Yosys -> the failure that comes of it.
STAND_INS = {
    "while True: pass": "took more than 0.5 s and was stopped",
    "import os; print('ERROR: Abc'); os.abort()": "was killed by SIGABRT",
    "import sys; print('ERROR: Abc'); sys.exit(3)": "failed with exit status 3",
    "open('flat.json', 'w').write('{\"modules\": {')": "Yosys must leave a whole flat.json",
    "pass": "Yosys must leave a whole flat.json",
}


@pytest.mark.parametrize(("program", "message"), STAND_INS.items())
def test_a_yosys_that_hangs_aborts_or_stops_half_way(
    program: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    technology, liberty = osu018(tmp_path)
    monkeypatch.setattr(tools, "yosys_command", lambda *scripts: [sys.executable, "-c", program])
    short = functools.partial(synthesis.synthesize, timeout=0.5 if "while" in program else 60)
    monkeypatch.setattr(synthesis, "synthesize", short)
    work = tmp_path / "work"
    work.mkdir()
    result = measure(task(10.0), "0" * 64, technology=technology, liberty=liberty, scratch=work)
    assert isinstance(result, Failure)
    assert result.step == "synthesis"
    assert message in result.message
    assert ("ERROR: Abc" in result.log) == ("ERROR" in program)
    assert list(work.rglob("*")) == [work / "shared"]  # nothing in it


def test_nothing_that_is_left_alone_runs_for_ever(tmp_path: Path) -> None:
    # The worker that would stop it may have been killed.
    program = "import resource, time; time.sleep(0.3); print(resource.getrlimit(0))"
    assert resource.RLIMIT_CPU == 0
    done = tools.run(
        [sys.executable, "-c", program], cwd=tmp_path, log=tmp_path / "log", timeout=7.5
    )
    assert done.output == "(30, 30)\n"


def test_a_liberty_file_that_is_cut_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    technology, _ = osu018(tmp_path)
    text = technology.liberty[0].path.read_text()
    cut = tmp_path / "cut.lib"
    cut.write_text(text[: len(text) * 2 // 3])
    content = yaml.safe_load((TECHNOLOGIES / "osu018.yaml").read_text())
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({**content, "liberty": [{"file": "cut.lib"}]}))
    store = tmp_path / "store"
    assert main(command(tmp_path, "--store", str(store), tech=str(own))) == 2
    said = capsys.readouterr().err
    assert f"{cut}: a Liberty file must close every group, it is cut short" in said
    assert Store(store).ids() == set()


def test_a_cell_without_function_is_not_used(tmp_path: Path) -> None:
    technology, _ = osu018(tmp_path)
    text = technology.liberty[0].path.read_text()
    start = text.index("cell (NAND2X1)")
    where = text.index("function", start)
    bare = tmp_path / "bare.lib"
    bare.write_text(text[:where] + text[text.index("\n", where) :])
    file = LibertyFile(path=bare, expected_sha256="")
    without = dataclasses.replace(technology, liberty=(file,))
    samples = []
    for number, one in enumerate((technology, without)):
        liberty = prepare(one, tmp_path / str(number))
        result = measure(task(10.0), sample_id(task(10.0), one), technology=one, liberty=liberty)
        assert isinstance(result, Sample), result
        samples.append(result)
    # Another netlist, and as good a one: the RTL's answers were compared.
    assert samples[0].id != samples[1].id
    assert samples[0].cells != samples[1].cells


def test_a_store_whose_path_has_blanks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    osu018(tmp_path)
    store = tmp_path / "a folder" / "of mine; really"
    assert main(command(tmp_path, "--store", str(store))) == 0
    assert "1 samples: 1 measured" in capsys.readouterr().out
    assert sorted(item.name for item in store.iterdir()) == [".lock", "samples"]


def test_a_store_of_an_older_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    osu018(tmp_path)
    store = Store(tmp_path / "store")
    words = command(tmp_path, "--store", str(store.path))
    assert main(words) == 0
    (path,) = (store.path / "samples").iterdir()
    content: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "schema": "quidam-sample/0"}))
    capsys.readouterr()
    assert main(words) == 0
    seen = capsys.readouterr()
    assert f"{path} was written by another version of quidam ('quidam-sample/0'" in seen.err
    assert "1 samples: 1 measured" in seen.out
    assert [sample.id for sample in store.samples()] == [content["id"]]
    assert main(words) == 0
    assert "another version" not in capsys.readouterr().err


def test_a_tool_ends_with_the_worker_that_started_it(tmp_path: Path) -> None:
    # SIGTERM to a worker: all it has started goes, too. (SIGKILL leaves it to the CPU limit.)
    program = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from characterize import sweep, tools\n"
        "import signal\n"
        "signal.signal(signal.SIGTERM, sweep._end_worker)\n"
        "folder = Path(sys.argv[1])\n"
        'child = \'import os, time; open("pid", "w").write(str(os.getpid())); time.sleep(60)\'\n'
        "tools.run([sys.executable, '-c', child], cwd=folder, log=folder / 'log', timeout=60)\n"
    )
    root = Path(__file__).parents[2]
    worker = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=root)
    pid = _when_written(tmp_path / "pid")
    worker.terminate()
    worker.wait(timeout=10)
    assert ended([pid])


def _when_written(path: Path) -> int:
    for _ in range(200):
        if path.exists() and (text := path.read_text()):
            return int(text)
        time.sleep(0.05)
    raise AssertionError(f"{path} is not written")
