"""Below the array: the banks that keep sums between passes, and the output stage after them."""

from __future__ import annotations

from collections import Counter, deque
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from rtl_gen.formats import Arithmetic
from tests.rtl_gen.engines import Descriptor, Drain, Parameter, Send

Array = NDArray[np.int64]
Counts = Counter[tuple[str, str]]


def added(numbers: Arithmetic, left: Array | int, right: Array) -> Array:
    """An addition of accumulators: clipped, or wrapped (which never happens)."""
    total = left + right
    low, high = numbers.accumulator.minimum, numbers.accumulator.maximum
    if numbers.accumulator.saturating:
        return np.clip(total, low, high)
    assert np.all((total >= low) & (total <= high)), "an automatic accumulator overflowed"
    return np.asarray(total)


def pack(words: list[int], bits: int, beat_bits: int) -> NDArray[np.uint8]:
    """Signed words in a beat from its low bits up."""
    value = sum((word % 2**bits) << lane * bits for lane, word in enumerate(words))
    return np.frombuffer(value.to_bytes(beat_bits // 8, "little"), np.uint8)


class Banks:
    """The partial-sum memories of all columns, even and odd words apart, one port each.

    A sum drained in cycle T leaves the last row in T + rows + 3, when its word is read; it is
    added and stands before its memory three cycles later, and is written as soon as that is not
    being read.
    """

    def __init__(self, config: AcceleratorConfig, layer: Descriptor, counts: Counts) -> None:
        words = layer["sum_words"]
        depth = config.buffer_kib * 4096 // (2 * config.columns * config.accumulator_bits)
        assert words <= 2 * depth, "sums for which the memories have no room"
        self.numbers, self.counts = config.arithmetic, counts
        self.active = layer["column_sets"] * layer["column_taps"]
        self.passes = layer["column_folds"] * layer["row_folds"] * layer["channel_passes"]
        self.memory = np.zeros((words, config.columns), np.int64)
        # What a word holds, (group, passes summed), and whether it has been sent.
        self.holds: list[tuple[int, int] | None] = [None] * words
        self.sent = [True] * words
        self.words_sent = 0
        self.leaving: deque[tuple[Drain, Array] | None] = deque([None] * (config.rows + 3))
        self.adding: deque[tuple[Drain, Array] | None] = deque([None] * 3)
        self.waiting: dict[int, tuple[Drain, Array]] = {}

    @property
    def idle(self) -> bool:
        return not (any(self.leaving) or any(self.adding) or self.waiting)

    def cycle(self, drained: tuple[Drain, Array] | None, send: Send | None) -> Array | None:
        """One cycle; returns the word that is read to be sent, if one is."""
        ready = self.adding.popleft()
        if ready is not None:
            parity = ready[0].word % 2
            assert parity not in self.waiting, "a sum meets another that still waits"
            self.waiting[parity] = ready
        self.leaving.append(drained)
        arrived, reading, found = self.leaving.popleft(), set[int](), None
        self.adding.append(self._add(arrived, reading) if arrived is not None else None)
        if send is not None and send.reads:
            found = self._read(send.word, (send.group, self.passes), reading)
            self.sent[send.word] = True
            self.words_sent += 1
        for parity in set(self.waiting) - reading:
            self._write(*self.waiting.pop(parity))
        return found

    def _add(self, arrived: tuple[Drain, Array], reading: set[int]) -> tuple[Drain, Array]:
        drain, sums = arrived
        kept: Array | int = 0
        if drain.in_group > 0:
            kept = self._read(drain.word, (drain.group, drain.in_group), reading)
        return drain, added(self.numbers, kept, sums)

    def _read(self, word: int, wanted: tuple[int, int], reading: set[int]) -> Array:
        assert word % 2 not in reading, "two readers at one port"
        assert self.holds[word] == wanted, f"word {word} holds {self.holds[word]}, not {wanted}"
        reading.add(word % 2)
        self.counts["psum_sram", "reads"] += self.active
        return np.array(self.memory[word])

    def _write(self, drain: Drain, total: Array) -> None:
        word = drain.word
        assert drain.in_group > 0 or self.sent[word], "an output is overwritten before it is sent"
        self.memory[word] = total
        self.holds[word] = (drain.group, drain.in_group + 1)
        self.sent[word] = False
        self.counts["psum_sram", "writes"] += self.active


class OutputStage:
    """Puts sums in beats, raw or as codes, with numbers from two parameter memories in turn."""

    def __init__(self, config: AcceleratorConfig, layer: Descriptor, counts: Counts) -> None:
        self.config, self.layer, self.counts = config, layer, counts
        self.ways = lanes(config.bus_bits, config.accumulator_bits)
        self.shared = lanes(config.bus_bits, config.activation_bits) // self.ways
        self.words: Array = np.zeros(0, np.int64)
        self.bias = 0
        self.parameters: dict[tuple[int, int], tuple[int, int, int, int]] = {}
        self.codes: list[int] = []
        self.beats: list[NDArray[np.uint8]] = []

    def take(self, action: Parameter, beat: int) -> None:
        """A beat of parameters: bias, then multiplier and shift, which are one word together."""
        if not action.scale:
            self.bias = signed(beat, self.config.accumulator_bits)
            return
        numbers = (action.group, self.bias, beat % 2**16, (beat >> 16) % 2**6)
        self.parameters[action.group % 2, action.address] = numbers
        self.counts["parameter_sram", "writes"] += 1

    def send(self, action: Send, word: Array | None) -> None:
        """One step; `word` is the one just read, for the first step of a word."""
        if word is not None:
            self.words = word
        lanes_used = range(action.tap_group * self.ways, (action.tap_group + 1) * self.ways)
        taps, first = self.layer["column_taps"], action.target * self.layer["column_taps"]
        # Lanes beyond the set are not specified: something that would be noticed.
        sums = [int(self.words[first + lane]) if lane < taps else -1 for lane in lanes_used]
        if not self.layer["quantized"]:
            self.beats.append(pack(sums, self.config.accumulator_bits, self.config.bus_bits))
            return
        filter_ = action.word % self.layer["filters"]
        address = action.target * self.layer["filters"] + filter_
        group, *numbers = self.parameters[action.group % 2, address]
        assert group == action.group, "parameters of another group"
        self.counts["parameter_sram", "reads"] += 1
        self.codes += [self._code(total, *numbers) for total in sums]
        if action.closes or len(self.codes) == self.shared * self.ways:
            beat = pack(self.codes, self.config.activation_bits, self.config.bus_bits)
            self.beats.append(beat)
            self.codes = []

    def _code(self, total: int, bias: int, multiplier: int, shift: int) -> int:
        zero_point, low, high = (signed(self.layer[n], 16) for n in ("zero_point", "low", "high"))
        # Python rounds halves to the even number, and fractions are exact.
        rounded = round(Fraction((total + bias) * multiplier, 2**shift))
        return int(min(max(rounded + zero_point, low), high))


def lanes(bus_bits: int, word_bits: int) -> int:
    """The largest power of two of words that fits in a beat."""
    count = 1
    while 2 * count * word_bits <= bus_bits:
        count *= 2
    return count


def signed(value: int, bits: int) -> int:
    """The low bits of a number, two's complement."""
    half = 1 << bits - 1
    return (value + half) % (2 * half) - half
