"""The accelerator once more, as an executable model that shares nothing with `rtl_gen.schedule`.

It reads what the hardware reads, the descriptor and the beats of the streams, and counts cycles
and traffic as they pass, one by one. Every word of its memories knows what it holds: one that is
read too early, or was overwritten too soon, is an error even where its value happens to be right.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from tests.rtl_gen.banks import Array, Banks, Counts, OutputStage, added, lanes
from tests.rtl_gen.engines import Descriptor, Drain, Load, Mac, Parameter
from tests.rtl_gen.loop_nest import Rules, Step, walk

Beats = NDArray[np.uint8]
#: What a scratchpad's word holds before it was ever written.
NONE = -1


class PeArray:
    """All PEs of one mapping as arrays (rows, columns): scratchpads, sums, network.

    Instructions are obeyed in every row at once, which the hardware does row by row. Those of
    one cycle go together: `mac` before loads, which scratchpads show from the next cycle on.
    """

    def __init__(
        self, config: AcceleratorConfig, layer: Descriptor, counts: Counts | None = None
    ) -> None:
        self.arithmetic = config.arithmetic
        row, column = np.indices((config.rows, config.columns))
        self.row_set, tap = np.divmod(row, layer["kernel_rows"])
        self.column_set, out_row = np.divmod(column, layer["column_taps"])
        self.active = (self.row_set < layer["sets"]) & (self.column_set < layer["column_sets"])
        self.ifmap_row = tap + out_row * layer["offset_step"]
        self.row = row
        shape = (config.rows, config.columns)
        self.ifmap = np.zeros((config.ifmap_words, *shape), np.int64)
        self.weight = np.zeros((_weight_addresses(config), *shape), np.int64)
        self.psum = np.zeros((config.psum_words, *shape), np.int64)
        self.tags = {"ifmap": np.full_like(self.ifmap, NONE)}
        self.tags["weight"] = np.full_like(self.weight, NONE)
        self.counts: Counts = Counter() if counts is None else counts

    def load(self, name: str, fields: dict[str, int], beat: Array, tag: int = NONE) -> None:
        """A beat's lanes of "ifmap" or "weight" words, to the PEs that are meant."""
        if name == "ifmap":
            pad, wanted, lane = self.ifmap, self.row_set, self.ifmap_row
        else:
            pad, wanted, lane = self.weight, self.column_set, self.row
        group, way = np.divmod(lane, len(beat))
        takes = self.active & (wanted == fields[f"{name}_target"])
        takes &= group == fields[f"{name}_group"]
        address = fields[f"{name}_write_address"]
        pad[address][takes] = beat[way[takes]]
        self.tags[name][address][takes] = tag
        self.counts["scratchpad", f"{name}_writes"] += int(takes.sum())

    def mac(self, fields: dict[str, int], tags: tuple[int, int] | None = None) -> Array | None:
        """A multiply-accumulate; returns the sums that leave the columns, if any do.

        tags : what the words of ifmap and weight must be.
        """
        active, address = self.active, fields["psum_address"]
        sums = self._drain(address) if fields.get("drain") else None
        self.counts["scratchpad", "psum_reads"] += int(active.sum())
        if not fields.get("mac"):
            return sums
        inputs, weights = fields["ifmap_read_address"], fields["weight_read_address"]
        if tags is not None:
            held = self.tags["ifmap"][inputs][active], self.tags["weight"][weights][active]
            assert np.all(held[0] == tags[0]), f"ifmap word {inputs} is not {tags[0]}"
            assert np.all(held[1] == tags[1]), f"weight word {weights} is not {tags[1]}"
        before = 0 if fields.get("first") else self.psum[address]
        after = added(self.arithmetic, before, self.ifmap[inputs] * self.weight[weights])
        self.psum[address] = np.where(active, after, self.psum[address])
        for name in ("ifmap_reads", "weight_reads", "psum_writes"):
            self.counts["scratchpad", name] += int(active.sum())
        return sums

    def _drain(self, address: int) -> Array:
        sums = np.zeros(self.active.shape[1], np.int64)
        for row, active in zip(self.psum[address], self.active, strict=True):
            sums = added(self.arithmetic, sums, np.where(active, row, 0))
        return sums


