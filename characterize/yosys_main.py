"""A Yosys of its own: run as a program (`python -P yosys_main.py SCRIPT ...`) by `tools.py`.

Of several scripts the last one goes on where the first has ended. Those in between begin there,
too, each in a copy of the process: none sees what another one did, not even how many names it made.
"""

from __future__ import annotations

import ctypes
import os
import sys

from pyosys import libyosys

_C = ctypes.CDLL(None)


def run(script: str) -> None:
    """Run a script on the one design there is."""
    libyosys.run_pass(f"script {script}", DESIGN)
    _C.fflush(None)  # what is not written yet would be written by each copy


def run_apart(script: str) -> None:
    """Run a script in a copy of this process; ends this one where that one fails."""
    copy = os.fork()
    if copy == 0:
        run(script)
        os._exit(0)
    _, status = os.waitpid(copy, 0)
    if status:
        _C.fflush(None)
        os._exit(1)


if __name__ == "__main__":
    DESIGN = libyosys.Design()
    first, *rest = sys.argv[1:]
    run(first)
    for name in rest[:-1]:
        run_apart(name)
    for name in rest[-1:]:
        run(name)
