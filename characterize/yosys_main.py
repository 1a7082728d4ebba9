"""A Yosys of its own: run as a program (`python -P yosys_main.py SCRIPT`) by `tools.py`."""

from __future__ import annotations

import sys

from pyosys import libyosys

if __name__ == "__main__":
    libyosys.run_pass(f"script {sys.argv[1]}", libyosys.Design())
