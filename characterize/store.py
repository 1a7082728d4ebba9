"""The store of a sweep: a folder with one JSON file a result, safe against being killed.

    DIR/samples/ID.json     what was measured
    DIR/failures/ID.json    what could not be
    DIR/unreadable/         files of the two that hold something else, moved there by a sweep

A file is written beside its place, forced to disk and renamed: it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from characterize import scratch
from characterize.sample import SCHEMA, Failure, Sample, T, from_json, to_json
from rtl_gen.errors import UserError

_ID = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = ".writing-"


class Store:
    """Results by id.

    Parameters
    ----------
    path : the folder; made when something is first put into it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def samples(self) -> list[Sample]:
        """All samples, by id; damaged files are left out (see `damaged`)."""
        return [result for _, result in self._read("samples", Sample) if result is not None]

    def failures(self) -> list[Failure]:
        """All failures, by id; damaged files are left out."""
        return [result for _, result in self._read("failures", Failure) if result is not None]

    def ids(self) -> set[str]:
        """Ids of all results, samples and failures, that can be read."""
        samples = {sample.id for sample in self.samples()}
        return samples | {failure.id for failure in self.failures()}

    def damaged(self) -> list[Path]:
        """Files that do not hold what they should, cut short for instance."""
        found = [*self._read("samples", Sample), *self._read("failures", Failure)]
        return [path for path, result in found if result is None]

    def why(self, path: Path) -> str:
        """What is wrong with one of `damaged`, as the end of a sentence about it."""
        try:
            text = path.read_text(encoding="utf-8")
            schema = json.loads(text)["schema"]
        except (OSError, ValueError, TypeError, KeyError):
            return "is damaged"
        if schema != SCHEMA:
            return f"was written by another version of quidam ({schema!r}, this one has {SCHEMA!r})"
        try:
            if path.parent.name == "samples":
                from_json(text, Sample)
            else:
                from_json(text, Failure)
        except (ValueError, TypeError, AttributeError) as error:
            return f"does not hold what it should: {error}"
        return "is damaged"

    def put(self, result: Sample | Failure) -> Path:
        """Keep a result; a sample takes the place of a failure of the same id, and back."""
        if not _ID.fullmatch(result.id):
            raise UserError(f"id must be 64 hexadecimal digits, not {result.id!r}")
        kind, other = ("samples", "failures")[:: 1 if isinstance(result, Sample) else -1]
        folder = self.path / kind
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{result.id}.json"
        _write(path, to_json(result))
        (self.path / other / path.name).unlink(missing_ok=True)
        return path

    def remove(self, id: str) -> None:
        """Forget a result."""
        for kind in ("samples", "failures"):
            (self.path / kind / f"{id}.json").unlink(missing_ok=True)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Path]:
        """Hold the store for one sweep, and clear what a killed one left behind.

        Yields
        ------
        Path
            A folder for files of the work under way; removed at the end.

        Raises
        ------
        UserError
            When another sweep is writing into it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        # The lock goes with the process, however that ends.
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"store must not be in use by another sweep, {self.path} is"
                raise UserError(message) from error
            for path in self.path.glob(f"*/{_TEMPORARY}*"):
                path.unlink()
            self._set_aside()
            try:
                yield scratch.make(self.path / ".work")
            finally:
                scratch.remove(self.path / ".work")

    def _set_aside(self) -> None:
        """Move what can't be read out of the way; it is kept, and reported once."""
        aside = self.path / "unreadable"
        for path in self.damaged():
            aside.mkdir(exist_ok=True)
            path.replace(aside / path.name)

    def _read(self, folder: str, kind: type[T]) -> Iterator[tuple[Path, T | None]]:
        for path in sorted((self.path / folder).glob("*.json")):
            if path.name.startswith(_TEMPORARY):
                continue  # of a sweep that is at work, or was killed in mid-write
            try:
                result = from_json(path.read_text(encoding="utf-8"), kind)
            except (ValueError, TypeError, AttributeError):
                yield path, None
            else:
                yield path, result if result.id == path.stem else None


def open_store(path: Path | str) -> Store:
    """A store to read from.

    Raises
    ------
    UserError
        When there is none.
    """
    store = Store(path)
    if not (store.path / "samples").is_dir():
        raise UserError(f"store must be a folder that `quidam characterize` filled, not {path!s}")
    return store


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{_TEMPORARY}{path.name}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        temporary.unlink(missing_ok=True)  # a full disk needs its room
        raise OSError(error.errno, error.strerror, str(path)) from error
    temporary.replace(path)
    # The rename itself is safe only when the folder is on disk, too.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
