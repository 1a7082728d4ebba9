"""A processing element as an executable model, register by register."""

from __future__ import annotations

from typing import Any

import numpy as np

from characterize.regression import random_codes
from rtl_gen.config import AcceleratorConfig
from rtl_gen.formats import FloatAccumulator

Instruction = dict[str, int]


class PeModel:
    """Scratchpads, operands, products and outgoing sum of one PE; sums are codes."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.numbers = config.arithmetic
        self.ifmap = [0] * config.ifmap_words
        self.weight = [0] * config.weight_words
        self.psum = [0] * config.psum_words
        self.operands = (0, 0)
        nothing = self.numbers.accumulator.decode(0)
        # The youngest first. A weight from a macro is a cycle late, and so is its product.
        self.products = [nothing] * config.mac_latency
        self.psum_out = 0

    def step(self, now: Instruction) -> None:
        """One clock edge; everything reads what stood there before it."""
        stored = self.psum[now["psum_address"]]
        product = self.numbers.multiply(*self.operands)
        if now["drain"]:
            above = self.numbers.accumulator.decode(now["psum_in"])
            self.psum_out = self._added(stored if now["active"] else 0, above)
        if now["accumulate"] and now["active"]:
            addend = 0 if now["first"] else stored
            self.psum[now["psum_address"]] = self._added(addend, self.products[-1])
        self.products = [product, *self.products[:-1]]
        if now["mac"] and now["active"]:
            self.operands = (
                self.ifmap[now["ifmap_read_address"]],
                self.weight[now["weight_read_address"]],
            )
        if now["ifmap_write"]:
            self.ifmap[now["ifmap_write_address"]] = now["activation"]
        if now["weight_write"]:
            self.weight[now["weight_write_address"]] = now["weight"]

    def _added(self, code: int, value: Any) -> int:
        kept = self.numbers.accumulator
        return int(kept.encode(self.numbers.add(kept.decode(code), value)))


def instructions(
    config: AcceleratorConfig, rates: dict[str, float], cycles: int, seed: int
) -> list[Instruction]:
    """Random instructions, each strobe high at its rate; sums from above often at the limits."""
    random = np.random.default_rng(seed)
    numbers = config.arithmetic
    kept = numbers.accumulator
    strobes = {name: random.random(cycles) < rate for name, rate in rates.items()}
    words = {
        **{
            f"{name}_{side}_address": random.integers(0, getattr(config, f"{name}_words"), cycles)
            for name in ("ifmap", "weight")
            for side in ("write", "read")
        },
        "psum_address": random.integers(0, config.psum_words, cycles),
        "activation": random_codes(numbers.activation, random, (cycles,)),
        "weight": random_codes(numbers.weight, random, (cycles,)),
        "psum_in": np.where(
            random.random(cycles) < 0.3,
            random.choice(kept.encode([kept.minimum, kept.maximum, 0]), cycles),
            _sums(config, random, cycles),
        ),
    }
    columns = {**strobes, **words}
    return [{name: int(column[t]) for name, column in columns.items()} for t in range(cycles)]


def filling(config: AcceleratorConfig) -> list[Instruction]:
    """Every word of every scratchpad gets a value: what is not written is not defined."""
    nothing = dict.fromkeys(instructions(config, dict.fromkeys(STROBES, 0.0), 1, 1)[0], 0)
    code = int(random_codes(config.arithmetic.weight, np.random.default_rng(1), (1,))[0])
    result = [
        *({"ifmap_write": 1, "ifmap_write_address": word} for word in range(config.ifmap_words)),
        *(
            {"weight_write": 1, "weight_write_address": word, "weight": code}
            for word in range(config.weight_words)
        ),
        *({"active": 1, "mac": 1} for _ in range(1 + config.mac_latency)),
        *(
            {"active": 1, "accumulate": 1, "first": 1, "psum_address": word}
            for word in range(config.psum_words)
        ),
        {"drain": 1},
    ]
    return [{**nothing, **part} for part in result]


STROBES = ("active", "ifmap_write", "weight_write", "mac", "accumulate", "first", "drain")


def _sums(config: AcceleratorConfig, random: np.random.Generator, count: int) -> Any:
    """Random codes of sums."""
    kept = config.arithmetic.accumulator
    if isinstance(kept, FloatAccumulator):
        return random_codes(kept.format, random, (count,))
    return random.integers(kept.minimum, kept.maximum + 1, count)
