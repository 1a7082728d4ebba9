"""Liberty files made ready for the tools: unpacked, cells that must not be used taken out.

The rest of each text stays as it is, so that every tool reads the foundry's own numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from characterize.liberty_numbers import number, unit
from characterize.liberty_text import arguments, read_text
from characterize.technology import Technology
from rtl_gen.errors import UserError

_CELL = re.compile(r'(?<!\w)cell\s*\(\s*"?([^"()\s]+)"?\s*\)\s*\{')
_PIN = re.compile(r"(?<!\w)(?:pin|bus|bundle)\s*\([^()]*\)\s*\{")
_INPUT = re.compile(r'(?<!\w)direction\s*:\s*"?input"?')
_CAPACITANCE = re.compile(r'(?<!\w)((?:rise_|fall_)?capacitance\s*:\s*"?)([-+.\deE]+)')
_UNIT = re.compile(r"capacitive_load_unit\s*\(([^()]*)\)")
_TOKEN = re.compile(r'[{}]|"[^"]*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
# A comment without an end goes to the end, so that it is looked for once.
_COMMENT = re.compile(r'("[^"]*")|/\*.*?(?:\*/|\Z)', re.DOTALL)


def prepare(technology: Technology, folder: Path) -> tuple[Path, ...]:
    """Write the library as plain Liberty files into `folder`; existing ones are replaced.

    Parameters
    ----------
    technology : its `prune` patterns say which cells to leave out (but its latch and clock gate,
        which stay, for scratchpads to be built of); its `wire_ff_per_pin` is added
        to the capacitance of every input pin, so that synthesis, timing and power see one wire.

    Raises
    ------
    UserError
        When a file is damaged, a pattern matches no cell, or no cell remains.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unused = set(technology.prune)
    wanted = {technology.latch, technology.clock_gate} - {None}
    missing = set(wanted)
    kept = 0
    paths = []
    for place, file in enumerate(technology.liberty):
        text = _COMMENT.sub(lambda match: match[1] or " ", read_text(file.path))
        cells = [name for name, _, _ in _cells(text, file.path)]
        unused -= {glob for glob in unused if any(fnmatchcase(name, glob) for name in cells)}
        kept += sum(not _matches(name, technology.prune) for name in cells)
        text = prune(text, technology.prune, file.path, keep=wanted)
        missing -= set(cells)
        if technology.wire_ff_per_pin:
            text = add_wire(text, technology.wire_ff_per_pin, file.path)
        path = folder / f"cells_{place}.lib"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    if missing:
        raise UserError(f"latch and clock_gate must be cells of the library, not {missing}")
    if unused:
        raise UserError(f"prune must match cells of the library, not {sorted(unused)!r}")
    if not kept:
        raise UserError(f"prune must leave cells, not {list(technology.prune)!r}")
    return tuple(paths)


def prune(
    text: str, patterns: Sequence[str], path: Path, *, keep: Collection[str | None] = ()
) -> str:
    """The Liberty text without the cells whose name matches a pattern and is not to be kept."""
    parts, position = [], 0
    for name, start, end in _cells(text, path):
        if _matches(name, patterns) and name not in keep:
            parts.append(text[position:start])
            position = end
    return "".join([*parts, text[position:]])


def add_wire(text: str, wire_ff: float, path: Path) -> str:
    """The Liberty text with `wire_ff` more capacitance at every input pin of its cells."""
    said = _UNIT.search(text)
    try:
        femto = unit(" ".join(arguments(said[1] if said else "")), "f") * 1e15
    except ValueError as error:
        raise UserError(f"{path}: capacitive_load_unit: {error}") from error
    parts, position = [], 0
    for _, start, end in _cells(text, path):
        for pin in _PIN.finditer(text, start, end):
            close = _close(text, pin.end(), path)
            if not _INPUT.search(text, pin.end(), close):
                continue
            body = _CAPACITANCE.sub(
                lambda match: match[1] + _more(match[2], wire_ff / femto, path),
                text[pin.end() : close],
            )
            parts += [text[position : pin.end()], body]
            position = close
    return "".join([*parts, text[position:]])


def _more(capacitance: str, wire: float, path: Path) -> str:
    try:
        return f"{number(capacitance, low=0) + wire:.9g}"
    except ValueError as error:
        raise UserError(f"{path}: capacitance: {error}") from error


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
