"""Patterns that name cells shortly: `TBUF_X*` for all drives of a cell that is not wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from characterize.cell_kinds import FRACTION, FRACTIONAL

#: Letters behind what all names begin with that a pattern has at least: fewer say nothing.
LEAST = 3


def patterns(reasons: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Reason -> patterns that match all cells with that reason, and no cell without any.

    Parameters
    ----------
    reasons : of every cell of the library why it is not wanted, or "".
    """
    wanted = [name for name, why in reasons.items() if not why]
    least = len(shared(list(reasons))) + LEAST
    result: dict[str, tuple[str, ...]] = {}
    for why in dict.fromkeys(filter(None, reasons.values())):
        names = [name for name, reason in reasons.items() if reason == why]
        if why == FRACTIONAL:
            result[why] = tuple(_by_drive(names, wanted))
        else:
            others = [name for name, reason in reasons.items() if reason != why]
            result[why] = tuple(_by_beginning(names, others, least))
    return result


def _by_beginning(names: Sequence[str], others: Collection[str], least: int) -> Iterator[str]:
    """Names, or what several begin with: the shortest beginning that no other cell has, drawn out
    to all that its cells share."""
    left = sorted(names)
    while left:
        name = left[0]
        starts = [name[:length] for length in range(min(least, len(name)), len(name) + 1)]
        start = next((s for s in starts if not any(o.startswith(s) for o in others)), None)
        group = [other for other in left if other.startswith(start)] if start else [name]
        yield name if len(group) == 1 else shared(group) + "*"
        left = [other for other in left if other not in group]


def _by_drive(names: Sequence[str], wanted: Collection[str]) -> Iterator[str]:
    """Patterns of the drive in the middle of a name, or the name where such a pattern has more."""
    left = list(names)
    for name in names:
        found = FRACTION.search(name)
        if name not in left:
            continue
        short = f"*{found[0].rstrip('0123456789')}*" if found else name
        pattern = name if any(fnmatchcase(other, short) for other in wanted) else short
        yield pattern
        left = [other for other in left if not fnmatchcase(other, pattern)]


def shared(names: Sequence[str]) -> str:
    """What all names begin with."""
    first, last = min(names), max(names)  # all others lie between them
    same = (i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    return first[: next(same, min(len(first), len(last)))]
