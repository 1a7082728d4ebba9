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


class Circuit:
    """A netlist made ready: all that its power depends on but activity and clock, found once.

    Parameters
    ----------
    slews : rise and fall slew in ns of every net that toggles, as the Liberty file measures slews,
        by any pin on it ("instance/pin"), or by the input port ("port", or "port[bit]"). Wires
        change no slew.
    output_load_pf : what hangs on every output port beside the netlist's own pins.
    """

    def __init__(
        self,
        netlist: Netlist,
        library: Library,
        slews: Mapping[str, tuple[float, float]],
        *,
        output_load_pf: float = 0.0,
    ) -> None:
        self.netlist, self.library = netlist, library
        self._load = _loads(netlist, library, output_load_pf)
        of_nets = net_slews(netlist, slews)
        by_type: dict[str, list[int]] = {}
        for number, instance in enumerate(netlist.instances):
            by_type.setdefault(instance.type, []).append(number)
        self._cells = [
            (numbers, CellEnergy(netlist, library.cell(name), numbers, of_nets, self._load))
            for name, numbers in by_type.items()
        ]

    def power(
        self, activity: NetActivity, clock_ns: float, *, clock_port: str = "clk"
    ) -> PowerReport:
        """The power of every instance.

        Parameters
        ----------
        activity : of this very netlist (`simulate(...).masks[name]`).

        Raises
        ------
        UserError : a toggling pin has no finite slew, or clock_ns is not positive.
        """
        if not clock_ns > 0:
            raise UserError(f"clock_ns must be positive, not {clock_ns!r}")
        # pJ per ns is mW
        switching = 0.5 * self._load * self.library.voltage_v**2 * activity.toggles / clock_ns
        size = len(self.netlist.instances)
        leakage, internal, own = np.zeros(size), np.zeros(size), np.zeros(size)
        for numbers, cell in self._cells:
            leakage[numbers] = cell.leakage_mw(activity)
            internal[numbers] = cell.energy_pj(activity) / clock_ns
            for pin in cell.outputs:
                own[numbers] += switching[cell.nets[pin]]
        ports = self.netlist.ports.items()
        drives = {name: port.nets for name, port in ports if port.direction == "input"}
        clock = drives.pop(clock_port, np.zeros(0, np.int64))
        types = [self.library.cell(instance.type) for instance in self.netlist.instances]
        return PowerReport(
            names=tuple(instance.name for instance in self.netlist.instances),
            sequential=np.array([one.sequential for one in types], np.bool_),
            leakage_mw=leakage,
            internal_mw=internal,
            switching_mw=own,
            clock_mw=float(switching[clock].sum()),
            inputs_mw=float(sum(switching[nets].sum() for nets in drives.values())),
        )


def net_slews(netlist: Netlist, slews: Mapping[str, tuple[float, float]]) -> Floats:
    """Rise and fall slew of every net, (nets, 2), infinite where no pin on it has one."""
    found = np.full((netlist.nets, 2), np.inf)
    for name, port in netlist.ports.items():
        for bit, net in enumerate(port.nets):
            alone = slews.get(name) if len(port.nets) == 1 else None
            known = slews.get(f"{name}[{bit}]", alone)
            if port.direction == "input" and known is not None:
                found[net] = known
    for instance in netlist.instances:
        for pin, net in instance.pins.items():
            if (known := slews.get(f"{instance.name}/{pin}")) is not None:
                found[net] = known
    return found


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
