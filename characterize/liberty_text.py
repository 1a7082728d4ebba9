"""The syntax of Liberty: text in, a tree of groups out. What the groups mean, liberty.py knows."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rtl_gen.errors import UserError

#: What a small compressed file may become: the largest real libraries have half of it.
MOST_BYTES = 2**30
_BLANK = re.compile(r"(?:[\s;\\]+|/\*.*?\*/|//[^\n]*)*", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")
_VALUE = re.compile(r'\s*:\s*("(?:[^"\\]|\\.)*"|[^;{}"\n]*)', re.DOTALL)
_ARGUMENTS = re.compile(r'\s*\(([^()"]*(?:"[^"]*"[^()"]*)*)\)\s*(\{)?')
_BRACE = re.compile(r'[{}]|"[^"]*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
_ARGUMENT = re.compile(r'"([^"]*)"|([^\s,"\\]+)')


@dataclass(slots=True)
class Group:
    """`name (arguments) { ... }`: its attributes by name, in file order, and its subgroups."""

    name: str
    arguments: tuple[str, ...]
    line: int
    attributes: dict[str, list[str]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def named(self, *names: str) -> Iterator[Group]:
        """The subgroups of these names, in file order."""
        return (group for group in self.groups if group.name in names)

    def text(self, name: str, default: str = "") -> str:
        """The last value given to a simple attribute, without its quotation marks."""
        return self.attributes.get(name, (default,))[-1]

    def words(self, name: str) -> tuple[str, ...]:
        """The arguments of the last complex attribute `name (a, b, ...)`."""
        return arguments(self.text(name))


def arguments(text: str) -> tuple[str, ...]:
    """The arguments between a pair of parentheses, without their quotation marks."""
    return tuple(quoted or bare for quoted, bare in _ARGUMENT.findall(text))


def read_groups(path: Path, *, skip: frozenset[str] = frozenset()) -> Group:
    """The `library` group of a Liberty file (plain or .gz), without the groups named in `skip`.

    Raises
    ------
    UserError : the file is missing, damaged, cut short or not Liberty; names file, line and rule.
    """
    return _Reader(path, read_text(path), skip).library()


def read_text(path: Path) -> str:
    """The text of a Liberty file, plain or .gz.

    Raises
    ------
    UserError : the file is missing, damaged or larger than any library.
    """
    return read_bytes(path).decode("utf-8", "replace")


def read_bytes(path: Path) -> bytes:
    """What `read_text` reads, before it is text; errors as there."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: a Liberty file must be readable: {error}") from error
    if len(data) > MOST_BYTES:
        raise UserError(f"{path}: a Liberty file must have {MOST_BYTES >> 20} MiB at most")
    return bytes(data)


class _Reader:
    def __init__(self, path: Path, text: str, skip: frozenset[str]) -> None:
        self.path, self.text, self.skip = path, text, skip
        self.seen, self.line = 0, 1  # lines are counted once, up to where reading got

    def library(self) -> Group:
        """Every statement of the file, hung into its group."""
        top = Group("", (), 0)
        stack = [top]
        text, position, end = self.text, 0, len(self.text)
        while (position := self._blank(position)) < end:
            if text[position] == "}":
                if len(stack) == 1:
                    raise self._error(position, "must not close a group that is not open")
                stack.pop()
                position += 1
                continue
            position = self._statement(position, stack)
        if len(stack) > 1:
            opened = stack[-1]
            raise self._error(end, f"must close the group {opened.name} of line {opened.line}")
        if [group.name for group in top.groups] != ["library"]:
            raise self._error(0, "must hold one library group")
        return top.groups[0]

    def _statement(self, position: int, stack: list[Group]) -> int:
        """Reads one attribute or the head of one group; returns where the next begins."""
        text = self.text
        name = _NAME.match(text, position)
        if name is None:
            raise self._error(position, f"must have a statement here, not {text[position]!r}")
        if value := _VALUE.match(text, name.end()):
            simple = value[1].strip().strip('"')
            said = stack[-1].attributes.setdefault(name[0], [])
            if said and said[-1] != simple:  # tools differ in which one they believe
                rule = f"must give {name[0]} once, not {said[-1]!r:.40} and {simple!r:.40}"
                raise self._error(position, rule)
            said.append(simple)
            return value.end()
        head = _ARGUMENTS.match(text, name.end())
        if head is None:
            raise self._error(position, f"must have ':' or '(...)' after {name[0]!r}")
        if head[2] is None:
            stack[-1].attributes.setdefault(name[0], []).append(head[1])
        elif name[0] in self.skip:
            return self._close(head.end())
        else:
            group = Group(name[0], arguments(head[1]), self._line(position))
            stack[-1].groups.append(group)
            stack.append(group)
        return head.end()

    def _close(self, position: int) -> int:
        """Where the group whose brace opened just before `position` ends."""
        depth = 1
        for match in _BRACE.finditer(self.text, position):
            depth += {"{": 1, "}": -1}.get(match[0], 0)
            if depth == 0:
                return match.end()
        raise self._error(len(self.text), f"must close the group of line {self._line(position)}")

    def _blank(self, position: int) -> int:
        match = _BLANK.match(self.text, position)
        assert match is not None  # it matches the empty string
        return match.end()

    def _line(self, position: int) -> int:
        if position < self.seen:
            return self.text.count("\n", 0, position) + 1
        self.line += self.text.count("\n", self.seen, position)
        self.seen = position
        return self.line

    def _error(self, position: int, rule: str) -> UserError:
        return UserError(f"{self.path}:{self._line(position)}: a Liberty file {rule}")
