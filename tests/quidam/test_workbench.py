"""The ids of a sweep's tasks."""

from __future__ import annotations

import pytest

from characterize.identity import sample_id
from characterize.sample import Task
from characterize.technology import find_technology
from quidam import workbench
from tests.characterize.power_reference import SHARED


@pytest.mark.skipif(not (SHARED / "tech").is_dir(), reason="needs the open Liberty files")
def test_ids_found_side_by_side_are_those_found_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QUIDAM_LIBERTY", str(SHARED / "tech"))
    technology = find_technology("nangate45")
    tasks = [
        Task(
            component="node",
            arithmetic=name,
            parameters={"bus_bits": bits},
            technology="nangate45",
            clock_ns=2.0,
        )
        for name in ("int8", "int4", "lightpe1")
        for bits in (64, 128)
    ]
    monkeypatch.setattr(workbench, "MANY", len(tasks))
    found = workbench.identify(tasks, technology, 2)
    assert found == [sample_id(task, technology) for task in tasks]
    assert len(set(found)) == len(tasks)
