"""`quidam sample`: what is in a store, where it comes from, and whether it comes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize import measure, tools
from characterize.sample import failed, to_json
from characterize.store import Store
from quidam.main import main
from tests.characterize import standin


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three samples whose ids begin with 0, 1 and 10, and a failure with 2."""
    found = Store(tmp_path / "store")
    for number, id in enumerate(("0" * 64, "11" * 32, "10" * 32)):
        found.put(standin.sample(standin.task(number + 1), id))
    found.put(failed(standin.task(9), "2" * 64, "synthesis", "Yosys failed", "line 1\nline 2"))
    return found


def test_list_shows_every_result(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "list", str(store.path)]) == 0
    printed = capsys.readouterr().out
    assert "000000000000" in printed
    assert "failed at" in printed
    assert "Yosys failed" in printed
    assert main(["sample", "list", str(store.path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["samples"]
    assert {row["id"] for row in rows} == store.ids()
    areas = {row["id"][0]: row["area_um2"] for row in rows if row["id"][1] != "0"}
    assert areas == {"1": 18.0, "2": None}
    (failure,) = [row["failed"] for row in rows if row["failed"]]
    assert failure == {"step": "synthesis", "message": "Yosys failed"}


def test_show_prints_the_manifest(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "show", str(store.path), "00"]) == 0
    printed = capsys.readouterr().out
    assert "min_period_ns  1.25\n" in printed
    assert "\nmanifest\n  seconds\n    synthesis  0.0\n" in printed
    assert main(["sample", "show", str(store.path), "00", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads(to_json(store.samples()[0]))
    assert main(["sample", "show", str(store.path), "2"]) == 0
    assert "log\n  | line 1\n  | line 2\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "STORE", "1"], "not '1': 2 samples begin with it"),
        (["show", "STORE", "f"], "not 'f': no sample begins with it"),
        (["show", "STORE", ""], "not ''"),
        (["list", "STORE/nothing"], "store must be a folder"),
        (["rerun", "STORE", "2"], "not of the failure 222222222222: `quidam characterize --retry`"),
        (["rerun", "STORE", "0"], "technology must be one that ships"),
    ],
)
def test_the_user_s_mistakes(
    store: Store, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", *(word.replace("STORE", str(store.path)) for word in words)]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of one real sample."""
    folder = tmp_path_factory.mktemp("measured")
    plan = {"arithmetics": ["int8"], "components": {"node": [{"bus_bits": 32}]}}
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    words = ["--store", str(folder / "store"), "--plan", str(folder / "plan.yaml")]
    if main(["characterize", "--tech", "osu018", *words, "--workers", "1"]) != 0:
        pytest.skip("osu018 or a tool is not here")
    return folder / "store"


def change(store: Path, key: str, value: Any) -> dict[str, Any]:
    """Write another value into the one sample's file; what it held before."""
    (path,) = (store / "samples").iterdir()
    content: dict[str, Any] = json.loads(path.read_text())
    before = json.loads(path.read_text())
    inner = content
    *outer, last = key.split("/")
    for name in outer:
        inner = inner[name]
    inner[last] = value
    path.write_text(json.dumps(content))
    return before


@pytest.mark.eda
def test_a_sample_comes_again_bit_for_bit(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sample,) = Store(measured).samples()
    manifest = sample.manifest
    assert {"commit", "tools", "recipe", "seed", "host", "time", "seconds"} <= set(manifest)
    assert main(["sample", "rerun", str(measured), sample.id[:6]]) == 0
    assert capsys.readouterr().out.startswith("identical: int8 node 32 in osu018")
    assert main(["sample", "rerun", str(measured), sample.id, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["identical"], answer["differences"]) == (True, {})


@pytest.mark.eda
def test_what_differs_is_named_with_both_values(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The last bit of one energy.
    energy = Store(measured).samples()[0].energy_pj["ifmap_beat"]["datapath"]
    wrong = energy * (1 + 2**-52)
    before = change(measured, "energy_pj/ifmap_beat/datapath", wrong)
    try:
        assert main(["sample", "rerun", str(measured), before["id"][:8]]) == 1
    finally:
        change(measured, "energy_pj", before["energy_pj"])
    printed = capsys.readouterr().out
    assert f"energy_pj.ifmap_beat.datapath: was {wrong}, now {energy}\n1 keys differ" in printed


@pytest.mark.eda
def test_other_tools_or_another_method_are_refused_by_name_unless_asked(
    measured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = {**tools.versions(), "yosys": "0.1"}
    monkeypatch.setattr(tools, "versions", lambda: versions)
    monkeypatch.setattr(measure, "method_sha256", lambda: "0" * 64)
    monkeypatch.setattr("characterize.rerun.method_sha256", lambda: "0" * 64)
    (sample,) = Store(measured).samples()
    words = ["sample", "rerun", str(measured), sample.id[:8]]
    assert main(words) == 2
    said = capsys.readouterr().err
    then = sample.manifest["tools"]["yosys"]
    assert f"yosys is 0.1 here, the sample was measured with {then}" in said
    assert f"is {'0' * 64} here, not {sample.manifest['method_sha256']}" in said
    assert main([*words, "--anyway"]) == 1
    printed = capsys.readouterr().out
    assert "manifest.tools.yosys: was 0." in printed
    assert "2 keys differ" in printed
