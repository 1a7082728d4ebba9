"""Where results are printed, a terminal or a file in its place; and warnings."""

from __future__ import annotations

import sys

from rich.console import Console

#: Of lines in a file, which cuts nothing off: no table is wider.
FILE_WIDTH = 200


def console(*, stderr: bool = False) -> Console:
    """A console as wide as its terminal; in a file, as wide as any table."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=FILE_WIDTH)


def warn(text: str) -> None:
    """Say on stderr what is no reason to stop."""
    print(f"quidam: warning: {text}", file=sys.stderr, flush=True)
