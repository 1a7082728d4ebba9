"""Verilog compiled by Verilator, kept in a cache folder by the hash of what it was made from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from characterize import tools
from rtl_gen.errors import ToolError

_A_DAY = 24 * 60 * 60


def cache_folder() -> Path:
    """Where compiled models are kept: `QUIDAM_CACHE`, or the user's cache folder."""
    given = os.environ.get("QUIDAM_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quidam"


def compiled_model(
    top: str, files: Mapping[str, str], *, options: Sequence[str] = (), optimize: str = "-O2"
) -> Path:
    """The program that simulates a design, from the cache where it is there.

    Parameters
    ----------
    top : name of the top module.
    files : name -> text; those that end in .v and .cpp are compiled.
    options : of Verilator.
    optimize : option of the C++ compiler.

    Raises
    ------
    ToolError
        When Verilator is missing, too old, or fails.
    """
    words = (top, tools.verilator().version, optimize, *options, *sum(sorted(files.items()), ()))
    key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
    model = cache_folder() / key / f"V{top}"
    if model.exists():
        return model
    cache_folder().mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="building-", dir=cache_folder()))
    try:
        for name, text in files.items():
            (work / name).write_text(text, encoding="utf-8")
        # A log of its own: others may be building the same. It stays where the build fails.
        try:
            _verilate(top, work, work.with_suffix(".log"), options, optimize)
        except ToolError as error:
            for header in ("lz4.h", "zlib.h"):
                if f"{header}: No such file" in error.tail:
                    raise ToolError(tools.HINTS[header], log=error.log) from error
            raise
        (work / "done").mkdir()
        (work / "obj_dir" / f"V{top}").rename(work / "done" / f"V{top}")
        try:
            (work / "done").rename(model.parent)
        except OSError:  # another process has built the same meanwhile
            if not model.exists():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return model


def _verilate(top: str, work: Path, log: Path, options: Sequence[str], optimize: str) -> None:
    verilator = tools.verilator()
    words = ("run time", verilator.version, optimize, *options)
    run_time = cache_folder() / hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
    (work / "obj_dir").mkdir()
    copy_run_time(run_time, work / "obj_dir")
    sources = sorted(path.name for path in work.iterdir() if path.suffix in (".v", ".cpp"))
    tools.run(
        [
            verilator.program,
            *("--cc", "--exe", "--build", "-j", "2", "--top-module", top),
            # The emitted Verilog is linted on its own; here only speed matters.
            *("-Wno-fatal", "-Wno-lint", "--x-assign", "fast", "--noassert", "-CFLAGS", "-I.."),
            *options,
            # The wheel's own rule for precompiled headers is broken for large models.
            # It also calls `python`, which a bare Debian does not have.
            "-MAKEFLAGS",
            f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST={optimize} PYTHON3={sys.executable}",
            *sources,
        ],
        cwd=work,
        log=log,
        timeout=1800,
        env=verilator.env,
    )
    log.unlink()
    if run_time.exists():
        return
    # Where the disk is full, or another process was faster, nothing is lost: the model is there.
    with (
        contextlib.suppress(OSError),
        tempfile.TemporaryDirectory(prefix="building-", dir=cache_folder()) as folder,
    ):
        kept = Path(folder) / "kept"
        kept.mkdir()
        copy_run_time(work / "obj_dir", kept)
        kept.rename(run_time)


def copy_run_time(source: Path, target: Path) -> None:
    """Copy what is compiled of Verilator itself, the same for all designs."""
    for compiled in source.glob("verilated*.o"):
        if not (target / compiled.name).exists():
            shutil.copy(compiled, target)
            # They must be newer than the makefile, which is yet to be written.
            tomorrow = time.time() + _A_DAY
            os.utime(target / compiled.name, (tomorrow, tomorrow))
