"""One sample from end to end, and the faults it must notice."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterize import identity, measure, stimulus
from characterize.cell_files import prepare
from characterize.identity import METHOD, sample_id
from characterize.sample import Failure, Sample, Task, from_json, to_json
from characterize.technology import LibertyFile, Technology, load_technology
from rtl_gen.components import KINDS
from rtl_gen.config import AcceleratorConfig
from tests.characterize.osu018 import osu018
from tests.characterize.power_reference import LIBERTIES, need_liberties

ROOT = Path(__file__).parents[2]
PARAMETERS = {"ifmap_words": 6, "weight_words": 32, "psum_words": 8, "bus_bits": 64}

#: What the technologies of the shared Liberty files need beside them, as flow.md found:
#: driving cell, load in fF, tie cells, patterns of cells that must not be used.
OTHERS = {
    "nangate45": (
        ("BUF_X1", 3.898, ("LOGIC1_X1", "Z"), ("LOGIC0_X1", "Z")),
        ("FILLCELL*", "ANTENNA*", "?OI211_X1", "CLKGATE*", "SDF*", "TBUF*", "TINV*", "TLAT*"),
    ),
    "sky130hd": (
        (
            "sky130_fd_sc_hd__buf_1",
            5.0,
            ("sky130_fd_sc_hd__conb_1", "HI"),
            ("sky130_fd_sc_hd__conb_1", "LO"),
        ),
        ("*probe*", "*lpflow*", "*__s*df*", "*__edf*", "*dlclk*", "*__ebuf*", "*__einv*"),
    ),
    "ihp130": (
        ("sg13g2_buf_4", 6.0, ("sg13g2_tiehi", "L_HI"), ("sg13g2_tielo", "L_LO")),
        ("*lgcp*", "*sighold*", "*dfrbp*_2", "*_sdf*", "*ebufn*", "*einvn*"),
    ),
    "asap7": (
        (
            "BUFx2_ASAP7_75t_R",
            3.898,
            ("TIEHIx1_ASAP7_75t_R", "H"),
            ("TIELOx1_ASAP7_75t_R", "L"),
        ),
        ("*x1p*", "*xp*", "SDF*", "ICG*", "DFFHQx4*", "DFFHQNx2*", "DFFHQNx3*"),
    ),
}


def task(component: str, technology: str = "osu018", clock_ns: float = 10.0) -> Task:
    """A small component."""
    return Task(
        component=component,
        arithmetic="lightpe1",
        parameters={name: PARAMETERS.get(name, 16) for name in KINDS[component].fields},
        technology=technology,
        clock_ns=clock_ns,
    )


def measured(component: str, folder: Path) -> Sample | Failure:
    """The component on osu018."""
    technology, liberty = osu018(folder)
    id = sample_id(task(component), technology)
    return measure.measure(
        task(component), id, technology=technology, liberty=liberty, scratch=folder
    )


@pytest.mark.eda
def test_a_pe_is_measured_by_event_and_part(tmp_path: Path) -> None:
    sample = measured("pe", tmp_path)
    assert isinstance(sample, Sample), sample
    assert set(sample.area_um2) == set(sample.leakage_mw) == {"datapath", "scratchpad"}
    for event in KINDS["pe"].events:
        parts = sample.energy_pj[event]
        assert set(parts) == {"datapath", "scratchpad", "clock"}
        assert min(parts.values()) > 0
    energy = {event: sum(parts.values()) for event, parts in sample.energy_pj.items()}
    assert energy["mac"] > energy["idle"]
    assert sample.energy_pj["mac"]["datapath"] > 2 * sample.energy_pj["idle"]["datapath"]
    assert sample.energy_pj["mac"]["clock"] == pytest.approx(sample.energy_pj["idle"]["clock"])
    assert sum(sample.area_um2.values()) == pytest.approx(sample.manifest["module_area_um2"]["pe"])
    assert 1 < sample.min_period_ns < 10
    assert from_json(to_json(sample), Sample) == sample
    assert not any(tmp_path.glob("quidam-*"))


@pytest.mark.eda
def test_a_pe_of_macros_is_measured_without_them(tmp_path: Path) -> None:
    technology, liberty = osu018(tmp_path / "cells")
    found = []
    for scratchpads in ("gated", "macro"):
        one = replace(task("pe"), scratchpads=scratchpads)
        sample = measure.measure(one, "0" * 64, technology=technology, liberty=liberty)
        assert isinstance(sample, Sample), sample
        found.append(sample)
    gated, macro = found
    assert macro.area_um2["scratchpad"] < gated.area_um2["scratchpad"]
    # A register more for the activation, and one that tells when.
    assert 0 < macro.area_um2["datapath"] - gated.area_um2["datapath"] < 5000


@pytest.mark.eda
@pytest.mark.parametrize("component", [name for name in KINDS if name != "pe"])
def test_every_component_is_measured(component: str, tmp_path: Path) -> None:
    sample = measured(component, tmp_path)
    assert isinstance(sample, Sample), sample
    assert set(sample.area_um2) == {"datapath"}
    assert set(sample.energy_pj) == set(KINDS[component].events)


@pytest.mark.eda
def test_one_wrong_bit_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(component: str, config: AcceleratorConfig, cache: Path | None) -> stimulus.Stimulus:
        right = stimulus.stimulus_for(component, config, cache)
        right.outputs["activation"][100, 3] ^= np.uint64(1) << np.uint64(stimulus.CHECKED[1])
        right.outputs["activation"][200, 2] ^= np.uint64(2)  # a lane nobody knows the answer of
        return right

    monkeypatch.setattr(measure, "stimulus_for", wrong)
    failure = measured("node", tmp_path)
    assert isinstance(failure, Failure)
    assert failure.step == "equivalence"
    assert "activation[3] at cycle 100 (1 words differ)" in failure.message


@pytest.mark.eda
def test_a_fault_of_ours_is_kept_with_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "parts_of", lambda netlist: 1 / 0)
    failure = measured("node", tmp_path)
    assert isinstance(failure, Failure)
    assert failure.step == "power"
    assert "ZeroDivisionError" in failure.message
    assert "parts_of" in failure.log


@pytest.mark.eda
def test_ids_tell_apart_all_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    technology = osu018_or_skip()
    base = sample_id(task("node"), technology)
    assert base == sample_id(task("node"), technology)
    others = [
        sample_id(task("node", clock_ns=5.0), technology),
        sample_id(replace(task("node"), parameters={"bus_bits": 128}), technology),
        sample_id(replace(task("node"), arithmetic="lightpe2"), technology),
        sample_id(task("node"), replace(technology, output_load_ff=21.0)),
        sample_id(task("node"), replace(technology, prune=("X*",))),
    ]
    monkeypatch.setattr(identity.tools, "versions", lambda: {"yosys": "0.99"})
    others.append(sample_id(task("node"), technology))
    monkeypatch.setattr(identity, "method_sha256", lambda: "changed")
    others.append(sample_id(task("node"), technology))
    assert len({base, *others}) == 1 + len(others)
    # Remarks, and values that no sample depends on, make no difference.
    monkeypatch.undo()
    remarked = replace(technology, description="other", dram_pj_per_bit=1.0)
    assert sample_id(task("node"), remarked) == base


def osu018_or_skip() -> Technology:
    """osu018, whose Liberty file is hashed."""
    need_liberties("osu018")
    return load_technology("osu018")


def test_the_method_names_every_file_that_measuring_loads() -> None:
    code = "import sys, characterize.measure; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    named = {
        f"{package}.{pattern.removesuffix('.py')}"
        for package, patterns in METHOD.items()
        for pattern in patterns
    }
    # The RTL and the technology are hashed by their content; the others say what is measured and
    # where it goes, not how.
    apart = {
        *("characterize", "characterize.memory", "characterize.sample", "characterize.technology"),
        *("characterize.technology_file", "characterize.liberty_file", "characterize.tools"),
        "characterize.identity",
        *("rtl_gen", "rtl_gen.beats", "rtl_gen.components", "rtl_gen.config", "rtl_gen.errors"),
        "rtl_gen.layer",
        *("rtl_gen.candidates", "rtl_gen.mapper", "rtl_gen.provenance", "rtl_gen.yaml_input"),
    }
    loaded = {
        name
        for name in output.split()
        if name.partition(".")[0] in METHOD
        and not name.startswith(("rtl_gen.hardware", "rtl_gen.formats", "rtl_gen.backend"))
    }
    assert loaded - apart <= named
    assert {"characterize.power", "characterize.traces"} <= loaded
    assert {"formats/*.py", "backend/*.py"} <= set(METHOD["rtl_gen"])


@pytest.mark.eda
@pytest.mark.parametrize("name", list(OTHERS))
def test_other_technologies_measure_as_well(name: str, tmp_path: Path) -> None:
    need_liberties(name)
    (driver, load_ff, high, low), unwanted = OTHERS[name]
    technology = replace(
        osu018(tmp_path)[0],
        name=name,
        liberty=tuple(LibertyFile(path=path, expected_sha256="") for path in LIBERTIES[name]),
        driving_cell=driver,
        output_load_ff=load_ff,
        tie_high=high,
        tie_low=low,
        prune=unwanted,
    )
    liberty = prepare(technology, tmp_path / "cells")
    assert len(liberty) == len(LIBERTIES[name])
    row = task("row", name)
    sample = measure.measure(row, "0" * 64, technology=technology, liberty=liberty)
    assert isinstance(sample, Sample), sample
    assert sample.area_um2["datapath"] > 0
