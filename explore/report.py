"""The report: one HTML file that needs nothing beside itself, and explains itself."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from explore.search import Exploration, Findings
from explore.table import best_by_type, front_table
from rtl_gen.config import INTEGER_FIELDS

#: Rows of a front that the page shows; front.csv has them all.
MOST_ROWS = 60
#: What `short_design` shows.
DESIGN_LEGEND = "design: PEs, words and kind of the ifmap/weight/psum scratchpads, buffer, bus"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em;
       color: #1a1a1a; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2em; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; text-align: right; border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 2px solid #999; vertical-align: bottom; }
td:first-child, th:first-child { text-align: left; }
img { max-width: 100%; } .wide { overflow-x: auto; }
.note { background: #fff6df; border-left: 4px solid #E69F00; padding: .5em 1em; margin: 1em 0; }
code, pre { font: 13px/1.45 ui-monospace, monospace; background: #f4f4f4; }
pre { padding: .7em 1em; overflow-x: auto; } caption { text-align: left; color: #555; }
"""

_EXPLAIN = """
<p>Each design is one row-stationary accelerator: an array of processing elements (PEs) with three
scratchpads each, a global buffer and an off-chip bus. Its clock, area, leakage and the energy of
everything its components do in a cycle come from models fitted to synthesized, simulated samples;
cycles and traffic come from the closed-form schedule that the RTL obeys to the cycle. Each layer
uses the mapping of fewest cycles. One inference is a batch of one, layer after layer.</p>
<ul>
<li><b>Energy parts.</b> idle: what components burn in every cycle whatever they do, mostly the
clock inside their registers. What they do comes on top. mac: PE datapaths for multiplying.
scratchpad: PE scratchpads for reading and writing, and the logic that fills them. network, buffer,
controller: for carrying words, for summing, keeping and sending them, for running. clock: the clock
net. leakage: of the whole chip over the whole time. dram: off-chip transfers, at the technology
file's energy per bit.</li>
<li><b>Left out.</b> What the host does: pooling, the additions of shortcuts, softmax; wires between
components, clock tree and pads; glitches anywhere but in the PEs' multiply-accumulates, whose
energy is multiplied by measured factors.</li>
<li><b>Accuracy is no objective here.</b> PE types differ in the accuracy a network reaches on
them, so each type's own front is of interest, not only the overall one.</li>
</ul>
"""


def report_html(
    exploration: Exploration, pictures: Mapping[str, Sequence[bytes]], manifest: Mapping[str, Any]
) -> str:
    """The page.

    Parameters
    ----------
    pictures : workload name -> PNGs, shown in order.
    manifest : as in manifest.json; `command`, `model` and `quidam` are shown.
    """
    names = ", ".join(findings.workload.name for findings in exploration.findings)
    title = f"QUIDAM exploration: {names} on {exploration.technology}"
    body = [
        f"<h1>{escape(title)}</h1>",
        _summary(exploration, manifest),
        _notes(exploration),
        "<h2>How to read this</h2>",
        _EXPLAIN,
    ]
    for findings in exploration.findings:
        body += _workload(exploration, findings, pictures[findings.workload.name])
    body += ["<h2>Where this comes from</h2>", _manifest(manifest)]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def warnings(exploration: Exploration) -> list[str]:
    """What a reader must know before believing the numbers, one sentence each."""
    result = []
    for findings in exploration.findings:
        if findings.outside:
            on_front = sum(
                int((findings.overall[name] & ~rows[1].inside_range).sum())
                for name, rows in findings.fronts.items()
            )
            result.append(
                f"{findings.workload.name}: {findings.outside:,} of {findings.feasible:,} designs, "
                f"{on_front:,} of them on the front, lie outside the range that the models were "
                "fitted on: their figures are extrapolated. "
                "--where 'inside_range == 1' leaves them out."
            )
        if findings.cannot_run:
            result.append(
                f"{findings.workload.name}: {findings.cannot_run:,} designs cannot run some layer "
                "(kernel, map or memory does not fit) and are left out."
            )
    if exploration.scaled:
        result.append(
            f"The figures of the memories ({', '.join(exploration.scaled)}) are scaled from "
            f"another technology: {exploration.technology} has no memory data of its own."
        )
    return result


def scaled_mark(exploration: Exploration) -> str:
    """What stands beside a table of figures that scaled memories have a part in; else ""."""
    return "; areas, clocks and energies with scaled memories in them" * bool(exploration.scaled)


