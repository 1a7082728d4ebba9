"""Reading a spoilt file: an answer or one message, in little time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from characterize.technology import (
    LibertyFile,
    Technology,
)
from rtl_gen.errors import ToolError, UserError

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 5.0
Reader = Callable[[Path], Any]


def outcome(read: Reader, path: Path, what: str) -> Any:
    """What was read, or the error's message; anything else fails the test and says `what`."""
    start = time.monotonic()
    try:
        result = read(path)
    except (UserError, ToolError) as error:
        result = str(error)
        assert result.strip(), what
        assert "Traceback" not in result, what
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error} after {what}") from error
    assert time.monotonic() - start < MOST_SECONDS, what
    return result


def technology(path: Path) -> Technology:
    """A technology of the cells in a file."""
    values: dict[str, Any] = {
        item.name: None
        for item in dataclasses.fields(Technology)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    files = (LibertyFile(path=path, expected_sha256=""),)
    texts = {"name": "fuzz", "description": "x", "corner": "typical", "memory": "cacti45"}
    numbers = {"feature_nm": 45.0, "voltage_v": 1.0, "temperature_c": 25.0, "clock_ns": 1.0}
    rest = {"driving_cell": "NOT", "output_load_ff": 1.0, "wire_ff_per_pin": 0.5, "install": ""}
    more = {"prune": (), "dram_pj_per_bit": 1.0, "sources": {}}
    return Technology(**{**values, **texts, **numbers, **rest, **more, "liberty": files})
