"""Samples as one table, a row each: the form in which they ship with a model.

Nothing of a sample is lost, numbers keep all of their bits, and what all of them share (technology,
tools, method) stands once, in the model's manifest.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from characterize.sample import SCHEMA, Sample, from_json
from rtl_gen.components import MEASURED
from rtl_gen.errors import UserError

#: Of a manifest: what all samples of a model have in common.
SHARED = ("technology", "tools", "method_sha256")
#: A column of its own; a sample's fields that are text or a number.
_PLAIN = ("id", "component", "arithmetic", "technology", "scratchpads", "recipe")
_NUMBERS = ("clock_ns", "cells")
#: A sample's fields that are mappings -> how deep.
_NESTED = {"area_um2": 1, "leakage_mw": 1, "energy_pj": 2, "segments_ns": 1}
_MANIFEST = "manifest"


def metrics(sample: Sample) -> dict[str, float]:
    """A sample's measurements by name, the unit in front: "energy_pj.mac.clock"."""
    row = {"min_period_ns": float(sample.min_period_ns)}
    for field, depth in _NESTED.items():
        for key, value in getattr(sample, field).items():
            inner = value.items() if depth > 1 else [("", value)]
            row |= {".".join(filter(None, (field, key, part))): float(v) for part, v in inner}
    return row


def write_table(path: Path, samples: Iterable[Sample]) -> None:
    """One row a sample: its parameters, metrics, and own part of the manifest as JSON; what it has
    not is empty."""
    order = {kind: i for i, kind in enumerate(MEASURED)}
    rows: list[dict[str, Any]] = [
        {
            **{name: getattr(sample, name) for name in (*_PLAIN, *_NUMBERS)},
            **sample.parameters,
            **metrics(sample),
            _MANIFEST: json.dumps(
                {key: value for key, value in sample.manifest.items() if key not in SHARED},
                sort_keys=True,
            ),
        }
        for sample in samples
    ]
    rows.sort(key=lambda row: (order[row["component"]], row["arithmetic"], row["id"]))
    columns = list(dict.fromkeys(name for row in rows for name in row if name != _MANIFEST))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*columns, _MANIFEST], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_table(path: Path, shared: Mapping[str, Any]) -> list[Sample]:
    """The samples that `write_table` wrote.

    Parameters
    ----------
    shared : what their manifests have in common: `SHARED`.

    Raises
    ------
    UserError
        When the file can't be read or is no such table; names the row.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} must be a readable table of samples: {error}") from error
    if not rows or _MANIFEST not in rows[0]:
        raise UserError(
            f"{path} must have a column {_MANIFEST}, as `quidam fit` writes it since samples ship "
            "with theirs"
        )
    found = []
    for number, row in enumerate(rows, 2):
        try:
            found.append(_sample(row, shared))
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"{path}, line {number}: {error!r}") from error
    return found


def _sample(row: Mapping[str, str], shared: Mapping[str, Any]) -> Sample:
    content: dict[str, Any] = {name: row[name] for name in _PLAIN}
    content |= {field: {} for field in _NESTED}
    content |= {
        "schema": SCHEMA,
        "clock_ns": float(row["clock_ns"]),
        "cells": int(row["cells"]),
        "min_period_ns": float(row["min_period_ns"]),
        "parameters": {name: int(row[name]) for name in MEASURED[row["component"]].fields},
        _MANIFEST: {**json.loads(row[_MANIFEST]), **{key: shared.get(key) for key in SHARED}},
    }
    for column, value in row.items():
        field, *keys = column.split(".")
        if field in _NESTED and value != "":
            _put(content[field], keys, float(value))
    return from_json(json.dumps(content), Sample)


def _put(target: dict[str, Any], keys: Sequence[str], value: float) -> None:
    for key in keys[:-1]:
        target = target.setdefault(key, {})
    target[keys[-1]] = value
