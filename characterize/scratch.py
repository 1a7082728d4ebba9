"""Folders for work under way, at paths that every tool can take.

ABC splits what it is told at blanks, and Yosys tells it absolute paths: a folder with a blank in
its path, wherever the blank stands, is no place for either.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from pathlib import Path

from rtl_gen.errors import UserError

_PLAIN = re.compile(r"[\w./+:@%,=-]+", re.ASCII)
_PREFIX = "quidam-"


def is_plain(path: Path) -> bool:
    """Whether every tool can take the path, links in it resolved."""
    return _PLAIN.fullmatch(str(path.resolve())) is not None


def temporary_folder() -> Path:
    """A new empty folder at a plain path; whoever asks for it removes it.

    Raises
    ------
    UserError
        When the system's folder for temporary files has no plain path.
    """
    system = tempfile.gettempdir()
    if not is_plain(Path(system)):
        raise UserError(f"TMPDIR must be a path without blanks and quotes, not {system!r}")
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def make(place: Path) -> Path:
    """The scratch folder of a store, empty: `place` itself, or a plain one that it leads to."""
    remove(place)
    if is_plain(place):
        place.mkdir()
        return place
    folder = temporary_folder()
    place.symlink_to(folder)  # so that the next sweep finds what a killed one left behind
    return folder


def remove(place: Path) -> None:
    """Remove what `make` made there, by this process or one that was killed."""
    if place.is_symlink():
        target = place.readlink()
        # A store may come from somebody else: only what can be ours is removed.
        if target.name.startswith(_PREFIX) and target.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(target, ignore_errors=True)
        place.unlink()
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(place)
