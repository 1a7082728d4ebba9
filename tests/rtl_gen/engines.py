"""The accelerator's engines, which work side by side, and what they can do in a cycle.

Every action says what data it moves or must find, so that the model (`tests.rtl_gen.model`) can
tell a word that came too late or was overwritten too early.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Descriptor = dict[str, int]
Action = TypeVar("Action")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass over the output columns.

    Parameters
    ----------
    number : in the layer. group : number of its group of sums in the layer; in_group : its number
        in there; last : the group's last.
    first_filters : its group is the first of filters in its strip and tile.
    last_channels : its channel pass is the last, where channels may be absent.
    position : of its first column in the map.
    """

    number: int
    group: int
    in_group: int
    last: bool
    first_filters: bool
    last_channels: bool
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """The sum of one output, `word` of a column's memories, leaves the PEs after a pass."""

    word: int
    group: int
    in_group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mac:
    """A multiply-accumulate, or only a drain: members of the instruction, and what it must find."""

    fields: dict[str, int]
    ifmap_tag: int = 0
    weight_tag: int = 0
    drain: Drain | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A beat to the scratchpads: members of the instruction, and what it brings there.

    source : "stream", "buffer", "padding" or "absent". kept : the buffer's word of a real beat.
    """

    fields: dict[str, int]
    tag: int
    source: str = "stream"
    kept: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A beat of the output stage's numbers: a bias, or the multiplier and shift beside it."""

    group: int
    address: int
    scale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """The sums of one lane group of a set of columns; `reads` the word, or `closes` its beat."""

    group: int
    word: int
    target: int
    tap_group: int
    reads: bool
    closes: bool


def never() -> bool:
    """A stream that does not stall."""
    return False


class Engine(Generic[Action]):
    """Works off actions, one a cycle.

    Parameters
    ----------
    free : how many may be taken at once, the others only when allowed; None for all of them.
    delay : cycles before the first.
    """

    def __init__(
        self, actions: Sequence[Action] = (), free: int | None = None, delay: int = 0
    ) -> None:
        self.actions = actions
        self.free = len(actions) if free is None else free
        self.delay = delay
        self.taken = 0

    @property
    def done(self) -> bool:
        return self.taken == len(self.actions)

    def advance(self, allowed: bool = True, stalls: Callable[[], bool] = never) -> Action | None:
        """One cycle: the action in it, if there is one; `stalls` may put it off."""
        if self.delay:
            self.delay -= 1
            return None
        if self.done or (self.taken >= self.free and not allowed) or stalls():
            return None
        self.taken += 1
        return self.actions[self.taken - 1]
