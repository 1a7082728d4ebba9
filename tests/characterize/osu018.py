"""The technology that tests synthesize for, or a skip where Debian's package is not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from characterize.cell_files import prepare
from characterize.technology import Technology, load_technology
from rtl_gen.errors import ToolError


def osu018(folder: Path) -> tuple[Technology, tuple[Path, ...]]:
    """osu018 and its prepared Liberty files in `folder`."""
    try:
        technology = load_technology("osu018")
    except ToolError as error:
        pytest.skip(str(error))
    return technology, prepare(technology, folder / "cells")
