"""Power of a mapped netlist: leakage, internal and switching power of every instance.

P = leakage of the states it is in                           (cell_energy.py)
  + mean energy of rise and fall * toggles per second        (internal; cell_energy.py)
  + 1/2 C V^2 * toggles per second of the nets it drives     (switching)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from characterize.activity import NetActivity
from characterize.cell_energy import CellEnergy
from characterize.cells import Library
from characterize.netlist import Netlist
from rtl_gen.errors import UserError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Power in mW of some instances."""

    leakage_mw: float
    internal_mw: float
    switching_mw: float

    @property
    def total_mw(self) -> float:
        return self.leakage_mw + self.internal_mw + self.switching_mw


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerReport:
    """Power in mW, per instance (in the netlist's order) and of the nets no instance drives.

    Parameters
    ----------
    names, sequential : of each instance; sequential ones store something.
    leakage_mw, internal_mw, switching_mw : (instances,).
    clock_mw : switching of the clock net's pins. What the clock costs inside the flip-flops is
        internal power of these.
    inputs_mw : switching of the nets that the other input ports drive, counted here because their
        pins are: so components add up without counting a pin twice.
    """

    names: tuple[str, ...]
    sequential: NDArray[np.bool_]
    leakage_mw: Floats
    internal_mw: Floats
    switching_mw: Floats
    clock_mw: float
    inputs_mw: float

    def of(self, chosen: NDArray[np.bool_]) -> Power:
        """The sum over the instances chosen by (instances,)."""
        return Power(
            leakage_mw=float(self.leakage_mw[chosen].sum()),
            internal_mw=float(self.internal_mw[chosen].sum()),
            switching_mw=float(self.switching_mw[chosen].sum()),
        )

    @property
    def total(self) -> Power:
        """The sum over all instances; the nets of clock and inputs are not in it."""
        return self.of(np.ones(len(self.names), np.bool_))

    def parts(self, prefixes: Mapping[str, str], rest: str) -> dict[str, Power]:
        """The sums by part: of the instances whose name begins so, the longest prefix counting.

        Parameters
        ----------
        prefixes : the part, by the beginning of instance names.
        rest : the part of all other instances.
        """
        order = sorted(prefixes, key=len, reverse=True)
        part = np.array(
            [next((prefixes[p] for p in order if name.startswith(p)), rest) for name in self.names],
            np.object_,
        )
        return {name: self.of(part == name) for name in dict.fromkeys([rest, *prefixes.values()])}


def power(
    netlist: Netlist,
    library: Library,
    activity: NetActivity,
    slews: Mapping[str, tuple[float, float]],
    clock_ns: float,
    *,
    clock_port: str = "clk",
    output_load_pf: float = 0.0,
) -> PowerReport:
    """The power of every instance at this activity and clock.

    Parameters
    ----------
    activity : of this very netlist (`simulate(...).masks[name]`).
    slews : rise and fall slew in ns of every "instance/pin" that toggles, as the Liberty file
        measures slews.
    output_load_pf : what hangs on every output port beside the netlist's own pins.

    Raises
    ------
    UserError : a toggling pin has no finite slew, or clock_ns is not positive.
    """
    if not clock_ns > 0:
        raise UserError(f"clock_ns must be positive, not {clock_ns!r}")
    load = _loads(netlist, library, output_load_pf)
    # pJ per ns is mW
    switching = 0.5 * load * library.voltage_v**2 * activity.toggles / clock_ns
    size = len(netlist.instances)
    leakage, internal, own = np.zeros(size), np.zeros(size), np.zeros(size)
    by_type: dict[str, list[int]] = {}
    for number, instance in enumerate(netlist.instances):
        by_type.setdefault(instance.type, []).append(number)
    for name, numbers in by_type.items():
        cell = CellEnergy(netlist, library.cell(name), numbers, activity, slews, load)
        leakage[numbers] = cell.leakage_mw()
        internal[numbers] = cell.energy_pj() / clock_ns
        for pin in cell.outputs:
            own[numbers] += switching[cell.nets[pin]]
    drives = {n: port.nets for n, port in netlist.ports.items() if port.direction == "input"}
    clock = drives.pop(clock_port, np.zeros(0, np.int64))
    return PowerReport(
        names=tuple(instance.name for instance in netlist.instances),
        sequential=np.array([library.cell(i.type).sequential for i in netlist.instances], np.bool_),
        leakage_mw=leakage,
        internal_mw=internal,
        switching_mw=own,
        clock_mw=float(switching[clock].sum()),
        inputs_mw=float(sum(switching[nets].sum() for nets in drives.values())),
    )


def _loads(netlist: Netlist, library: Library, output_load_pf: float) -> Floats:
    """The capacitance on every net: its pins' and, at output ports, what hangs outside; (nets,)."""
    load = np.zeros(netlist.nets)
    for instance in netlist.instances:
        pins_of = library.cell(instance.type).pins
        for pin, net in instance.pins.items():
            load[net] += pins_of[pin].capacitance_pf
    for port in netlist.ports.values():
        if port.direction == "output":
            np.add.at(load, port.nets, output_load_pf)
    return load
