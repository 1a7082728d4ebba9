"""The files an exploration leaves, and what the report says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from explore.results import summary, write_results
from explore.search import Exploration, search
from explore.space import space_from_mapping
from explore.workload import Workload, load_workload
from rtl_gen.layer import Layer

MANIFEST = {
    "command": "quidam explore 'a <b>.yaml'",
    "seed": 0,
    "model": {"file": "imaginary.json", "samples": 3},
}
OTHER = Workload(
    name="one<layer", source="nowhere",
    # Dilated: a column's memories must hold half a row of sums, which 12 designs can't.
    layers=(
        Layer(
            name="wide", kind="conv", in_channels=2, in_height=3, in_width=600, out_channels=4,
            kernel_height=3, kernel_width=3, padding=2, dilation=2,
        ),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def exploration(model: Any) -> Exploration:
    space = space_from_mapping(
        {
            "arithmetic": ["int16", "lightpe1"], "rows": [2, 8, 20], "columns": [4, 16],
            "ifmap_words": 12, "weight_words": [32, 128], "psum_words": 16,
            "buffer_kib": [32, 128], "bus_bits": 64,
        }
    )  # fmt: skip
    return search(model, space, [load_workload("resnet20"), OTHER])


@pytest.fixture(scope="module")
def folder(exploration: Exploration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("results") / "deep" / "er"
    written = write_results(directory, exploration, MANIFEST)
    assert sorted(written) == sorted(directory.iterdir())
    return directory


def test_the_files(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "energy_one<layer.png", "energy_resnet20.png", "front.csv", "manifest.json",
        "pareto_one<layer.png", "pareto_resnet20.png", "report.html",
    ]  # fmt: skip
    assert json.loads((folder / "manifest.json").read_text()) == MANIFEST
    for picture in folder.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG\r\n")


def test_front_csv(folder: Path, exploration: Exploration) -> None:
    table = pd.read_csv(folder / "front.csv")
    assert set(table["workload"]) == {"resnet20", "one<layer"}
    for column in ("area_um2", "clock_ns", "cycles", "latency_s", "energy_j", "power_w",
                   "leakage_w", "inside_range", "on_front"):  # fmt: skip
        assert table[column].notna().all()
    parts = table[[name for name in table if name.startswith("energy_j.")]]
    pd.testing.assert_series_equal(parts.sum(axis=1), table["energy_j"], check_names=False)
    for _, mine in table.groupby("workload"):
        assert mine["latency_s"].is_monotonic_increasing
    assert (exploration.findings[0].cannot_run, exploration.findings[1].cannot_run) == (0, 12)


def test_same_bytes_again(folder: Path, exploration: Exploration, tmp_path: Path) -> None:
    for path in write_results(tmp_path, exploration, MANIFEST):
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


class Page(HTMLParser):
    """Collects what the page refers to, and whether its tags match."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_needs_nothing_beside_itself(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert len(page.sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not re.search(r"https?://|@import|url\(", text)


def test_the_report_says_what_a_reader_must_know(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    for phrase in (
        "LightPE-1",
        "PE types relative to the best INT16 design",
        "lie outside the range that the models were fitted on",
        "psum_sram) are scaled from another technology",
        "buffer, bus; areas, clocks and energies with scaled memories in them</caption>",
        "every column and row; areas, clocks and energies with scaled memories in them</caption>",
        "12 designs cannot run some layer",
        "quidam explore &#x27;a &lt;b&gt;.yaml&#x27;",
        "imaginary.json",
        "one&lt;layer",
        "Deep Residual Learning",
    ):
        assert phrase in text, phrase
    assert "<b>.yaml" not in text


def test_summary_is_json_with_its_keys(exploration: Exploration, folder: Path) -> None:
    content = json.loads(json.dumps(summary(exploration), allow_nan=False))
    assert {"designs", "seconds", "front", "designs_per_second", "dropped", "best"} <= set(content)
    assert content["designs"] == 48
    table = pd.read_csv(folder / "front.csv")
    front = table[table["on_front"]]
    assert len(content["front"]) == len(front)
    assert [row["energy_j"] for row in content["front"]] == front["energy_j"].to_list()
    assert content["workloads"]["resnet20"]["cannot_run"] == 0
    assert content["workloads"]["one<layer"]["cannot_run"] == 12
    assert [row["arithmetic"] for row in content["best"]["resnet20"]] == ["int16", "lightpe1"]
