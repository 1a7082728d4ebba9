"""The front door: verbs are found and loaded one at a time, errors become messages."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quidam import __version__
from quidam import main as front
from rtl_gen.errors import ToolError, UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], None]:
    """Install a verb called `try` that does what it is told."""

    def install(action: Callable[[], int]) -> None:
        module = ModuleType("quidam.try")
        vars(module)["add_parser"] = lambda subparsers: subparsers.add_parser("try")
        vars(module)["run"] = lambda args: action()
        monkeypatch.setitem(sys.modules, "quidam.try", module)
        monkeypatch.setitem(front.VERBS, "try", "a verb of the tests")

    return install


def throw(error: BaseException) -> Callable[[], int]:
    """An action that fails."""

    def action() -> int:
        raise error

    return action


def quidam(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "quidam", *words]
    return subprocess.run(
        command, cwd=ROOT, text=True, check=False, stderr=subprocess.PIPE, timeout=60, **options
    )


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name, summary in front.VERBS.items():
        assert f"  {name:<14}{summary}" in text


@pytest.mark.parametrize("name", front.VERBS)
def test_every_verb_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front.main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: quidam {name}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"quidam {__version__}\n"


def test_no_verb_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front.main([])
    assert ended.value.code == 2
    assert "verbs:" in capsys.readouterr().err


def test_an_unknown_verb_is_the_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front.main(["emitt"])
    assert ended.value.code == 2
    assert "invalid choice: 'emitt'" in capsys.readouterr().err


def test_help_loads_no_package() -> None:
    program = (
        "import sys; from quidam.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(*(n for n in ('numpy', 'rich', 'yaml', 'amaranth')"
        " if n in sys.modules), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stderr.strip() == ""


def test_the_status_is_the_verbs(verb: Any) -> None:
    verb(lambda: 0)
    assert front.main(["try"]) == 0
    verb(lambda: 1)
    assert front.main(["try"]) == 1


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UserError("rows must be from 1 to 64, not 0"), 2, "rows must be from 1 to 64, not 0"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.yaml"), 2, "x.yaml"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "x"), 2, "Is a directory: x"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), 1, "Permission denied: out"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (MemoryError("1 TiB"), 1, "not enough memory: 1 TiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_become_one_message(
    verb: Any, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, message: str
) -> None:
    verb(throw(error))
    assert front.main(["try"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("quidam: error: ")
    assert captured.err.endswith(f"{message}\n")
    assert captured.err.count("\n") == 1


def test_a_tools_failure_shows_command_log_and_the_last_ten_lines(
    verb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    tail = "\n".join(f"line {number}" for number in range(12))
    command = ["sta", "-exit", "a b.tcl"]
    verb(throw(ToolError("sta failed", command=command, code=3, log="build/sta.log", tail=tail)))
    assert front.main(["try"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == [
        "quidam: error: sta failed",
        "  command: sta -exit 'a b.tcl'",
        "  exit status: 3",
        "  log: build/sta.log",
    ]
    assert lines[4:] == [f"  | line {number}" for number in range(2, 12)]


def test_a_missing_optional_package_says_how_to_get_it(
    verb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    verb(throw(ModuleNotFoundError("No module named 'sklearn.base'", name="sklearn.base")))
    assert front.main(["try"]) == 1
    assert "`pip install 'quidam[fit]'`" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(verb: Any) -> None:
    verb(throw(ModuleNotFoundError("No module named 'quidam.typo'", name="quidam.typo")))
    with pytest.raises(ModuleNotFoundError):
        front.main(["try"])
    verb(throw(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        front.main(["try"])


def test_a_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = quidam("tech", "list", stdout=writer)
    finally:
        os.close(writer)
    assert result.returncode == 141
    assert result.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_a_full_disk_is_one_message() -> None:
    with Path("/dev/full").open("w") as full:
        result = quidam("tech", "list", stdout=full)
    assert result.returncode == 1
    assert result.stderr == "quidam: error: No space left on device\n"
