"""A flat mapped netlist, as Yosys's `write_json` gives it: which cell stands on which nets."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize.cells import Library
from rtl_gen.errors import UserError

#: The nets that hold constants; undefined bits ("x", "z") are read as 0, as synthesis sets them.
ZERO, ONE = 0, 1
_CONSTANT: dict[int | str, int] = {"0": ZERO, "x": ZERO, "z": ZERO, "1": ONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of the module: "input" or "output", and the net of each bit, lowest first."""

    direction: str
    nets: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A cell in the netlist; `pins` gives the net of every pin that its cell has."""

    name: str
    type: str
    pins: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Netlist:
    """One flat module; nets are numbers below `nets`, of which 0 and 1 are the constants."""

    name: str
    nets: int
    ports: Mapping[str, Port]
    instances: tuple[Instance, ...]


def read_netlist(path: Path, library: Library) -> Netlist:
    """The one module of a file that Yosys's `write_json` wrote, checked against its library.

    Output pins that the file leaves open get a net of their own, so that every pin has one.

    Raises
    ------
    UserError : the file is no such JSON, holds not exactly one module, or has a cell or a pin that
        the library does not know or an input pin that nothing is connected to.
    """
    try:
        modules = json.loads(path.read_text())["modules"]
        # Yosys lists the library's cells as modules too: blackboxes, marked so.
        designs = [
            (name, module)
            for name, module in modules.items()
            if not int(str(module.get("attributes", {}).get("blackbox", "0")), 2)
        ]
        if len(designs) != 1:
            raise UserError(f"must hold one module, not {[name for name, _ in designs]!r}")
        return _netlist(*designs[0], library)
    except UserError as error:
        raise UserError(f"{path}: a netlist {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: a netlist must be JSON that Yosys wrote: {error!r}") from error


def _netlist(name: str, module: Mapping[str, Any], library: Library) -> Netlist:
    numbers: dict[int | str, int] = {}
    fresh = itertools.count(2)

    def net(bit: int | str) -> int:
        if bit in _CONSTANT:
            return _CONSTANT[bit]
        if bit not in numbers:
            numbers[bit] = next(fresh)
        return numbers[bit]

    ports = {
        port: Port(
            direction=said["direction"], nets=np.array([net(bit) for bit in said["bits"]], np.int64)
        )
        for port, said in module["ports"].items()
    }
    instances = []
    for instance, said in module["cells"].items():
        pins = {}
        for pin, bits in said["connections"].items():
            if len(bits) > 1:
                raise UserError(f"must have pins of one bit, not {instance}/{pin} of {len(bits)}")
            if bits:
                pins[pin] = net(bits[0])
        cell = library.cells.get(said["type"])
        if cell is None or not pins.keys() <= cell.pins.keys():
            raise UserError(
                f"must be mapped to library {library.name}, not hold {instance} of type "
                f"{said['type']!r} with pins {sorted(pins)}"
            )
        for pin in cell.pins.values():
            if pin.name not in pins and pin.direction == "input":
                raise UserError(f"must connect every input, not leave {instance}/{pin.name} open")
            pins.setdefault(pin.name, -1)
        instances.append(
            Instance(
                name=instance,
                type=cell.name,
                pins={pin: next(fresh) if at < 0 else at for pin, at in pins.items()},
            )
        )
    return Netlist(name=name, nets=next(fresh), ports=ports, instances=tuple(instances))
