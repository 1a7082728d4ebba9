"""The model card: what was fitted, how far it was off on samples it had not seen, in Markdown.

Plots (`models.card_plots`) stand beside it and need matplotlib, which is imported there only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.component import Error
from models.crossover import crossover, crossover_section
from models.element_card import element_section
from models.fit import Fit
from models.glitches import PARTS, Factors
from models.markdown import table
from models.memory_card import memory_section
from models.validation import worst
from models.whole_card import whole_section
from rtl_gen.components import KINDS

if TYPE_CHECKING:
    from characterize.sample import Sample

#: Metric -> how the error tables head it.
HEADLINES = {
    "area_um2": "area",
    "leakage_mw": "leakage",
    "power_mw": "power",
    "fmax_mhz": "fmax",
}


def write_card(folder: Path, name: str, fit: Fit, samples: Sequence[Sample]) -> list[Path]:
    """Write NAME.md and its plots into `folder`.

    Returns
    -------
    list of Path
        What was written, the card first.
    """
    from models.card_plots import draw

    folder.mkdir(parents=True, exist_ok=True)
    plots = draw(folder, name, fit, samples)
    card = folder / f"{name}.md"
    card.write_text(text(folder, name, fit, samples, plots), encoding="utf-8")
    return [card, *plots]


def text(
    folder: Path, name: str, fit: Fit, samples: Sequence[Sample], plots: Sequence[Path]
) -> str:
    """The card as Markdown; `folder` is its own, where validations may lie."""
    contents = fit.model.contents
    technology, manifest = contents.technology, contents.manifest
    found = crossover(fit.model)
    picture = f"{name}-crossover.png"
    compared = [] if found is None else ["## Scratchpads", crossover_section(found, picture)]
    sections = [
        f"# PPA model `{name}`",
        f"Technology {technology.name}, {technology.voltage_v:g} V; off-chip memory "
        f"{technology.dram_pj_per_bit:g} pJ/bit. Fitted to {manifest['samples']} samples; chosen "
        f"by {manifest['folds']}-fold cross-validation, {manifest['repeats']} repetitions, seed "
        f"{manifest['seed']}. {_effort(manifest)}",
        "Errors are of held-out samples: neither the coefficients nor the choice of the "
        "polynomial has seen them. Mean (largest) absolute error in percent of the measured "
        "value; power is that of the component's busiest event at the samples' clock, leakage "
        "included. Folds part sizes, not the levels of one field: where samples share a few "
        "levels, an error of nearly 0 may only say that the levels were met again.",
        "## Error",
        _errors(fit),
        "## Processing elements",
        "Measured, of samples of one size: area, energy of a multiply-accumulate (of settled "
        "values by part; then their sum, and the same with the factors for glitches), and how "
        "many times less than INT16 that is.",
        element_section(samples, technology.glitches),
        *compared,
        "## Memories",
        memory_section(technology.memories),
        "## Fitted range",
        "Outside of these, and of the memory depths that follow from them, `predict` says "
        "`inside_range: false`.",
        _ranges(samples),
        "## Largest errors",
        _worst(fit),
        "## Predicted against measured",
        *(f"![{plot.stem}]({plot.name})" for plot in plots if plot.name != picture),
        "## Glitches",
        _glitches(technology.glitches),
        whole_section(folder, name, technology.name, fit.model.sha256),
        "## Not in the model",
        "Wires between components and their clock tree, anything that synthesis of one component "
        "does not see. Predictions are clipped at zero.",
    ]
    return "\n\n".join(sections) + "\n"


def _effort(manifest: Mapping[str, Any]) -> str:
    """How the samples are made, and what they took, where that is known."""
    if not (minutes := manifest.get("core_minutes")):
        return ""
    name = manifest["measured"]["technology"]["name"]
    return f"Measuring took {minutes:g} minutes of one core (`make models TECH={name}`)."


def headline_rows(fit: Fit) -> list[tuple[str, ...]]:
    """Arithmetic, component, samples, the errors of `HEADLINES`, method: one row a component."""
    return [
        (
            name,
            kind,
            str(model.samples),
            *(percent(model.errors[metric]) for metric in HEADLINES),
            model.errors["area_um2"].method,
        )
        for name, components in sorted(fit.model.contents.components.items())
        for kind, model in components.items()
    ]


def headline_columns() -> tuple[str, ...]:
    """What `headline_rows` holds."""
    return ("arithmetic", "component", "samples", *HEADLINES.values(), "method")


def percent(error: Error) -> str:
    """An error as "mean (largest)", in percent."""
    if error.mean_percent is None or error.max_percent is None:
        return "-"
    mean, largest = (
        f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
        for value in (error.mean_percent, error.max_percent)
    )
    return f"{mean} ({largest})"


def _errors(fit: Fit) -> str:
    return table(headline_columns(), headline_rows(fit))


def _ranges(samples: Sequence[Sample]) -> str:
    rows = []
    for kind in KINDS:
        chosen = [sample.parameters for sample in samples if sample.component == kind]
        spans = [
            f"{field} {min(p[field] for p in chosen)} to {max(p[field] for p in chosen)}"
            for field in KINDS[kind].fields
        ]
        rows.append((kind, "; ".join(spans) or "no sizes"))
    return table(("component", "samples span"), rows)


def _glitches(found: Mapping[str, Factors]) -> str:
    if not found:
        return "None are counted."
    rows = [
        (name, *(f"{float(factors[part]):.2f}" for part in PARTS), str(factors["from"]))
        for name, factors in sorted(found.items())
    ]
    head = ("arithmetic", *(f"{part} x" for part in PARTS), "measured in")
    return (
        "By what predictions multiply the energy of a multiply-accumulate above that of an idle "
        "cycle, for glitches; samples and errors above are of settled values.\n\n"
        f"{table(head, rows)}"
    )


def _worst(fit: Fit) -> str:
    rows = [
        (
            row.arithmetic,
            row.component,
            row.metric,
            row.id[:12],
            f"{row.actual:.4g}",
            f"{row.predicted:.4g}",
            f"{row.percent:+.1f}",
        )
        for row in worst(fit.residuals, 10)
    ]
    head = ("arithmetic", "component", "metric", "sample", "measured", "predicted", "percent")
    return table(head, rows)
