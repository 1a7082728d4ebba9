"""A Liberty file that a technology names: where it lies, and whether it is the one expected."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from characterize.liberty_text import read_bytes
from rtl_gen.errors import UserError

#: Variables that name folders of libraries.
ROOTS = ("PDK_ROOT", "FLOW_HOME", "QUIDAM_LIBERTY")

#: A pin's arguments, past strings and comments, which may look like one.
_PIN = re.compile(
    rb'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//[^\n]*|\b(?:pin|bus|bundle)\s*\(([^)]*)\)', re.DOTALL
)
_QUOTED = re.compile(rb'"[\w\[\]:.]*"')
_BARE = re.compile(rb"[\w\[\]:.,\s\\]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LibertyFile:
    """A Liberty file, plain or .gz, and the SHA-256 of its text that was expected, or ""."""

    path: Path
    expected_sha256: str

    def sha256(self) -> str:
        """Of the text that is there, after unpacking: compressed or not, it is one library."""
        state = self.path.stat()
        return _sha256(self.path, state.st_mtime_ns, state.st_size)

    def check_names(self) -> None:
        """Refuse names of pins that would be more than a name in a script or in Verilog.

        Raises
        ------
        UserError
            Names the file and what stands for a pin.
        """
        state = self.path.stat()
        if odd := _odd_name(self.path, state.st_mtime_ns, state.st_size):
            raise UserError(
                f"names of pins must be letters, digits and _, perhaps with an index, not {odd!r} "
                f"({self.path})"
            )


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, _mtime_ns: int, _size: int) -> str:
    # Every sample of a sweep asks, and large libraries take a while to unpack.
    return hashlib.sha256(read_bytes(path)).hexdigest()


@functools.lru_cache(maxsize=64)
def _odd_name(path: Path, _mtime_ns: int, _size: int) -> str:
    """The arguments of the first pin that are no plain names; "" if all are."""
    try:
        text = read_bytes(path)
    except UserError:
        return ""  # damaged: whoever reads it says so
    for match in _PIN.finditer(text):
        if match[1] is not None and not _BARE.fullmatch(_QUOTED.sub(b"", match[1])):
            return match[1].decode(errors="replace")
    return ""


def locate(candidates: Sequence[str], folder: Path, expected_sha256: str = "") -> Path:
    """The first candidate that is the expected file, or there, or whose variables have values, or
    at all.

    Parameters
    ----------
    candidates : at least one; relative to `folder`, environment variables in them are filled in.
    expected_sha256 : of the text; "" where any file will do.
    """
    # Variables that are not set stay as they are: such a file is missing.
    expanded = [Path(os.path.expandvars(text)).expanduser() for text in candidates]
    paths = [path if unset(str(path)) else folder / path for path in expanded]
    here = [path for path in paths if path.is_file()]
    if expected_sha256 and len(here) > 1:
        here.sort(key=lambda path: not _is_expected(path, expected_sha256))
    told = [path for path in paths if not unset(str(path))]
    return [*here, *told, *paths][0]


def _is_expected(path: Path, sha256: str) -> bool:
    try:
        return LibertyFile(path=path, expected_sha256=sha256).sha256() == sha256
    except (UserError, OSError):
        return False  # damaged: whoever reads it says so


def unset(path: str) -> list[str]:
    """Environment variables in a path that have no value."""
    return [name for name in re.findall(r"\$\{?(\w+)", path) if not os.environ.get(name)]


def root_of(path: Path) -> tuple[str, Path] | None:
    """The variable of `ROOTS` whose folder, which must be there, the path lies in; and the rest."""
    for name in ROOTS:
        root = Path(os.environ.get(name) or os.devnull).resolve()
        if root.is_dir() and path.resolve().is_relative_to(root):
            return name, path.resolve().relative_to(root)
    return None
