"""Liberty files made ready for the tools: unpacked, cells that must not be used taken out.

The rest of each text stays as it is, so that every tool reads the foundry's own numbers.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from characterize.technology import Technology
from rtl_gen.errors import UserError

_CELL = re.compile(r'(?<!\w)cell\s*\(\s*"?([^"()\s]+)"?\s*\)\s*\{')
_PIN = re.compile(r"(?<!\w)(?:pin|bus|bundle)\s*\([^()]*\)\s*\{")
_INPUT = re.compile(r'(?<!\w)direction\s*:\s*"?input"?')
_CAPACITANCE = re.compile(r'(?<!\w)((?:rise_|fall_)?capacitance\s*:\s*"?)([-+.\deE]+)')
_UNIT = re.compile(r'capacitive_load_unit\s*\(\s*"?([\d.eE+-]+)"?\s*,\s*"?([pf])f"?\s*\)', re.I)
_TOKEN = re.compile(r'[{}]|"[^"]*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
_COMMENT = re.compile(r'("[^"]*")|/\*.*?\*/', re.DOTALL)


def prepare(technology: Technology, folder: Path) -> tuple[Path, ...]:
    """Write the library as plain Liberty files into `folder`; existing ones are replaced.

    Parameters
    ----------
    technology : its `prune` patterns say which cells to leave out; its `wire_ff_per_pin` is added
        to the capacitance of every input pin, so that synthesis, timing and power see one wire.

    Raises
    ------
    UserError
        When a file is damaged, a pattern matches no cell, or no cell remains.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unused = set(technology.prune)
    kept = 0
    paths = []
    for number, file in enumerate(technology.liberty):
        text = _COMMENT.sub(lambda match: match[1] or " ", _read(file.path))
        cells = [name for name, _, _ in _cells(text, file.path)]
        unused -= {glob for glob in unused if any(fnmatchcase(name, glob) for name in cells)}
        kept += sum(not _matches(name, technology.prune) for name in cells)
        text = prune(text, technology.prune, file.path)
        if technology.wire_ff_per_pin:
            text = add_wire(text, technology.wire_ff_per_pin, file.path)
        path = folder / f"cells_{number}.lib"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    if unused:
        raise UserError(f"prune must match cells of the library, not {sorted(unused)!r}")
    if not kept:
        raise UserError(f"prune must leave cells, not {list(technology.prune)!r}")
    return tuple(paths)


def prune(text: str, patterns: Sequence[str], path: Path) -> str:
    """The Liberty text without the cells whose name matches a pattern."""
    parts, position = [], 0
    for name, start, end in _cells(text, path):
        if _matches(name, patterns):
            parts.append(text[position:start])
            position = end
    return "".join([*parts, text[position:]])


def add_wire(text: str, wire_ff: float, path: Path) -> str:
    """The Liberty text with `wire_ff` more capacitance at every input pin of its cells."""
    unit = _UNIT.search(text)
    femto = float(unit[1]) * (1000 if unit[2].lower() == "p" else 1) if unit else 1000.0
    parts, position = [], 0
    for _, start, end in _cells(text, path):
        for pin in _PIN.finditer(text, start, end):
            close = _close(text, pin.end(), path)
            if not _INPUT.search(text, pin.end(), close):
                continue
            body = _CAPACITANCE.sub(
                lambda match: f"{match[1]}{float(match[2]) + wire_ff / femto:.9g}",
                text[pin.end() : close],
            )
            parts += [text[position : pin.end()], body]
            position = close
    return "".join([*parts, text[position:]])


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: a Liberty file must be readable: {error}") from error


def _cells(text: str, path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of every cell group."""
    position = 0
    while match := _CELL.search(text, position):
        position = _close(text, match.end(), path)
        yield match[1], match.start(), position


def _close(text: str, position: int, path: Path) -> int:
    """Where the group whose brace opened just before `position` ends."""
    depth = 1
    for match in _TOKEN.finditer(text, position):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    raise UserError(f"{path}: a Liberty file must close every group, it is cut short")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
