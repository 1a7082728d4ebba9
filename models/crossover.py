"""From how many weight words on another way to build the scratchpads of a PE takes less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.build import Build
from models.features import Array
from models.markdown import table
from models.ppa import PpaModel
from rtl_gen.formats import Arithmetic, arithmetic
from rtl_gen.memories import WEIGHT_SRAM
from rtl_gen.storage import MACRO, WEIGHT_MACROS

if TYPE_CHECKING:
    from models.ppa import Ppa

Words = npt.NDArray[np.int64]

#: Shown where a model was fitted to it, else the first of its arithmetics.
PREFERRED = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """What the three scratchpads of a PE take, by the words of weights.

    Parameters
    ----------
    arithmetic : name.
    words : every even number of words in the range that the PEs of all builds were fitted on.
    ifmap_words, psum_words : of the other two scratchpads, in the middle of that range.
    builds : what each line is.
    area_um2, mac_pj : line -> a value for each of `words`: area, and energy of a cycle that
        multiplies, with the clock net of the whole PE and the read from a macro.
    scaled : whether macros are scaled from another technology; None where there is no such line.
    access_ns : of the macros for the fewest words, and the most; None where there is no such line.
    """

    arithmetic: str
    words: Words
    ifmap_words: int
    psum_words: int
    builds: Mapping[str, Build]
    area_um2: Mapping[str, Array]
    mac_pj: Mapping[str, Array]
    scaled: bool | None
    access_ns: tuple[float, float] | None


def crossover(model: PpaModel) -> Crossover | None:
    """Compare the builds of a model; None where their PEs have no range of words in common."""
    name = PREFERRED if PREFERRED in model.arithmetics else model.arithmetics[0]
    numbers, builds = arithmetic(name), model.builds(name)
    spans = _spans(model, numbers, builds)
    low, high = spans["weight"]
    words = np.arange(low + low % 2, high + 1, 2)
    if len(words) < 2:
        return None
    middle = {field: sum(spans[field]) // 2 for field in ("ifmap", "psum")}
    lines, area, energy = {}, {}, {}
    scaled, access = None, None
    for build in builds:
        ppa = _elements(model, numbers, build, words, **middle)
        macro = ppa.memories.get(WEIGHT_SRAM)
        label, spent = str(build), ppa.energy_pj["pe"]["mac"]
        if macro is not None:
            scaled = bool(macro["scaled"])
            access = float(macro["access_ns"][0]), float(macro["access_ns"][-1])
            label += " (scaled)" if scaled else ""
        lines[label] = build
        area[label] = ppa.area_by["pe_scratchpad"]
        energy[label] = spent["scratchpad"] + spent["clock"]
        energy[label] = energy[label] + (0.0 if macro is None else macro["read_pj"])
    return Crossover(
        arithmetic=name,
        words=words,
        ifmap_words=middle["ifmap"],
        psum_words=middle["psum"],
        builds=lines,
        area_um2=area,
        mac_pj=energy,
        scaled=scaled,
        access_ns=access,
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


def _elements(
    model: PpaModel, numbers: Arithmetic, build: Build, words: Words, *, ifmap: int, psum: int
) -> Ppa:
    """Single PEs: how large the rest of their accelerators is makes no difference to them."""
    one = np.ones_like(words)
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
        weight_macros=(WEIGHT_MACROS if build.scratchpads == MACRO else 0) * one,
    )
    return model.predict(design, numbers.name, build)


def crossing(words: Words, lines: Mapping[str, Array], one: str, other: str) -> str:
    """At how many words two lines cross, and which is the lower one from there on."""
    names = np.where(lines[one] <= lines[other], one, other)
    changes = np.flatnonzero(names[1:] != names[:-1]) + 1
    if not changes.size:
        return f"nowhere in the range: {names[0]} takes less"
    return "; ".join(f"at {words[i]} words: from there {names[i]} takes less" for i in changes)


def crossover_section(found: Crossover, picture: str) -> str:
    """What the model card says: the picture, what it shows, and where its lines cross."""
    rows = [
        (
            f"{one} / {other}",
            crossing(found.words, found.area_um2, one, other),
            crossing(found.words, found.mac_pj, one, other),
        )
        for one, other in combinations(found.builds, 2)
        if found.builds[one].recipe == found.builds[other].recipe
    ]
    parts = [
        f"![scratchpads of a PE]({picture})",
        f"The three scratchpads of a PE ({found.arithmetic}, {found.ifmap_words} ifmap and "
        f"{found.psum_words} psum words) by the words of weights: area, and energy of a cycle that "
        "multiplies, with the clock net of the whole PE.",
    ]
    if found.access_ns is not None:
        fastest, slowest = found.access_ns
        scaled = " (scaled)" if found.scaled else ""
        parts.append(
            f"Macro: the weights in two single-port SRAM macros{scaled} of half the words, one of "
            "which is read in such a cycle. Fewer words than the memory model's range has take its "
            "smallest macro, a corner of that range that none of the macros measured lies in: a "
            "line without a slope. Their access time is "
            f"{fastest:.2g} to {slowest:.2g} ns."
        )
    parts.append(table(("lines", "areas cross", "energies of a multiply-accumulate cross"), rows))
    return "\n\n".join(parts)
