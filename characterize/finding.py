"""One thing that is missing or odd about a technology, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about a technology.

    Parameters
    ----------
    severity : "error": it can't be characterized; "warning": its numbers may be wrong; "note":
        good to know.
    cell : which cell, or "" for all of the technology.
    message : what, and what to do.
    proposal : the line of the technology file that would mend it, or "".
    """

    severity: Severity
    cell: str
    message: str
    proposal: str = ""


def error(message: str, proposal: str = "") -> Finding:
    """What keeps the technology from being characterized."""
    return Finding(severity="error", cell="", message=message, proposal=proposal)


def note(message: str, proposal: str = "") -> Finding:
    """What is good to know of the technology."""
    return Finding(severity="note", cell="", message=message, proposal=proposal)


def prune_line(cell: str) -> str:
    """The proposal not to use a cell."""
    return f"prune: [{cell}]"
