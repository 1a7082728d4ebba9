"""Liberty files whose units differ: each is read with its own, by all tools alike."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from characterize.cell_check import examine
from characterize.cell_files import prepare
from characterize.library_header import read_header
from characterize.measure import measure
from characterize.sample import Sample, Task
from characterize.technology import LibertyFile, Technology, load_technology
from rtl_gen.errors import UserError
from tests.characterize.power_reference import need_liberties
from tests.characterize.small_technology import LIBERTY

NUMBER = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"


def in_ps_and_ff(text: str) -> str:
    """A Liberty text of ns and pF in ps and fF: times, capacitances and energies by a thousand."""

    def more(numbers: str) -> str:
        return re.sub(NUMBER, lambda match: repr(float(match[0]) * 1000), numbers)

    text = re.sub(r"((?:values|index_\d)\s*\()([^()]*)", lambda m: m[1] + more(m[2]), text)
    single = rf"(\w*(?:capacitance|transition|_pin_cap)\s*:\s*)({NUMBER})"
    text = re.sub(single, lambda match: match[1] + more(match[2]), text)
    for old, new in (("1ns", "1ps"), ("(1,pf)", "(1,ff)")):
        assert old in text
        text = text.replace(old, new)
    return text


def osu018_in_two(folder: Path) -> tuple[Technology, Technology]:
    """osu018 as two files of one system of units, and of two."""
    need_liberties("osu018")
    technology = load_technology("osu018")
    text = technology.liberty[0].path.read_text().rstrip().removesuffix("}")
    head, *cells = re.split(r"\n(?=cell \()", text)
    even = "\n".join([head, *cells[::2]]) + "\n}\n"
    odd = "\n".join([head, *cells[1::2]]) + "\n}\n"
    files = {"even": even, "odd": odd, "small": in_ps_and_ff(odd)}
    for name, content in files.items():
        (folder / f"{name}.lib").write_text(content)

    def of(*names: str) -> Technology:
        paths = [folder / f"{name}.lib" for name in names]
        liberty = tuple(LibertyFile(path=path, expected_sha256="") for path in paths)
        return replace(technology, liberty=liberty)

    return of("even", "odd"), of("even", "small")


def measured(technology: Technology, folder: Path) -> Sample:
    liberty = prepare(replace(technology, wire_ff_per_pin=3.0), folder)
    task = Task(
        component="pe",
        arithmetic="lightpe1",
        parameters={"ifmap_words": 6, "weight_words": 16, "psum_words": 4},
        technology="osu018",
        clock_ns=10.0,
    )
    sample = measure(task, "0" * 64, technology=technology, liberty=liberty)
    assert isinstance(sample, Sample), sample
    return sample


def test_files_of_different_units_are_noted(tmp_path: Path) -> None:
    same, different = osu018_in_two(tmp_path)
    assert not [one for one in examine(same) if "units" in one.message]
    notes = [one.message for one in examine(different) if "units" in one.message]
    assert notes == [
        "units of time differ between files (1e-12, 1e-09); each has its own",
        "units of capacitance differ between files (1e-15, 1e-12); each has its own",
    ]


@pytest.mark.eda
def test_files_of_different_units_give_the_same_sample(tmp_path: Path) -> None:
    same, different = osu018_in_two(tmp_path)
    one, two = measured(same, tmp_path / "one"), measured(different, tmp_path / "two")
    assert (one.cells, one.area_um2) == (two.cells, two.area_um2)
    assert two.min_period_ns == pytest.approx(one.min_period_ns, rel=1e-5)
    for event, parts in one.energy_pj.items():
        assert two.energy_pj[event] == pytest.approx(parts, rel=1e-4)
    assert two.leakage_mw == pytest.approx(one.leakage_mw)


def test_a_header_must_say_its_units(tmp_path: Path) -> None:
    path = tmp_path / "small.lib"
    path.write_text(LIBERTY)
    header = read_header(path)
    assert (header.name, header.corner) == ("small", "")
    assert header.units == pytest.approx(
        {"time": 1e-9, "capacitance": 1e-12, "voltage": 1.0, "leakage": 1e-9}
    )
    path.write_text(LIBERTY.replace('voltage_unit : "1V";', ""))
    with pytest.raises(UserError, match=r"small\.lib: a unit must be like '1nv'"):
        read_header(path)
