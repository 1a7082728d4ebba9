"""Compiled models: where they are kept, and what happens when a build fails or meets another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from characterize import compiled_model, simulation, tools
from characterize.simulation import build
from rtl_gen.descriptor import FIELDS
from rtl_gen.errors import ToolError
from tests.rtl_gen.small import small


@pytest.fixture
def without_verilator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and stand-ins for emission and tools; `_verilate` is the test's."""
    monkeypatch.setenv("QUIDAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(simulation, "core_verilog", lambda config: "// stand-in\n")
    found = tools.Verilator(program=Path("verilator"), version="5.048", env={})
    monkeypatch.setattr(tools, "verilator", lambda: found)
    return tmp_path / "cache"


def test_a_failed_build_leaves_its_log_in_the_cache_and_no_model(
    without_verilator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(top: str, work: Path, log: Path, options: Sequence[str], optimize: str) -> None:
        assert (work / f"{top}.v").read_text() == "// stand-in\n"
        assert "--trace-fst" not in options
        log.write_text("%Error")
        raise ToolError("verilator failed", log=str(log))

    monkeypatch.setattr(compiled_model, "_verilate", fail)
    with pytest.raises(ToolError, match="verilator failed") as failure:
        build(small("one_pe"))
    assert list(without_verilator.iterdir()) == [Path(failure.value.log)]


def test_two_builds_of_the_same_do_not_meet(
    without_verilator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one compiles, another one compiles the same from beginning to end."""
    logs: list[Path] = []

    def compile_twice(top: str, work: Path, log: Path, *_: object) -> None:
        logs.append(log)
        log.touch()
        if len(logs) == 1:
            build(small("one_pe"))
        (work / "obj_dir").mkdir()
        (work / "obj_dir" / f"V{top}").write_text(log.name)
        log.unlink()

    monkeypatch.setattr(compiled_model, "_verilate", compile_twice)
    model = build(small("one_pe"))
    assert len(set(logs)) == 2
    assert model.read_text() == logs[1].name, "the first that is ready stays"
    assert list(without_verilator.iterdir()) == [model.parent]


def test_a_model_that_traces_is_another_one(
    without_verilator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its harness is told so, and the ports in the order of the descriptor."""

    def compiled(top: str, work: Path, log: Path, options: Sequence[str], optimize: str) -> None:
        waves = "--trace-fst" in options
        header = (work / "fields.h").read_text()
        assert ("#define QUIDAM_WAVES" in header.splitlines()) == waves
        ports = [f"X(layer_{name})" for name in FIELDS]
        assert f"#define QUIDAM_FIELDS(X) {' '.join(ports)}" in header.splitlines()
        (work / "obj_dir").mkdir()
        (work / "obj_dir" / f"V{top}").touch()

    monkeypatch.setattr(compiled_model, "_verilate", compiled)
    models = {build(small("one_pe"), waves=waves) for waves in (False, True)}
    assert len(models) == 2
    assert {path.parent for path in models} == set(without_verilator.iterdir())


def test_the_run_time_is_compiled_once_for_models_that_are_built_alike(
    without_verilator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is newer than the makefile of the second, which compiles it as long as it is older."""
    found: list[str] = []

    def compiled(words: Sequence[str], *, cwd: Path, log: Path, **_: object) -> None:
        work = cwd / "obj_dir"
        makefile, run_time = work / "Vcore.mk", work / "verilated.o"
        makefile.touch()
        if run_time.exists() and run_time.stat().st_mtime > makefile.stat().st_mtime:
            found.append(run_time.read_text())
        else:
            run_time.write_text(f"of build {len(found)}")
            found.append("none")
        (work / "Vcore").touch()
        log.touch()

    monkeypatch.setattr(tools, "run", compiled)
    for name, waves in (("one_pe", False), ("one_row", False), ("one_pe", True), ("gated", True)):
        build(small(name), waves=waves)
    assert found == ["none", "of build 0", "none", "of build 2"]
    assert len(list(without_verilator.iterdir())) == 4 + 2


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIDAM_CACHE", "/somewhere")
    assert compiled_model.cache_folder() == Path("/somewhere")
    monkeypatch.delenv("QUIDAM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert compiled_model.cache_folder() == Path("/caches/quidam")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert compiled_model.cache_folder() == Path.home() / ".cache" / "quidam"
