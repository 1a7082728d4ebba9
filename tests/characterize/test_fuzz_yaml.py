"""Thousands of spoilt YAML and JSON files: one message each, or read without a wrong number."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from characterize.plan import load_plan
from characterize.technology import (
    TECHNOLOGIES,
    read_technology,
    shipped,
)
from characterize.whole_plan import load_whole_plan
from explore.space import load_space
from explore.workload import NETWORKS, load_workload
from models.ppa import TRAINED
from quidam.validation_file import read_report
from rtl_gen.config import load_config
from rtl_gen.layer import load_layer
from tests.characterize import mutations
from tests.characterize.spoilt import ROOT, Reader, outcome, technology


def plan_tasks(path: Path) -> Any:
    """A plan, and the tasks that it means."""
    plan = load_plan(path)
    return plan, plan.tasks(technology(path))


#: What is read -> its reader, and files that it reads well.
YAML: dict[str, tuple[Reader, list[Path]]] = {
    "technology": (read_technology, [TECHNOLOGIES / f"{name}.yaml" for name in shipped()]),
    "plan": (plan_tasks, [ROOT / "characterize/plan.yaml"]),
    "config": (load_config, sorted((ROOT / "examples/configs").glob("*.yaml"))),
    "layer": (load_layer, sorted((ROOT / "examples/layers").glob("*.yaml"))),
    "space": (load_space, sorted((ROOT / "examples/spaces").glob("*.yaml"))),
    "workload": (load_workload, [NETWORKS / "resnet20.yaml"]),
    "whole plan": (load_whole_plan, sorted((ROOT / "examples/plans").glob("whole-*.yaml"))),
}


def check_numbers(thing: Any, what: str) -> None:
    """Whether all numbers that were read are finite, and none that can't be is negative."""
    if isinstance(thing, float):
        assert math.isfinite(thing), what
    elif isinstance(thing, dict):
        for value in thing.values():
            check_numbers(value, what)
    elif isinstance(thing, list | tuple):
        for value in thing:
            check_numbers(value, what)
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        for item in dataclasses.fields(thing):
            if not callable(value := getattr(thing, item.name)):
                check_numbers(value, what)


@pytest.mark.parametrize("kind", YAML)
def test_spoilt_yaml(kind: str, tmp_path: Path) -> None:
    read, files = YAML[kind]
    texts = [path.read_text(encoding="utf-8") for path in files]
    path = tmp_path / "spoilt.yaml"
    seen: Counter[str] = Counter()
    for number in range(150):
        rng = random.Random(f"{kind} {number}")
        text = rng.choice(texts)
        if number % 2:
            what, data = mutations.mutated(text, rng)
        else:
            what, content = mutations.mutated_content(yaml.safe_load(text), rng)
            data = yaml.safe_dump(content).encode()
        path.write_bytes(data)
        result = outcome(read, path, f"mutation {number}: {what}")
        seen["refused" if isinstance(result, str) else "read"] += 1
        check_numbers(result, f"mutation {number}: {what}")
    assert seen["refused"] > 40, seen


def test_spoilt_reports_of_whole_accelerators(tmp_path: Path) -> None:
    """Those that `quidam validate --measured` reads are JSON."""
    text = (TRAINED / "osu018-validation-8x8" / "validate.json").read_text(encoding="utf-8")
    path = tmp_path / "validate.json"
    seen: Counter[str] = Counter()
    for number in range(150):
        rng = random.Random(f"report {number}")
        if number % 2:
            what, data = mutations.mutated(text, rng)
        else:
            what, content = mutations.mutated_content(json.loads(text), rng)
            data = json.dumps(content, default=str).encode()
        path.write_bytes(data)
        result = outcome(read_report, path, f"mutation {number}: {what}")
        seen["refused" if isinstance(result, str) else "read"] += 1
        check_numbers(result, f"mutation {number}: {what}")
    assert seen["refused"] > 40, seen
    for odd in ("", "null", "[]", "3", "[" * 20_000, '{"schema": NaN}', "\x00"):
        path.write_text(odd, encoding="utf-8")
        assert str(path) in outcome(read_report, path, repr(odd[:9]))


#: Ten to the fifteenth values, by aliases of aliases.
BOMB = (
    "[&a [x, x], "
    + ", ".join(
        f"&{new} [{', '.join([f'*{old}'] * 9)}]"
        for old, new in itertools.pairwise("abcdefghijklmnop")
    )
    + "]"
)
#: Spellings of a value that no file should have anywhere.
ODD_YAML = (
    *(BOMB, "&a [*a]", "&a {b: *a}", "[" * 20_000, "{b: " * 2000 + "1" + "}" * 2000, "9" * 5000),
    *("0x" + "f" * 5000, ".nan", "-.inf", "[1, .inf]", "2026-99-99", "!!int ''", "!!float x"),
    *("!!timestamp x", "!!binary x", "!!python/object/apply:os.system [exit]", "*nowhere", "\t1"),
    *("{x: 1, x: 2}", "1\n---\nname: y", "!!omap 3", "? [1, 2]\n: 3", "\x07", "%x", "{? {a: 1}}"),
)


@pytest.mark.parametrize("kind", YAML)
def test_odd_values_under_every_key(kind: str, tmp_path: Path) -> None:
    read, files = YAML[kind]
    content = yaml.safe_load(files[0].read_text(encoding="utf-8"))
    path = tmp_path / "odd.yaml"
    refused = 0
    for number, odd in enumerate(ODD_YAML):
        key = list(content)[number % len(content)]
        rest = yaml.safe_dump({name: value for name, value in content.items() if name != key})
        path.write_text(f"{rest}{key}: {odd}\n", encoding="utf-8")
        what = f"{key}: {odd[:40]}"
        result = outcome(read, path, what)
        if isinstance(result, str):
            refused += 1
        check_numbers(result, what)
    assert refused >= len(ODD_YAML) - 4  # a network's `source`, for one, may be anything


@pytest.mark.parametrize("kind", YAML)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null\n",
        b"[]\n",
        b"3\n",
        b"\xff\xfe",
        b"\0",
        b"? {a: 1}\n",
        b"!!set {a, b}\n",
        b"<<: 1\n",
    ],
)
def test_files_that_are_no_mapping(kind: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(data)
    assert str(path) in outcome(YAML[kind][0], path, repr(data))


def test_a_plan_of_millions_is_refused_at_once(tmp_path: Path) -> None:
    many = list(range(1, 257))
    sizes = dict.fromkeys(("ifmap_words", "weight_words", "psum_words"), many)
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({"arithmetics": ["int8"], "components": {"pe": [sizes]}}))
    assert "not" in outcome(plan_tasks, path, "millions")