def _summary(exploration: Exploration, manifest: Mapping[str, Any]) -> str:
    kinds = ", ".join(one.label for one in exploration.space.arithmetics)
    how = "all" if exploration.sample is None else f"a sample (seed {exploration.seed}) of"
    rows = [
        ("Designs", f"{exploration.designs:,}: {how} {exploration.space.combinations:,} "
                    f"combinations, of which {exploration.dropped:,} broke a rule"),
        ("PE types", kinds),
        ("Technology", exploration.technology),
        ("Model file", str(manifest.get("model", {}).get("file", ""))),
        ("Clock", "each design's shortest period" if exploration.clock_ns is None
                  else f"{exploration.clock_ns:g} ns, or a design's shortest period if longer"),
        ("Objectives", ", ".join(one.label for one in exploration.objectives)),
        ("Constraints", ", ".join(map(str, exploration.constraints)) or "none"),
        ("Time", f"{exploration.seconds:.2f} s, {exploration.designs_per_second:,.0f} designs/s, "
                 f"each on {len(exploration.findings)} network(s)"),
    ]  # fmt: skip
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td style='text-align:left'>{escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table>{cells}</table>"


def _notes(exploration: Exploration) -> str:
    return "".join(f'<p class="note">{escape(text)}</p>' for text in warnings(exploration))


def _workload(
    exploration: Exploration, findings: Findings, pictures: Sequence[bytes]
) -> Iterable[str]:
    workload = findings.workload
    yield f"<h2>{escape(workload.name)}</h2>"
    yield (
        f"<p>{len(workload.computed)} layers, {workload.macs / 1e6:,.1f} million MACs, "
        f"{workload.weights / 1e6:,.2f} million weights. {escape(workload.source)}.</p>"
    )
    yield f"<h3>PE types relative to the best {escape(exploration.reference.label)} design</h3>"
    yield _types(exploration, findings)
    for picture in pictures:
        data = base64.b64encode(picture).decode("ascii")
        yield f'<p><img alt="plot, {escape(workload.name)}" src="data:image/png;base64,{data}"></p>'
    yield "<h3>Overall front</h3>"
    yield _front(exploration, findings)


def _types(exploration: Exploration, findings: Findings) -> str:
    head = ("PE type", "best performance per area (inferences/s/mm²)", "better by", "design",
            "least energy per inference (mJ)", "better by", "design")  # fmt: skip
    rows = []
    for row in best_by_type(exploration, findings):
        cells = [row["label"]]
        for quantity in ("perf_per_area", "energy_mj"):
            flag = "" if row[f"{quantity}_inside_range"] else " (extrapolated)"
            ratio = row[f"{quantity}_relative"]
            cells += [
                f"{row[quantity]:.4g}{flag}",
                "" if ratio is None else f"{ratio:.2f}×",
                short_design(row[f"{quantity}_design"]),
            ]
        rows.append(cells)
    return _table(head, rows, DESIGN_LEGEND + scaled_mark(exploration))


def short_design(config: Mapping[str, Any]) -> str:
    """A config on one line, as `DESIGN_LEGEND` tells."""
    return (
        f"{config['rows']}×{config['columns']}, "
        f"{config['ifmap_words']}/{config['weight_words']}/{config['psum_words']} "
        f"{config['scratchpads']}, "
        f"{config['buffer_kib']} KiB, {config['bus_bits']} bit"
    )


def _front(exploration: Exploration, findings: Findings) -> str:
    table = front_table(findings, exploration.objectives[0].quantity)
    table = table[table["on_front"]]
    labels = {one.name: one.label for one in exploration.space.arithmetics}
    head = ("PE type", *(name.replace("_", " ") for name in INTEGER_FIELDS), "area mm²", "clock ns",
            "latency ms", "energy mJ", "power mW", "inferences/s/mm²", "in range")  # fmt: skip
    rows = [_front_row(row, labels) for _, row in table.head(MOST_ROWS).iterrows()]
    shown = f"{len(rows)} of {len(table)}" if len(table) > len(rows) else f"all {len(rows)}"
    caption = f"{shown} designs that no other dominates; front.csv has every column and row"
    caption += scaled_mark(exploration)
    return f'<div class="wide">{_table(head, rows, caption)}</div>'


def _front_row(row: pd.Series[Any], labels: Mapping[str, str]) -> list[str]:
    figures = (
        row["area_um2"] / 1e6,
        row["clock_ns"],
        row["latency_s"] * 1e3,
        row["energy_j"] * 1e3,
        row["power_w"] * 1e3,
        row["inferences_per_s_mm2"],
    )
    return [
        labels[row["arithmetic"]],
        *(str(row[name]) for name in INTEGER_FIELDS),
        *(f"{figure:.4g}" for figure in figures),
        "yes" if row["inside_range"] else "NO",
    ]


def _manifest(manifest: Mapping[str, Any]) -> str:
    rows = [
        (key, str(value))
        for key, value in manifest.items()
        if key != "command" and not isinstance(value, dict)
    ]
    for key, value in manifest.items():
        if isinstance(value, dict):
            rows += [(f"{key}: {name}", str(one)) for name, one in value.items()]
    command = escape(str(manifest.get("command", "")))
    return f"<pre>{command}</pre>" + _table(("", ""), [list(row) for row in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    note = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{note}<tr>{titles}</tr>\n{lines}</table>"
