"""Whether processes have ended."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path


def ended(pids: Collection[int]) -> bool:
    """Whether all of these processes end within a minute; one that waits to be reaped has."""
    for _ in range(1200):
        if not any(_runs(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _runs(pid: int) -> bool:
    try:
        # "pid (name) state ...", the name being anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