def _weight_addresses(config: AcceleratorConfig) -> int:
    """As many as there are weights, or, in two macros, a power of two with a gap in each half."""
    if config.scratchpads != "macro":
        return config.weight_words
    return int(2 ** np.ceil(np.log2(config.weight_words)))


def words(beats: Beats, bits: int, signed: bool) -> Array:
    """All words of `bits` in each beat as a power of two of them fit, (beats, lanes)."""
    count = lanes(8 * beats.shape[1], bits)
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
    rules : of the sequencer, and when streams stall; None for never.

    Attributes
    ----------
    phases : cycles by phase. counts : traffic, by level and name as in `schedule.words`.
    macs, sends : cycles in which PEs multiply, steps of the sender.
    """

    def __init__(
        self,
        config: AcceleratorConfig,
        layer: Descriptor,
        weights: Beats,
        ifmaps: Beats,
        rules: Rules | None = None,
    ) -> None:
        self.config, self.layer = config, layer
        self.streams = {"weight": iter(weights), "ifmap": iter(ifmaps)}
        self.counts: Counts = Counter()
        self.phases: Counter[str] = Counter()
        self.macs = self.sends = 0
        self.array = PeArray(config, layer, self.counts)
        self.banks = Banks(config, layer, self.counts)
        self.stage = OutputStage(config, layer, self.counts)
        self.buffer: dict[int, Array] = {}
        for step in walk(config, layer, rules):
            self.phases[step.phase] += 1
            self._obey(step)
        for name, rest in self.streams.items():
            assert next(rest, None) is None, f"the {name} stream is longer than the layer"
        assert self.banks.idle, "sums have not reached their memories"
        assert all(self.banks.sent), "sums were not sent"
        assert not self.stage.codes, "a beat was not closed"
        self.counts["dram", "output_beats"] = len(self.stage.beats)

    @property
    def outputs(self) -> Beats:
        """All beats sent, (beats, bytes)."""
        return np.stack(self.stage.beats)

    def _obey(self, step: Step) -> None:
        drained = self._mac(step.mac) if step.mac else None
        if step.ifmap:
            self.counts["network", "ifmap_beats"] += 1
            self.array.load("ifmap", step.ifmap.fields, self._inputs(step.ifmap), step.ifmap.tag)
        found = self.banks.cycle(drained, step.send)
        if step.send:
            self.sends += 1
            self.stage.send(step.send, found)
        match step.weight:
            case Parameter() as parameter:
                beat = self._next("weight")
                self.stage.take(parameter, int.from_bytes(beat.tobytes(), "little"))
            case Load() as load:
                self.counts["network", "weight_beats"] += 1
                numbers = self.config.arithmetic
                is_signed = numbers.weight.name.startswith("int")
                codes = words(self._next("weight")[None], numbers.weight_bits, is_signed)[0]
                self.array.load("weight", load.fields, numbers.weight.decode(codes), load.tag)

    def _mac(self, mac: Mac) -> tuple[Drain, Array] | None:
        self.macs += mac.fields.get("mac", 0)
        sums = self.array.mac(mac.fields, (mac.ifmap_tag, mac.weight_tag))
        return (mac.drain, sums) if mac.drain is not None and sums is not None else None

    def _next(self, stream: str) -> NDArray[np.uint8]:
        beat = next(self.streams[stream], None)
        assert beat is not None, f"the {stream} stream is shorter than the layer"
        self.counts["dram", f"{stream}_beats"] += 1
        return np.asarray(beat)

    def _inputs(self, load: Load) -> Array:
        """The lanes of an input beat, wherever they come from."""
        bits = self.config.activation_bits
        ways = lanes(self.config.bus_bits, bits)
        beat: Array
        match load.source:
            case "stream":
                beat = words(self._next("ifmap")[None], bits, signed=True)[0]
                if load.kept is not None:
                    self.buffer[load.kept] = beat
                    self.counts["ifmap_sram", "writes"] += 1
                return beat
            case "buffer":
                assert load.kept is not None
                self.counts["ifmap_sram", "reads"] += 1
                return self.buffer[load.kept]
            case "padding":
                code = self.layer["padding_code"]
                return np.full(ways, code - (code >> bits - 1 << bits))
            case _:
                return np.zeros(ways, np.int64)
