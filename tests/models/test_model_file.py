"""The model file: what is written is read back to the bit, what is wrong is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.features import LINEAR
from models.fit import Fit
from models.ppa import PpaModel
from rtl_gen.errors import UserError

Broken = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def text(fitted: Fit, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "model.json"
    fitted.model.save(path)
    return path.read_text()


def test_round_trip_predicts_the_same_bits(
    fitted: Fit, text: str, tmp_path: Path, designs: SimpleNamespace
) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    model = PpaModel.load(path)
    assert model.contents == fitted.model.contents
    ours, theirs = (one.predict(designs, "int8") for one in (fitted.model, model))
    assert ours.area_um2.tobytes() == theirs.area_um2.tobytes()
    assert ours.min_period_ns.tobytes() == theirs.min_period_ns.tobytes()
    assert ours.leakage_mw.tobytes() == theirs.leakage_mw.tobytes()
    for kind, events in ours.energy_pj.items():
        for event, parts in events.items():
            for part, values in parts.items():
                assert values.tobytes() == theirs.energy_pj[kind][event][part].tobytes()
    model.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == text


def test_a_file_cut_short_anywhere_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    for length in range(0, len(text.rstrip()), len(text) // 40):
        path.write_text(text[:length])
        with pytest.raises(UserError, match=r"cut\.json must be valid JSON"):
            PpaModel.load(path)


def pe(top: dict[str, Any]) -> Any:
    return top["components"]["int8"]["pe.flipflop.fast"]


def area(top: dict[str, Any]) -> Any:
    return pe(top)["polynomials"]["area_um2.datapath"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(schema="quidam-ppa/2"), "schema must be 'quidam-ppa/3'"),
        (lambda t: t.pop("schema"), "schema must be 'quidam-ppa/3', not None"),
        (lambda t: t.update(extra=1), "the keys of the file"),
        (lambda t: t.update(manifest=[]), "manifest must be a mapping"),
        (lambda t: t["technology"].update(voltage_v="1.8"), "voltage_v must be a finite number"),
        (lambda t: t["technology"].update(voltage_v=10**400), "voltage_v must be a finite number"),
        (
            lambda t: t["technology"].update(dram_pj_per_bit=True),
            "dram_pj_per_bit must be a finite",
        ),
        (lambda t: t["technology"]["memories"].pop("coefficients"), "must be a memory model"),
        (
            lambda t: t["technology"]["memories"]["coefficients"].pop("idle_pj"),
            "KeyError('idle_pj')",
        ),
        (lambda t: t.update(components={}), "at least one arithmetic"),
        (lambda t: t["components"].update(int99={}), "int99"),
        (lambda t: t["components"]["int8"].pop("row.fast"), "all of at least one build"),
        (
            lambda t: t["components"]["int8"].update({"row.slow": {}}),
            "component of int8 must be one",
        ),
        (lambda t: pe(t).pop("samples"), "the keys of int8 pe.flipflop.fast"),
        (lambda t: pe(t).update(points=-1), "pe.flipflop.fast points must be an integer from 0"),
        (lambda t: pe(t)["ranges"].pop("storage_bits"), "the keys of int8 pe.flipflop.fast ranges"),
        (lambda t: pe(t)["ranges"].update(storage_bits=[3, 1]), "lowest, highest"),
        (lambda t: pe(t)["ranges"].update(storage_bits=[3]), "lowest, highest"),
        (lambda t: pe(t)["polynomials"].pop("min_period_ns"), "min_period_ns is missing"),
        (lambda t: pe(t)["polynomials"].update(magic={}), "not 'magic'"),
        (lambda t: pe(t)["polynomials"].update(min_period_ns={}), "min_period_ns must be a list"),
        (lambda t: pe(t)["polynomials"].update(min_period_ns=[]), "must be one, or for a path"),
        (
            lambda t: pe(t)["polynomials"]["area_um2.datapath"].append(area(t)),
            "must be one, or for",
        ),
        (lambda t: area(t).update(features=["rows"]), "feature must be one of"),
        (lambda t: area(t).update(coefficients=[1.0]), "one row a coefficient"),
        (lambda t: area(t).update(coefficients=["1", "2"]), "must be a finite number, not '1'"),
        (lambda t: area(t)["exponents"].__setitem__(0, [0, 0, 0, 0]), "one column a feature"),
        (lambda t: area(t)["exponents"].__setitem__(0, [99]), "integer from 0 to 3, not 99"),
        (lambda t: area(t)["exponents"].__setitem__(0, [0.5]), "integer from 0 to 3"),
        (lambda t: pe(t)["errors"]["area_um2"].update(method=3), "method must be text"),
        (lambda t: pe(t)["errors"]["area_um2"].update(mean_percent="a"), "finite number"),
    ],
)
def test_a_malformed_file_is_refused(
    text: str, tmp_path: Path, change: Broken, message: str
) -> None:
    top = json.loads(text)
    change(top)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(top))
    with pytest.raises(UserError) as caught:
        PpaModel.load(path)
    assert message in str(caught.value)
    assert "bad.json" in str(caught.value) or "int99" in message


def test_a_file_from_before_a_feature_is_read_and_one_that_uses_it_is_not(
    text: str, tmp_path: Path
) -> None:
    top = json.loads(text)
    name = min(LINEAR)
    for metric, pieces in pe(top)["polynomials"].items():
        if any(name in one["features"] for one in pieces):
            constant = {"features": [], "exponents": [[]], "coefficients": [1.0]}
            pe(top)["polynomials"][metric] = [constant]
    pe(top)["ranges"].pop(name)
    path = tmp_path / "before.json"
    path.write_text(json.dumps(top))
    assert name not in PpaModel.load(path).contents.components["int8"]["pe.flipflop.fast"].ranges
    area(top).update(features=[name], exponents=[[0], [1]], coefficients=[1.0, 2.0])
    path.write_text(json.dumps(top))
    with pytest.raises(UserError, match=rf"ranges must be .*{name}"):
        PpaModel.load(path)


@pytest.mark.parametrize("content", ["[]", "3", '{"schema": NaN}', "{" * 100_000, "\x00"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "no.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"no\.json"):
        PpaModel.load(path)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="readable model file"):
        PpaModel.load(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="readable model file"):
        PpaModel.load(tmp_path / "binary.json")
