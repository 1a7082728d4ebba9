"""The SRAM model: laws, scaling, and the fit to ten real macros."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from characterize import memory_fit
from characterize.memory import MEMORIES, QUANTITIES, TERMS, memory_model, scale, sram
from characterize.memory_fit import Macro, fit, read_macro
from rtl_gen.errors import UserError
from tests.characterize.power_reference import SHARED

IHP = "ihp_sg13g2"
OWN = memory_model(IHP, feature_nm=130, voltage_v=1.2)
OSU018 = memory_model(IHP, feature_nm=180, voltage_v=1.8)
#: depth, width: area um2, read pJ, write pJ, leakage nW, as published with the macros.
PUBLISHED = {
    (64, 64): (50489, 39.1, 50.5, 50),
    (1024, 8): (49419, 15.6, 19.9, 99),
    (256, 48): (70850, 37.8, 48.4, 149),
    (2048, 64): (491634, 122, 155, 1584),
    (4096, 16): (257609, 58.6, 72.5, 792),
}
SIZES = st.tuples(st.integers(1, 1 << 20), st.integers(1, 1024))


@given(size=SIZES, more=SIZES)
def test_positive_and_growing_at_every_size(size: tuple[int, int], more: tuple[int, int]) -> None:
    larger = tuple(np.add(size, more))
    for model in (OWN, OSU018):
        small, large = sram(model, *size), sram(model, *larger)
        assert all(small[quantity] > 0 for quantity in QUANTITIES)
        # Banks make an access cheaper, never the memory smaller (but for rounding a bank's size).
        for quantity in ("area_um2", "leakage_mw"):
            assert small[quantity] <= 1.02 * large[quantity]


def test_large_memories_are_built_of_macros() -> None:
    one, four = sram(OWN, 2100, 48), sram(OWN, 4200, 96)
    assert (one["macros"], four["macros"]) == (1, 4)
    copies = {"area_um2": 4, "leakage_mw": 4, "idle_pj": 4, "access_ns": 1}
    for quantity, count in copies.items():
        assert four[quantity] == count * one[quantity]
    # An access wakes the two macros of a bank, while the other bank's two idle.
    for quantity in ("read_pj", "write_pj"):
        assert four[quantity] == 2 * one[quantity] + 2 * one["idle_pj"]


def test_small_memories_take_the_smallest_macro() -> None:
    smallest = sram(OWN, 64, 8)
    for size in ((1, 1), (63, 8), (64, 7)):
        assert all(sram(OWN, *size)[quantity] == smallest[quantity] for quantity in QUANTITIES)


@pytest.mark.parametrize(("size", "said"), PUBLISHED.items())
def test_near_the_macros(size: tuple[int, int], said: tuple[float, ...]) -> None:
    found = sram(OWN, *size)
    ours = [found["area_um2"], found["read_pj"], found["write_pj"], found["leakage_mw"] * 1e6]
    np.testing.assert_allclose(ours, said, rtol=0.11)
    np.testing.assert_allclose(found["area_um2"], said[0], rtol=0.035)
    assert found["scaled"] is False


def test_tables_of_memories() -> None:
    depth, width = np.array([[64], [128]]), np.array([8, 16, 32])
    table = sram(OWN, depth, width)
    for quantity in QUANTITIES:
        assert table[quantity].shape == (2, 3)
        assert table[quantity][1, 2] == sram(OWN, 128, 32)[quantity]


def test_scaling() -> None:
    """130 nm at 1.2 V to 260 nm at 3.6 V: length x 2, voltage x 3."""
    found, own = sram(scale(OWN, feature_nm=260, voltage_v=3.6), 256, 32), sram(OWN, 256, 32)
    factors = {
        "area_um2": 4,
        "read_pj": 2 * 9,
        "write_pj": 2 * 9,
        "idle_pj": 2 * 9,
        "leakage_mw": 2 * 3,
        "access_ns": 2,
    }
    for quantity, factor in factors.items():
        np.testing.assert_allclose(found[quantity], factor * own[quantity])
    assert found["scaled"] is True
    assert found["source"].startswith("scaled from 130 nm at 1.2 V: IHP SG13G2")
    with pytest.raises(UserError, match="voltage_v must be positive, not 0"):
        scale(OWN, feature_nm=180, voltage_v=0)


def test_models_are_plain_data() -> None:
    """A model survives JSON, and scaling leaves the shipped one alone."""
    assert json.loads(json.dumps(OSU018)) == OSU018
    assert memory_model(IHP, feature_nm=130, voltage_v=1.2) == OWN
    assert not OWN["scaled"]


@pytest.mark.parametrize("broken", ["coefficients", "range", "scaled", "source"])
def test_odd_models_are_refused(broken: str) -> None:
    model: dict[str, Any] = {name: value for name, value in OWN.items() if name != broken}
    with pytest.raises(UserError, match="memories must be a memory model with coefficients of"):
        sram(model, 64, 8)
    with pytest.raises(UserError, match="memories must be a memory model"):
        sram({**model, broken: 3}, 64, 8) if broken in ("coefficients", "range") else sram({}, 1, 1)


def test_odd_sizes_and_names_are_refused() -> None:
    with pytest.raises(UserError, match="depth of a memory must be at least 1, not "):
        sram(OWN, [64, 0], 8)
    with pytest.raises(UserError, match="width of a memory must be at least 1, not "):
        sram(OWN, 64, -1)
    with pytest.raises(
        UserError, match=r"one that ships \(ihp_sg13g2\), or a .yaml file, not 'cacti'"
    ):
        memory_model("cacti", feature_nm=45, voltage_v=1.0)


def test_a_model_of_one_s_own_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**OWN, "feature_nm": 28.0, "voltage_v": 0.9}))
    found = memory_model(str(path), feature_nm=28.0, voltage_v=0.9)
    assert not found["scaled"]
    assert found["coefficients"] == OWN["coefficients"]
    assert memory_model(str(path), feature_nm=22.0, voltage_v=0.9)["scaled"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feature_nm": "small"}, "feature_nm must be a number above 0, not 'small'"),
        ({"voltage_v": -1}, "voltage_v must be a number above 0, not -1"),
        ({"coefficients": 5}, "mine.yaml: memories must be a memory model"),
        (None, "must be a readable YAML file"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, changes: dict[str, Any] | None, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    if changes is not None:
        path.write_text(yaml.safe_dump({**OWN, **changes}))
    with pytest.raises(UserError, match=message):
        memory_model(str(path), feature_nm=130, voltage_v=1.2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mine", "28"], "words must be NAME FEATURE_NM SOURCE LIBERTY"),
        (["mine", "28", "me", "no_such.lib"], "no_such.lib"),
    ],
)
def test_the_fit_s_mistakes_get_a_message(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert memory_fit.main(words) == 2
    assert message in capsys.readouterr().err


def macros(coefficients: dict[str, dict[str, float]]) -> list[Macro]:
    sizes = [(d, w) for d in (16, 64, 300) for w in (4, 9, 31)]
    return [
        Macro(
            name=f"{depth}x{width}",
            depth=depth,
            width=width,
            voltage_v=1.0,
            quantities={
                quantity: float(
                    sum(
                        value * TERMS[term](np.array(float(depth)), np.array(float(width)))
                        for term, value in terms.items()
                    )
                )
                for quantity, terms in coefficients.items()
            },
        )
        for depth, width in sizes
    ]


def test_the_fit_finds_what_was_put_in() -> None:
    put = {q: {term: 1.0 + i for i, term in enumerate(t)} for q, t in QUANTITIES.items()}
    found = fit(macros(put), name="x", feature_nm=90, source="made up")
    for quantity, terms in put.items():
        assert found["coefficients"][quantity] == pytest.approx(terms, rel=1e-4)
        assert max(map(abs, found["errors"][quantity].values())) < 1e-3
    assert found["range"] == {"depth": [16, 300], "width": [4, 31]}


def test_no_coefficient_is_negative() -> None:
    put = {q: {"one": 50.0, t[1]: -0.1, "bits": 1.0} for q, t in QUANTITIES.items()}
    found = fit(macros(put), name="x", feature_nm=90, source="made up")
    for terms in found["coefficients"].values():
        assert all(value >= 0 for value in terms.values())


def test_too_few_macros_are_refused() -> None:
    put = {q: dict.fromkeys(t, 1.0) for q, t in QUANTITIES.items()}
    with pytest.raises(UserError, match="must be fitted to more than 4 macros"):
        fit(macros(put)[:4], name="x", feature_nm=90, source="made up")


def test_macros_that_take_nothing_are_refused() -> None:
    put = {q: dict.fromkeys(t, float(q != "idle_pj")) for q, t in QUANTITIES.items()}
    with pytest.raises(UserError, match="idle_pj of a macro must be positive, not "):
        fit(macros(put), name="x", feature_nm=90, source="made up")


MACRO = """\
library (one) {{
  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1uA"; leakage_power_unit : "1nW";
  capacitive_load_unit (1, pf); nom_voltage : 2.0; nom_temperature : 25; nom_process : 1;
  cell (m) {{
    area : 100; cell_leakage_power : 5;
    memory () {{ type : ram; address_width : 6; word_width : 8; }}
    pin (A_CLK) {{ direction : input; capacitance : 0.01; clock : true; {powers} }}
    bus (A_DOUT) {{ direction : output;
      timing () {{ related_pin : "A_CLK"; cell_rise (scalar) {{ values ("3"); }} }} }}
  }}
}}
"""
POWER = """
internal_power () {{ when : "{when}"; rise_power (scalar) {{ values ("{rise}"); }}
  fall_power (scalar) {{ values ("{fall}"); }} }}"""
STATES = {
    "A_MEN & !A_WEN & A_REN": (30, 7),
    "A_MEN & A_WEN & !A_REN": (40, 7),
    "!A_MEN & A_WEN & !A_REN": (9, 9),
    "!A_MEN & !A_WEN & !A_REN": (0.25, 0.5),
}


def macro_file(folder: Path, states: dict[str, tuple[float, float]]) -> Path:
    powers = "".join(
        POWER.format(when=when, rise=rise, fall=fall) for when, (rise, fall) in states.items()
    )
    path = folder / "macro.lib"
    path.write_text(MACRO.format(powers=powers))
    return path


def test_an_idle_macro_takes_what_its_file_says_and_the_charge_of_its_clock_pin(
    tmp_path: Path,
) -> None:
    """Both enables are low beside A_MEN, as those that the RTL makes are."""
    found = read_macro(macro_file(tmp_path, STATES)).quantities
    assert found["idle_pj"] == pytest.approx(0.25 + 0.5 + 0.01 * 2.0**2)
    assert (found["read_pj"], found["write_pj"]) == (30, 40)


def test_a_macro_that_does_not_say_what_idling_takes_is_refused(tmp_path: Path) -> None:
    said = {when: powers for when, powers in STATES.items() if not when.startswith("!A_MEN & !A")}
    with pytest.raises(UserError, match="A_CLK's energy when no enable is active"):
        read_macro(macro_file(tmp_path, said))


@pytest.mark.eda
def test_the_shipped_model_is_the_fit() -> None:
    folder = SHARED / "tech" / "ihp_sram"
    if not folder.exists():
        pytest.skip(f"{folder} is not on this machine")
    shipped = yaml.safe_load((MEMORIES / f"{IHP}.yaml").read_text())
    paths = sorted(folder.glob("*.lib.gz"))
    assert len(paths) == 10
    source = shipped["source"].removesuffix(" (10 macros)")
    again = fit([read_macro(path) for path in paths], name=IHP, feature_nm=130, source=source)
    for quantity in QUANTITIES:
        ours, theirs = again["coefficients"][quantity], shipped["coefficients"][quantity]
        assert ours == pytest.approx(theirs, rel=1e-5)
    assert again["errors"] == shipped["errors"]
    worst = {q: max(map(abs, errors.values())) for q, errors in shipped["errors"].items()}
    limits = {
        "area_um2": 0.035,
        "read_pj": 0.11,
        "write_pj": 0.055,
        "idle_pj": 0.001,
        "leakage_mw": 0.001,
        "access_ns": 0.085,
    }
    for quantity, limit in limits.items():
        assert worst[quantity] < limit
    # The files give no energy of an idle clock: what is left is the charge of a pin of 3.8 fF.
    assert shipped["coefficients"]["idle_pj"] == {"one": pytest.approx(0.0038 * 1.2**2, rel=1e-4)}
    with pytest.raises(UserError, match="must hold a memory with ports A_CLK and A_DOUT"):
        read_macro(SHARED / "tech" / "sg13g2_stdcell_typ_1p20V_25C.lib.gz")
