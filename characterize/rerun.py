"""Measuring a sample again: whether it can be the same one, and what is not the same in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from characterize import tools
from characterize.cell_files import prepare
from characterize.identity import TOOLS, method_sha256, sample_id
from characterize.measure import measure
from characterize.sample import Failure, Sample, task_of, to_json
from characterize.scratch import temporary_folder
from characterize.technology import Technology
from rtl_gen.errors import ToolError

#: Keys of a manifest that say when, where and from which commit; the result does not depend on
#: them: what of the commit it depends on, `method_sha256` and `verilog_sha256` tell.
CIRCUMSTANCES = ("seconds", "host", "time", "commit")


def obstacles(sample: Sample, technology: Technology) -> Iterator[str]:
    """Why the same sample can't be expected here and now, one sentence each."""
    then = sample.manifest.get("tools", {})
    for name in TOOLS:
        if (now := tools.versions().get(name)) != then.get(name):
            yield f"{name} is {now} here, the sample was measured with {then.get(name)}"
    checks = [
        ("the method (SHA-256 of its sources)", "method_sha256", method_sha256()),
        ("the technology", "technology", technology.identity()),
    ]
    for what, key, value in checks:
        before = sample.manifest.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            for part in sorted({*before, *value}):
                if before.get(part) != value.get(part):
                    yield f"{what}'s {part} is {value.get(part)} here, not {before.get(part)}"
        elif before != value:
            yield f"{what} is {value} here, not {before}"
    if sample_id(task_of(sample), technology) != sample.id:
        yield "the id of the same task is another one here: the RTL, or one of the above, differs"


def measured_again(sample: Sample, technology: Technology) -> Sample:
    """Measure the same component.

    Raises
    ------
    ToolError
        When that fails; says at which step.
    """
    work = temporary_folder()
    try:
        liberty = prepare(technology, work / "cells")
        task = task_of(sample)
        result = measure(task, sample.id, technology=technology, liberty=liberty, scratch=work)
    finally:
        shutil.rmtree(work)
    if isinstance(result, Failure):
        message = f"it could not be measured again: {result.step}: {result.message}"
        raise ToolError(message, tail=result.log)
    return result


def differences(old: Sample, new: Sample) -> dict[str, tuple[Any, Any]]:
    """Key -> both values, of all that is not the same bit for bit; circumstances aside."""
    before, after = (dict(_flat(json.loads(to_json(sample)))) for sample in (old, new))
    return {
        key: (before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    }


def _flat(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(content, dict):
        yield key, content
        return
    for name, value in content.items():
        if key != "manifest" or name not in CIRCUMSTANCES:
            yield from _flat(value, f"{key}.{name}" if key else name)
