"""From how many words on another way to build a scratchpad takes less.

Compared is the weight scratchpad of a PE: as the builds of a model keep it, and as one SRAM macro
of the technology's memory model. Components are measured with all three scratchpads of a PE, so
that of a build is an estimate: its part of the bits they store, of what they take together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt

from characterize.memory import sram
from models.build import Build
from models.features import Array
from models.markdown import table
from models.ppa import PpaModel
from rtl_gen.formats import Arithmetic, arithmetic

Words = npt.NDArray[np.int64]

#: Shown where a model was fitted to it, else the first of its arithmetics.
PREFERRED = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """What a weight scratchpad takes, by its words.

    Parameters
    ----------
    arithmetic : name.
    words : every number of words in the range that the PEs of all builds were fitted on.
    ifmap_words, psum_words : of the other two scratchpads, in the middle of that range.
    builds : what each line is; None for the macro.
    area_um2, mac_pj : line -> a value for each of `words`.
    growth_percent : build -> of area and energy, how much more than its line what all three
        scratchpads take grows from the fewest words to the most. Only the weight scratchpad
        grows, so this says how far off the line is.
    access_ns : of the macro with the fewest words, and the most.
    """

    arithmetic: str
    words: Words
    ifmap_words: int
    psum_words: int
    builds: Mapping[str, Build | None]
    area_um2: Mapping[str, Array]
    mac_pj: Mapping[str, Array]
    growth_percent: Mapping[str, tuple[float, float]]
    access_ns: tuple[float, float]


def crossover(model: PpaModel) -> Crossover | None:
    """Compare the builds of a model; None where their PEs have no range of words in common."""
    name = PREFERRED if PREFERRED in model.arithmetics else model.arithmetics[0]
    numbers, builds = arithmetic(name), model.builds(name)
    spans = _spans(model, numbers, builds)
    low, high = spans["weight"]
    if low >= high:
        return None
    words = np.arange(low, high + 1)
    middle = {field: sum(spans[field]) // 2 for field in ("ifmap", "psum")}
    weights = words * numbers.weight_bits
    others = middle["ifmap"] * numbers.activation_bits + middle["psum"] * numbers.accumulator_bits
    part = weights / (weights + others)
    area, energy, growth = {}, {}, {}
    for build in builds:
        whole = _scratchpads(model, numbers, build, words, **middle)
        area[str(build)], energy[str(build)] = part * whole[0], part * whole[1]
        growth[str(build)] = _growth(whole[0], part), _growth(whole[1], part)
    macro = sram(model.contents.technology.memories, words, numbers.weight_bits)
    label = "SRAM macro (scaled)" if macro["scaled"] else "SRAM macro"
    return Crossover(
        arithmetic=name,
        words=words,
        ifmap_words=middle["ifmap"],
        psum_words=middle["psum"],
        builds={**{str(build): build for build in builds}, label: None},
        area_um2={**area, label: macro["area_um2"]},
        mac_pj={**energy, label: macro["read_pj"]},
        growth_percent=growth,
        access_ns=(float(macro["access_ns"][0]), float(macro["access_ns"][-1])),
    )


def _spans(model: PpaModel, numbers: Arithmetic, builds: list[Build]) -> dict[str, tuple[int, int]]:
    """Scratchpad -> fewest and most words that every build's PE was fitted on."""
    bits = {
        "ifmap": numbers.activation_bits,
        "weight": numbers.weight_bits,
        "psum": numbers.accumulator_bits,
    }
    fitted = model.contents.components[numbers.name]
    ranges = [fitted[build.component("pe")].ranges for build in builds]
    spans = {}
    for field, width in bits.items():
        lows, highs = zip(*(one[f"{field}_storage_bits"] for one in ranges), strict=True)
        spans[field] = round(max(lows) / width), round(min(highs) / width)
    return spans


def _growth(whole: Array, part: Array) -> float:
    line = part * whole
    return 100 * float((whole[-1] - whole[0]) / (line[-1] - line[0]) - 1)


def _scratchpads(
    model: PpaModel, numbers: Arithmetic, build: Build, words: Words, *, ifmap: int, psum: int
) -> tuple[Array, Array]:
    """Area, and energy of a multiply-accumulate, of all three scratchpads of a PE."""
    one = np.ones_like(words)
    # A PE alone: how large the rest of the accelerator is makes no difference to it.
    design = SimpleNamespace(
        rows=one,
        columns=one,
        ifmap_words=ifmap * one,
        weight_words=words,
        psum_words=psum * one,
        buffer_kib=64 * one,
        bus_bits=64 * one,
        activation_bits=numbers.activation_bits * one,
        weight_bits=numbers.weight_bits * one,
        accumulator_bits=numbers.accumulator_bits * one,
    )
    ppa = model.predict(design, numbers.name, build)
    spent = ppa.energy_pj["pe"]["mac"]
    return ppa.area_by["pe_scratchpad"], spent["scratchpad"] + spent["clock"]


def crossing(words: Words, lines: Mapping[str, Array], one: str, other: str) -> str:
    """At how many words two lines cross, and which is the lower one from there on."""
    names = np.where(lines[one] <= lines[other], one, other)
    changes = np.flatnonzero(names[1:] != names[:-1]) + 1
    if not changes.size:
        return f"nowhere in the range: {names[0]} takes less"
    return "; ".join(f"at {words[i]} words: from there {names[i]} takes less" for i in changes)


def crossover_section(found: Crossover, picture: str) -> str:
    """What the model card says: the picture, what it shows, and where its lines cross."""
    pairs = [
        (one, other)
        for one, other in combinations(found.builds, 2)
        if _comparable(found.builds[one], found.builds[other])
    ]
    rows = [
        (
            f"{one} / {other}",
            crossing(found.words, found.area_um2, one, other),
            crossing(found.words, found.mac_pj, one, other),
        )
        for one, other in pairs
    ]
    macro = next(label for label, build in found.builds.items() if build is None)
    fastest, slowest = found.access_ns
    growth = "; ".join(
        f"{label} {area:+.1f} / {energy:+.1f}"
        for label, (area, energy) in found.growth_percent.items()
    )
    return "\n\n".join(
        [
            f"![weight scratchpads]({picture})",
            f"The weight scratchpad of a PE ({found.arithmetic}, {found.ifmap_words} ifmap and "
            f"{found.psum_words} psum words). Of a build: what the PE's three scratchpads take "
            "together (area; energy of a cycle that multiplies, with the clock net of the whole "
            "PE), times the weight scratchpad's part of the bits they store. Lines of builds "
            "therefore cross where those of all three scratchpads do.",
            f"{macro}: one macro of the memory model; its area, and the energy of one read. Fewer "
            "words than the smallest macro has take that one. Its access time is "
            f"{fastest:.2g} to {slowest:.2g} ns.",
            "How far off the lines of builds are: what all three scratchpads take grows with the "
            "weight words alone, over the range by so much more than the line does (area / energy, "
            f"percent): {growth}.",
            table(("lines", "areas cross", "energies of a multiply-accumulate cross"), rows),
        ]
    )


def _comparable(one: Build | None, other: Build | None) -> bool:
    """Builds of one recipe, and every build with the macro: more pairs would say little more."""
    return one is None or other is None or one.recipe == other.recipe
