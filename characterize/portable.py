"""A measurement that travels: for workers that share nothing with this machine but the package."""

from __future__ import annotations

import atexit
import functools
import platform
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from characterize import tools
from characterize.cell_files import prepare
from characterize.identity import TOOLS, method_sha256
from characterize.measure import measure
from characterize.sample import Failure, Sample, Task
from characterize.scratch import temporary_folder
from characterize.technology import LibertyFile, Technology
from rtl_gen.errors import ToolError

_unpacking = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Portable:
    """`measure` with all that it needs, to be pickled and called elsewhere.

    Parameters
    ----------
    technology : its Liberty files' paths are those of the machine it came from.
    liberty : the bytes of these files.
    method : `method_sha256` there; an id is only true where the same method is at work.
    tools : versions of `TOOLS` there.
    """

    technology: Technology
    liberty: tuple[bytes, ...]
    method: str
    tools: Mapping[str, str | None] = field(hash=False)

    def __call__(self, task: Task, id: str) -> Sample | Failure:
        """Measure.

        Raises
        ------
        ToolError
            When the package or a tool here is not of the version that the id was made with.
        """
        here = {**_versions(), "quidam's method": method_sha256()}
        for name, version in {**self.tools, "quidam's method": self.method}.items():
            if here.get(name) != version:
                raise ToolError(
                    f"worker {platform.node()} must have the versions of the machine that asks: "
                    f"{name} is {here.get(name)} there, not {version}"
                )
        with _unpacking:  # a worker may have threads
            technology, prepared, scratch = _unpacked(self.technology, self.liberty)
        return measure(task, id, technology=technology, liberty=prepared, scratch=scratch)


def portable(technology: Technology) -> Portable:
    """The measurement for a technology, with its Liberty files as they are here and now."""
    return Portable(
        technology=technology,
        liberty=tuple(file.path.read_bytes() for file in technology.liberty),
        method=method_sha256(),
        tools=_versions(),
    )


def _versions() -> dict[str, str | None]:
    return {name: tools.versions().get(name) for name in TOOLS}


@functools.lru_cache(maxsize=4)
def _unpacked(
    technology: Technology, liberty: tuple[bytes, ...]
) -> tuple[Technology, tuple[Path, ...], Path]:
    """The technology with files of this machine, the prepared files, a folder for work."""
    folder = temporary_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    files = []
    for number, (file, content) in enumerate(zip(technology.liberty, liberty, strict=True)):
        path = folder / f"{number}-{file.path.name}"  # the suffix says whether it is compressed
        path.write_bytes(content)
        files.append(LibertyFile(path=path, expected_sha256=file.expected_sha256))
    here = replace(technology, liberty=tuple(files))
    return here, prepare(here, folder / "cells"), folder
