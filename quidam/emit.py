"""`quidam emit`: the Verilog of one accelerator."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rtl_gen.config import load_config
from rtl_gen.verilog import TOP, emit

EPILOG = """\
example:
  quidam emit examples/configs/int8.yaml -o build/int8
  verilator --lint-only -Wno-lint -f filelist.f      (in build/int8)
"""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "emit",
        description="Write the Verilog of one accelerator: a file a module, and a manifest. "
        "The same config gives the same bytes on every machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="the accelerator")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder for the files")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Emit and list the files."""
    files = emit(load_config(args.config), Path(args.output))
    lines = sum(len(path.read_text().splitlines()) for path in files if path.suffix == ".v")
    print(f"{args.output}: {len(files)} files, {lines} lines of Verilog, top module {TOP}")
    return 0
