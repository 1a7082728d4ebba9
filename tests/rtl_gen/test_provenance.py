"""Where a result comes from: the commit of any kind of checkout."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from rtl_gen import provenance

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree of which `provenance` believes to be part."""
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "tree" / "rtl_gen" / "x.py"))
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def test_a_branch(root: Path) -> None:
    (root / ".git" / "refs" / "heads").mkdir(parents=True)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert provenance.commit() is None
    (root / ".git" / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    assert provenance.commit() == COMMIT
    (root / ".git" / "refs" / "heads" / "main").write_text(COMMIT[::-1])
    assert provenance.commit() == COMMIT[::-1]


def test_a_detached_head(root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_text(f"{COMMIT}\n")
    assert provenance.commit() == COMMIT


def test_a_worktree(root: Path) -> None:
    common = root.parent / "main" / ".git"
    own = common / "worktrees" / "tree"
    own.mkdir(parents=True)
    (root / ".git").write_text(f"gitdir: {own}\n")
    (own / "HEAD").write_text("ref: refs/heads/topic\n")
    (own / "commondir").write_text("../..\n")
    (common / "refs" / "heads").mkdir(parents=True)
    (common / "refs" / "heads" / "topic").write_text(COMMIT)
    assert provenance.commit() == COMMIT


def test_no_checkout(root: Path) -> None:
    assert provenance.commit() is None


def test_hashes_and_versions() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert provenance.sha256("") == provenance.sha256(b"") == empty
    assert provenance.sha256("\u00b5") == provenance.sha256(b"\xc2\xb5")
    assert provenance.generator_versions()["amaranth"] == importlib.metadata.version("amaranth")
