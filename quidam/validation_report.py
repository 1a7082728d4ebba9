"""What `quidam validate` found: as JSON, CSV, Markdown, and on the terminal."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from characterize.whole_plan import title
from explore.composition import BARS, Comparison, summary
from models.ppa import PpaModel
from quidam.terminal import console
from quidam.validation_file import SCHEMA, Measured
from rtl_gen import provenance

#: Quantity -> heading, and how many of its units make one of the heading's.
HEADINGS = {
    "area_um2": ("area mm²", 1e6),
    "power_mw": ("power mW", 1.0),
    "min_period_ns": ("period ns", 1.0),
}


def report(found: Sequence[Comparison], taken: Measured, model: PpaModel | None) -> dict[str, Any]:
    """All that was found, as plain types."""
    ways = sorted({way for one in found for way in one.predictions})
    return {
        "schema": SCHEMA,
        "technology": taken.technology,
        "size": taken.size,
        "plan": taken.plan,
        "bars_percent": {quantity: list(bars) for quantity, bars in BARS.items()},
        "summary": [row for way in ways for row in summary(found, way)],
        "designs": [_design(one) for one in found],
        "failures": dict(taken.failures),
        "manifest": {
            "commit": provenance.commit(),
            "model_sha256": model.sha256 if model is not None else None,
            "tools": dict(found[0].whole.manifest["tools"]) if found else {},
            "technology": dict(found[0].whole.manifest["technology"]) if found else {},
        },
    }


def _design(one: Comparison) -> dict[str, Any]:
    return {
        "id": one.whole.id,
        "name": title(one.whole.config),
        "config": dict(one.whole.config),
        "clock_ns": one.whole.clock_ns,
        "recipe": one.whole.recipe,
        "cycles": one.whole.cycles,
        "lanes": one.whole.lanes,
        "cells": one.whole.cells,
        "critical_path_ends": one.whole.manifest["critical_path_ends"],
        "whole": {quantity: one.actual(quantity) for quantity in BARS},
        "predicted": {
            way: {quantity: getattr(prediction, quantity) for quantity in BARS}
            | {"inside_range": prediction.inside_range}
            for way, prediction in one.predictions.items()
        },
        "error_percent": {
            way: {quantity: one.error_percent(way, quantity) for quantity in BARS}
            for way in one.predictions
        },
        "by_component": _by_component(one),
    }


def _by_component(one: Comparison) -> dict[str, dict[str, Any]]:
    """Kind -> its area, power and idle power, whole and in each prediction."""
    result: dict[str, dict[str, Any]] = {}
    for kind, area in one.whole.area_um2.items():
        result[kind] = {
            "whole": {
                "area_um2": area,
                "power_mw": sum(one.whole.power_mw[kind].values()),
                "idle_mw": sum(one.whole.idle_mw[kind].values()),
            }
        }
        for way, prediction in one.predictions.items():
            result[kind][way] = {
                "area_um2": prediction.area_by.get(kind, 0.0),
                "power_mw": prediction.power_by.get(kind, 0.0),
                "idle_mw": prediction.idle_by.get(kind, 0.0),
                "min_period_ns": prediction.period_by.get(kind, 0.0),
            }
    return result


def design_rows(content: Mapping[str, Any]) -> list[list[str]]:
    """A row a design: its name, then of every quantity the measured value and the errors."""
    ways = _ways(content)
    rows = []
    for design in content["designs"]:
        row = [design["name"]]
        for quantity, (_, unit) in HEADINGS.items():
            row.append(f"{design['whole'][quantity] / unit:.4g}")
            for way in ways:
                errors = design["error_percent"].get(way)
                row.append(f"{errors[quantity]:+.1f}" if errors else "")
        rows.append(row)
    return rows


def design_headings(content: Mapping[str, Any]) -> list[str]:
    """Headings of `design_rows`."""
    ways = [f"{way} %" for way in _ways(content)]
    return ["accelerator", *(word for head, _ in HEADINGS.values() for word in (head, *ways))]


def summary_rows(content: Mapping[str, Any]) -> list[list[str]]:
    """A row a way, PE type and quantity: mean and worst error, the bars, and whether they hold."""
    return [
        [
            row["way"],
            row["arithmetic"],
            HEADINGS[row["quantity"]][0].split()[0],
            str(row["designs"]),
            f"{row['mean_percent']:.1f} ({row['mean_bar']:g})",
            f"{row['worst_percent']:.1f} ({row['worst_bar']:g})",
            "met" if row["met"] else "MISSED",
        ]
        for row in content["summary"]
    ]


SUMMARY_HEADINGS = ("", "PE type", "quantity", "designs", "mean % (bar)", "worst % (bar)", "bar")


def _ways(content: Mapping[str, Any]) -> list[str]:
    return sorted({row["way"] for row in content["summary"]})


def verdict(content: Mapping[str, Any]) -> str:
    """One line a way: how many bars are missed."""
    lines = []
    for way in _ways(content):
        rows = [row for row in content["summary"] if row["way"] == way]
        missed = [row for row in rows if not row["met"]]
        names = sorted({f"{row['arithmetic']} {row['quantity']}" for row in missed})
        what = f"{len(missed)} of {len(rows)} bars MISSED: {', '.join(names)}"
        lines.append(f"{way}: {what if missed else f'all {len(rows)} bars met'}")
    return "\n".join(lines)


def show(content: Mapping[str, Any]) -> None:
    """Both tables, and the verdict."""
    output = console()
    for above, headings, rows in (
        (
            f"whole accelerators in {content['technology']}",
            design_headings(content),
            design_rows(content),
        ),
        ("mean and worst error by PE type", list(SUMMARY_HEADINGS), summary_rows(content)),
    ):
        table = Table(title=above, title_justify="left", box=SIMPLE, pad_edge=False)
        for number, heading in enumerate(headings):
            table.add_column(heading, justify="right" if number else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        output.print(table)
    output.print(verdict(content), highlight=False, soft_wrap=True)
    for name, why in content["failures"].items():
        output.print(f"failed: {name}: {why}", highlight=False)


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """validate.json, .csv, .md and .png."""
    from explore.composition_plots import plot_composition

    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    (folder / "validate.json").write_text(text, encoding="utf-8")
    with (folder / "validate.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["accelerator", "way", "quantity", "whole", "predicted", "error_percent"])
        for design in content["designs"]:
            for way, predicted in design["predicted"].items():
                for quantity in BARS:
                    values = (design["whole"][quantity], predicted[quantity])
                    error = design["error_percent"][way][quantity]
                    writer.writerow([design["name"], way, quantity, *values, error])
    tables = [
        _markdown(list(SUMMARY_HEADINGS), summary_rows(content)),
        _markdown(design_headings(content), design_rows(content)),
    ]
    parts = [_introduction(content), *tables, verdict(content)]
    if content["designs"]:
        plot_composition(folder / "validate.png", content)
        parts.append("![Errors of every accelerator](validate.png)")
    (folder / "validate.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


#: Way -> what its errors are those of.
WAYS = {
    "composed": '"composed" of components measured at the very same sizes, which shows what '
    "composing misses",
    "fitted": 'composed of the models, "fitted" to other sizes',
}


def _introduction(content: Mapping[str, Any]) -> str:
    ways = _ways(content)
    options = "" if content["size"] == 4 else f" --size {content['size']}"
    if content["plan"] is not None:
        options = f" --plan {content['plan']}"
    options += "" if "composed" in ways else " --fitted-only"
    return f"""\
# Whole accelerators in {content["technology"]}

Each was synthesized, timed and simulated whole, at gate level and with every image's outputs equal
to the RTL's, while it ran a real layer. The errors are those of predictions:
{"; and ".join(WAYS[way] for way in ways)}.
Memories and glitches are in neither side.

    quidam validate --tech {content["technology"]}{options}"""


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
