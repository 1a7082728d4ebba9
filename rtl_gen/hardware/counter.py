"""Counters and flags of loop nests."""

from typing import Any

from amaranth import Module, Mux, Signal


def flags(*names: str) -> tuple[Signal, ...]:
    """One-bit signals of these names: Amaranth can't see them in a tuple of assignments."""
    return tuple(Signal(name=name) for name in names)


class Counter:
    """A loop counter: counts 0 .. limit - 1 and starts again."""

    def __init__(self, name: str, bits: int) -> None:
        self.value = Signal(bits, name=f"{name}_index")

    def last(self, limit: Any) -> Any:
        """Whether this is the loop's last round."""
        return self.value + 1 == limit

    def step(self, m: Module, limit: Any) -> None:
        """Next round at the end of the cycle, under the conditions of the place."""
        m.d.sync += self.value.eq(Mux(self.last(limit), 0, self.value + 1))


def nested(m: Module, loops: tuple[tuple[Counter, Any], ...]) -> Any:
    """Step a nest of loops, innermost first; returns whether this is the last round of all."""
    last: Any = 1
    for counter, limit in loops:
        with m.If(last):
            counter.step(m, limit)
        last = last & counter.last(limit)
    return last
