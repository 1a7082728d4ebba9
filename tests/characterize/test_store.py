"""The store: whole files or none, whatever happens."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest

from characterize import scratch
from characterize.sample import SCHEMA, Failure, Sample, failed, from_json, to_json
from characterize.store import Store, open_store
from rtl_gen.errors import UserError
from tests.characterize import standin

ID = "ab" * 32
OTHER = "cd" * 32


def sample(id: str = ID) -> Sample:
    """A sample."""
    return standin.sample(standin.task(3), id)


def failure(id: str = ID) -> Failure:
    """A failure."""
    return failed(standin.task(3), id, "timing", "no path", "line 1\nline 2")


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "new")
    assert (store.samples(), store.failures(), store.ids(), store.damaged()) == ([], [], set(), [])
    store.put(sample(OTHER))
    store.put(sample(ID))
    store.put(failure("ef" * 32))
    again = Store(tmp_path / "new")
    assert again.samples() == [sample(ID), sample(OTHER)]
    assert again.failures() == [failure("ef" * 32)]
    assert again.ids() == {ID, OTHER, "ef" * 32}


def test_a_sample_takes_the_place_of_a_failure_and_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(failure())
    store.put(sample())
    assert (store.samples(), store.failures()) == ([sample()], [])
    store.put(failure())
    assert (store.samples(), store.failures()) == ([], [failure()])
    store.remove(ID)
    assert store.ids() == set()


def test_the_same_result_is_the_same_bytes(tmp_path: Path) -> None:
    reordered = dataclasses.replace(sample(), area_um2=dict(reversed(sample().area_um2.items())))
    assert to_json(reordered) == to_json(sample())


def test_files_cut_anywhere_are_reported_and_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.put(sample())
    text = path.read_text()
    for size in (*range(0, len(text) - 1, 9), len(text) - 2):
        path.write_text(text[:size])
        assert (store.samples(), store.damaged()) == ([], [path]), size
    path.write_text(text)
    assert (store.samples(), store.damaged()) == ([sample()], [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "quidam-sample/0"),
        ("id", OTHER),
        ("component", "wheel"),
        ("parameters", {"bus_bits": 3}),
        ("energy_pj", {"mac": {}}),
        ("min_period_ns", "fast"),
        ("min_period_ns", float("nan")),
        ("extra", 1),
    ],
)
def test_files_that_hold_something_else_are_damaged(
    tmp_path: Path, key: str, value: object
) -> None:
    store = Store(tmp_path)
    path = store.put(sample())
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    assert (store.samples(), store.damaged()) == ([], [path])


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["file's fsync", "replace", "folder's fsync"])
def test_a_write_that_is_interrupted_leaves_the_old_file_or_the_new_one(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    path = store.put(sample())
    new = dataclasses.replace(sample(), cells=99)
    calls: list[object] = []

    def killed(*arguments: object) -> None:
        calls.append(arguments)
        if moment != "folder's fsync" or len(calls) == 2:
            raise Killed

    if moment == "replace":
        monkeypatch.setattr(Path, "replace", killed)
    else:
        monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(Killed):
        store.put(new)
    monkeypatch.undo()
    assert store.samples() == [new if moment == "folder's fsync" else sample()]
    assert store.damaged() == []
    with store.writing():
        assert list(path.parent.iterdir()) == [path]


def test_what_another_version_wrote_is_named_and_set_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.put(sample())
    other = store.put(sample(OTHER))
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": "quidam-sample/0"}))
    form = json.loads(other.read_text())
    other.write_text(json.dumps({**form, "parameters": {"bus_bits": 64}}))
    assert store.why(other).startswith("does not hold what it should: parameters of pe")
    other.write_text(json.dumps(form)[:99])
    told = f"was written by another version of quidam ('quidam-sample/0', this one has {SCHEMA!r})"
    assert store.why(path) == told
    assert store.why(other) == "is damaged"
    with store.writing():
        assert (store.damaged(), store.samples()) == ([], [])
    kept = sorted(item.name for item in (tmp_path / "unreadable").iterdir())
    assert kept == sorted([path.name, other.name])


@pytest.mark.parametrize("name", ["plain", "with a blank", "it's (1); #2"])
def test_work_is_done_at_a_plain_path(name: str, tmp_path: Path) -> None:
    # ABC would split any other at its blanks.
    store = Store(tmp_path / name)
    with store.writing() as work:
        assert re.fullmatch(r"[\w/.-]+", str(work.resolve()))
        (work / "file").write_text("x")
        assert (store.path / ".work" / "file").exists()
    assert not work.exists()
    assert [item.name for item in store.path.iterdir()] == [".lock"]


def test_work_of_a_killed_sweep_is_removed_wherever_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "with a blank")
    store.path.mkdir()
    left = scratch.make(store.path / ".work")
    (left / "file").write_text("x")
    with store.writing() as again:
        assert again != left
        assert not left.exists()
    stranger = tmp_path / "quidam-thesis"
    stranger.mkdir()
    (store.path / ".work").symlink_to(stranger)
    with store.writing():
        pass
    assert stranger.is_dir()  # a link in somebody's store is no leave to remove


def test_two_sweeps_do_not_share_a_store(tmp_path: Path) -> None:
    with Store(tmp_path).writing() as work:
        (work / "file").write_text("in the way")
        with (
            pytest.raises(UserError, match="must not be in use by another sweep"),
            Store(tmp_path).writing(),
        ):
            pass
        assert (work / "file").exists()
    assert not work.exists()
    work.mkdir()
    (work / "left by a killed sweep").write_text("")
    with Store(tmp_path).writing() as again:
        assert list(again.iterdir()) == []


def test_ids_are_names_of_files_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        Store(tmp_path).put(sample("../../evil"))


def test_a_store_to_read_from_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="that `quidam characterize` filled"):
        open_store(tmp_path / "nothing")
    Store(tmp_path).put(sample())
    assert open_store(tmp_path).samples() == [sample()]


def test_a_failure_is_not_a_sample() -> None:
    with pytest.raises(ValueError, match="keys must be"):
        from_json(to_json(failure()), Sample)
