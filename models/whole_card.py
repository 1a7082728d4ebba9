"""The part of a model card about whole accelerators, which `quidam validate` measured."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.markdown import table

#: Quantity -> heading.
QUANTITIES = {"area_um2": "area", "power_mw": "power", "min_period_ns": "period"}
HEADINGS = ("PE type", "array", "designs", *QUANTITIES.values(), "bars missed")
TITLE = "## Whole accelerators"
#: What a validation's folder is called: the model's name, and this in front of its array, if any.
FOLDER = "-validation"


def whole_rows(content: Mapping[str, Any]) -> Iterator[list[str]]:
    """By PE type the mean (worst) errors of the fitted model, in percent; columns of `HEADINGS`.

    Parameters
    ----------
    content : of `validate.json`.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in content["summary"]:
        if row["way"] == "fitted":
            found.setdefault(row["arithmetic"], {})[row["quantity"]] = row
    for arithmetic, rows in found.items():
        errors = (
            f"{rows[one]['mean_percent']:.1f} ({rows[one]['worst_percent']:.1f})"
            for one in QUANTITIES
        )
        missed = ", ".join(QUANTITIES[one] for one in QUANTITIES if not rows[one]["met"])
        designs = str(rows["area_um2"]["designs"])
        yield [arithmetic, array_of(content), designs, *errors, missed or "none"]


def array_of(content: Mapping[str, Any]) -> str:
    """What was validated, in a word or two: the array, and of a plan of one build that build."""
    array = f"{content['size']} x {content['size']}"
    if content.get("plan") is None:
        return array
    builds = {(one["config"]["scratchpads"], one["recipe"]) for one in content["designs"]}
    return f"{array} {' '.join(builds.pop())}" if len(builds) == 1 else array


def whole_section(folder: Path, name: str, technology: str, model_sha256: str) -> str:
    """What the validations of a model say that lie beside its card.

    Parameters
    ----------
    folder : of the card.
    name : of the model.
    model_sha256 : of the model file; validations of another one are left out, and named.
    """
    parts = [
        TITLE,
        f"`quidam validate --tech {technology}` holds the model against accelerators that were "
        "synthesized, timed and simulated whole, of sizes that it was not fitted to.",
    ]
    rows, pages, others = [], [], []
    for path in sorted(folder.glob(f"{name}{FOLDER}*/validate.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        page = f"[{path.parent.name}]({path.parent.name}/validate.md)"
        if content["manifest"].get("model_sha256") != model_sha256:
            others.append(page)
            continue
        pages.append(page)
        rows += list(whole_rows(content))
        bars = ", ".join(
            "{} {:g} ({:g})".format(heading, *content["bars_percent"][one])
            for one, heading in QUANTITIES.items()
        )
    if rows:
        parts += [
            f"Errors of its predictions in percent, mean (worst); the bars are {bars}. One by "
            f"one: {', '.join(pages)}.",
            table(HEADINGS, rows),
        ]
    if others:
        parts.append(f"Of another model than this one: {', '.join(others)}.")
    if not rows and not others:
        parts.append("That has not been done yet.")
    return "\n\n".join(parts)


def refresh(validation: Path, technology: str, model_sha256: str) -> Path | None:
    """Put a new validation into the card of its model, where that lies beside it.

    Parameters
    ----------
    validation : folder of `validate.json`, called `NAME-validation` or more.

    Returns
    -------
    Path or None
        The card, if there is one.
    """
    name, found, _ = validation.name.partition(FOLDER)
    card = validation.parent / f"{name}.md"
    if not found or not card.is_file():
        return None
    section = whole_section(validation.parent, name, technology, model_sha256)
    text = card.read_text(encoding="utf-8")
    pattern = rf"^{TITLE}\n.*?(?=^## |\Z)"
    card.write_text(
        re.sub(pattern, lambda _: f"{section}\n\n", text, count=1, flags=re.MULTILINE | re.DOTALL),
        encoding="utf-8",
    )
    return card
