"""The documentation keeps its promises: links lead somewhere, commands can be typed as shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from quidam.main import VERBS, parse
from rtl_gen.config import load_config
from rtl_gen.layer import load_layer
from rtl_gen.mapper import check

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("models/trained/*.md")]
CONFIGS = sorted((ROOT / "examples/configs").glob("*.yaml"))
LAYERS = sorted((ROOT / "examples/layers").glob("*.yaml"))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> list[str]:
    """Lines of code that are a `quidam` command; synopses (with CAPITALS or ...) aside."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found = [re.match(r"(?:    |\$ )+(?:\.venv/bin/)?quidam (.*)", line) for line in lines]
    text = [match[1] for match in found if match]
    return [line for line in text if not re.search(r"\.\.\.|\||\[|\b[A-Z]{3,}\b", line)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{name(page)} links to {target}"


def test_every_page_is_in_the_index() -> None:
    folder = ROOT / "docs"
    index = {
        (page.parent / target).resolve()
        for page in (folder / "README.md", folder / "decisions/README.md")
        for target in re.findall(r"\]\(([^)#]+\.md)\)", page.read_text(encoding="utf-8"))
    }
    pages = {page.resolve() for page in folder.rglob("*.md")} - {folder.resolve() / "README.md"}
    assert {name(page) for page in pages - index} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_can_be_typed(page: Path) -> None:
    for line in commands(page):
        parse(shlex.split(line.partition("  ")[0]))


def test_commands_are_found_at_all() -> None:
    tutorial = commands(ROOT / "docs/tutorial/first-accelerator.md")
    verbs = {line.split()[0] for line in tutorial}
    assert verbs == set(VERBS) - {"verify", "formats", "glitches", "sample", "validate"}


def test_the_readme_lists_every_verb() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `quidam (\w+)", text, flags=re.MULTILINE))
    assert listed == set(VERBS)


def test_every_example_layer_runs_on_every_example_config() -> None:
    assert len(CONFIGS) >= 4
    assert len(LAYERS) >= 4
    for config in CONFIGS:
        for layer in LAYERS:
            check(load_config(config), load_layer(layer))
