"""The accelerator once more, as an executable model that shares nothing with `schedule`.

It reads what the hardware reads, the descriptor and the beats of the streams, and counts cycles
and traffic as they pass, one by one.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from rtl_gen.formats import Arithmetic
from tests.rtl_gen.loop_nest import Descriptor, Step, walk

Array = NDArray[np.int64]
Beats = NDArray[np.uint8]


class PeArray:
    """All PEs of one mapping as arrays (rows, columns): scratchpads, sums, network.

    `step` obeys one instruction in every row at once, which the hardware does row by row.
    """

    def __init__(self, config: AcceleratorConfig, layer: Descriptor) -> None:
        self.arithmetic = config.arithmetic
        row, column = np.indices((config.rows, config.columns))
        self.row_set, tap = np.divmod(row, layer["kernel_rows"])
        self.column_set, out_row = np.divmod(column, layer["column_taps"])
        self.active = (self.row_set < layer["sets"]) & (self.column_set < layer["column_sets"])
        self.ifmap_row = tap + out_row * layer["offset_step"]
        self.row = row
        shape = (config.rows, config.columns)
        self.ifmap = np.zeros((config.ifmap_words, *shape), np.int64)
        self.weight = np.zeros((config.weight_words, *shape), np.int64)
        self.psum = np.zeros((config.psum_words, *shape), np.int64)
        self.counts: Counter[str] = Counter()

    @property
    def columns(self) -> NDArray[np.bool_]:
        """The columns that belong to the mapping."""
        return np.asarray(self.active[0])

    def step(self, fields: dict[str, int], beat: Array | None = None) -> Array | None:
        """Obey; returns the sums that leave the columns, if any do.

        beat : values in the beat's lanes, with a load.
        """
        sums = None
        if fields.get("load_weight"):
            assert beat is not None
            self._take(self.weight, fields, "weight", self.column_set, self.row, beat)
        if fields.get("load_ifmap"):
            assert beat is not None
            self._take(self.ifmap, fields, "ifmap", self.row_set, self.ifmap_row, beat)
        if fields.get("drain"):
            sums = self._drain(fields["psum_address"])
        if fields.get("mac"):
            self._mac(fields)
        if fields.get("mac") or fields.get("drain"):
            self.counts["psum_reads"] += int(self.active.sum())
        return sums

    def _take(
        self,
        pad: Array,
        fields: dict[str, int],
        name: str,
        wanted: Array,
        lane: Array,
        beat: Array,
    ) -> None:
        group, way = np.divmod(lane, len(beat))
        takes = self.active & (wanted == fields["target"]) & (group == fields["group"])
        pad[fields[f"{name}_address"]][takes] = beat[way[takes]]
        self.counts[f"{name}_writes"] += int(takes.sum())

    def _drain(self, address: int) -> Array:
        sums = np.zeros(self.active.shape[1], np.int64)
        for row, active in zip(self.psum[address], self.active, strict=True):
            sums = added(self.arithmetic, sums, np.where(active, row, 0))
        return sums

    def _mac(self, fields: dict[str, int]) -> None:
        address = fields["psum_address"]
        product = self.ifmap[fields["ifmap_address"]] * self.weight[fields["weight_address"]]
        before = 0 if fields["first"] else self.psum[address]
        after = added(self.arithmetic, before, product)
        self.psum[address] = np.where(self.active, after, self.psum[address])
        for name in ("ifmap_reads", "weight_reads", "psum_writes"):
            self.counts[name] += int(self.active.sum())


def added(numbers: Arithmetic, left: Array | int, right: Array) -> Array:
    """An addition of accumulators: clipped, or wrapped (which never happens)."""
    total = left + right
    low, high = numbers.accumulator.minimum, numbers.accumulator.maximum
    if numbers.accumulator.saturating:
        return np.clip(total, low, high)
    assert np.all((total >= low) & (total <= high)), "an automatic accumulator overflowed"
    return np.asarray(total)


def words(beats: Beats, bits: int, signed: bool) -> Array:
    """All words of `bits` in each beat as a power of two of them fit, (beats, lanes)."""
    count = 1
    while 2 * count * bits <= 8 * beats.shape[1]:
        count *= 2
    result = np.zeros((len(beats), count), np.int64)
    for number, beat in enumerate(beats):
        value = int.from_bytes(beat.tobytes(), "little")
        for lane in range(count):
            word = value >> lane * bits & (1 << bits) - 1
            result[number, lane] = word - (signed and word >> bits - 1) * (1 << bits)
    return result


class Model:
    """The whole accelerator: runs a layer from its descriptor and its streams.

    Parameters
    ----------
    weights, ifmaps : beats in the order of the streams; all of them must be taken.

    Attributes
    ----------
    outputs : beats sent, lanes of sums (beats, lanes).
    phases : cycles by phase. counts : traffic, by the names of `schedule.words`.
    """

    def __init__(
        self, config: AcceleratorConfig, layer: Descriptor, weights: Beats, ifmaps: Beats
    ) -> None:
        numbers = config.arithmetic
        signed = numbers.weight.name.startswith("int")
        self.weights = iter(numbers.weight.decode(words(weights, numbers.weight_bits, signed)))
        self.ifmaps = iter(ifmaps)
        self.numbers = numbers
        self.ways = len(words(ifmaps[:1], numbers.activation_bits, signed=True)[0])
        self.sum_lanes = len(words(ifmaps[:1], numbers.accumulator_bits, signed=True)[0])
        self.array = PeArray(config, layer)
        self.buffer: dict[int, Array] = {}
        self.bank = np.zeros((layer["sum_words"], config.columns), np.int64)
        self.drained = 0
        self.outputs: list[Array] = []
        self.phases: Counter[str] = Counter()
        self.counts = self.array.counts
        for step in walk(config, layer):
            self.phases[step.phase] += 1
            self._obey(step)
        assert next(self.weights, None) is None, "the weight stream is longer than the layer"
        assert next(self.ifmaps, None) is None, "the input stream is longer than the layer"

    def _obey(self, step: Step) -> None:
        fields, beat = step.fields, None
        match step.phase:
            case "load":
                assert step.address is not None
                self.counts["sram_writes"] += 1
                self.buffer[step.address] = words(
                    next(self.ifmaps)[None], self.numbers.activation_bits, signed=True
                )[0]
            case "weights":
                beat = next(self.weights)
            case "deliver":
                beat = np.zeros(self.ways, np.int64)
                if step.address is not None:
                    beat = self.buffer[step.address]
                    self.counts["sram_reads"] += 1
            case "output" if fields:
                self._send(fields["word"], fields["group"])
        if step.phase in ("weights", "deliver"):
            self.counts["beats"] += 1
        sums = self.array.step(fields, beat)
        if sums is not None:
            self._keep(sums, bool(fields["fresh"]))

    def _keep(self, sums: Array, fresh: bool) -> None:
        before = 0 if fresh else self.bank[self.drained]
        self.bank[self.drained] = added(self.numbers, before, sums)
        self.drained = (self.drained + 1) % len(self.bank)
        self.counts["bank_writes"] += int(self.array.columns.sum())
        self.counts["bank_reads"] += 0 if fresh else int(self.array.columns.sum())

    def _send(self, word: int, group: int) -> None:
        lanes = np.zeros((group + 1) * self.sum_lanes, np.int64)
        count = min(len(lanes), self.bank.shape[1])
        lanes[:count] = self.bank[word, :count]
        self.outputs.append(lanes[-self.sum_lanes :])
        if group == 0:
            self.counts["bank_reads"] += int(self.array.columns.sum())
            self.counts["bank_outputs"] += int(self.array.columns.sum())
